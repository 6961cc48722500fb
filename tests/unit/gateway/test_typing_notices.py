"""Typing goes from server to server, to nobody who is blocked, and only the latest of a pair."""

from dataclasses import dataclass
from typing import Any

import pytest

from apps.accounts.facts import NO_ACCOUNT, AccountFacts
from apps.gateway import typing_notices
from apps.gateway.typing_notices import TypingNotices
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

    async def run_in_thread(work: Any) -> dict[str, AccountFacts]:
        return facts

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
