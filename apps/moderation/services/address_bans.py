"""Bans by address range: what may be banned, and telling every gateway."""

from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.accounts.errors import InvalidInputError
from apps.accounts.models import User
from apps.connections.control import publish_bans_changed
from apps.moderation.audit import record
from apps.moderation.models import AddressBan

WIDEST_PREFIX = {4: 8, 6: 16}
"""A wider range is a slip of the hand: it would shut out continents."""

Network = IPv4Network | IPv6Network


def read_network(text: str, *, own_address: str = "") -> Network:
    """The range of an address or CIDR. Raises InvalidInputError for none, and for one that would shut out too much:
    a proxy of ours, or the moderator who asks.
    """
    try:
        network = ip_network(text.strip(), strict=False)
    except ValueError:
        raise _refuse("Give an address or a range such as 203.0.113.0/24 or 2001:db8::/48.") from None
    if network.prefixlen < WIDEST_PREFIX[network.version]:
        raise _refuse(f"This range is too wide; the widest is /{WIDEST_PREFIX[network.version]}.")
    if any(_overlap(network, ip_network(proxy, strict=False)) for proxy in settings.TRUSTED_PROXIES):
        raise _refuse("This range has a proxy of this site in it (TRUSTED_PROXIES).")
    if own_address and _overlap(network, ip_network(ip_address(own_address))):
        raise _refuse("This range has your own address in it.")
    return network


@transaction.atomic
def ban_address(actor: User, ban: AddressBan) -> AddressBan:
    """Store a new or changed ban, whose range was read by `read_network`, and let every gateway know on commit."""
    known = ban.pk is not None
    ban.save()
    record(actor, "change address ban" if known else "ban address", ban.network, _describe(ban.reason, ban.until))
    transaction.on_commit(publish_bans_changed, robust=True)
    return ban


@transaction.atomic
def lift_address_ban(actor: User, ban: AddressBan) -> None:
    """Let the range in again."""
    record(actor, "lift address ban", ban.network, ban.reason)
    ban.delete()
    transaction.on_commit(publish_bans_changed, robust=True)


def _describe(reason: str, until: datetime | None) -> str:
    return f"{reason} (until {timezone.localtime(until):%Y-%m-%d %H:%M})"[:500] if until else reason


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def _refuse(message: str) -> InvalidInputError:
    return InvalidInputError({"network": [message]})
