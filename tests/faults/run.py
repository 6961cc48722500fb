"""The long fault run: `python -m tests.faults.run --kills 30`.

Users write to each other in pairs while the nemesis kills every kind of process in turn and sockets are cut. In the end
the run comes to rest and the checker judges what the clients saw. Exit code 0 means that every promise held.
"""

import argparse
import asyncio
import random
import sqlite3
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.client.processes import Role
from tests.client.server import Server, running_server
from tests.client.site import Site
from tests.faults.checker import Report, check
from tests.faults.nemesis import KILLED_ROLES, Kill, Nemesis, summarize
from tests.faults.workload import in_background, running_workload

SETTLE_PATIENCE = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a fault run found."""

    report: Report
    kills: tuple[Kill, ...]
    cuts: int
    seconds: float

    def text(self) -> str:
        """The whole outcome for people."""
        head = f"{len(self.kills)} kills and {self.cuts} cuts in {self.seconds:.0f} s"
        return f"{head}\n{summarize(self.kills)}\n{self.report.text()}"


async def run_faults(
    server: Server, *, pairs: int, kills_of_each: int, seed: int, roles: Sequence[Role] = KILLED_ROLES
) -> Outcome:
    """Let `pairs` pairs talk through `kills_of_each` kills of every one of `roles`, then judge."""
    rng = random.Random(seed)
    started = time.monotonic()
    accounts = await asyncio.to_thread(server.add_users, 2 * pairs)
    async with running_workload(server.url, accounts, rng) as workload:
        nemesis = Nemesis(server.processes, workload, rng)
        jobs = (asyncio.create_task(workload.trickle()), asyncio.create_task(workload.cut_sockets()))
        async with in_background(*jobs):
            await nemesis.rage(kills_of_each, roles)
        await workload.settle(SETTLE_PATIENCE)
        waiting = await asyncio.to_thread(find_leftovers, server, {account.user_id for account in accounts})
        report = check(workload.histories, waiting)
    return Outcome(report=report, kills=tuple(nemesis.kills), cuts=workload.cuts, seconds=time.monotonic() - started)


def find_leftovers(site: Site, user_ids: set[str], patience: float = 10.0) -> dict[str, int]:
    """The inboxes of these users that are still not empty after `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        entries = site.waiting_entries()
        waiting = {key: count for key, count in entries.items() if any(user_id in key for user_id in user_ids)}
        if not waiting or time.monotonic() > deadline:
            return waiting
        time.sleep(0.1)


def find_broken_databases(data_dir: Path) -> list[str]:
    """The SQLite files of the folder whose integrity check fails, with what it says."""
    broken = []
    for path in sorted(data_dir.glob("*.sqlite3")):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            [verdict] = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            broken.append(f"{path.name}: {verdict}")
    return broken


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """The command line of the long run."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.run", description=__doc__)
    parser.add_argument("--kills", type=int, default=30, help=f"kills of each of {', '.join(KILLED_ROLES)} (30)")
    parser.add_argument("--pairs", type=int, default=1, help="pairs of users who write to each other (1)")
    parser.add_argument("--seed", type=int, default=None, help="repeats the choices of an earlier run")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="write the checker's report there too")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run, print the outcome, and give the exit code."""
    options = parse_arguments(arguments)
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    with running_server() as server:
        outcome = asyncio.run(run_faults(server, pairs=options.pairs, kills_of_each=options.kills, seed=seed))
        server.stop()
        broken = find_broken_databases(server.data_dir)
    print(outcome.text())
    for line in broken:
        print(f"broken database: {line}")
    if options.json is not None:
        options.json.write_bytes(outcome.report.json())
    return 0 if outcome.report.is_clean and not broken else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
