"""The person on screen comes and goes: who is told, of whom, and how often."""

from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from apps.accounts.presence import Presence
from apps.gateway import presence_watch
from apps.gateway.presence_watch import PresenceWatch
from apps.protocol.client_frames import OpenChat

A, B, C = "usr-aaaaaaaaaaaa", "usr-bbbbbbbbbbbb", "usr-cccccccccccc"


@dataclass(eq=False)
class Screen:
    """Stands in the place of a connection: what it was told is kept."""

    user_id: str = A
    frames: list[dict[str, Any]] = field(default_factory=list)

    def send(self, frame: str) -> None:
        self.frames.append(orjson.loads(frame))

    def states(self) -> list[tuple[str, bool]]:
        return [(frame["user_id"], frame["online"]) for frame in self.frames]


class World:
    """Who is online, and how often the database was asked."""

    def __init__(self) -> None:
        self.online: set[str] = set()
        self.unknown: set[str] = set()
        self.queries = 0

    async def find_online(self, user_ids: list[str]) -> set[str]:
        return self.online & set(user_ids)

    async def run(self, query: Any) -> Any:
        self.queries += 1
        return query()

    def list_presence(self, pairs: list[tuple[str, str]], online: set[str]) -> dict[str, dict[str, Presence]]:
        found: dict[str, dict[str, Presence]] = {}
        for viewer_id, user_id in pairs:
            if user_id not in self.unknown:
                presence = Presence(user_id=user_id, online=user_id in online, last_seen_ms=7)
                found.setdefault(viewer_id, {})[user_id] = presence
        return found


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(presence_watch, "find_online", made.find_online)
    monkeypatch.setattr(presence_watch, "list_presence_of_pairs", made.list_presence)
    return made


@pytest.fixture
def watch(world: World) -> PresenceWatch:
    return PresenceWatch(world)  # type: ignore[arg-type]


def show(watch: PresenceWatch, screen: Screen, user_id: str | None) -> None:
    watch.open_chat(screen, OpenChat(user_id=user_id, group_id=None))  # type: ignore[arg-type]


async def test_the_person_on_screen_is_told_of_at_once_and_when_something_changes(
    world: World, watch: PresenceWatch
) -> None:
    screen = Screen()
    show(watch, screen, B)
    await watch.look()
    await watch.look()
    world.online.add(B)
    await watch.look()
    await watch.look()
    world.online.clear()
    await watch.look()
    assert screen.states() == [(B, False), (B, True), (B, False)]
    assert world.queries == 3, "nothing changed, nothing asked"


async def test_only_the_chat_on_screen_counts(world: World, watch: PresenceWatch) -> None:
    screen = Screen()
    show(watch, screen, B)
    await watch.look()
    show(watch, screen, C)
    world.online |= {B, C}
    await watch.look()
    show(watch, screen, None)
    world.online.clear()
    await watch.look()
    assert screen.states() == [(B, False), (C, True)]


async def test_a_chat_that_was_changed_during_a_look_is_not_told_of_the_one_before(
    world: World, watch: PresenceWatch
) -> None:
    screen = Screen()
    show(watch, screen, B)

    async def run(query: Any) -> Any:
        show(watch, screen, C)
        return query()

    world.run = run  # type: ignore[method-assign]
    await watch.look()
    assert screen.states() == []


async def test_an_ended_connection_and_ones_own_chat_are_not_watched(world: World, watch: PresenceWatch) -> None:
    ended, own = Screen(), Screen()
    show(watch, ended, B)
    watch.forget(ended)  # type: ignore[arg-type]
    show(watch, own, A)
    await watch.look()
    assert (ended.frames, own.frames) == ([], [])


async def test_somebody_who_does_not_exist_is_asked_for_once(world: World, watch: PresenceWatch) -> None:
    world.unknown.add(B)
    screen = Screen()
    show(watch, screen, B)
    await watch.look()
    await watch.look()
    assert (screen.frames, world.queries) == ([], 1)
