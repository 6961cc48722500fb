"""The cache is emptied and restarted, the log stands still: nothing is lost, nothing comes twice."""

import asyncio

from tests.client.chat_client import ChatClient
from tests.client.options import Account
from tests.client.people import AccountPool
from tests.client.processes import Role, wait_until
from tests.client.server import Server
from tests.faults.checker import check

LOG_PAUSE_SECONDS = 15.0
RECOVERY_SECONDS = 60.0


def count_waiting(server: Server, account: Account) -> int:
    return sum(count for key, count in server.waiting_entries().items() if account.user_id in key)


async def test_a_thousand_waiting_messages_survive_an_emptied_cache(
    breakable_server: Server, breakable_accounts: AccountPool
) -> None:
    server = breakable_server
    ann, bob = breakable_accounts.take(2)
    async with ChatClient(server.url, ann) as a, ChatClient(server.url, bob) as b:
        await b.stop()
        for number in range(1000):
            a.send(bob.user_id, f"{number}")
        await a.wait_for(lambda: all(m.is_acknowledged for m in a.history.sent.values()), "every ✓", within=60)
        wait_until(lambda: count_waiting(server, bob) == 1000, "1,000 entries in the inbox", 10)
        with server.valkey("cache") as cache:
            cache.flushall()
        await b.start()
        await a.wait_delivered(within=RECOVERY_SECONDS)
        report = check([a.history, b.history], {"inbox": count_waiting(server, bob)})
        assert report.is_clean, report.text()
        assert report.counts["delivered"] == 1000


async def test_people_who_talk_notice_nothing_of_an_emptied_cache(
    breakable_server: Server, breakable_accounts: AccountPool
) -> None:
    server = breakable_server
    ann, bob = breakable_accounts.take(2)
    async with ChatClient(server.url, ann) as a, ChatClient(server.url, bob) as b:
        for round_number in range(5):
            for number in range(50):
                a.send(bob.user_id, f"a {round_number} {number}")
                b.send(ann.user_id, f"b {round_number} {number}")
            with server.valkey("cache") as cache:
                cache.flushall()
            await a.wait_delivered(within=2 * RECOVERY_SECONDS)
            await b.wait_delivered(within=2 * RECOVERY_SECONDS)
        report = check([a.history, b.history])
        assert report.is_clean, report.text()


async def test_drains_go_on_through_twenty_restarts_of_the_cache(
    breakable_server: Server, breakable_accounts: AccountPool
) -> None:
    server = breakable_server
    ann, bob = breakable_accounts.take(2)
    worker = server.processes.pids(Role.WORKER)
    async with ChatClient(server.url, ann) as a, ChatClient(server.url, bob) as b:
        for restart in range(20):
            await b.stop()
            for number in range(5):
                a.send(bob.user_id, f"{restart} {number}")
            killed = server.processes.kill(Role.CACHE)
            await asyncio.to_thread(server.processes.wait_for_new, Role.CACHE, killed)
            b.go_online()
            await a.wait_delivered(within=RECOVERY_SECONDS)
        report = check([a.history, b.history])
        assert report.is_clean, report.text()
        assert len(b.history.shown) == 100
    assert set(worker) & set(server.processes.pids(Role.WORKER)), "the worker lived through it"


async def test_a_log_that_stands_still_for_15_seconds_makes_one_message(
    breakable_server: Server, breakable_accounts: AccountPool
) -> None:
    server = breakable_server
    ann, bob = breakable_accounts.take(2)
    async with ChatClient(server.url, ann) as a, ChatClient(server.url, bob) as b:
        with server.processes.paused(Role.LOG):
            for number in range(10):
                a.send(bob.user_id, f"{number}")
            await asyncio.sleep(LOG_PAUSE_SECONDS)
            assert not any(message.is_acknowledged for message in a.history.sent.values())
        await a.wait_delivered(within=RECOVERY_SECONDS)
        assert {error["code"] for error in a.history.errors} <= {"unavailable"}
        report = check([a.history, b.history])
        assert report.is_clean, report.text()


async def test_a_client_is_told_unavailable_while_the_log_is_paused(
    breakable_server: Server, breakable_accounts: AccountPool
) -> None:
    server = breakable_server
    ann, bob = breakable_accounts.take(2)
    async with ChatClient(server.url, ann) as a, ChatClient(server.url, bob):
        with server.processes.paused(Role.LOG):
            message = a.send(bob.user_id, "wait")
            error = await a.wait_for_frame(action="error", code="unavailable", within=60)
        assert error["message_id_by_client"] == message.client_id
        assert error["retry_after_ms"] > 0
        await a.wait_delivered(within=RECOVERY_SECONDS)
