"""A short fault run: every kind of process is killed under load. The long one is `python -m tests.faults.run`."""

import pytest

from tests.client.server import running_server
from tests.faults.run import find_broken_databases, run_faults

KILLS_OF_EACH = 3


@pytest.mark.timeout(300)
async def test_every_promise_holds_whatever_process_is_killed() -> None:
    with running_server(arguments=("--workers", "2")) as server:
        outcome = await run_faults(server, pairs=2, kills_of_each=KILLS_OF_EACH, seed=20_240_101)
        assert outcome.report.is_clean, outcome.text()
        assert min(kill.in_flight for kill in outcome.kills) >= 16
        assert server.stop() == 0
        assert not find_broken_databases(server.data_dir)
