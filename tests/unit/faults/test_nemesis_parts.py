"""Processes and their files are struck for real, and everything is as before afterwards."""

import asyncio
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.client.processes import wait_until
from tests.faults.nemesis.base import Lengths
from tests.faults.nemesis.files import EmptyCache, FlushCache, TearFile, cut_back, newest_file
from tests.faults.nemesis.parts import KeptPart, ProcessPart
from tests.faults.nemesis.processes import Kill, KillPair, Pause
from tests.rehearsal.keeper import Keeper
from tests.servers.process import ServerProcess
from tests.servers.valkey import ValkeyServer, running_valkey

BRIEF = Lengths(shortest=0.1, longest=0.2)
ENDLESS = Lengths(shortest=600.0, longest=600.0)
TREE = ["bash", "-c", "sleep 600 & sleep 600 & wait"]


@pytest.fixture
def rng() -> random.Random:
    return random.Random(1)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[KeptPart]:
    """A process with two children, which a keeper starts again."""
    process = ServerProcess("tree", TREE, tmp_path, lambda: True)
    with Keeper() as keeper:
        keeper.start(process)
        part = KeptPart(process, keeper)
        wait_until(lambda: len(part.pids()) == 3, "the children", 60)
        yield part


@pytest.fixture
def cache() -> Iterator[ValkeyServer]:
    with running_valkey("always") as server:
        yield server


def status_of(pids: list[int]) -> set[str]:
    return {psutil.Process(pid).status() for pid in pids}


async def test_what_was_killed_with_its_children_is_back(kept: KeptPart, rng: random.Random) -> None:
    before = kept.pids()
    strike = await KillPair(kept).strike(rng)
    assert set(kept.pids()).isdisjoint(before)
    assert (strike.kind, strike.target) == ("pair-kill", "tree")
    assert strike.began_at <= strike.ended_at


async def test_a_server_that_nobody_else_starts_again_is_started(cache: ValkeyServer, rng: random.Random) -> None:
    before = cache.process.pid
    await Kill(ProcessPart(cache.process)).inflict(rng)
    assert cache.process.pid != before
    with cache.client() as client:
        assert client.ping()


async def test_what_was_paused_runs_again(kept: KeptPart, rng: random.Random) -> None:
    before = kept.pids()
    await Pause(kept, BRIEF).inflict(rng)
    assert kept.pids() == before
    assert psutil.STATUS_STOPPED not in status_of(before)


async def test_a_pause_that_is_cancelled_undoes_itself(cache: ValkeyServer, rng: random.Random) -> None:
    striking = asyncio.create_task(Pause(ProcessPart(cache.process), ENDLESS).inflict(rng))
    await asyncio.to_thread(wait_until, lambda: psutil.STATUS_STOPPED in status_of([cache.process.pid]), "a pause", 60)
    striking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await striking
    with cache.client() as client:
        assert client.ping()


async def test_who_is_dead_already_is_an_error_and_no_strike(tmp_path: Path, rng: random.Random) -> None:
    process = ServerProcess("sleeper", ["sleep", "600"], tmp_path, lambda: True)
    process.start()
    process.signal(signal.SIGKILL)
    process.wait(60)
    with pytest.raises(LookupError, match="sleeper"):
        await Kill(ProcessPart(process)).inflict(rng)


def test_one_left_dead_is_not_started_until_the_end_of_the_block(kept: KeptPart) -> None:
    before = kept.pids()
    with kept.left_dead():
        for pid in before:
            psutil.Process(pid).kill()
        wait_until(lambda: not kept.pids(), "its end", 60)
    kept.bring_back(before, len(before))
    assert len(kept.pids()) == 3


async def test_a_cache_loses_the_end_of_its_file_and_starts(cache: ValkeyServer, rng: random.Random) -> None:
    folder = cache.process.folder / "appendonlydir"
    with cache.client() as client:
        for number in range(100):
            client.set(f"key {number}", "x" * 100)
    await TearFile(ProcessPart(cache.process), folder).inflict(rng)
    with cache.client() as client:
        assert client.dbsize() < 100


async def test_a_cache_is_empty_after_its_files_went_or_it_was_flushed(cache: ValkeyServer, rng: random.Random) -> None:
    part = ProcessPart(cache.process)
    for fault in (
        EmptyCache(part, cache.process.folder / "appendonlydir"),
        FlushCache(part.name, cache.client),
    ):
        with cache.client() as client:
            client.set("key", "value")
        await fault.inflict(rng)
        with cache.client() as client:
            assert client.dbsize() == 0


def test_a_file_is_only_ever_cut(tmp_path: Path) -> None:
    path = tmp_path / "appendonly.aof.1.incr.aof"
    path.write_bytes(b"0123456789")
    cut_back(path, 20)
    assert path.read_bytes() == b"0123456789"
    cut_back(path, 3)
    assert path.read_bytes() == b"012"


def test_the_newest_file_has_the_highest_number_and_not_the_last_name(tmp_path: Path) -> None:
    for number in (2, 10, 9):
        (tmp_path / f"appendonly.aof.{number}.incr.aof").touch()
    assert newest_file(tmp_path).name == "appendonly.aof.10.incr.aof"


def test_a_length_lies_between_both_ends(rng: random.Random) -> None:
    lengths = Lengths(shortest=5.0, longest=60.0)
    drawn = [lengths.draw(rng) for _ in range(500)]
    assert 5.0 <= min(drawn) < 10.0
    assert 40.0 < max(drawn) <= 60.0
