"""Typing goes from server to server, to nobody who is blocked, and only the latest of a pair."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import pytest

from apps.accounts.facts import NO_ACCOUNT, AccountFacts
from apps.gateway import typing_notices
from apps.gateway.typing_notices import MAX_IN_GROUP, TypingNotices
from apps.groups.facts import GroupFacts, MemberFacts, member_key
from apps.ingest import permissions
from apps.ingest.permissions import AccountDirectory
from apps.protocol.client_frames import Typing

A, B = "usr-aaaaaaaaaaaa", "usr-bbbbbbbbbbbb"
FINE = AccountFacts(exists=True, suspended=False, blocks=frozenset())


@dataclass
class Writer:
    user_id: str = A


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str], str]]:
    sent: list[tuple[str, list[str], str]] = []

    async def find_servers(user_ids: list[str]) -> list[dict[str, list[str]]]:
        return [{"gw-1": [f"device of {user_id}"]} for user_id in user_ids]

    async def send(server_id: str, device_ids: list[str], frame: str) -> None:
        sent.append((server_id, device_ids, frame))

    monkeypatch.setattr(typing_notices, "find_servers", find_servers)
    monkeypatch.setattr(typing_notices, "send_ephemeral", send)
    return sent


async def notices(monkeypatch: pytest.MonkeyPatch, facts: dict[str, AccountFacts]) -> TypingNotices:
    """Notices over a directory that knows nobody yet: some are in the cache, the rest in the database."""

    async def cached(user_ids: Any) -> dict[str, AccountFacts]:
        return {A: facts[A]}

    async def run_in_thread(work: Any) -> dict[str, Any]:
        return dict(facts)

    monkeypatch.setattr(permissions, "_read_cached", cached)
    return TypingNotices(AccountDirectory(run_in_thread))


def typing(state: Any, to: str = B) -> Typing:
    return Typing(receiver_id=to, group_id=None, state=state)


async def test_the_first_notice_reaches_somebody_the_gateway_did_not_know(monkeypatch: Any, told: Any) -> None:
    made = await notices(monkeypatch, {A: FINE, B: FINE})
    made.tell(Writer(), typing("start"))  # type: ignore[arg-type]
    made.tell(Writer(), typing("stop"))  # type: ignore[arg-type]
    await made._pass_on(made._waiting)
    ((server_id, device_ids, frame),) = told
    assert (server_id, device_ids) == ("gw-1", [f"device of {B}"])
    assert '"state":"stop"' in frame, "the latest counts"


@pytest.mark.parametrize(
    "facts",
    [
        {A: FINE, B: AccountFacts(exists=True, suspended=False, blocks=frozenset({A}))},
        {A: AccountFacts(exists=True, suspended=False, blocks=frozenset({B})), B: FINE},
        {A: FINE, B: NO_ACCOUNT},
    ],
)
async def test_nobody_who_is_blocked_or_unknown_is_told(monkeypatch: Any, told: Any, facts: Any) -> None:
    made = await notices(monkeypatch, facts)
    made.tell(Writer(), typing("start"))  # type: ignore[arg-type]
    await made._pass_on(made._waiting)
    assert told == []


GROUP, OTHER = "grp-0123456789ab", "grp-ffffffffffff"


@pytest.fixture
def told_viewers(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Return what is sent to viewers: one gateway has the first group open, two the other."""
    sent: list[tuple[str, list[tuple[str, str, str]]]] = []

    async def find_viewers(group_ids: list[str]) -> dict[str, list[str]]:
        return {one: ["gw-1"] if one == GROUP else ["gw-1", "gw-2"] for one in group_ids}

    async def send(server_id: str, frames: list[tuple[str, str, str]]) -> None:
        sent.append((server_id, frames))

    monkeypatch.setattr(typing_notices, "find_viewers_async", find_viewers)
    monkeypatch.setattr(typing_notices, "send_to_viewers", send)
    return sent


def group_notices(
    monkeypatch: pytest.MonkeyPatch, *members: tuple[str, str], deleted: Collection[str] = ()
) -> TypingNotices:
    """Notices over a directory whose cache says that these (group, user) are members, and which groups are gone."""
    names = {member_key(*one) for one in members}

    async def cached(asked: Any) -> dict[str, GroupFacts | MemberFacts]:
        return {
            name: MemberFacts(role="member" if name in names else "")
            if ":" in name
            else GroupFacts(exists=name not in deleted)
            for name in asked
        }

    async def run_in_thread(work: Any) -> dict[str, Any]:
        raise AssertionError("the cache knows them all")

    monkeypatch.setattr(permissions, "_read_cached", cached)
    return TypingNotices(AccountDirectory(run_in_thread))


def in_group(group_id: str = GROUP, state: Any = "start") -> Typing:
    return Typing(receiver_id=None, group_id=group_id, state=state)


async def test_in_a_group_those_who_have_it_open_are_told_but_not_who_writes(
    monkeypatch: Any, told: Any, told_viewers: Any
) -> None:
    made = group_notices(monkeypatch, (GROUP, A), (OTHER, A))
    for frame in (in_group(), in_group(state="stop"), in_group(OTHER)):
        made.tell(Writer(), frame)  # type: ignore[arg-type]
    await made._pass_on(made._waiting)
    assert [(server_id, [(one[0], one[2]) for one in frames]) for server_id, frames in told_viewers] == [
        ("gw-1", [(GROUP, A)]),
        ("gw-1", [(OTHER, A)]),
        ("gw-2", [(OTHER, A)]),
    ]
    frame = told_viewers[0][1][0][1]
    assert '"state":"stop"' in frame, "the latest counts"
    assert f'"group_id":"{GROUP}"' in frame
    assert told == []


async def test_who_is_no_member_tells_nobody_that_they_write(monkeypatch: Any, told: Any, told_viewers: Any) -> None:
    made = group_notices(monkeypatch, (GROUP, B))
    for frame in (in_group(), in_group(OTHER)):
        made.tell(Writer(), frame)  # type: ignore[arg-type]
    await made._pass_on(made._waiting)
    assert told_viewers == []
    made.tell(Writer(B), in_group())  # type: ignore[arg-type]
    await made._pass_on(made._waiting)
    assert len(told_viewers) == 1


async def test_who_was_in_a_group_that_is_deleted_tells_nobody_there(
    monkeypatch: Any, told: Any, told_viewers: Any
) -> None:
    made = group_notices(monkeypatch, (GROUP, A), (OTHER, A), deleted=[OTHER])
    for frame in (in_group(), in_group(OTHER)):
        made.tell(Writer(), frame)  # type: ignore[arg-type]
    await made._pass_on(made._waiting)
    assert [frames[0][0] for _, frames in told_viewers] == [GROUP]


async def test_of_one_group_a_few_are_told_of_at_once_and_strangers_take_no_place(
    monkeypatch: Any, told: Any, told_viewers: Any
) -> None:
    members = [f"usr-{number:012x}" for number in range(2 * MAX_IN_GROUP)]
    made = group_notices(monkeypatch, *((GROUP, one) for one in members))
    for number in range(20, 30):
        made.tell(Writer(f"usr-{number:012x}"), in_group())  # type: ignore[arg-type]
    for one in members:
        made.tell(Writer(one), in_group())  # type: ignore[arg-type]
    await made._pass_on(made._waiting)
    ((_, frames),) = told_viewers
    assert [one[2] for one in frames] == members[:MAX_IN_GROUP]
