"""The test client keeps the client's side of the contract."""

import pytest

from tests.client.chat_client import ChatClient
from tests.client.memory_server import MemoryServer, memory_server
from tests.client.options import Account, ClientOptions


def make_client(server: MemoryServer, name: str, **options: float | bool) -> ChatClient:
    account = Account(user_id=f"usr-{name}", device_id=f"dev-{name}", token=f"usr-{name}", username=name)
    return ChatClient(server.url, account, ClientOptions(**options))  # type: ignore[arg-type]  # by test, by name


def sent_contents(server: MemoryServer) -> list[str]:
    return [frame["content"] for frame in server.frames_in if frame["action"] == "send_message"]


async def test_a_message_is_acknowledged_shown_and_delivered() -> None:
    async with memory_server() as server, make_client(server, "a") as a, make_client(server, "b") as b:
        message = a.send("usr-b", "hello")
        await a.wait_delivered()
        [shown] = b.history.shown.values()
        assert (shown.content, shown.sequence, shown.message_id) == ("hello", message.sequence, message.message_id)


async def test_what_has_no_acknowledgement_is_sent_again_with_the_same_ids_after_a_cut() -> None:
    async with memory_server() as server, make_client(server, "a") as a, make_client(server, "b") as b:
        server.cut_before_ack = 1
        messages = [a.send("usr-b", f"word {i}") for i in range(5)]
        await a.wait_delivered()
        assert [shown.content for shown in b.history.shown.values()] == [f"word {i}" for i in range(5)]
        assert [close.code for close in a.history.closes] == [1006]
        assert len(messages[0].attempts) == 2


async def test_a_message_refused_for_now_goes_out_before_any_newer_one() -> None:
    async with memory_server() as server, make_client(server, "a") as a, make_client(server, "b") as b:
        server.refusals.append({"code": "overloaded", "message": "later", "retry_after_ms": 150})
        first = a.send("usr-b", "first")
        await a.wait_for(lambda: bool(first.errors), "the refusal")
        a.send("usr-b", "second")
        await a.wait_delivered()
        assert sent_contents(server) == ["first", "first", "second"]
        assert [shown.content for shown in b.history.shown.values()] == ["first", "second"]


async def test_a_message_refused_for_good_is_not_sent_again() -> None:
    async with memory_server() as server, make_client(server, "a") as a:
        server.refusals.append({"code": "forbidden", "message": "blocked"})
        message = a.send("usr-b", "unwanted")
        await a.wait_delivered()
        a.send("usr-a", "wanted")
        await a.wait_delivered()
        assert message.is_refused
        assert sent_contents(server) == ["unwanted", "wanted"]


async def test_a_frame_seen_twice_is_shown_once_and_confirmed_twice() -> None:
    async with memory_server() as server, make_client(server, "a") as a, make_client(server, "b") as b:
        server.repeat_pushes = True
        a.send("usr-b", "once")
        await b.wait_for(lambda: any(shown.repeats for shown in b.history.shown.values()), "the repeat")
        a.send("usr-b", "then")
        await a.wait_delivered()
        assert [shown.content for shown in b.history.shown.values()] == ["once", "then"]
        named = [i for f in server.frames_in for i in f.get("message_ids", [f.get("message_id")]) if i]
        assert len(named) >= 3


async def test_what_came_while_offline_is_drained_in_order() -> None:
    async with memory_server() as server, make_client(server, "a") as a, make_client(server, "b") as b:
        await b.stop(cut=True)
        for i in range(20):
            a.send("usr-b", f"word {i}")
        await a.wait_for(lambda: all(m.is_acknowledged for m in a.history.sent.values()), "every ✓")
        await b.start()
        await a.wait_delivered()
        assert [shown.content for shown in b.history.shown.values()] == [f"word {i}" for i in range(20)]
        assert b.history.closes[0].code == 1006


async def test_a_half_open_connection_is_found_by_its_silent_heartbeat() -> None:
    async with memory_server() as server, make_client(server, "a", heartbeat_every=0.1) as a:
        server.answers_heartbeats = False
        close = await a.wait_closed(within=3)
        assert close.code == 1006
        server.answers_heartbeats = True
        await a.wait_for(lambda: a.is_drained, "the next connection")
        assert a.connection >= 2


async def test_a_connection_that_dies_before_connected_is_given_up() -> None:
    async with memory_server() as server:
        server.greets = False
        a = make_client(server, "a", connected_timeout=0.1)
        a.go_online()
        await a.wait_for(lambda: bool(a.history.closes), "the end of the first connection")
        assert a.history.closes[0].code == 1006
        server.greets = True
        await a.wait_for(lambda: a.is_drained, "the next connection")
        assert a.connection >= 2
        await a.stop()


async def test_a_replaced_client_stays_offline() -> None:
    async with memory_server() as server, make_client(server, "a") as a:
        await server.connections["usr-a"].close(4409, "replaced")
        close = await a.wait_closed()
        assert (close.code, a.connection) == (4409, 1)
        with pytest.raises(AssertionError, match="waited"):
            await a.wait_for(lambda: a.is_online, "a connection that must not come", within=0.3)


async def test_a_frame_that_breaks_the_contract_fails_whoever_waits() -> None:
    async with memory_server() as server:
        a = make_client(server, "a")
        await a.start()
        a.send("usr-a", "x", client_id=1)
        await a.wait_delivered()
        await server.connections["usr-a"].send('{"action":"message_received","message_id_by_client":1}')
        with pytest.raises(KeyError):
            await a.wait_for(lambda: False, "the end", within=3)
        with pytest.raises(KeyError):
            await a.stop()
