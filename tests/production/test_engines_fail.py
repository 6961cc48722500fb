"""One of the servers beneath the site goes away under load: ✓ tells the truth, and everything heals by itself."""

import asyncio
import time
from collections.abc import Callable

from tests.client.processes import wait_until
from tests.rehearsal.site import ProductionSite
from tests.rehearsal.traffic import running_traffic

AWAY_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 40.0  # 3 to 6 s on an idle machine


async def test_one_of_three_brokers_is_killed_and_nothing_is_lost_or_doubled(
    production_site: ProductionSite, say: Callable[[str], None]
) -> None:
    kafka = production_site.engines.kafka
    async with running_traffic(production_site) as traffic:
        for index in range(len(kafka.brokers)):
            killed_at = time.monotonic()
            kafka.kill(index)
            await traffic.wait_flowing(f"after broker {index} was killed")
            await asyncio.to_thread(kafka.restart, index)
            await traffic.wait_flowing(f"after broker {index} was back")
            say(f"broker {index} of 3 killed: {traffic.measure(killed_at)}")
        lateness = await traffic.judge()
    assert lateness.pause < LONGEST_PAUSE_SECONDS


async def test_the_message_db_is_away_for_a_minute_and_ticks_go_on(
    production_site: ProductionSite, say: Callable[[str], None]
) -> None:
    engines = production_site.engines
    async with running_traffic(production_site) as traffic:
        engines.mongo.pause()
        await asyncio.to_thread(
            wait_until, lambda: "message_store" in production_site.find_missing_parts(), "/readyz naming it", 30
        )
        await traffic.wait_ticking("while the Message DB stands still")
        engines.store_line.cut()
        await asyncio.sleep(AWAY_SECONDS)
        await traffic.wait_ticking("while the Message DB cannot be reached")
        engines.mongo.resume()
        engines.store_line.restore()
        await traffic.wait_flowing("after the Message DB was back")
        lateness = await traffic.judge()
    say(f"Message DB away for {AWAY_SECONDS:.0f} s: {lateness}")
    assert lateness.pause < LONGEST_PAUSE_SECONDS, "✓ went on"
    await asyncio.to_thread(production_site.wait_ready)


async def test_the_cache_is_killed_and_inboxes_come_back_from_the_message_db(
    production_site: ProductionSite, say: Callable[[str], None]
) -> None:
    valkey = production_site.engines.valkey
    async with running_traffic(production_site) as traffic:
        valkey.kill()
        await asyncio.to_thread(valkey.restart)
        await traffic.wait_flowing("after Valkey was killed")
        with valkey.client() as client:
            client.flushall()
        await traffic.wait_flowing("after Valkey was emptied")
        lateness = await traffic.judge()
    say(f"Valkey killed, then emptied: {lateness}")
