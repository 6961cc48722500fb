"""`python -m benchmarks.pipeline`: closed or open loop of pairs over real sockets, or the whole table of the docs."""

import argparse
import contextlib
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson

from apps.loadtest.accounts import read_users
from apps.loadtest.connection import Address
from apps.loadtest.figures import Load
from apps.loadtest.load import run_on_uvloop
from apps.loadtest.pair import SMALLEST_SIZE, Account
from benchmarks.pipeline.load import IdleResult, LoadResult, Target, measure_idle, measure_load
from benchmarks.pipeline.profiles import Profile, running_profile
from benchmarks.pipeline.report import format_idle, format_loads, is_complete
from tests.client.processes import Processes
from tests.client.server import Server, running_server


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured on one profile."""

    profile: Profile
    loads: list[LoadResult]
    idle: IdleResult | None


SUITE = ({"window": 1}, {"window": 16}, {"rate": 1000.0}, {"rate": 20.0, "pairs": 5})
SUITE_IDLE = 1000


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pipeline", description=__doc__)
    parser.add_argument("--pairs", type=int, default=50, help="pairs of one sender and one receiver (50)")
    parser.add_argument("--window", type=int, default=1, help="closed loop: messages in flight in each pair (1)")
    parser.add_argument("--rate", type=float, default=0.0, help="open loop: messages/s over all pairs (0: closed loop)")
    parser.add_argument("--seconds", type=float, default=10.0, help="measured time (10)")
    parser.add_argument("--warmup", type=float, default=2.0, help="time before it (2)")
    parser.add_argument("--size", type=int, default=100, help="characters of content, at least 10 (100)")
    parser.add_argument("--idle", type=int, default=0, help="measure so many idle connections too (0)")
    parser.add_argument("--workers", type=int, default=1, help="gateway processes of the server started here (1)")
    parser.add_argument(
        "--profile",
        action="append",
        type=Profile,
        choices=list(Profile),
        help="which real servers stand behind the site; may be given several times, for one table (embedded)",
    )
    parser.add_argument("--suite", action="store_true", help="measure every row of docs/performance.md")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    given = parser.add_argument_group("a server that runs already")
    given.add_argument("--port", type=int, help="its port on 127.0.0.1; without it one is started")
    given.add_argument("--users", type=Path, metavar="FILE", help="what `manage.py addusers` wrote")
    given.add_argument("--pid", type=int, help="the process id of its `manage.py up`")
    options = parser.parse_args(arguments)
    if options.port is not None and (options.users is None or options.pid is None):
        parser.error("--port needs --users and --pid")
    if options.port is not None and options.profile:
        parser.error("--profile says what to start, --port names what runs already")
    options.profile = options.profile or [Profile.EMBEDDED]
    if options.size < SMALLEST_SIZE:
        parser.error(f"--size must be at least {SMALLEST_SIZE}: the content carries the message's number")
    return options


def plan_loads(options: argparse.Namespace) -> list[Load]:
    """The loads that the command line asks for."""
    base = Load(
        pairs=options.pairs,
        window=options.window,
        rate=options.rate,
        seconds=options.seconds,
        warmup_seconds=options.warmup,
        size=options.size,
    )
    if options.suite:
        return [dataclasses.replace(base, **row) for row in SUITE]
    return [base] if options.pairs else []


@contextlib.contextmanager
def open_target(
    options: argparse.Namespace, profile: Profile, users_needed: int
) -> Iterator[tuple[Target, Sequence[Account]]]:
    """The server to measure and its accounts: the one that is given, or one of our own."""
    if options.port is not None:
        accounts = read_users(options.users)
        address = Address(host="127.0.0.1", port=options.port)
        yield Target(address=address, processes=Processes(options.pid)), accounts
        return
    arguments = ("--workers", str(options.workers))
    with (
        running_profile(profile) as variables,
        running_server(arguments=arguments, LOG_LEVEL="WARNING", **variables) as server,
    ):
        yield describe_server(server), server.add_users(users_needed)


def describe_server(server: Server) -> Target:
    """A server that we started, as a target."""
    return Target(address=Address(host="127.0.0.1", port=server.port), processes=server.processes)


def measure(options: argparse.Namespace, profile: Profile) -> Measured:
    """Start what the profile needs and measure every load on it."""
    loads = plan_loads(options)
    idle = SUITE_IDLE if options.suite else options.idle
    users_needed = sum(2 * load.pairs for load in loads) + idle
    results: list[LoadResult] = []
    idle_result: IdleResult | None = None
    with open_target(options, profile, users_needed) as (target, accounts):
        if idle:  # first: memory is compared with a server that has done nothing yet
            idle_result = run_on_uvloop(measure_idle(target, accounts[:idle]))
            print(format_idle(idle_result), flush=True)
        position = idle
        for load in loads:
            measured = measure_load(target, accounts[position : position + 2 * load.pairs], load)
            results.append(run_on_uvloop(measured))
            position += 2 * load.pairs
    return Measured(profile=profile, loads=results, idle=idle_result)


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and give the exit code: 1 when a message was not delivered or an error came."""
    options = parse_arguments(arguments)
    measured = [measure(options, profile) for profile in options.profile]
    print(format_loads([(one.profile, result) for one in measured for result in one.loads]))
    if options.json is not None:
        options.json.write_bytes(orjson.dumps(measured, option=orjson.OPT_INDENT_2))
    results = [result for one in measured for result in one.loads]
    return 0 if all(map(is_complete, results)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
