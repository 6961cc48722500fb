"""Who may come in: every new connection, over a socket or by polls, passes here."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils import timezone

from apps.accounts.services.devices import touch_devices
from apps.connections.registry import count_connects
from apps.gateway.authentication import Credential, Refused
from apps.gateway.close_codes import CloseReason
from apps.moderation.address_bans import address_bans

if TYPE_CHECKING:
    from apps.accounts.credentials import DeviceIdentity
    from apps.gateway.process import GatewayProcess

LONG_UNSEEN = timedelta(days=1)


async def admit(process: "GatewayProcess", authenticate: "Callable[[], Awaitable[DeviceIdentity]]") -> "DeviceIdentity":
    """Authenticate who was counted already. Raises Refused, ValkeyError, or what the database raises."""
    if process.stopping:
        raise Refused(CloseReason.RESTARTING)
    identity = await authenticate()
    if timezone.now() - identity.last_seen_at > LONG_UNSEEN:
        # Before it is connected: messages are not kept for a device that counts as stale.
        await process.threads.run(partial(touch_devices, [identity.device_id]))
    return identity


def check_address(scope: Mapping[str, Any]) -> None:
    """Look whether the peer's address is banned, in memory. Raises Refused."""
    client = scope.get("client")
    if client and address_bans.covers(client[0]):
        raise Refused(CloseReason.ADDRESS_BANNED)


async def count_connection(scope: Mapping[str, Any], credential: Credential | None) -> None:
    """Count one more connection from the peer's address and of the user, before anything of it is looked up.

    Raises Refused for a banned address and for too many, or ValkeyError.
    """
    check_address(scope)
    limits = dict(_list_limits(scope, credential))
    if not limits:
        return
    counts = await count_connects(list(limits))
    if any(count > most for count, most in zip(counts, limits.values(), strict=True)):
        raise Refused(CloseReason.TOO_MANY_CONNECTIONS)


def _list_limits(scope: Mapping[str, Any], credential: Credential | None) -> Iterator[tuple[str, int]]:
    """What is counted, and how much of it a minute may have."""
    client = scope.get("client")
    if client and (per_address := settings.CONNECTIONS_PER_MINUTE_PER_ADDRESS):
        yield f"address {client[0]}", per_address
    # A user is known by now only by the digest of what they show. Not where a foreign page shows it for them: such a
    # page could use up what they may open. A ticket works once and counts for its address.
    if credential and not credential.foreign and (per_user := settings.CONNECTIONS_PER_MINUTE_PER_USER):
        yield f"credential {credential.digest}", per_user
