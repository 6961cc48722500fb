"""Who may come in: every new connection, over a socket or by polls, passes here."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils import timezone

from apps.accounts.services.devices import touch_devices
from apps.connections.registry import count_connects
from apps.gateway.authentication import Refused
from apps.gateway.close_codes import CloseReason
from apps.moderation.address_bans import address_bans

if TYPE_CHECKING:
    from apps.accounts.credentials import DeviceIdentity
    from apps.gateway.process import GatewayProcess

CONNECTS_PER_MINUTE_PER_USER = 120
LONG_UNSEEN = timedelta(days=1)


async def admit(
    scope: Mapping[str, Any], process: "GatewayProcess", authenticate: "Callable[[], Awaitable[DeviceIdentity]]"
) -> "DeviceIdentity":
    """Authenticate, then count the user; the address was counted before any secret was looked at.

    Raises Refused, ValkeyError, or what the database raises.
    """
    if process.stopping:
        raise Refused(CloseReason.RESTARTING)
    identity = await authenticate()
    if timezone.now() - identity.last_seen_at > LONG_UNSEEN:
        # Before it is connected: messages are not kept for a device that counts as stale.
        await process.threads.run(partial(touch_devices, [identity.device_id]))
    if (
        settings.CONNECTIONS_PER_MINUTE_PER_ADDRESS
        and await count_connects(identity.user_id) > CONNECTS_PER_MINUTE_PER_USER
    ):
        raise Refused(CloseReason.TOO_MANY_CONNECTIONS)
    return identity


def check_address(scope: Mapping[str, Any]) -> None:
    """Look whether the peer's address is banned, in memory. Raises Refused."""
    client = scope.get("client")
    if client and address_bans.covers(client[0]):
        raise Refused(CloseReason.ADDRESS_BANNED)


async def count_address(scope: Mapping[str, Any]) -> None:
    """Count one more connection of the peer's address. Raises Refused for a banned one and too many, or ValkeyError."""
    check_address(scope)
    per_address = settings.CONNECTIONS_PER_MINUTE_PER_ADDRESS
    client = scope.get("client")
    if per_address and client and await count_connects(f"address {client[0]}") > per_address:
        raise Refused(CloseReason.TOO_MANY_CONNECTIONS)
