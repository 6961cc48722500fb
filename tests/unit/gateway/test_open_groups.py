"""Who has a group open at a gateway hears what concerns only viewers, if they are members, and nobody else does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from apps.gateway import open_groups as open_groups_module
from apps.gateway.open_groups import OpenGroups
from apps.groups.facts import MemberFacts, member_key
from apps.groups.keys import VIEWERS_SECONDS, viewers_key
from apps.groups.viewers import find_viewers, note_viewers
from apps.ingest import permissions
from apps.ingest.permissions import AccountDirectory
from apps.protocol.client_frames import OpenChat
from apps.valkey.pools import close_async_clients
from apps.valkey.sync_keyspace import SyncKeyspace

ADA, BOB, EVE = "usr-aaaaaaaaaaaa", "usr-bbbbbbbbbbbb", "usr-eeeeeeeeeeee"
GROUP, OTHER = "grp-0123456789ab", "grp-ffffffffffff"


@dataclass(eq=False)
class Viewer:
    """A connection, with what was written to it."""

    user_id: str
    frames: list[str] = field(default_factory=list)

    def send(self, frame: str) -> None:
        self.frames.append(frame)


class Gateway:
    """Open groups over a directory in whose cache and database Ada and Bob are members of both groups."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.members = {member_key(group, user) for group in (GROUP, OTHER) for user in (ADA, BOB)}
        self.noted: list[list[str]] = []
        self.learnt: list[list[str]] = []
        self.directory = AccountDirectory(self._run_in_thread)
        self.open_groups = OpenGroups("gw-1", self.directory)
        monkeypatch.setattr(permissions, "_read_cached", self._read_cached)
        monkeypatch.setattr(open_groups_module, "note_viewers", self._note)

    async def _read_cached(self, names: Sequence[str]) -> dict[str, Any]:
        self.learnt.append(sorted(names))
        return {name: MemberFacts(role="member" if name in self.members else "") for name in names}

    async def _run_in_thread(self, work: Callable[[], Any]) -> dict[str, Any]:
        raise AssertionError("the cache knows them all")

    async def _note(self, server_id: str, group_ids: Iterable[str]) -> None:
        assert server_id == "gw-1"
        self.noted.append(sorted(group_ids))

    def open(self, viewer: Viewer, group_id: str | None) -> None:
        receiver_id = None if group_id else BOB
        frame = OpenChat(user_id=receiver_id, group_id=group_id)
        self.open_groups.open_chat(viewer, frame)  # type: ignore[arg-type]

    def tell(self, frame: str, group_id: str = GROUP, except_user: str = "") -> None:
        self.open_groups.tell([(group_id, frame, except_user)])

    async def noticed(self, rounds: int) -> None:
        """Wait until so many rounds were noted."""
        async with asyncio.timeout(5):
            while len(self.noted) < rounds:
                await asyncio.sleep(0.002)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.open_groups.run())
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Gateway:
    return Gateway(monkeypatch)


async def test_members_who_have_it_open_are_told_and_nobody_else(gateway: Gateway) -> None:
    ada, bob, elsewhere, stranger = Viewer(ADA), Viewer(BOB), Viewer(BOB), Viewer(EVE)
    for viewer, group_id in ((ada, GROUP), (bob, GROUP), (elsewhere, OTHER), (stranger, GROUP)):
        gateway.open(viewer, group_id)
    async with gateway.running():
        await gateway.noticed(1)
        gateway.tell("hello")
        gateway.tell("ada writes", except_user=ADA)
    assert gateway.noted == [[GROUP, OTHER]]
    assert [one.frames for one in (ada, bob, elsewhere, stranger)] == [["hello"], ["hello", "ada writes"], [], []]


async def test_one_chat_is_on_a_screen_at_a_time(gateway: Gateway) -> None:
    ada = Viewer(ADA)
    async with gateway.running():
        gateway.open(ada, GROUP)
        await gateway.noticed(1)
        gateway.open(ada, OTHER)
        await gateway.noticed(2)
        gateway.tell("to the first")
        gateway.tell("to the second", OTHER)
        gateway.open(ada, None)
        gateway.tell("to nobody", OTHER)
    assert ada.frames == ["to the second"]


async def test_a_connection_that_ends_is_forgotten(gateway: Gateway) -> None:
    ada, bob = Viewer(ADA), Viewer(BOB)
    async with gateway.running():
        gateway.open(ada, GROUP)
        gateway.open(bob, GROUP)
        await gateway.noticed(1)
        for _ in range(2):
            gateway.open_groups.forget(ada)  # type: ignore[arg-type]
        gateway.tell("hello")
    assert (ada.frames, bob.frames) == ([], ["hello"])


async def test_who_is_removed_hears_nothing_from_then_on(gateway: Gateway) -> None:
    ada, bob = Viewer(ADA), Viewer(BOB)
    async with gateway.running():
        gateway.open(ada, GROUP)
        gateway.open(bob, GROUP)
        await gateway.noticed(1)
        gateway.members.discard(member_key(GROUP, BOB))
        gateway.directory.forget([member_key(GROUP, BOB)])
        gateway.tell("not known yet")
        await gateway.noticed(2)
        gateway.tell("known again")
    assert (ada.frames, bob.frames) == (["not known yet", "known again"], [])


async def test_of_a_member_who_was_forgotten_it_is_asked_once(gateway: Gateway) -> None:
    bob = Viewer(BOB)
    async with gateway.running():
        gateway.open(bob, GROUP)
        await gateway.noticed(1)
        gateway.directory.forget_all()
        for number in range(20):
            gateway.tell(f"{number}")
        await gateway.noticed(2)
        gateway.tell("now")
    assert bob.frames == ["now"]
    assert gateway.learnt == [[member_key(GROUP, BOB)]] * 2


async def test_what_stays_open_is_noted_again_however_many_others_are_opened(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_groups_module, "REFRESH_SECONDS", 0.05)
    gateway.open(Viewer(ADA), GROUP)
    visitor = Viewer(BOB)
    async with gateway.running(), asyncio.timeout(5):
        await gateway.noticed(1)
        while sum(GROUP in one for one in gateway.noted) < 3:
            gateway.open(visitor, OTHER)
            await asyncio.sleep(0.005)
    assert len(gateway.noted) > 6, "each that is opened is noted at once, too"


async def test_where_nothing_is_open_nothing_is_noted(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_groups_module, "REFRESH_SECONDS", 0.01)
    ada = Viewer(ADA)
    async with gateway.running():
        gateway.open(ada, GROUP)
        gateway.open(ada, None)
        await asyncio.sleep(0.05)
    assert gateway.noted == []


async def test_a_cache_that_is_down_is_tried_again(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_groups_module, "REFRESH_SECONDS", 0.02)
    note, failures = gateway._note, [1, 1]

    async def note_or_fail(server_id: str, group_ids: Iterable[str]) -> None:
        if failures:
            failures.pop()
            raise OSError("down")
        await note(server_id, group_ids)

    monkeypatch.setattr(open_groups_module, "note_viewers", note_or_fail)
    gateway.open(Viewer(ADA), GROUP)
    async with gateway.running():
        await gateway.noticed(1)
    assert gateway.noted[0] == [GROUP]


async def test_gateways_with_viewers_are_found_until_they_say_so_no_more(
    inbox_valkey: SyncKeyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_000.0]
    monkeypatch.setattr("apps.groups.viewers.time.time", lambda: now[0])
    await note_viewers("gw-1", [GROUP, OTHER])
    now[0] += VIEWERS_SECONDS - 1
    await note_viewers("gw-2", [GROUP])
    assert {group: sorted(found) for group, found in find_viewers([GROUP, OTHER]).items()} == {
        GROUP: ["gw-1", "gw-2"],
        OTHER: ["gw-1"],
    }
    now[0] += 2
    assert find_viewers([GROUP, OTHER]) == {GROUP: ["gw-2"], OTHER: []}
    await note_viewers("gw-2", [GROUP])
    assert inbox_valkey.execute("ZCARD", viewers_key(GROUP)) == 1, "who is gone does not stay for ever"
    await close_async_clients()
