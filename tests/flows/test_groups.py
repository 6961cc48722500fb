"""Groups: who gets what by the log's order, whoever is offline, joins or leaves, and whatever dies meanwhile."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from typing import Any

import pytest

from apps.protocol.ids import is_message_id
from tests.client.chat_client import ChatClient
from tests.client.history import History
from tests.client.options import Account, ClientOptions
from tests.client.people import AccountPool, Person
from tests.client.processes import Role, wait_until
from tests.client.rest import RestClient
from tests.client.server import Server
from tests.faults.checker.groups import find_in_group, list_stays
from tests.faults.checker.report import Finding
from tests.faults.end_state import read_end_state
from tests.flows.group_views import count_kinds, find_in_views

MEMBERS, NEWCOMERS, WRITERS, MESSAGES = 256, 24, 50, 6
SPEAKERS = 3
"""Writers with three devices each."""


class GroupDoor:
    """The REST calls of one group, as its owner."""

    def __init__(self, rest: RestClient, owner: Account, group_id: str) -> None:
        self.group_id = group_id
        self._rest = rest
        self._owner = owner

    @classmethod
    async def create(cls, rest: RestClient, owner: Account, members: Sequence[Account]) -> "GroupDoor":
        """A new group."""
        body = {"name": "Everybody", "members": [one.user_id for one in members]}
        answer = await rest.ask("POST", "groups", body, token=owner.token)
        assert answer.status_code == 201, answer.text
        return cls(rest, owner, answer.json()["group_id"])

    async def add(self, *people: Account) -> None:
        """Add members."""
        body = {"user_ids": [one.user_id for one in people]}
        await self._ask("POST", f"groups/{self.group_id}/members", body)

    async def remove(self, person: Account) -> None:
        """Remove a member."""
        await self._ask("DELETE", f"groups/{self.group_id}/members/{person.user_id}")

    async def promote(self, person: Account) -> None:
        """Make a member an admin."""
        await self._ask("PATCH", f"groups/{self.group_id}/members/{person.user_id}", {"role": "admin"})

    async def leave(self, person: Account) -> None:
        """Let a member leave."""
        await self._ask("DELETE", f"groups/{self.group_id}/members/{person.user_id}", token=person.token)

    async def list_members(self) -> set[str]:
        """Who is in it now."""
        answer = await self._rest.ask("GET", f"groups/{self.group_id}/members", token=self._owner.token)
        assert answer.json()["next"] is None
        return {one["user_id"] for one in answer.json()["results"]}

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None, token: str | None = None) -> None:
        # A change whose answer was lost is asked for again: then it is so already.
        answer = await self._rest.ask(method, path, body, token=token or self._owner.token)
        assert answer.status_code in (200, 201, 202, 204, 404, 409), answer.text


@contextlib.asynccontextmanager
async def online(server: Server, accounts: Sequence[Account]) -> AsyncIterator[list[ChatClient]]:
    """A client for each of these devices, all of them there."""
    async with contextlib.AsyncExitStack() as stack:
        clients = [ChatClient(server.url, account) for account in accounts]
        for client in clients:
            stack.push_async_callback(client.stop)
        await asyncio.gather(*(client.start() for client in clients))
        yield clients


def contents(client: ChatClient) -> list[str]:
    return [shown.content for shown in client.history.shown.values()]


async def test_a_message_to_a_group_reaches_every_device_of_every_member_and_its_sender_hears_how_many(
    server: Server, accounts: AccountPool
) -> None:
    ann, bob, cy = accounts.take(3)
    async with RestClient(server.base_url) as rest, online(server, [ann, bob]) as (a, b):
        group = await GroupDoor.create(rest, ann, [bob, cy])
        message = a.send(group.group_id, "hello")
        await b.wait_for(lambda: contents(b) == ["hello"], "the message")
        await a.wait_for(lambda: (1, 2) in message.delivered_counts, "one of two")
        [shown] = b.history.shown.values()
        assert (shown.group_id, shown.sender_id, shown.receiver_id) == (group.group_id, ann.user_id, None)
        async with online(server, [cy]) as (c,):
            assert contents(c) == ["hello"], "who was offline gets it at the next connect"
            await a.wait_for(lambda: message.delivered_counts[-1] == (2, 2), "two of two")
        assert not find_wrong(group.group_id, [a, b, c])


async def test_who_is_removed_gets_what_was_sent_before_and_nothing_after(
    server: Server, accounts: AccountPool
) -> None:
    ann, bob, cy = accounts.take(3)
    async with RestClient(server.base_url) as rest, online(server, [ann, bob]) as (a, b):
        group = await GroupDoor.create(rest, ann, [bob, cy])
        before = a.send(group.group_id, "before")
        await b.wait_for(lambda: contents(b) == ["before"], "the message")
        await group.remove(cy)
        after = a.send(group.group_id, "after")
        await a.wait_for(lambda: after.delivered_counts[-1:] == [(1, 1)], "one of one")
        async with online(server, [cy]) as (c,):
            assert contents(c) == ["before"]
            event = await c.wait_for_frame(action="group_event", kind="removed")
            assert event["user_ids"] == [cy.user_id]
            refused = c.send(group.group_id, "may I?")
            await c.wait_for(lambda: refused.is_refused, "a refusal")
            assert refused.errors[0]["code"] == "not_a_member"
            await a.wait_for(lambda: before.delivered_counts[-1] == (2, 2), "who was removed has what is theirs")
        assert not find_wrong(group.group_id, [a, b, c])


async def test_a_new_device_gets_what_no_device_of_its_user_has(server: Server) -> None:
    ann, bob = Person.register(server), Person.register(server)
    async with RestClient(server.base_url) as rest:
        group = await GroupDoor.create(rest, ann.account, [bob.account])
        async with online(server, [ann.account]) as (a,):
            a.send(group.group_id, "one")
            async with online(server, [bob.account]) as (b,):
                await b.wait_for(lambda: contents(b) == ["one"], "the first")
                await a.wait_delivered()
            a.send(group.group_id, "two")
            await a.wait_for(lambda: all(one.is_acknowledged for one in a.history.sent.values()), "✓")
            async with online(server, [bob.log_in()]) as (second,):
                await second.wait_for(lambda: contents(second) == ["two"], "what nobody has")
            async with online(server, [bob.account]) as (b,):
                assert contents(b) == ["two"], "the first device was waited for all the time"


async def test_what_is_confirmed_out_of_order_comes_again_as_far_as_it_was_not(
    server: Server, accounts: AccountPool
) -> None:
    ann, bob = accounts.take(2)
    async with RestClient(server.base_url) as rest, online(server, [ann]) as (a,):
        group = await GroupDoor.create(rest, ann, [bob])
        for number in range(3):
            a.send(group.group_id, f"{number}")
        silent = ChatClient(server.url, bob, ClientOptions(confirms=False))
        await silent.start()
        await silent.wait_for(lambda: len(silent.history.shown) == 3, "all three")
        last = list(silent.history.shown)[-1]
        silent.send_frame({"action": "message_delivered", "message_id": last})
        await a.wait_for(lambda: any(one.delivered_counts for one in a.history.sent.values()), "✓✓ of the last")
        await silent.stop()
        async with online(server, [bob]) as (b,):
            assert contents(b) == ["0", "1"]
            await a.wait_delivered()


@pytest.mark.timeout(400)
async def test_256_members_get_exactly_what_was_written_while_they_were_members_whatever_is_killed(
    breakable_server: Server, breakable_accounts: AccountPool
) -> None:
    server = breakable_server
    dice = random.Random(20_240_109)
    owner, *members = breakable_accounts.take(MEMBERS - 12)
    people = [Person.register(server) for _ in range(12)]
    newcomers = breakable_accounts.take(NEWCOMERS)
    speakers = [person.account for person in people[:SPEAKERS]]
    devices = [person.account for person in people] + [
        device for one in people for device in (one.log_in(), one.log_in())
    ]
    everybody = [owner, *members, *devices, *newcomers]
    clients = {account.device_id: ChatClient(server.url, account) for account in everybody}
    present = [one for one in everybody if one in (owner, *speakers) or dice.random() < 0.5]
    writers = [owner, *speakers, *dice.sample([one for one in present if one in members], WRITERS - SPEAKERS - 1)]
    leaving = dice.sample([one for one in members if one not in writers], 2 * NEWCOMERS)
    staying = {one.user_id for one in everybody} - {one.user_id for one in leaving}
    async with RestClient(server.base_url) as rest, contextlib.AsyncExitStack() as stack:
        for client in clients.values():
            stack.push_async_callback(client.stop)
        group = await GroupDoor.create(rest, owner, [*members, *(one.account for one in people)])
        await asyncio.gather(*(clients[one.device_id].start() for one in present))

        async def write(account: Account) -> None:
            for number in range(MESSAGES):
                clients[account.device_id].send(group.group_id, f"{account.user_id} {number}")
                await asyncio.sleep(dice.uniform(0.5, 3.0))

        async def come_and_go() -> None:
            for newcomer, removed, left in zip(newcomers, leaving[::2], leaving[1::2], strict=True):
                await group.add(newcomer)
                await group.remove(removed)
                await group.leave(left)
                await asyncio.sleep(dice.uniform(0.0, 0.5))

        async def kill() -> None:
            for role in (Role.RELAY, Role.WORKER, Role.GATEWAY, Role.RELAY, Role.WORKER):
                await asyncio.sleep(dice.uniform(0.5, 3.0))
                old = server.processes.kill(role)
                await asyncio.to_thread(server.processes.wait_for_new, role, old)

        await asyncio.gather(*map(write, writers), come_and_go(), kill())
        await asyncio.to_thread(wait_until, server.is_ready, "a server that is ready", 60)
        await asyncio.gather(*(client.start() for client in clients.values()))
        there = [clients[owner.device_id], *clients.values()]
        await come_to_rest(group.group_id, there, staying)
        findings = list(judge(group.group_id, there, staying))
        assert not findings, findings[:10]
        assert await group.list_members() == staying
        once_for_each = {"joined": NEWCOMERS, "removed": NEWCOMERS, "left": NEWCOMERS}
        assert count_kinds(group.group_id, list_histories(there)) == {"created": 1} | once_for_each
        sent = [message for client in clients.values() for message in client.history.sent.values()]
        assert len(sent) == WRITERS * MESSAGES
        assert all(message.is_acknowledged for message in sent)
        assert not [message for message in sent if message.is_refused], "none of the writers left"
        rows = await asyncio.to_thread(
            wait_until, lambda: find_rows_without_content(server, writers), "contents to go", 60
        )
        assert len(rows) == WRITERS * MESSAGES, "each was stored once"


def find_rows_without_content(server: Server, writers: Sequence[Account]) -> list[dict[str, Any]]:
    """The rows of these writers' messages, once none has its content any more."""
    senders = {writer.user_id for writer in writers}
    rows = [row for row in read_end_state(server)["rows"] if row["sender_id"] in senders]
    messages = [row for row in rows if is_message_id(row["message_id"])]
    return [] if any(row["has_content"] for row in messages) else messages


async def come_to_rest(group_id: str, clients: Sequence[ChatClient], members: Collection[str]) -> None:
    """Wait until nothing is missing, or two minutes have passed."""
    left = 120
    while left and any(judge(group_id, clients, members)):
        await asyncio.sleep(1)
        left -= 1


def judge(group_id: str, clients: Sequence[ChatClient], members: Collection[str]) -> Iterator[Finding | str]:
    """All that is wrong by now, one after the other; ``members`` are those who must be in it in the end."""
    stays = list_stays(group_id, clients[0].history.group_events.values())
    yield from find_in_group(group_id, list_histories(clients), stays)
    yield from find_in_views(group_id, list_histories(clients), members)


def find_wrong(group_id: str, clients: Sequence[ChatClient]) -> list[Finding]:
    """What is wrong by now; the first client is of somebody who was there from beginning to end."""
    stays = list_stays(group_id, clients[0].history.group_events.values())
    return list(find_in_group(group_id, list_histories(clients), stays))


def list_histories(clients: Sequence[ChatClient]) -> list[History]:
    """Each device's once."""
    return list({client.history.device_id: client.history for client in clients}.values())
