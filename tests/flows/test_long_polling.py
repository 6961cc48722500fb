"""Long polling by clients that know only the contract: the same frames and guarantees as over sockets."""

import asyncio
import contextlib
import random
import signal
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.client.chat_client import ChatClient
from tests.client.history import Frame
from tests.client.options import ClientOptions
from tests.client.people import AccountPool, Person
from tests.client.poller import polling
from tests.client.polling import PollingChatClient
from tests.client.processes import Role, send_signal, wait_until
from tests.client.proxy import running_proxy
from tests.client.server import Server, find_free_port
from tests.client.site import PROJECT
from tests.faults.checker import check

PROMISED_SECONDS = 5 * 2.0  # two, and a busy machine
HELD_SECONDS = 0.3  # until a poll that was just sent surely waits at the server


def contents(client: ChatClient) -> list[str]:
    return [shown.content for shown in client.history.shown.values()]


def texts(frames: list[Frame]) -> list[str]:
    return [frame["content"] for frame in frames if frame["action"] == "incoming_message"]


@pytest.fixture
def second_gateway(breakable_server: Server) -> Iterator[str]:
    """One more gateway of the same site, on a port of its own."""
    port = find_free_port()
    command = [sys.executable, "manage.py", "gateway", "--port", str(port)]
    process = subprocess.Popen(command, cwd=PROJECT, env=dict(breakable_server.environment))
    base_url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{base_url}/healthz", timeout=3).status_code == httpx.codes.OK
        return False

    wait_until(answers, "the second gateway", 60)
    yield base_url
    process.terminate()
    assert process.wait(20) in (0, -signal.SIGTERM), "uvicorn repeats the signal when all is done"


async def test_two_people_who_poll_chat_with_both_ticks_and_one_order(server: Server, accounts: AccountPool) -> None:
    ann, bob = accounts.take(2)
    async with PollingChatClient(server.base_url, ann) as a, PollingChatClient(server.base_url, bob) as b:
        for number in range(50):
            a.send(bob.user_id, f"a {number}")
            b.send(ann.user_id, f"b {number}")
        await a.wait_delivered(within=60)
        await b.wait_delivered(within=60)
        report = check([a.history, b.history])
        assert report.is_clean, report.text()
        assert contents(b) == [f"a {number}" for number in range(50)]


async def test_polls_and_sockets_reach_each_other(server: Server, accounts: AccountPool) -> None:
    ann, bob = accounts.take(2)
    async with PollingChatClient(server.base_url, ann) as a, ChatClient(server.url, bob) as b:
        a.send(bob.user_id, "by poll")
        b.send(ann.user_id, "by socket")
        await a.wait_delivered()
        await b.wait_delivered()


async def test_the_first_answer_is_connected_then_what_waited_then_inbox_drained(
    server: Server, accounts: AccountPool
) -> None:
    ann, bob = accounts.take(2)
    async with ChatClient(server.url, ann) as a, ChatClient(server.url, bob) as b:
        await b.stop()
        for number in range(700):
            a.send(bob.user_id, f"{number}")
        await a.wait_for(lambda: all(m.is_acknowledged for m in a.history.sent.values()), "every ✓", within=60)
        inbox = f"inbox:{{{bob.user_id}}}:{bob.device_id}"
        await asyncio.to_thread(wait_until, lambda: server.waiting_entries().get(inbox) == 700, "a full inbox", 60)
    frames: list[Frame] = []
    async with polling(server.base_url, token=bob.token) as poller:
        while not frames or frames[-1]["action"] != "inbox_drained":
            frames += await poller.poll_frames()
    assert frames[0]["action"] == "connected"
    assert frames[-1]["count"] == 700
    assert texts(frames) == [f"{number}" for number in range(700)]


# --- What polls and sockets are to each other ------------------------------------------------------------------------


async def test_a_second_poll_lets_the_first_one_go_with_nothing(
    breakable_server: Server, breakable_accounts: AccountPool
) -> None:
    [ann] = breakable_accounts.take(1)
    async with polling(breakable_server.base_url, token=ann.token) as poller:
        await poller.open()
        first = asyncio.create_task(poller.poll_frames())
        await asyncio.sleep(HELD_SECONDS)
        second = await poller.poll_frames({"action": "heartbeat"})
        assert await first == []
        assert [frame["action"] for frame in second] == ["heartbeat"]


async def test_a_socket_of_the_device_replaces_its_polls_and_polls_replace_a_socket(
    breakable_server: Server, breakable_accounts: AccountPool
) -> None:
    [ann] = breakable_accounts.take(1)
    async with polling(breakable_server.base_url, token=ann.token) as poller:
        await poller.open()
        waiting = asyncio.create_task(poller.poll())
        await asyncio.sleep(HELD_SECONDS)
        async with ChatClient(breakable_server.url, ann, ClientOptions(reconnects=False)) as socket:
            answer = await waiting
            assert (answer.status_code, answer.json()["close_code"]) == (409, 4409)
            await poller.open()
            await socket.wait_for(lambda: bool(socket.history.closes), "a close")
            assert socket.history.closes[-1].code == 4409


async def test_who_goes_on_polling_does_not_take_the_device_back_from_who_began_later(
    breakable_server: Server, breakable_accounts: AccountPool
) -> None:
    [ann] = breakable_accounts.take(1)
    base_url = breakable_server.base_url
    async with polling(base_url, token=ann.token) as first, polling(base_url, token=ann.token) as second:
        older = (await first.poll(last_poll="")).json()["poll"]
        newer = (await second.poll(last_poll="")).json()
        assert newer["frames"][0]["action"] == "connected"
        assert (await first.poll(last_poll=older)).status_code == 409
        assert await second.poll_frames(last_poll=newer["poll"], wait_ms=0) == []


# --- Lost answers ----------------------------------------------------------------------------------------------------


async def test_who_names_the_last_answer_gets_a_lost_one_again_and_a_received_one_never(
    breakable_server: Server, breakable_accounts: AccountPool
) -> None:
    server = breakable_server
    ann, bob = breakable_accounts.take(2)
    async with ChatClient(server.url, ann) as a, polling(server.base_url, token=bob.token) as poller:
        opened = (await poller.poll(last_poll="")).json()
        a.send(bob.user_id, "one")
        lost = (await poller.poll(last_poll=opened["poll"])).json()
        repeated = (await poller.poll(last_poll=opened["poll"])).json()
        assert texts(lost["frames"]) == texts(repeated["frames"]) == ["one"]
        assert await poller.poll_frames(last_poll=repeated["poll"], wait_ms=100) == []


async def test_receipts_leave_the_inbox_when_the_answer_that_carried_them_was_named(
    breakable_server: Server, breakable_accounts: AccountPool
) -> None:
    server = breakable_server
    ann, bob = breakable_accounts.take(2)
    async with PollingChatClient(server.base_url, ann) as a, ChatClient(server.url, bob):
        for number in range(5):
            a.send(bob.user_id, f"{number}")
        await a.wait_delivered()
        receipts = f"receipts:{{{ann.user_id}}}:{ann.device_id}"

        def is_empty() -> bool:
            with server.cache() as cache:
                return cache.zcard(receipts) == 0

        await asyncio.to_thread(wait_until, is_empty, "no receipts", 20)


@pytest.mark.timeout(180)
async def test_what_a_lost_answer_carried_comes_again_to_a_client_that_says_nothing_of_it(
    breakable_server: Server, breakable_accounts: AccountPool
) -> None:
    server = breakable_server
    ann, bob = breakable_accounts.take(2)
    async with running_proxy(server.port) as proxy, ChatClient(server.url, ann) as a:
        async with polling(f"http://127.0.0.1:{proxy.port}", token=bob.token) as poller:
            await poller.open()
            lost = asyncio.create_task(poller.poll())
            await asyncio.sleep(HELD_SECONDS)
            proxy.stall()  # The server believes the answer sent.
            message = a.send(bob.user_id, "lost once")
            await a.wait_for(lambda: message.is_acknowledged, "✓")
            await asyncio.sleep(1)
            proxy.cut()
            proxy.resume()
            with pytest.raises(httpx.TransportError):
                await lost
        b = PollingChatClient(server.base_url, bob)
        b.go_online()  # As if it had never ended: it does not know that it polled before.
        await b.wait_for(lambda: contents(b) == ["lost once"], "the message", within=60)
        await a.wait_delivered(within=60)
        await b.stop()


@pytest.mark.timeout(180)
async def test_a_line_that_is_cut_again_and_again_loses_and_doubles_nothing(
    breakable_server: Server, breakable_accounts: AccountPool
) -> None:
    server = breakable_server
    ann, bob = breakable_accounts.take(2)
    chance = random.Random(20_240_101)
    async with running_proxy(server.port) as proxy:
        base_url = f"http://127.0.0.1:{proxy.port}"
        proxy.delay = 0.01
        async with PollingChatClient(base_url, ann) as a, PollingChatClient(base_url, bob) as b:
            for number in range(60):
                a.send(bob.user_id, f"a {number}")
                b.send(ann.user_id, f"b {number}")
                await asyncio.sleep(chance.uniform(0, 0.1))
                if number % 5 == 0:
                    proxy.cut(reset=chance.random() < 0.5)
            await a.wait_for(lambda: all(m.is_acknowledged for m in a.history.sent.values()), "every ✓", within=60)
            await b.wait_for(lambda: all(m.is_acknowledged for m in b.history.sent.values()), "every ✓", within=60)
            await b.wait_for(lambda: len(contents(b)) == 60, "60 messages", within=90)
            await a.wait_for(lambda: len(contents(a)) == 60, "60 messages", within=90)
        assert contents(b) == [f"a {number}" for number in range(60)]
        assert contents(a) == [f"b {number}" for number in range(60)]


# --- Gateways that die, end, and take turns --------------------------------------------------------------------------


async def test_a_gateway_killed_between_polls_loses_nothing(
    breakable_server: Server, breakable_accounts: AccountPool
) -> None:
    server = breakable_server
    ann, bob = breakable_accounts.take(2)
    async with PollingChatClient(server.base_url, ann) as a, PollingChatClient(server.base_url, bob) as b:
        for round_number in range(3):
            for number in range(10):
                a.send(bob.user_id, f"a {round_number} {number}")
                b.send(ann.user_id, f"b {round_number} {number}")
            killed = server.processes.kill(Role.GATEWAY)
            await asyncio.to_thread(server.processes.wait_for_new, Role.GATEWAY, killed)
        await a.wait_delivered(within=60)
        await b.wait_delivered(within=60)
        report = check([a.history, b.history])
        assert report.is_clean, report.text()


async def test_a_gateway_that_is_told_to_end_answers_its_polls_with_503(
    breakable_server: Server, breakable_accounts: AccountPool
) -> None:
    server = breakable_server
    [ann] = breakable_accounts.take(1)
    async with polling(server.base_url, token=ann.token) as poller:
        await poller.open()
        waiting = asyncio.create_task(poller.poll())
        await asyncio.sleep(HELD_SECONDS)
        gateways = server.processes.pids(Role.GATEWAY)
        send_signal(gateways, signal.SIGTERM)
        answer = await waiting
        assert (answer.status_code, answer.json()["close_code"], answer.headers["retry-after"]) == (503, 1012, "1")
    await asyncio.to_thread(server.processes.wait_for_new, Role.GATEWAY, gateways)
    await asyncio.to_thread(server.wait_ready)


async def test_polls_that_go_to_two_gateways_in_turn_lose_and_double_nothing(
    breakable_server: Server, breakable_accounts: AccountPool, second_gateway: str
) -> None:
    ann, bob = breakable_accounts.take(2)
    gateways = [breakable_server.base_url, second_gateway]
    async with PollingChatClient(gateways, ann) as a, PollingChatClient(gateways[::-1], bob) as b:
        for number in range(40):
            a.send(bob.user_id, f"a {number}")
            b.send(ann.user_id, f"b {number}")
            await asyncio.sleep(0.05)
        await a.wait_delivered(within=60)
        await b.wait_delivered(within=60)
        report = check([a.history, b.history])
        assert report.is_clean, report.text()
        servers = {frame["server_id"] for frame in a.history.frames if frame["action"] == "connected"}
        assert len(servers) == 2


async def test_idle_polls_that_go_to_two_gateways_in_turn_are_held_and_go_on_where_they_were(
    breakable_server: Server, breakable_accounts: AccountPool, second_gateway: str
) -> None:
    server = breakable_server
    ann, bob = breakable_accounts.take(2)
    async with (
        ChatClient(server.url, ann) as a,
        polling(server.base_url, token=bob.token) as here,
        polling(second_gateway, token=bob.token) as there,
    ):
        await here.open()
        moving = asyncio.create_task(there.poll_frames())
        done, _ = await asyncio.wait([moving], timeout=2)
        assert not done, "an answer that says only where the device is connected need not hurry"
        a.send(bob.user_id, "to the other gateway")
        assert texts(await moving) == ["to the other gateway"]


async def test_who_names_the_last_answer_at_another_gateway_gets_only_what_is_newer(
    breakable_server: Server, breakable_accounts: AccountPool, second_gateway: str
) -> None:
    server = breakable_server
    ann, bob = breakable_accounts.take(2)
    async with (
        ChatClient(server.url, ann) as a,
        polling(server.base_url, token=bob.token) as here,
        polling(second_gateway, token=bob.token) as there,
    ):
        opened = (await here.poll(last_poll="")).json()
        a.send(bob.user_id, "one")
        first = (await here.poll(last_poll=opened["poll"])).json()
        assert texts(first["frames"]) == ["one"]
        moved = asyncio.create_task(there.poll_frames(last_poll=first["poll"]))
        await asyncio.sleep(HELD_SECONDS)
        a.send(bob.user_id, "two")
        assert texts(await moved) == ["two"]


async def test_polls_of_one_client_that_overlap_at_two_gateways_are_not_taken_for_two_clients(
    breakable_server: Server, breakable_accounts: AccountPool, second_gateway: str
) -> None:
    [ann] = breakable_accounts.take(1)
    heartbeat = {"action": "heartbeat"}
    async with (
        polling(breakable_server.base_url, token=ann.token) as here,
        polling(second_gateway, token=ann.token) as there,
    ):
        first = (await here.poll(last_poll="")).json()["poll"]
        held = asyncio.create_task(here.poll(last_poll=first))
        await asyncio.sleep(HELD_SECONDS)
        second = (await there.poll(heartbeat, last_poll=first)).raise_for_status().json()["poll"]
        assert (await held).status_code == 200
        for gateway, named in ((here, first), (here, second), (there, first), (there, second)):
            answer = await gateway.poll(heartbeat, last_poll=named)
            assert answer.status_code == 200, answer.text
        async with polling(second_gateway, token=ann.token) as other:
            last = answer.json()["poll"]
            held = asyncio.create_task(there.poll(last_poll=last))
            await asyncio.sleep(HELD_SECONDS)
            await other.poll(last_poll="")
            for answer in (await held, await there.poll(last_poll=last)):
                assert answer.status_code == 409


# --- Sessions that end -----------------------------------------------------------------------------------------------


async def test_a_logout_ends_an_open_poll_within_two_seconds_and_nothing_more_comes(
    server: Server, accounts: AccountPool
) -> None:
    ann = Person.register(server)
    [bob] = accounts.take(1)
    async with ChatClient(server.url, bob) as b, polling(server.base_url, token=ann.account.token) as poller:
        await poller.open()
        waiting = asyncio.create_task(poller.poll())
        await asyncio.sleep(HELD_SECONDS)
        await asyncio.to_thread(ann.log_out, ann.account)
        async with asyncio.timeout(PROMISED_SECONDS):
            answer = await waiting
        assert (answer.status_code, answer.json().get("frames")) == (403, None)
        message = b.send(ann.user_id, "too late for this device")
        await b.wait_for(lambda: message.is_acknowledged, "✓")
        assert (await poller.poll()).status_code == 401


async def test_a_suspended_user_polls_no_more(server: Server) -> None:
    ann = Person.register(server)
    async with polling(server.base_url, token=ann.account.token) as poller:
        await poller.open()
        waiting = asyncio.create_task(poller.poll())
        await asyncio.sleep(HELD_SECONDS)
        await asyncio.to_thread(server.manage, "suspend", ann.username)
        for answer in (await waiting, await poller.poll()):
            assert (answer.status_code, answer.json()["code"], answer.json()["close_code"]) == (403, "suspended", 4403)
