"""Which addresses are banned, as this process knows it: looked up in memory, read anew on change and every 30 s."""

import logging
import time
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.db import DatabaseError

from apps.moderation.models import AddressBan

logger = logging.getLogger(__name__)

FRESH_SECONDS = 30.0

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


class AddressBans:
    """The bans in force. `covers` asks memory only; `refresh` reads the database.

    A gateway refreshes by itself; where there is none (``runserver``), requests do, by `refresh_if_stale`.
    """

    def __init__(self) -> None:
        self._prefixes: dict[tuple[int, int], frozenset[int]] = {}
        self._read_at = -FRESH_SECONDS

    def covers(self, address: str) -> bool:
        """Whether a ban was in force for this address when they were last read; False for what is no address."""
        if not self._prefixes:
            return False
        try:
            peer = _plain(ip_address(address))
        except ValueError:
            return False
        # One look a prefix length in use, however many bans there are.
        bits = int(peer)
        return any(
            version == peer.version and bits >> (peer.max_prefixlen - length) in networks
            for (version, length), networks in self._prefixes.items()
        )

    def refresh(self) -> None:
        """Read the bans in force, in one query. Raises what the database raises; then the old ones stand."""
        self._prefixes = _index(list_banned_networks())
        self._read_at = time.monotonic()

    def refresh_if_stale(self) -> None:
        """The same, unless they were read in the last 30 s. While the database does not answer the last ones stand."""
        if time.monotonic() - self._read_at <= FRESH_SECONDS:
            return
        try:
            self.refresh()
        except DatabaseError as error:
            logger.warning("bans by address not read; the last ones stand: %s", error)


def list_banned_networks() -> list[Network]:
    """The ranges of bans that have not run out."""
    return [ip_network(network) for network in AddressBan.objects.in_force().values_list("network", flat=True)]


def _index(networks: Sequence[Network]) -> dict[tuple[int, int], frozenset[int]]:
    prefixes: dict[tuple[int, int], set[int]] = {}
    for network in networks:
        prefix = int(network.network_address) >> (network.max_prefixlen - network.prefixlen)
        prefixes.setdefault((network.version, network.prefixlen), set()).add(prefix)
    return {length: frozenset(found) for length, found in prefixes.items()}


def _plain(address: Address) -> Address:
    """A socket that takes both kinds shows IPv4 peers as ``::ffff:192.0.2.1``."""
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


address_bans = AddressBans()
"""This process's."""
