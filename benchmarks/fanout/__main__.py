"""`python -m benchmarks.fanout`: messages to groups of 10, 100 and 500 online members, over real sockets."""

import argparse
import asyncio
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from apps.loadtest.connection import Address
from apps.loadtest.crowd import Crowd
from apps.loadtest.figures import Quantiles, compute_quantiles, format_quantiles
from apps.loadtest.load import run_on_uvloop
from apps.loadtest.pair import Account, Clock
from benchmarks.pipeline.processes import read_cpu_seconds, subtract
from benchmarks.pipeline.profiles import Profile, running_profile
from tests.client.server import Server, running_server

LAST_SECONDS = 60.0
BATCH = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Of one group: deliveries a second and the milliseconds until the last member had a message."""

    members: int
    rate: float
    sent: int
    complete: bool
    deliveries_per_second: float
    last_arrival_ms: Quantiles
    acknowledged_ms: Quantiles
    cpu_ms_per_delivery: dict[str, float]
    client_cpu_ms_per_delivery: float
    repeated: int
    disordered: int
    refusals: dict[str, int]


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fanout", description=__doc__)
    parser.add_argument("--members", type=int, action="append", help="group sizes; may be given several times")
    parser.add_argument("--rate", type=float, default=1.0, help="messages/s to the group (1); 0: as fast as it goes")
    parser.add_argument("--window", type=int, default=4, help="with --rate 0: messages in flight (4)")
    parser.add_argument("--seconds", type=float, default=10.0, help="measured time (10)")
    parser.add_argument("--workers", type=int, default=1, help="gateway processes (1)")
    parser.add_argument("--profile", type=Profile, choices=list(Profile), default=Profile.EMBEDDED)
    options = parser.parse_args(arguments)
    options.members = options.members or [10, 100, 500]
    return options


def create_group(server: Server, accounts: Sequence[Account]) -> str:
    """A group of these accounts, the first one its owner."""
    headers = {"Authorization": f"Token {accounts[0].token}"}
    ids = [account.user_id for account in accounts[1:]]
    with httpx.Client(base_url=f"{server.base_url}/api/", headers=headers, timeout=60) as client:
        answer = client.post("groups", json={"name": "Crowd", "members": ids[:BATCH]}).raise_for_status()
        group_id = str(answer.json()["group_id"])
        for start in range(BATCH, len(ids), BATCH):
            body = {"user_ids": ids[start : start + BATCH]}
            client.post(f"groups/{group_id}/members", json=body).raise_for_status()
    return group_id


async def measure(server: Server, accounts: Sequence[Account], group_id: str, options: argparse.Namespace) -> Result:
    """Write to one group for a while."""
    crowd = Crowd(group_id, accounts, clock=Clock(starts_at=0.0, ends_at=math.inf))
    await crowd.open(Address(host="127.0.0.1", port=server.port))
    try:
        crowd.send()
        await crowd.wait_until_arrived(LAST_SECONDS)
        first = len(crowd.flights)
        before, own, started = read_cpu_seconds(server.processes), time.process_time(), time.perf_counter()
        if options.rate:
            await _write_at_rate(crowd, options.rate, options.seconds)
        else:
            await _write_in_window(crowd, options.window, options.seconds)
        complete = await crowd.wait_until_arrived(LAST_SECONDS)
        took = time.perf_counter() - started
        used, own = subtract(read_cpu_seconds(server.processes), before), time.process_time() - own
    finally:
        crowd.close()
    flights = crowd.flights[first:]
    deliveries = max(1, len(flights) * (len(accounts) - 1))
    return Result(
        members=len(accounts),
        rate=options.rate,
        sent=len(flights),
        complete=complete,
        deliveries_per_second=deliveries / took,
        last_arrival_ms=compute_quantiles([one.last_arrival - one.sent_at for one in flights if one.last_arrival]),
        acknowledged_ms=compute_quantiles([one.acknowledged - one.sent_at for one in flights if one.acknowledged]),
        cpu_ms_per_delivery={role: 1000 * seconds / deliveries for role, seconds in used.items()},
        client_cpu_ms_per_delivery=1000 * own / deliveries,
        repeated=crowd.repeated,
        disordered=crowd.disordered,
        refusals=dict(crowd.refusals),
    )


async def _write_at_rate(crowd: Crowd, rate: float, seconds: float) -> None:
    started = time.perf_counter()
    for number in range(round(rate * seconds)):
        await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
        crowd.send()


async def _write_in_window(crowd: Crowd, window: int, seconds: float) -> None:
    ends_at = time.perf_counter() + seconds
    while time.perf_counter() < ends_at:
        while sum(flight.missing > 0 for flight in crowd.flights[-2 * window :]) < window:
            crowd.send()
        crowd.news.clear()
        await asyncio.wait_for(crowd.news.wait(), LAST_SECONDS)


def format_result(result: Result) -> str:
    """One line, and one for the CPU."""
    shares = "  ".join(f"{role} {cost:.3f}" for role, cost in result.cpu_ms_per_delivery.items())
    total = sum(result.cpu_ms_per_delivery.values())
    state = "" if result.complete else "  INCOMPLETE"
    return (
        f"{result.members:>5} members, {result.rate or 'as fast as it goes':>4}/s: {result.sent} messages, "
        f"{result.deliveries_per_second:,.0f} deliveries/s, last arrival ms p50/p95/p99 "
        f"{format_quantiles(result.last_arrival_ms)}, longest {result.last_arrival_ms.longest or 0:.0f}, "
        f"✓ {format_quantiles(result.acknowledged_ms)}; repeated {result.repeated}, disordered {result.disordered}"
        f"{state} {result.refusals or ''}\n"
        f"      CPU ms a delivery: {shares}  = {total:.3f} (load client {result.client_cpu_ms_per_delivery:.3f})"
    )


def main(arguments: Sequence[str]) -> int:
    """Measure and print; 1 where something did not arrive."""
    options = parse_arguments(arguments)
    with (
        running_profile(options.profile) as variables,
        running_server(arguments=("--workers", str(options.workers)), LOG_LEVEL="WARNING", **variables) as server,
    ):
        results: list[Result] = []
        for members in options.members:
            accounts = server.add_users(members)
            group_id = create_group(server, accounts)
            results.append(run_on_uvloop(measure(server, accounts, group_id, options)))
            print(format_result(results[-1]), flush=True)
    return 0 if all(one.complete and not one.disordered for one in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
