"""What was delivered and deleted stays so when the relay reads the log again."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from tests.client.chat_client import ChatClient
from tests.client.history import SentMessage
from tests.client.options import Account
from tests.client.people import AccountPool
from tests.client.processes import Role, wait_until
from tests.client.server import Server
from tests.faults.end_state import read_end_state

WAIT_SECONDS = 60.0
CONTENT_STATE = ("has_content", "undelivered", "pending_devices")


def read_log_again(server: Server) -> int:
    """Replay from the oldest record as docs/operations.md says it, under `up`; how many records were read again."""
    with server.processes.paused(Role.RELAY):
        wait_until(lambda: not read_log_status(server)["readers"].get("relay"), "the end of its lease", WAIT_SECONDS)
        report = json.loads(server.manage("replay", "--from", "oldest", "--yes", "--json"))
        assert sum(count_behind(server)) == report["records"], "the positions were set back"
        stopped = server.processes.kill(Role.RELAY)
    server.processes.wait_for_new(Role.RELAY, stopped)
    wait_until(lambda: not any(count_behind(server)), "a relay that has read it all", WAIT_SECONDS)
    return int(report["records"])


def read_log_status(server: Server) -> dict[str, Any]:
    status: dict[str, Any] = json.loads(server.manage("log_status", "--json"))
    return status


def count_behind(server: Server) -> list[int]:
    partitions = read_log_status(server)["partitions"]
    return [partition["last"] - partition["committed"].get("relay", 0) for partition in partitions]


def read_rows(server: Server, messages: Sequence[SentMessage]) -> list[tuple[object, ...]]:
    rows = {row["message_id"]: row for row in read_end_state(server)["rows"]}
    return [tuple(rows[message.message_id or ""][name] for name in CONTENT_STATE) for message in messages]


def list_inboxes(server: Server, *people: Account) -> dict[str, int]:
    """Device → how much waits for it, where something does."""
    waiting = server.waiting_entries()
    return {
        one.device_id: waiting[key] for one in people if (key := f"inbox:{{{one.user_id}}}:{one.device_id}") in waiting
    }


def count_arrivals(client: ChatClient) -> int:
    return sum(frame["action"] == "incoming_message" for frame in client.history.frames)


async def test_delivered_messages_come_back_neither_into_the_store_nor_to_anybody(
    breakable_server: Server, breakable_accounts: AccountPool
) -> None:
    server = breakable_server
    ann, bob, eve = breakable_accounts.take(3)
    async with ChatClient(server.url, ann) as a, ChatClient(server.url, bob) as b, ChatClient(server.url, eve) as e:
        await e.wait_for_frame(action="inbox_drained")
        await e.stop()
        gone = [a.send(bob.user_id, f"to be forgotten {number}") for number in range(3)]
        await a.wait_delivered()
        waiting = a.send(eve.user_id, "for later")
        await a.wait_for(lambda: waiting.is_acknowledged, "✓")
        await asyncio.to_thread(
            wait_until, lambda: list_inboxes(server, eve) == {eve.device_id: 1}, "eve's inbox", WAIT_SECONDS
        )
        before = await asyncio.to_thread(read_rows, server, [*gone, waiting])
        assert before == [(False, False, [])] * 3 + [(True, True, [eve.device_id])]

        assert await asyncio.to_thread(read_log_again, server) >= 4
        assert await asyncio.to_thread(read_rows, server, [*gone, waiting]) == before
        last = a.send(bob.user_id, "after the replay")
        await a.wait_for(lambda: last.delivered_at is not None, "✓✓ of a new message, behind all that was read again")
        assert count_arrivals(b) == 4, "nothing came a second time"
        await asyncio.to_thread(wait_until, lambda: not list_inboxes(server, ann, bob), "empty inboxes", WAIT_SECONDS)
        assert list_inboxes(server, eve) == {eve.device_id: 1}
    async with ChatClient(server.url, bob) as b, ChatClient(server.url, eve) as e:
        await e.wait_for(lambda: list(e.history.shown) == [waiting.message_id], "what had waited")
        await b.wait_for_frame(action="inbox_drained")
        assert count_arrivals(b) == 0
        assert count_arrivals(e) == 1
