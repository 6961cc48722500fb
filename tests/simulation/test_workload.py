"""People live by their plan, and their clients keep the contract: tried on a site that never fails."""

import asyncio
from dataclasses import replace

from tests.faults.checker import Report, check
from tests.simulation.honest_site import HonestSite
from tests.simulation.plan import Act, Plan
from tests.simulation.planning import make_plan
from tests.simulation.trace import Trace
from tests.simulation.workload import Workload

SPEED = 60  # so many times faster than planned
NOT_HERE = {Act.LOG_OUT, Act.GROUP_SEND, Act.GROUP_LEAVE, Act.GROUP_REMOVE}
"""The honest site has no group, and devices stay."""


def make_quick_plan(seed: int) -> Plan:
    """A plan of a seed without faults, all of it within a few seconds, by the devices that are there from the start."""
    plan = make_plan(seed)
    devices = {device for person in plan.people for device in person.devices}
    operations = (
        replace(operation, at_ms=number * 1000 // SPEED, duration_ms=operation.duration_ms // SPEED)
        for number, operation in enumerate(plan.operations)
        if operation.act not in NOT_HERE and operation.device in devices
    )
    return replace(plan, operations=tuple(operations), faults=(), call_rates=())


async def live(plan: Plan, site: HonestSite, patience: float = 120.0) -> tuple[Workload, Report]:
    """Let people live, and judge it."""
    workload = Workload(plan, site, Trace())
    async with asyncio.timeout(100):
        await workload.live()
        await workload.come_home(patience)
        await workload.go_offline()
    waiting = {device.device_id: len(inbox) for device, inbox in site.inboxes.items()}
    return workload, check(workload.histories, waiting, blocks=workload.blocks)


async def test_nothing_is_found_on_an_honest_site() -> None:
    plan = make_quick_plan(3)
    workload, report = await live(plan, HonestSite(plan))
    assert report.is_clean, report.text()
    assert workload.failures == []
    assert report.counts["sent"] > 100
    assert report.counts["delivered"] > 100
    assert report.counts["connections"] > report.counts["clients"]
    assert sum(workload.counts[f"operation {act}"] for act in Act) == len(plan.operations)


async def test_a_site_that_takes_other_words_under_a_used_client_id_is_found_out() -> None:
    plan = make_quick_plan(3)
    reuses = tuple(
        replace(operation, act=Act.REUSE, at_ms=3_000)
        for operation in plan.operations
        if operation.act is Act.SEND and operation.at_ms < 1_000
    )
    plan = replace(plan, operations=(*plan.operations, *reuses))
    workload, _ = await live(plan, HonestSite(plan))
    assert workload.counts["client ids used again"] > 0
    assert workload.failures == []
    workload, _ = await live(plan, HonestSite(plan, compares=False))
    assert any("other words" in failure for failure in workload.failures)


async def test_a_site_that_loses_is_found_out() -> None:
    plan = make_quick_plan(3)
    _, report = await live(plan, HonestSite(plan, loses=True), patience=1.0)
    assert {"lost", "no ✓✓"} <= {finding.kind for finding in report.findings}


async def test_devices_come_and_go() -> None:
    plan = make_plan(3)
    stays, goes = next(person for person in plan.people if len(person.devices) > 1).devices[:2]
    comes = replace(stays, device_id="dev-00000000ffff")
    leaving = replace(plan.operations[0], at_ms=100, device=goes, act=Act.LOG_OUT)
    arriving = replace(plan.operations[0], at_ms=200, device=comes, act=Act.LOG_IN)
    plan = replace(plan, operations=(leaving, arriving), faults=(), call_rates=())
    site = HonestSite(plan)
    workload, _ = await live(plan, site)
    assert workload.failures == []
    assert goes not in site.inboxes
    assert comes in site.inboxes
    assert {history.device_id for history in workload.histories} == {d.device_id for d in (*plan.devices(), comes)}


async def test_the_last_device_of_a_person_stays() -> None:
    plan = make_plan(3)
    only = next(person for person in plan.people if len(person.devices) == 1).devices[0]
    leaving = replace(plan.operations[0], at_ms=100, device=only, act=Act.LOG_OUT)
    plan = replace(plan, operations=(leaving,), faults=(), call_rates=())
    site = HonestSite(plan)
    await live(plan, site)
    assert only in site.inboxes


async def test_a_shut_out_device_that_is_logged_in_is_a_finding() -> None:
    plan = replace(make_plan(3), operations=(), faults=(), call_rates=())
    site = HonestSite(plan)
    device = plan.people[0].devices[0]
    await site.log_out(device)
    workload, _ = await live(plan, site, patience=1.0)
    assert any(device.device_id in failure and "4401" in failure for failure in workload.failures)
