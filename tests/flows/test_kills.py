"""Short fault runs in which every kind of process is killed. The long ones are `python -m tests.faults.run`."""

from pathlib import Path

import pytest

from tests.faults.nemesis import embedded_site, production_site
from tests.faults.options import Options
from tests.faults.run import run_on_site

ROUNDS = 10


@pytest.mark.timeout(600)
async def test_every_promise_holds_whatever_process_is_killed(tmp_path: Path) -> None:
    options = Options(profile="embedded", minutes=0.1, seed=20_240_101, users=8, rounds=ROUNDS, only=("kill",))
    async with embedded_site() as strikeable:
        outcome = await run_on_site(strikeable, options, tmp_path)
        assert outcome.is_clean, outcome.text()
        assert sum(fault.times for fault in outcome.faults) >= ROUNDS
        assert strikeable.site.stop() == 0


@pytest.mark.production
@pytest.mark.timeout(900)
async def test_every_promise_holds_on_the_production_profile_too(tmp_path: Path) -> None:
    options = Options(profile="production", minutes=0.1, seed=20_240_102, users=8, rounds=ROUNDS, only=("kill",))
    async with production_site() as strikeable:
        outcome = await run_on_site(strikeable, options, tmp_path)
        assert outcome.is_clean, outcome.text()
