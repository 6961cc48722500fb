"""Every frame that names a group, sent by everybody who might: what it does there, or that it does nothing."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from tests.client.history import Frame
from tests.client.options import Account
from tests.client.people import AccountPool
from tests.client.raw_socket import RawSocket, raw_socket
from tests.client.rest import RestClient
from tests.client.server import Server
from tests.flows.test_groups import GroupDoor

QUIET_ROUNDS, MOST_ROUNDS = 2, 40
TYPED_EVERY = 0.5
"""Seconds: a notice may be lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What comes of the frames of a caller. Of two messages one is from before somebody was removed, one from after."""

    send_message: str = "not_a_member"
    typing: bool = False
    open_chat: bool = False  # then one hears who types
    message_delivered: tuple[bool, bool] = (False, False)
    message_read: tuple[bool, bool] = (False, False)
    hears: bool = False  # what is written meanwhile


BOTH = (True, True)
IN = Row(send_message="", typing=True, open_chat=True, message_delivered=BOTH, message_read=BOTH, hears=True)
OUT = Row()
# What was sent before is still theirs: it is delivered, and may be read.
REMOVED = Row(message_delivered=(True, False), message_read=(True, False))
TABLE = {"owner": IN, "admin": IN, "member": IN, "removed": REMOVED, "stranger": OUT}


class Line:
    """A connection of somebody, and all that has come over it."""

    def __init__(self, account: Account, socket: RawSocket, group_id: str) -> None:
        self.user_id = account.user_id
        self.frames: list[Frame] = []
        self._socket = socket
        self._group_id = group_id
        self._numbers = itertools.count(1)

    async def send(self, action: str, **fields: object) -> None:
        """Send a frame that names the group; all that it does at the gateway is done after that."""
        named = {} if action == "message_delivered" else {"group_id": self._group_id}
        await self._socket.send({"action": action, "timestamp": 1} | named | fields)
        await self.catch_up()

    async def write(self, content: str) -> Frame:
        """Send a message; gives ✓ or the error."""
        number = next(self._numbers)
        await self.send("send_message", content=content, message_id_by_client=number)
        return await self.hear(message_id_by_client=number)

    async def catch_up(self) -> None:
        """What was written to it by now has come."""
        await self._socket.send({"action": "heartbeat"})
        while True:
            self.frames.append(await self._socket.receive())
            if self.frames[-1]["action"] == "heartbeat":
                return

    async def hear(self, **fields: object) -> Frame:
        """The frame with these fields, as soon as it comes."""
        while not (found := self.find(**fields)):
            self.frames.append(await self._socket.receive())
        return found[0]

    def find(self, **fields: object) -> list[Frame]:
        """Those that have come by now."""
        return [frame for frame in self.frames if fields.items() <= frame.items()]


@dataclass(slots=True, kw_only=True)
class Scene:
    """A group in which Bob wrote two messages, Fay writes and types, and a caller tries everything."""

    rest: RestClient
    token: str  # Bob's
    caller: Line
    bob: Line
    fay: Line
    message_ids: tuple[str, str]
    answer: Frame

    async def settle(self, expected: Row) -> Row:
        """What is seen in the end: as soon as it is what is expected, but not before others were heard twice."""
        for number in range(MOST_ROUNDS):
            await self._pass_a_round(number)
            seen = await self._look()
            if number + 1 >= QUIET_ROUNDS and seen == expected:
                break
        return seen

    async def _pass_a_round(self, number: int) -> None:
        """Fay's message and notice come to Bob on the ways that the caller's have taken before."""
        await self.caller.send("typing", state="start")
        await self.fay.write(f"round {number}")
        await self.bob.hear(action="incoming_message", content=f"round {number}")
        heard = len(self.bob.find(action="typing", sender_id=self.fay.user_id))
        while len(self.bob.find(action="typing", sender_id=self.fay.user_id)) == heard:
            await self.fay.send("typing", state="start")
            await asyncio.sleep(TYPED_EVERY)
            await self.bob.catch_up()
        await self.caller.catch_up()

    async def _look(self) -> Row:
        user_id, fay_id = self.caller.user_id, self.fay.user_id
        before, after = self.message_ids
        if not (self.answer.get("code") or self.bob.find(action="incoming_message", sender_id=user_id)):
            return Row(send_message="not arrived yet")
        read = [
            bool(self.bob.find(action="message_read", message_id=one, reader_id=user_id)) for one in (before, after)
        ]
        return Row(
            send_message=self.answer.get("code", ""),
            typing=bool(self.bob.find(action="typing", sender_id=user_id)),
            open_chat=bool(self.caller.find(action="typing", sender_id=fay_id)),
            message_delivered=(await self._is_delivered(before), await self._is_delivered(after)),
            message_read=(read[0], read[1]),
            hears=bool(self.caller.find(action="incoming_message", sender_id=fay_id)),
        )

    async def _is_delivered(self, message_id: str) -> bool:
        answer = await self.rest.ask("GET", f"message/{message_id}/delivery", token=self.token)
        return bool(answer.json()["delivered"] > 0)


@contextlib.asynccontextmanager
async def played(server: Server, people: dict[str, Account], kind: str) -> AsyncIterator[Scene]:
    """All is sent: once by the caller, in the group of Ada, Al, Cy, Dan, Bob and Fay, from which Dan was removed."""
    async with RestClient(server.base_url) as rest, contextlib.AsyncExitStack() as stack:
        group = await GroupDoor.create(
            rest, people["owner"], [each for name, each in people.items() if name != "stranger"]
        )
        await group.promote(people["admin"])

        async def connect(name: str) -> Line:
            socket = await stack.enter_async_context(raw_socket(server.url, token=people[name].token))
            return Line(people[name], socket, group.group_id)

        bob, fay, caller = await connect("bob"), await connect("fay"), await connect(kind)
        before = await bob.write("before")
        await group.remove(people["removed"])
        after = await bob.write("after")
        message_ids = before["message_id"], after["message_id"]
        await bob.send("open_chat")
        await caller.send("open_chat")
        for message_id in message_ids:
            await caller.send("message_delivered", message_id=message_id)
            await caller.send("message_read", message_id=message_id)
            # A mark that is below another one of the same batch is told to nobody.
            await fay.write(f"after {message_id}")
            await bob.hear(content=f"after {message_id}")
        yield Scene(
            rest=rest,
            token=people["bob"].token,
            caller=caller,
            bob=bob,
            fay=fay,
            message_ids=message_ids,
            answer=await caller.write("by the caller"),
        )


@pytest.mark.parametrize("kind", TABLE)
async def test_each_frame_does_what_its_sender_may(server: Server, accounts: AccountPool, kind: str) -> None:
    names = [*TABLE, "bob", "fay"]
    people = dict(zip(names, accounts.take(len(names)), strict=True))
    async with played(server, people, kind) as scene:
        assert await scene.settle(TABLE[kind]) == TABLE[kind]


async def test_who_is_suspended_sends_nothing_at_all(server: Server, accounts: AccountPool) -> None:
    """Not even a frame: nobody connects."""
    ann, bob = accounts.take(2)
    async with RestClient(server.base_url) as rest, raw_socket(server.url, token=bob.token) as b:
        await GroupDoor.create(rest, ann, [bob])
        await b.receive(action="group_event", kind="created")
        await asyncio.to_thread(server.manage, "suspend", bob.username)
        assert (await b.receive_close())[0] == 4403
    async with raw_socket(server.url, token=bob.token) as refused:
        assert (await refused.receive_close())[0] == 4403
