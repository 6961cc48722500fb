"""The fault test on real processes: `python -m tests.faults.run --profile embedded --minutes 10 --seed 7`."""

import asyncio
import logging
import random
import ssl
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import orjson

from tests.client.rest import RestClient
from tests.client.server import Server
from tests.client.site import Site
from tests.faults.checker import Finding, check
from tests.faults.connecting import Address
from tests.faults.course import Course, Events
from tests.faults.crowd import Crowd
from tests.faults.databases import find_broken_databases
from tests.faults.housing import load_people, register_people, wait_online
from tests.faults.lateness import measure_faults, measure_lateness
from tests.faults.leftovers import wait_settled
from tests.faults.nemesis import LONG, SHORT, Lengths, StrikeableSite, embedded_site, list_faults, production_site
from tests.faults.options import Options, parse_options
from tests.faults.plan import make_plan
from tests.faults.records import write_histories
from tests.faults.recovery import Probe
from tests.faults.report import Circumstances, Outcome
from tests.faults.schedule import choose_kinds, group_by_kind
from tests.faults.versions import list_versions

logger = logging.getLogger(__name__)

LEAST_MINUTES_OF_LONG_FAULTS = 5.0
HELD, BROKEN, NOT_MADE = 0, 1, 2
START: Mapping[str, Callable[[Lengths], AbstractAsyncContextManager[StrikeableSite[Any]]]] = {
    "embedded": embedded_site,
    "production": production_site,
}
QUIET_SECONDS = 15.0
"""On a deployment that cannot be looked into: after so long without any arrival none will come."""


async def run_on_own_site(options: Options, folder: Path) -> Outcome:
    """Start the profile's site, break it while people write, and judge."""
    lengths = SHORT if options.minutes < LEAST_MINUTES_OF_LONG_FAULTS else LONG
    async with START[options.profile](lengths) as strikeable:
        return await run_on_site(strikeable, options, folder)


async def print_faults(profile: str) -> None:
    """Say what can be done to a profile's site, which is started for it."""
    async with START[profile](SHORT) as strikeable:
        for kind, faults in group_by_kind(list_faults(strikeable)).items():
            print(f"{kind} of {', '.join(fault.target for fault in faults)}: {faults[0].says}")


async def run_on_site(strikeable: StrikeableSite[Any], options: Options, folder: Path) -> Outcome:
    """Break a running site while people write, and judge. Raises ValueError for a kind of fault that there is not."""
    site: Site = strikeable.site
    faults = choose_kinds(list_faults(strikeable), options.only)
    address = Address(base_url=site.base_url, tls=site.tls)
    began_at = time.monotonic()
    async with RestClient(address.base_url, address.tls) as rest:
        plan = make_plan(options.seed, options.users, options.rate)
        people, probes = await register_people(plan, rest, address)
        everybody = [*people, *probes]
        await wait_online(everybody)
        tell(f"{len(people)} people with {sum(len(person.devices) for person in people)} devices are online")
        crowd = Crowd(people, plan)
        await crowd.found_group()
        asker, answerer = (person.devices[0] for person in probes)
        course = Course(crowd, Probe(asker, answerer), tell)
        await course.run(faults, options.minutes * 60, options.rounds, random.Random(f"faults {options.seed}"))
        await asyncio.to_thread(strikeable.heal)
        tell("all is healed; coming to rest")
        state = await course.come_to_rest(lambda: asyncio.to_thread(wait_settled, site, course.histories))
    return judge(options, course.events(faults), site, state, folder, time.monotonic() - began_at)


async def run_on_deployment(options: Options, folder: Path) -> Outcome:
    """Let people write on somebody's deployment, and judge what they saw."""
    assert options.url is not None
    assert options.accounts is not None
    tls = None if options.cafile is None else ssl.create_default_context(cafile=str(options.cafile))
    address = Address(base_url=options.url, tls=tls)
    began_at = time.monotonic()
    async with RestClient(address.base_url, address.tls) as rest:
        await drain_first(options.accounts, rest, address)
        people = load_people(options.accounts, rest, address)
        await wait_online(people)
        crowd = Crowd(people, make_plan(options.seed, len(people), options.rate))
        await crowd.found_group()
        course = Course(crowd, None, tell)
        tell(f"{len(people)} people write for {options.minutes:g} minutes; break what you like")
        await course.run([], options.minutes * 60, 0, random.Random(options.seed))
        tell("coming to rest")
        await course.come_to_rest(lambda: wait_quiet(crowd))
    return judge(options, course.events([]), None, {}, folder, time.monotonic() - began_at)


async def drain_first(accounts: Path, rest: RestClient, address: Address) -> None:
    """Take in what still waits for the accounts from an earlier time: it is not this run's."""
    people = load_people(accounts, rest, address)
    await wait_online(people)
    await asyncio.gather(*(client.stop() for person in people for client in person.devices))


async def wait_quiet(crowd: Crowd) -> None:
    """Wait until no frame has come for a while."""
    last, since = -1, time.monotonic()
    while time.monotonic() - since < QUIET_SECONDS:
        now = sum(len(history.shown) + len(history.delivered_ids) for history in crowd.histories)
        if now != last:
            last, since = now, time.monotonic()
        await asyncio.sleep(0.2)


def judge(
    options: Options, events: Events, site: Site | None, state: Mapping[str, Any], folder: Path, seconds: float
) -> Outcome:
    """Write down what happened and what the site still holds (`state`, empty where nobody may look), and judge it."""
    write_histories(folder / "histories.jsonl", events.histories, events.blocks)
    (folder / "end_state.json").write_bytes(orjson.dumps(state))
    report = check(events.histories, blocks=events.blocks, end_state=state)
    return Outcome(
        circumstances=Circumstances(
            site=options.url or options.profile,
            seed=options.seed,
            seconds=seconds,
            again=options.again(),
            versions=list_versions(site),
            folder=str(folder),
        ),
        report=report,
        mishaps=(*events.mishaps, *list_broken_databases(site)),
        lateness=measure_lateness(events.histories),
        faults=tuple(measure_faults(events.histories, events.windows)),
        not_struck=tuple(events.not_struck),
        says=events.says,
        acts=events.acts,
        error_codes=Counter(error["code"] for history in events.histories for error in history.errors),
    )


def list_broken_databases(site: Site | None) -> list[Finding]:
    """The SQLite files of an embedded site that are not whole."""
    broken = find_broken_databases(site.data_dir) if isinstance(site, Server) else []
    return [Finding(kind="broken database", detail=detail) for detail in broken]


def tell(line: str) -> None:
    """Say how far the run is."""
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def main(arguments: list[str]) -> int:
    """Run, print the outcome, write it down, and give the exit code."""
    options = parse_options(arguments)
    if options.list_faults:
        asyncio.run(print_faults(options.profile))
        return HELD
    folder = options.report_dir or Path(tempfile.mkdtemp(prefix="chat-faults-"))
    folder.mkdir(parents=True, exist_ok=True)
    tell(f"seed {options.seed}; the report will be in {folder}")
    make = run_on_own_site if options.url is None else run_on_deployment
    try:
        outcome = asyncio.run(make(options, folder))
    except Exception:
        logger.exception("The run could not be made")
        return NOT_MADE
    (folder / "report.txt").write_text(outcome.text() + "\n")
    (folder / "report.json").write_bytes(outcome.json())
    print(outcome.text())
    return HELD if outcome.is_clean else BROKEN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
