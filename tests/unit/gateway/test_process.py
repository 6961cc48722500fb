"""Whom a gateway process counts as connected, when registering one of them fails."""

from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest

from apps.gateway import process as process_module
from apps.gateway.process import GatewayProcess
from apps.valkey.pools import ValkeyError


@pytest.fixture
async def process(monkeypatch: pytest.MonkeyPatch) -> GatewayProcess:
    """A process whose cache does not answer."""
    monkeypatch.setattr(process_module, "get_message_log", Mock())
    monkeypatch.setattr(process_module.registry, "register_connection", AsyncMock(side_effect=ValkeyError("down")))
    return GatewayProcess()


def connection(ended: bool = False) -> Any:
    return Mock(device_id="dev-1", user_id="usr-1", connection_id=7, outgoing=Mock(closing=ended))


@pytest.mark.parametrize("ended", [False, True])
async def test_the_older_connection_stands_unless_it_has_ended_meanwhile(process: GatewayProcess, ended: bool) -> None:
    older = connection(ended)
    process._table.add(older)
    with pytest.raises(ValkeyError):
        await process.open(connection())
    assert process.find("dev-1") is (None if ended else older)


async def test_a_first_connection_that_was_not_registered_is_none(process: GatewayProcess) -> None:
    newcomer = connection()
    with pytest.raises(ValkeyError):
        await process.open(newcomer)
    assert process.find("dev-1") is None
    await process._table.wait_until_empty()
