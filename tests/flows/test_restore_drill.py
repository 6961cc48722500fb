"""The restore drill of docs/operations.md: back up a site that runs, lose it, start the copy, and miss nothing."""

import asyncio
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.client.chat_client import ChatClient
from tests.client.options import Account
from tests.client.people import AccountPool
from tests.client.processes import Role, wait_until
from tests.client.server import Server, running_server
from tests.client.site import build_environment, run_manage
from tests.servers.postgresql import PostgresqlServer, find_binaries

KEY = "the-key-of-a-test-and-of-nothing-else"
WAIT_SECONDS = 60


@dataclass(slots=True, kw_only=True)
class Past:
    """What people know of the site that was lost."""

    ann: Account
    bob: Account
    waiting: list[str] = field(default_factory=list)
    sequences: list[int] = field(default_factory=list)


async def live_until_backup(site: Server, back_up: Callable[[], object]) -> Past:
    """Messages that are delivered, stored and waiting, and only on the log; then the backup, then more of each."""
    ann, bob, _ = AccountPool(site).take(3)
    past = Past(ann=ann, bob=bob)
    async with ChatClient(site.url, ann) as a:
        async with ChatClient(site.url, bob):
            for number in range(5):
                a.send(bob.user_id, f"delivered {number}")
            await a.wait_delivered(WAIT_SECONDS)
        await send_and_wait(a, past, "stored", 20)
        inbox = f"inbox:{{{bob.user_id}}}:{bob.device_id}"
        wait_until(lambda: site.waiting_entries().get(inbox) == 20, "20 entries in the inbox", WAIT_SECONDS)
        with site.processes.paused(Role.RELAY):
            await send_and_wait(a, past, "on the log", 10)
            await asyncio.to_thread(back_up)
        waiting = list(past.waiting)
        await send_and_wait(a, past, "after the backup", 60)
        past.waiting = waiting
    return past


async def send_and_wait(sender: ChatClient, past: Past, text: str, count: int) -> None:
    sent = [sender.send(past.bob.user_id, f"{text} {number}") for number in range(count)]
    await sender.wait_for(lambda: all(message.is_acknowledged for message in sent), "every ✓", WAIT_SECONDS)
    past.waiting += [message.content for message in sent]
    past.sequences += [message.sequence or 0 for message in sent]


async def check_nothing_is_missing(site: Server, past: Past) -> None:
    async with ChatClient(site.url, past.ann) as a, ChatClient(site.url, past.bob) as b:
        await b.wait_for(lambda: len(b.history.shown) >= len(past.waiting), "all that waited", WAIT_SECONDS)
        assert [shown.content for shown in b.history.shown.values()] == past.waiting
        ids = set(b.history.shown)
        await a.wait_for(lambda: ids <= a.history.delivered_ids, "✓✓ of what waited", WAIT_SECONDS)
        new = a.send(past.bob.user_id, "new")
        await a.wait_delivered(WAIT_SECONDS)
        assert new.sequence is not None
        assert new.sequence > max(past.sequences), "a position was given out a second time"


@pytest.mark.timeout(300)
async def test_a_copy_of_the_data_folder_is_a_site_that_misses_nothing(tmp_path: Path) -> None:
    with running_server() as site:
        past = await live_until_backup(site, lambda: site.manage("backup", str(tmp_path / "copy")))
    with running_server(backup=tmp_path / "copy") as restored:
        await check_nothing_is_missing(restored, past)


@pytest.mark.production
@pytest.mark.timeout(300)
async def test_a_dump_of_postgresql_and_a_copy_of_the_log_are_a_site_that_misses_nothing(
    tmp_path: Path, postgresql: PostgresqlServer
) -> None:
    url, new_url = postgresql.create_database(), postgresql.create_database()
    dump, copy = tmp_path / "dump", tmp_path / "copy"

    def back_up() -> None:
        # In this order, as the docs say: what the database has beyond the log does no harm.
        site.manage("backup", str(copy))
        subprocess.run([find_binaries() / "pg_dump", "--format=custom", f"--file={dump}", url], check=True)

    def restore() -> None:
        subprocess.run([find_binaries() / "pg_restore", "--no-owner", f"--dbname={new_url}", dump], check=True)
        environment = build_environment(tmp_path, 1, {"SECRET_KEY": KEY, "DATABASE_URL": new_url})
        run_manage(environment, "mark_restored")

    with running_server(SECRET_KEY=KEY, DATABASE_URL=url) as site:
        past = await live_until_backup(site, back_up)
    await asyncio.to_thread(restore)
    with running_server(SECRET_KEY=KEY, DATABASE_URL=new_url, backup=copy) as restored:
        await check_nothing_is_missing(restored, past)
