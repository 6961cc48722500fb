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
        self.hidden: set[tuple[str, str]] = set()
        """(viewer, user): the user has blocked the viewer."""

        self.last_seen_ms: int | None = 7
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
                hidden = (viewer_id, user_id) in self.hidden
                presence = Presence(
                    user_id=user_id,
                    online=user_id in online and not hidden,
                    last_seen_ms=None if hidden else self.last_seen_ms,
                )
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


async def test_who_is_blocked_is_sent_nothing_when_the_other_comes_and_goes(world: World, watch: PresenceWatch) -> None:
    blocked, friend = Screen(A), Screen(C)
    world.hidden.add((A, B))
    for screen in (blocked, friend):
        show(watch, screen, B)
    await watch.look()
    for _ in range(2):
        world.online.add(B)
        await watch.look()
        world.online.clear()
        await watch.look()
    assert blocked.states() == [(B, False)], "the frame alone would tell that somebody came or went"
    assert friend.states() == [(B, False), (B, True), (B, False), (B, True), (B, False)]


async def test_a_block_and_its_end_are_shown_while_the_chat_is_open(world: World, watch: PresenceWatch) -> None:
    screen, other = Screen(), Screen()
    world.online |= {B, C}
    show(watch, screen, B)
    show(watch, other, C)
    await watch.look()
    world.hidden.add((A, B))
    watch.note_change(B)
    await watch.look()
    world.hidden.clear()
    watch.note_change(B)
    await watch.look()
    assert screen.states() == [(B, True), (B, False), (B, True)]
    assert other.states() == [(C, True)]


async def test_the_last_seen_that_is_hidden_now_is_taken_back(world: World, watch: PresenceWatch) -> None:
    screen = Screen()
    show(watch, screen, B)
    await watch.look()
    world.last_seen_ms = None
    watch.note_change(B)
    await watch.look()
    assert [frame["last_seen"] for frame in screen.frames] == [7, None]


async def test_a_change_that_shows_nothing_new_sends_nothing(world: World, watch: PresenceWatch) -> None:
    screen = Screen()
    world.online.add(B)
    show(watch, screen, B)
    await watch.look()
    world.last_seen_ms = 8  # of somebody online it is the present, which moves
    watch.note_any_change()
    await watch.look()
    assert (screen.states(), world.queries) == ([(B, True)], 2)


async def test_a_change_during_a_look_or_before_one_that_failed_is_not_lost(
    world: World, watch: PresenceWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Screen()
    world.online.add(B)
    show(watch, screen, B)
    await watch.look()
    watch.note_change(B)
    with monkeypatch.context() as broken:

        async def fail(query: Any) -> Any:
            raise OSError("the database is away")

        broken.setattr(world, "run", fail)
        with pytest.raises(OSError, match="away"):
            await watch.look()

    async def read_before_the_change(query: Any) -> Any:
        answer = query()
        world.hidden.add((A, B))
        watch.note_change(B)
        return answer

    with monkeypatch.context() as slow:
        slow.setattr(world, "run", read_before_the_change)
        await watch.look()
    assert screen.states() == [(B, True)]
    await watch.look()
    assert screen.states() == [(B, True), (B, False)]


async def test_who_deletes_the_account_goes(world: World, watch: PresenceWatch) -> None:
    screen = Screen()
    world.online.add(B)
    show(watch, screen, B)
    await watch.look()
    world.online.clear()
    world.unknown.add(B)
    await watch.look()
    assert screen.frames[-1] == {"action": "presence", "user_id": B, "online": False, "last_seen": None}
