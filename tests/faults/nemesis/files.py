"""What a crash leaves of a Valkey's append-only file: less than was written."""

import asyncio
import os
import random
from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import redis

from tests.faults.nemesis.base import Fault
from tests.faults.nemesis.parts import Part, kill
from tests.faults.nemesis.shim import Shim


class FileFault(Fault):
    """kill -9, then something happens to the files, then the server starts on what is left."""

    def __init__(self, part: Part, folder: Path) -> None:
        super().__init__(part.name)
        self._part = part
        self._folder = folder

    async def inflict(self, rng: random.Random) -> None:
        """Do it, and wait until the server serves."""
        await asyncio.to_thread(self._inflict, rng)

    def _inflict(self, rng: random.Random) -> None:
        killed = self._part.pids()
        if not killed:
            raise LookupError(f"no process of {self._part.name} runs")
        with self._part.left_dead():
            kill(killed)
            self.spoil(self._folder, rng)
        self._part.bring_back(killed, len(killed))

    @abstractmethod
    def spoil(self, folder: Path, rng: random.Random) -> None:
        """Do to the files what happens to them."""


class LosePower(FileFault):
    """What was not synced is gone."""

    kind = "power-loss"
    says = "kill -9, and its files are cut back to what its last fsync had put on the disk"

    def __init__(self, part: Part, folder: Path, shim: Shim) -> None:
        super().__init__(part, folder)
        self._shim = shim

    def spoil(self, folder: Path, rng: random.Random) -> None:
        """Cut every append-only file back to its length at the last sync."""
        for path in folder.glob("*.aof"):
            cut_back(path, self._shim.synced_length(path))


class TearFile(FileFault):
    """The end of the file is gone."""

    kind = "torn-file"
    says = "kill -9, and its append-only file is cut at any byte, in the middle of a command too"

    def spoil(self, folder: Path, rng: random.Random) -> None:
        """Cut the newest append-only file anywhere."""
        path = newest_file(folder)
        cut_back(path, rng.randint(0, path.stat().st_size))


class EmptyCache(FileFault):
    """The files are gone."""

    kind = "empty"
    says = "kill -9, and its files are gone: it starts empty"

    def spoil(self, folder: Path, rng: random.Random) -> None:
        """Delete them all."""
        for path in folder.iterdir():
            path.unlink()


class FlushCache(Fault):
    """FLUSHALL."""

    kind = "flush"
    says = "FLUSHALL: everything is gone between two commands, and the server goes on"

    def __init__(self, target: str, connect: Callable[[], AbstractContextManager[redis.Redis]]) -> None:
        super().__init__(target)
        self._connect = connect

    async def inflict(self, rng: random.Random) -> None:
        """Flush."""
        await asyncio.to_thread(self._flush)

    def _flush(self) -> None:
        with self._connect() as client:
            client.flushall()


def newest_file(folder: Path) -> Path:
    """The append-only file that is written to: the one with the highest number."""
    return max(folder.glob("*.incr.aof"), key=lambda path: int(path.name.split(".")[-3]))


def cut_back(path: Path, length: int) -> None:
    """Cut a file to this length; one that is shorter stays."""
    if length < path.stat().st_size:
        os.truncate(path, length)
