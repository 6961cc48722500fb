"""A short fault run: every kind of process is killed under load. The long one is `python -m tests.faults.run`."""

import pytest

from tests.client.processes import Role
from tests.client.server import running_server
from tests.faults.run import find_broken_databases, run_faults
from tests.rehearsal.engines import running_engines

KILLS_OF_EACH = 3
OWN_ROLES = (Role.GATEWAY, Role.RELAY, Role.WORKER)


@pytest.mark.timeout(300)
async def test_every_promise_holds_whatever_process_is_killed() -> None:
    with running_server(arguments=("--workers", "2")) as server:
        outcome = await run_faults(server, pairs=2, kills_of_each=KILLS_OF_EACH, seed=20_240_101)
        assert outcome.report.is_clean, outcome.text()
        assert min(kill.in_flight for kill in outcome.kills) >= 16
        assert server.stop() == 0
        assert not find_broken_databases(server.data_dir)


@pytest.mark.production
@pytest.mark.timeout(300)
async def test_every_promise_holds_on_the_production_profile_too() -> None:
    with running_engines(brokers=1) as engines, running_server(**engines.variables()) as server:
        outcome = await run_faults(server, pairs=2, kills_of_each=KILLS_OF_EACH, seed=20_240_102, roles=OWN_ROLES)
        assert outcome.report.is_clean, outcome.text()
        assert server.stop() == 0
