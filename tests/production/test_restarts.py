"""Processes come and go under load, as in a deployment or when one is added: nobody notices."""

import asyncio
import time
from collections.abc import Callable

from tests.rehearsal.site import ProductionSite
from tests.rehearsal.traffic import running_traffic

MOVES = 3
# On an idle machine nothing waits for five seconds; this bound only tells "late" from "stuck" on a busy one.
LATEST_SECONDS = 40.0


async def test_every_gateway_and_relay_is_restarted_under_load_and_nobody_notices(
    production_site: ProductionSite, say: Callable[[str], None]
) -> None:
    restarts = dict(production_site.keeper.restarts)
    async with running_traffic(production_site) as traffic:
        for process in (*production_site.gateways, *production_site.relays):
            restarted_at = time.monotonic()
            await asyncio.to_thread(production_site.keeper.restart, process)
            await traffic.wait_flowing(f"after {process.name} was restarted")
            # As the operator is told to: the next one only when this one has its share again.
            await asyncio.to_thread(production_site.wait_shared_out)
            say(f"{process.name} restarted: {traffic.measure(restarted_at)}")
        lateness = await traffic.judge()
    assert max(lateness.tick, lateness.arrival) < LATEST_SECONDS
    assert dict(production_site.keeper.restarts) == restarts, "nothing else ended"


async def test_partitions_move_to_a_third_relay_and_back_under_load(
    production_site: ProductionSite, say: Callable[[str], None]
) -> None:
    async with running_traffic(production_site) as traffic:
        for _ in range(MOVES):
            relay = await asyncio.to_thread(production_site.start_relay)
            await asyncio.to_thread(production_site.wait_shared_out)
            await traffic.wait_flowing("after partitions moved to a new relay")
            await asyncio.to_thread(production_site.stop_relay, relay)
            await asyncio.to_thread(production_site.wait_shared_out)
            await traffic.wait_flowing("after its partitions moved back")
        lateness = await traffic.judge()
    say(f"partitions moved {2 * MOVES} times: {lateness}")
    assert max(lateness.tick, lateness.arrival) < LATEST_SECONDS


async def test_a_relay_that_is_killed_or_paused_hands_nothing_on_twice(
    production_site: ProductionSite, say: Callable[[str], None]
) -> None:
    first, second = production_site.relays
    async with running_traffic(production_site) as traffic:
        first.kill()
        await traffic.wait_flowing("after one relay was killed")
        second.pause()
        await traffic.wait_flowing("while the other one stands still")
        second.resume()  # it comes back with what it had in hand, though others have its partitions now
        await traffic.wait_flowing("after it woke up")
        lateness = await traffic.judge()
    say(f"relays killed and paused: {lateness}")
