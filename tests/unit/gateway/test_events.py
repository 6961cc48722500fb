"""What a gateway does with the connections of a user some of whose sessions have ended."""

import asyncio
from typing import Any
from unittest.mock import Mock

import pytest

from apps.connections.control import DEVICES_REVOKED, FACTS_CHANGED, SETTINGS_CHANGED, ControlEvent
from apps.gateway.close_codes import CloseReason
from apps.gateway.events import GatewayEvents

REVOKED = ControlEvent(stream_id="1-0", kind=DEVICES_REVOKED, user_id="usr-1", device_ids=("dev-1",), reason="removed")


def connection(device_id: str) -> Any:
    return Mock(device_id=device_id, user_id="usr-1", credential_hash=f"hash of {device_id}")


async def obey(run: Any, *connections: Any) -> None:
    """Let a gateway with these connections hear of the revocation; ``run`` is its way to the database."""
    process = Mock()
    process.connections.return_value = connections
    process.threads.run = run
    events = GatewayEvents(process)
    events._obey(REVOKED)
    await asyncio.gather(*events._checks)


async def test_only_sessions_that_ended_are_closed_for_good() -> None:
    async def find_live(_: Any) -> set[str]:
        return {"hash of dev-2"}

    ended, living = connection("dev-1"), connection("dev-2")
    await obey(find_live, ended, living)
    ended.outgoing.close_at_once.assert_called_once_with(CloseReason.REVOKED)
    living.outgoing.close_at_once.assert_not_called()


async def test_who_cannot_be_checked_is_closed_and_may_come_back(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(_: Any) -> set[str]:
        raise OSError("the users' database is away")

    one = connection("dev-2")
    await obey(fail, one)
    one.outgoing.close_at_once.assert_called_once_with(CloseReason.RESTARTING)
    assert "sessions not checked" in caplog.text


@pytest.mark.parametrize("kind", [FACTS_CHANGED, SETTINGS_CHANGED])
def test_a_block_a_suspension_or_a_setting_makes_presence_be_looked_at_anew(kind: str) -> None:
    process = Mock()
    process.connections.return_value = ()
    GatewayEvents(process)._obey(ControlEvent(stream_id="1-0", kind=kind, user_id="usr-1", device_ids=(), reason=""))
    process.presence.note_change.assert_called_once_with("usr-1")


async def test_after_a_break_all_presence_is_looked_at_anew() -> None:
    process = Mock()
    process.connections.return_value = ()
    await GatewayEvents(process)._check_everybody()
    process.presence.note_any_change.assert_called_once_with()
