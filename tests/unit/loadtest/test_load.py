"""The load test measures what it says: its framing, its quantiles and whole loads against a server in memory."""

import asyncio
import time
from urllib.parse import urlsplit

import pytest

from apps.loadtest.accounts import LoadAccount
from apps.loadtest.connection import FIN_TEXT, Address, encode_frame
from apps.loadtest.figures import Load, Quantiles, compute_quantiles, format_table
from apps.loadtest.load import Observer, run_load, wait_for_the_rest
from apps.loadtest.pair import Clock, Latencies, Pair
from tests.client.memory_server import MemoryServer, memory_server

BRIEF = Load(pairs=1, window=1, rate=50, seconds=0.5, warmup_seconds=0, size=20)


def make_account(name: str) -> LoadAccount:
    return LoadAccount(user_id=f"usr-{name}", token=f"usr-{name}")


def address_of(server: MemoryServer) -> Address:
    parts = urlsplit(server.url)
    return Address(host=str(parts.hostname), port=parts.port or 0)


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
    assert compute_quantiles([]) == Quantiles(p50=None, p95=None, p99=None, longest=None)


async def test_a_pair_with_a_window_counts_each_message_once_and_notes_every_step() -> None:
    now = time.perf_counter()
    clock, latencies = Clock(starts_at=now, ends_at=now + 60), Latencies()
    async with memory_server() as server:
        server.repeat_pushes = True
        pair = Pair(make_account("a"), make_account("b"), clock=clock, latencies=latencies, size=200)
        await pair.open(address_of(server))
        pair.start_window(4)
        async with asyncio.timeout(10):
            while pair.delivered < 100:
                await asyncio.sleep(0.01)
        clock.ends_at = time.perf_counter()  # ended between two turns of the loop: no send straddles it
        await wait_for_the_rest([pair])
        pair.close()
        await asyncio.sleep(0)  # the transports close in the next turn
    assert pair.sent >= 100
    assert not pair.refusals
    assert pair.repeated >= 100
    assert (pair.missing, pair.disordered) == (0, 0)
    assert {len(latencies.acknowledged), len(latencies.arrived), len(latencies.delivered)} == {pair.sent}


async def test_who_was_away_gets_everything_at_the_end() -> None:
    load = Load(pairs=2, window=3, rate=0, seconds=0.5, warmup_seconds=0, size=20, away=1)
    async with memory_server() as server:
        figures = await run_load(address_of(server), [make_account(name) for name in "abcd"], load)
    assert figures.drained > 0
    assert figures.drain_seconds is not None
    assert figures.sent == figures.accepted == figures.arrived == figures.delivered
    assert figures.is_clean
    assert "drained after return" in format_table(figures)


async def test_what_is_refused_is_counted_and_not_waited_for() -> None:
    async with memory_server() as server:
        server.refusals = [{"action": "error", "code": "rate_limited", "message": "slower", "retry_after_ms": 10}] * 3
        figures = await run_load(address_of(server), [make_account("a"), make_account("b")], BRIEF)
    assert figures.refusals == {"rate_limited": 3}
    assert figures.accepted == figures.sent - 3
    assert not figures.is_clean
    assert "refused: rate_limited" in format_table(figures)


async def test_an_observer_hears_of_the_span() -> None:
    heard: list[str] = []

    class Listener(Observer):
        def begin_span(self) -> None:
            heard.append("begin")

        def end_span(self) -> None:
            heard.append("end")

    async with memory_server() as server:
        await run_load(address_of(server), [make_account("a"), make_account("b")], BRIEF, Listener())
    assert heard == ["begin", "end"]


async def test_two_accounts_a_pair_are_needed() -> None:
    with pytest.raises(ValueError, match="1 pairs need 2 accounts, here are 1"):
        await run_load(Address(host="127.0.0.1", port=1), [make_account("a")], BRIEF)


def test_a_message_that_comes_after_a_later_one_is_out_of_order() -> None:
    now = time.perf_counter()
    clock, latencies = Clock(starts_at=now, ends_at=now + 60), Latencies()
    pair = Pair(make_account("a"), make_account("b"), clock=clock, latencies=latencies, size=20)
    pair.sent = 3
    for steps in (pair._acknowledged, pair._arrived, pair._delivered):
        steps.extend(b"\0\0\0")
    pair._acknowledged[:] = b"\1\1\1"
    pair._sent_at = [now] * 3
    for number in (0, 2, 1, 1):
        pair._take_arrived(number, now)
    assert (pair.arrived, pair.disordered, pair.repeated, pair.missing) == (3, 1, 1, 0)
