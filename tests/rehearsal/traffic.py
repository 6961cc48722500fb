"""People who write to each other over a production site, each pair on two gateways, and the verdict in the end."""

import asyncio
import contextlib
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence

from tests.client.chat_client import ChatClient
from tests.client.history import RETRYABLE_CODES
from tests.client.options import Account
from tests.faults.checker import check
from tests.faults.lateness import Lateness, measure_lateness
from tests.faults.leftovers import find_leftovers
from tests.faults.workload import Workload, running_workload
from tests.rehearsal.site import ProductionSite

PAIRS = 4
SETTLE_PATIENCE = 60.0
# Enough that a hash which sends every second user to each gateway misses one with a chance of 1 in 10^9.
CANDIDATES = 30


async def sort_by_gateway(site: ProductionSite, accounts: Sequence[Account]) -> dict[str, list[Account]]:
    """The accounts by the gateway to which nginx sends each of them."""
    by_gateway: dict[str, list[Account]] = defaultdict(list)
    for account in accounts:
        async with ChatClient(site.url, account, site.client_options) as client:
            by_gateway[client.history.frames[0]["server_id"]].append(account)
    return by_gateway


async def choose_pairs(site: ProductionSite, pairs: int) -> list[Account]:
    """New accounts in pairs, of which each has its two people on different gateways."""
    accounts = await asyncio.to_thread(site.add_users, CANDIDATES + 4 * pairs)
    some, others = (await sort_by_gateway(site, accounts)).values()
    return [account for pair in zip(some[:pairs], others[:pairs], strict=True) for account in pair]


class Traffic:
    """A workload under way on a site; `judge` ends it."""

    def __init__(self, site: ProductionSite, workload: Workload) -> None:
        self.workload = workload
        self._site = site
        self._began_at = time.monotonic()
        self._trickle = asyncio.create_task(workload.trickle())

    async def wait_flowing(self, what: str, within: float = 60) -> None:
        """Wait until a message that is sent now has its ✓✓; `what` says after which event."""
        sender = self.workload.clients[0]
        message = self.workload.send(sender)
        await sender.wait_for(lambda: message.delivered_at is not None, f"✓✓ {what}", within)

    async def wait_ticking(self, what: str, within: float = 60) -> None:
        """Wait until a message that is sent now has its ✓."""
        sender = self.workload.clients[0]
        message = self.workload.send(sender)
        await sender.wait_for(lambda: message.is_acknowledged, f"✓ {what}", within)

    def measure(self, since: float | None = None) -> Lateness:
        """How long people have waited, with what they sent from `since` (of `time.monotonic()`) on; default: ever."""
        return measure_lateness(self.workload.histories, self._began_at if since is None else since)

    async def stop(self) -> None:
        """Send nothing more. Raises whatever made the sending fail."""
        self._trickle.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._trickle

    async def judge(self) -> Lateness:
        """Let the run come to rest and check every promise; gives how long people waited.

        Raises AssertionError with the checker's report, or with an error frame that no retry could mend.
        """
        await self.stop()
        await self.workload.settle(SETTLE_PATIENCE)
        user_ids = {client.user_id for client in self.workload.clients}
        waiting = await asyncio.to_thread(find_leftovers, self._site, user_ids)
        report = check(self.workload.histories, waiting)
        assert report.is_clean, report.text()
        seen = {error["code"] for history in self.workload.histories for error in history.errors}
        assert seen <= RETRYABLE_CODES, f"people saw {seen - RETRYABLE_CODES}"
        lateness = self.measure()
        print(f"{report.text()}\n{lateness}; errors seen: {', '.join(sorted(seen)) or 'none'}")
        return lateness


@contextlib.asynccontextmanager
async def running_traffic(site: ProductionSite, pairs: int = PAIRS, seed: int = 20_240_101) -> AsyncIterator[Traffic]:
    """Let pairs write to each other in the background of the block, about twenty messages a second in all."""
    rng = random.Random(seed)
    accounts = await choose_pairs(site, pairs)
    async with running_workload(site.url, accounts, rng, site.client_options) as workload:
        traffic = Traffic(site, workload)
        try:
            await traffic.wait_flowing("at the start")
            yield traffic
        finally:
            await traffic.stop()
