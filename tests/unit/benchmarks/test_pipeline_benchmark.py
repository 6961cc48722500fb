"""The benchmark measures what it says: its framing, its quantiles and one whole load against a server in memory."""

import asyncio
import math
import time
from urllib.parse import urlsplit

import pytest

from benchmarks.pipeline.connection import FIN_TEXT, encode_frame
from benchmarks.pipeline.load import compute_quantiles, wait_for_the_rest
from benchmarks.pipeline.pair import Clock, Latencies, Pair
from tests.client.memory_server import memory_server
from tests.client.options import Account


def make_account(name: str) -> Account:
    return Account(user_id=f"usr-{name}", device_id=f"dev-{name}", token=f"usr-{name}")


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535])
def test_a_frame_carries_its_length_in_the_shortest_form(size: int) -> None:
    frame = encode_frame(FIN_TEXT, b"x" * size)
    if size < 126:
        assert frame[:2] == bytes((FIN_TEXT, 0x80 | size))
    else:
        assert frame[:2] == bytes((FIN_TEXT, 0x80 | 126))
        assert int.from_bytes(frame[2:4], "big") == size
    assert frame.endswith(b"x" * size)


def test_quantiles_are_by_nearest_rank_in_milliseconds() -> None:
    quantiles = compute_quantiles([i / 1000 for i in range(100, 0, -1)])
    assert [quantiles.p50, quantiles.p95, quantiles.p99, quantiles.longest] == pytest.approx([50, 95, 99, 100])
    assert math.isnan(compute_quantiles([]).p50)


async def test_a_pair_with_a_window_counts_each_message_once_and_notes_every_step() -> None:
    now = time.perf_counter()
    clock, latencies = Clock(starts_at=now, ends_at=now + 60), Latencies()
    async with memory_server() as server:
        server.repeat_pushes = True
        address = urlsplit(server.url)
        pair = Pair(make_account("a"), make_account("b"), clock=clock, latencies=latencies, size=200)
        await pair.open(str(address.hostname), address.port or 0)
        pair.start_window(4)
        async with asyncio.timeout(10):
            while pair.delivered < 100:
                await asyncio.sleep(0.01)
        clock.ends_at = time.perf_counter()  # ended between two turns of the loop: no send straddles it
        await wait_for_the_rest([pair])
        pair.close()
        await asyncio.sleep(0)  # the transports close in the next turn
    assert pair.sent >= 100
    assert not pair.errors
    assert {len(latencies.acknowledged), len(latencies.arrived), len(latencies.delivered)} == {pair.sent}
