"""Two people chat: ✓, ✓✓, absence and several devices."""

import asyncio

from tests.client.chat_client import ChatClient
from tests.client.history import ShownMessage
from tests.client.people import AccountPool, Person
from tests.client.processes import wait_until
from tests.client.server import Server
from tests.faults.checker import check


def contents(client: ChatClient) -> list[str]:
    return [shown.content for shown in client.history.shown.values()]


async def test_a_message_gets_its_tick_arrives_and_gets_its_second_tick(server: Server, accounts: AccountPool) -> None:
    ann, bob = accounts.take(2)
    async with ChatClient(server.url, ann) as a, ChatClient(server.url, bob) as b:
        message = a.send(bob.user_id, "Grüße, 你好, 👋🏽")
        await a.wait_delivered()
        [shown] = b.history.shown.values()
        [tick] = message.acknowledgements
        assert shown == ShownMessage(
            message_id=tick.message_id,
            sender_id=ann.user_id,
            receiver_id=None,
            content="Grüße, 你好, 👋🏽",
            sequence=tick.sequence,
            timestamp=shown.timestamp,
            at=shown.at,
            connection=1,
        )
        assert message.delivered_id == tick.message_id


async def test_two_people_who_write_at_once_see_one_order(server: Server, accounts: AccountPool) -> None:
    ann, bob = accounts.take(2)
    async with ChatClient(server.url, ann) as a, ChatClient(server.url, bob) as b:
        for number in range(100):
            a.send(bob.user_id, f"a {number}")
            b.send(ann.user_id, f"b {number}")
        await a.wait_delivered()
        await b.wait_delivered()
        report = check([a.history, b.history])
        assert report.is_clean, report.text()
        assert contents(b) == [f"a {number}" for number in range(100)]


async def test_a_receiver_who_was_offline_gets_everything_in_order_and_once(
    server: Server, accounts: AccountPool
) -> None:
    ann, bob = accounts.take(2)
    async with ChatClient(server.url, ann) as a, ChatClient(server.url, bob) as b:
        await b.stop(cut=True)
        for number in range(50):
            a.send(bob.user_id, f"{number}")
        inbox = f"inbox:{{{bob.user_id}}}:{bob.device_id}"
        await asyncio.to_thread(wait_until, lambda: server.waiting_entries().get(inbox) == 50, "a full inbox", 60)
        await b.start()
        await a.wait_delivered()
        await b.wait_for(lambda: len(contents(b)) == 50, "50 messages")
        assert contents(b) == [f"{number}" for number in range(50)]
        drained = [frame for frame in b.history.frames if frame["action"] == "inbox_drained"]
        assert [frame["count"] for frame in drained] == [0, 50]


async def test_a_sender_who_was_offline_when_the_receiver_confirmed_sees_it_on_return(
    server: Server, accounts: AccountPool
) -> None:
    ann, bob = accounts.take(2)
    async with ChatClient(server.url, ann) as a:
        messages = [a.send(bob.user_id, f"{number}") for number in range(5)]
        await a.wait_for(lambda: all(message.is_acknowledged for message in messages), "every ✓")
        await a.stop()
        async with ChatClient(server.url, bob) as b:
            await b.wait_for(lambda: len(contents(b)) == 5, "5 messages")
        assert not any(message.delivered_at for message in messages)
        await a.start()
        await a.wait_delivered()


async def test_what_was_sent_to_somebody_without_any_device_comes_to_the_next_one(
    server: Server, accounts: AccountPool
) -> None:
    [ann] = accounts.take(1)
    bob = Person.register(server)
    bob.log_out(bob.account)
    async with ChatClient(server.url, ann) as a:
        for number in range(20):
            a.send(bob.user_id, f"{number}")
        await a.wait_for(lambda: all(m.is_acknowledged for m in a.history.sent.values()), "every ✓")
        async with ChatClient(server.url, bob.log_in()) as b:
            await a.wait_delivered()
            assert contents(b) == [f"{number}" for number in range(20)]


async def test_each_device_gets_every_message_and_the_first_confirmation_is_the_second_tick(
    server: Server, accounts: AccountPool
) -> None:
    [ann] = accounts.take(1)
    bob = Person.register(server)
    phone = bob.log_in()
    async with ChatClient(server.url, ann) as a, ChatClient(server.url, bob.account) as desk:
        for number in range(10):
            a.send(bob.user_id, f"{number}")
        await a.wait_delivered()
        async with ChatClient(server.url, phone) as late:
            await late.wait_for(lambda: len(contents(late)) == 10, "10 messages on the second device")
            assert contents(desk) == contents(late) == [f"{number}" for number in range(10)]


async def test_the_sender_s_other_device_gets_its_copy_and_the_second_tick(
    server: Server, accounts: AccountPool
) -> None:
    ann = Person.register(server)
    phone = ann.log_in()
    [bob] = accounts.take(1)
    async with (
        ChatClient(server.url, ann.account) as desk,
        ChatClient(server.url, phone) as other,
        ChatClient(server.url, bob) as b,
    ):
        message = desk.send(bob.user_id, "from the desk")
        await desk.wait_delivered()
        await other.wait_for(lambda: message.message_id in other.history.delivered_ids, "✓✓ on the other device")
        [copy] = other.history.shown.values()
        assert (copy.receiver_id, copy.content, copy.sequence) == (bob.user_id, "from the desk", message.sequence)
        answer = b.send(ann.user_id, "to both")
        await b.wait_delivered()
        await other.wait_for(lambda: answer.message_id in other.history.shown, "the answer on the other device")
        await desk.wait_for(lambda: answer.message_id in desk.history.shown, "the answer at the desk")
        assert "receiver_id" not in await desk.wait_for_frame(action="incoming_message", content="to both")


async def test_a_device_that_was_away_gets_the_copies_of_what_its_user_sent(
    server: Server, accounts: AccountPool
) -> None:
    ann = Person.register(server)
    phone = ann.log_in()
    [bob] = accounts.take(1)
    async with ChatClient(server.url, ann.account) as desk, ChatClient(server.url, bob):
        message = desk.send(bob.user_id, "while the phone was off")
        await desk.wait_delivered()
        async with ChatClient(server.url, phone) as other:
            await other.wait_for(lambda: message.message_id in other.history.shown, "the copy")
            await other.wait_for(lambda: message.message_id in other.history.delivered_ids, "✓✓ on the phone")


async def test_a_read_mark_reaches_the_sender_and_the_reader_s_other_device(
    server: Server, accounts: AccountPool
) -> None:
    [ann] = accounts.take(1)
    bob = Person.register(server)
    phone = bob.log_in()
    async with (
        ChatClient(server.url, ann) as a,
        ChatClient(server.url, bob.account) as desk,
        ChatClient(server.url, phone) as other,
    ):
        message = a.send(bob.user_id, "read me")
        await a.wait_delivered()
        await desk.wait_for(lambda: message.message_id in desk.history.shown, "the message at the desk")
        mark = {"action": "message_read", "message_id": message.message_id, "receiver_id": ann.user_id}
        desk.send_frame(mark | {"timestamp": 1})
        for device in (a, other):
            await device.wait_for_frame(action="message_read", message_id=message.message_id, reader_id=bob.user_id)
