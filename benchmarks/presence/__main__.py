"""`python -m benchmarks.presence`: what presence costs one process, on an embedded Valkey and SQLite of its own."""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import psutil

from tests.servers.valkey import ValkeyServer, running_valkey

T = TypeVar("T")

CHUNK = 1_000
RENEWALS_A_CALL = 2_000
ASKED_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of one step: microseconds of wall time, of this process's CPU and of Valkey's CPU."""

    wall: float
    own: float
    valkey: float

    def __str__(self) -> str:
        """For the table."""
        return f"{self.wall:>10,.1f} {self.own:>10,.1f} {self.valkey:>10,.1f}"


def find_server(server: ValkeyServer) -> psutil.Process:
    """The server's own process, as it says itself."""
    with server.client() as client:
        return psutil.Process(client.info("server")["process_id"])


def measure(valkey: psutil.Process, steps: int, work: Callable[[], object]) -> Cost:
    """Do the work, which is so many steps, and say what one of them cost."""
    before = time.perf_counter(), time.process_time(), sum(valkey.cpu_times()[:2])
    work()
    after = time.perf_counter(), time.process_time(), sum(valkey.cpu_times()[:2])
    wall, own, servers = (1e6 * (late - early) / steps for early, late in zip(before, after, strict=True))
    return Cost(wall=wall, own=own, valkey=servers)


def run_async(work: Callable[[], Awaitable[object]]) -> None:
    """One piece of asynchronous work, on a loop of its own."""
    from apps.valkey.pools import close_async_clients

    async def run() -> None:
        await work()
        await close_async_clients()

    asyncio.run(run())


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.presence", description=__doc__)
    parser.add_argument("--users", type=int, default=10_000, help="people with one connection each (10,000)")
    parser.add_argument("--rounds", type=int, default=5, help="heartbeats of each (5)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="chat-") as folder, running_valkey() as server:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "chatsite.settings",
            "CHAT_DATA_DIR": folder,
            "REDIS_URL": server.url,
            "LOG_LEVEL": "WARNING",
        }
        import django

        django.setup()
        report(options.users, options.rounds, find_server(server))
    return 0


def report(users: int, rounds: int, valkey: psutil.Process) -> None:
    """The table."""
    from django.core.management import call_command

    from apps.accounts.presence import list_presence
    from apps.accounts.services import register_in_bulk
    from apps.connections.presence import find_online
    from apps.connections.registry import Renewal, renew_connections

    call_command("migrate", verbosity=0)
    accounts = [
        account
        for start in range(0, users, CHUNK)
        for account in register_in_bulk([f"person{start + one}" for one in range(min(CHUNK, users - start))], "load")
    ]
    people = [account.user_id for account in accounts]
    renewals = [
        Renewal(
            user_id=account.user_id,
            device_id=account.device_id,
            connection_id=number + 1,
            connected_at_ms=int(time.time() * 1000),
            epoch="",
            written_up_to=0,
        )
        for number, account in enumerate(accounts)
    ]

    async def beat() -> None:
        for _ in range(rounds):
            for batch in _batches(renewals, RENEWALS_A_CALL):
                await renew_connections("gw-benchmark", batch)

    def ask() -> None:
        for batch in _batches(people, ASKED_AT_ONCE):
            list_presence(people[0], batch)

    async def look() -> None:
        for _ in range(rounds):
            await find_online(people)

    print(f"{users:,} people, one connection each; µs a step  {'wall':>10} {'process':>10} {'Valkey':>10}")
    print(f"heartbeat, {RENEWALS_A_CALL:,} in a call                        ", end="")
    print(measure(valkey, rounds * users, lambda: run_async(beat)))
    print(f"status over REST, one of {ASKED_AT_ONCE} asked for at once   ", end="")
    print(measure(valkey, users, ask))
    print("look at a person on somebody's screen             ", end="")
    print(measure(valkey, rounds * users, lambda: run_async(look)))


def _batches(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
