"""A gateway's knowledge of bans: read at once, on every word of a change, and through failures."""

import asyncio
from typing import Any

from apps.gateway.ban_watch import BanWatch


class Threads:
    """Runs the work right here."""

    async def run(self, function: Any) -> Any:
        return function()


class Bans:
    """Counts how often it was read, and fails the first time."""

    def __init__(self) -> None:
        self.reads = 0
        self.read = asyncio.Event()

    def refresh(self) -> None:
        self.reads += 1
        self.read.set()
        if self.reads == 1:
            raise OSError("the database is away")


async def test_bans_are_read_at_once_and_on_every_word_of_a_change() -> None:
    bans = Bans()
    watch = BanWatch(Threads(), bans)  # type: ignore[arg-type]
    task = asyncio.create_task(watch.run())
    for reads in (1, 2, 3):
        async with asyncio.timeout(60):
            await bans.read.wait()
        assert bans.reads == reads
        bans.read.clear()
        await asyncio.sleep(0)
        watch.note_change()
    task.cancel()
