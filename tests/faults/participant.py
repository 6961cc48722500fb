"""One person of a fault run: the devices, and what is asked of the server for them over REST."""

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import httpx

from tests.client.chat_client import ChatClient
from tests.client.history import SentMessage
from tests.client.options import Account
from tests.client.rest import RestClient
from tests.faults.checker import Block
from tests.faults.connecting import Connect
from tests.faults.plan import MOST_DEVICES

DEVICE_NAME = "fault test"
DAYS_OF_HISTORY = 90
UNDERWAY_PATIENCE = 60.0


class WrongAnswer(Exception):
    """The server refused what it had no reason to refuse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a person logs in with; without a password there will be no further devices."""

    user_id: str
    username: str
    password: str | None


class Participant:
    """A person with one device or more; calls of one person come one after another.

    Every call raises NoAnswer (see RestClient) or WrongAnswer.
    """

    def __init__(self, who: Credentials, rest: RestClient, connect: Connect) -> None:
        self.who = who
        self.user_id = who.user_id
        self.devices: list[ChatClient] = []  # logged in now
        self.former: list[ChatClient] = []
        self.blocks: list[Block] = []
        self._rest = rest
        self._connect = connect
        self._turn = asyncio.Lock()

    @property
    def clients(self) -> list[ChatClient]:
        """Every device there ever was."""
        return [*self.former, *self.devices]

    def device(self, pick: int) -> ChatClient:
        """The device that a number chooses."""
        return self.devices[pick % len(self.devices)]

    def send(self, receiver: "Participant", content: str, pick: int) -> SentMessage:
        """Write to somebody on the device that `pick` chooses."""
        return self.device(pick).send(receiver.user_id, content)

    def add_device(self, account: Account, pick: int) -> ChatClient:
        """Take a device into use and begin to connect it."""
        client = self._connect(account, pick)
        self.devices.append(client)
        client.go_online()
        return client

    async def log_in(self, pick: int) -> None:
        """One more device, for who has a password and not enough of them."""
        async with self._turn:
            if self.who.password is None or len(self.devices) >= MOST_DEVICES:
                return
            body = {"username": self.who.username, "password": self.who.password, "device_name": DEVICE_NAME}
            answer = _expect(await self._rest.ask("POST", "auth/login", body), httpx.codes.OK)
            client = self.add_device(read_account(answer, self.who.username), pick)
            client.history.logged_in_at = time.monotonic()

    async def log_out(self, pick: int) -> None:
        """One device less, unless it is the last, or cannot be replaced, or has something to send after a minute."""
        async with self._turn:
            if self.who.password is None or len(self.devices) < 2:
                return
            client = self.device(pick)
            self.devices.remove(client)
            try:
                if await _wait_sent(client):
                    await self._end_login(client)
                    self.former.append(client)
            finally:
                if client not in self.former:
                    self.devices.append(client)

    async def block(self, other: "Participant") -> None:
        """Take nothing more from somebody."""
        async with self._turn:
            # Noted before it is asked: where no answer comes, it may hold all the same.
            asked = Block(owner_id=self.user_id, person_id=other.user_id, asked_at=time.monotonic(), since=math.inf)
            self.blocks.append(asked)
            answer = await self._rest.ask("POST", "blocks", {"user_id": other.user_id}, token=self._token)
            _expect(answer, httpx.codes.CREATED, httpx.codes.OK)
            self.blocks[-1] = replace(asked, since=time.monotonic())

    async def unblock(self, other: "Participant") -> None:
        """Take messages from somebody again, however often they were blocked."""
        async with self._turn:
            asked_at = time.monotonic()
            self._note_end(other, until=asked_at, over_at=math.inf)
            answer = await self._rest.ask("DELETE", f"blocks/{other.user_id}", token=self._token)
            _expect(answer, httpx.codes.NO_CONTENT, httpx.codes.NOT_FOUND)
            self._note_end(other, until=asked_at, over_at=time.monotonic())

    async def keep_history(self, days: int) -> None:
        """Keep messages for `days`, or with 0 none."""
        async with self._turn:
            answer = await self._rest.ask("PUT", "user/settings", {"history_days": days}, token=self._token)
            _expect(answer, httpx.codes.OK)

    async def create_group(self, name: str, members: Sequence["Participant"]) -> str:
        """A new group of this person's; its id."""
        async with self._turn:
            body = {"name": name, "members": [one.user_id for one in members]}
            answer = await self._rest.ask("POST", "groups", body, token=self._token)
            return str(_expect(answer, httpx.codes.CREATED, httpx.codes.ACCEPTED).json()["group_id"])

    async def leave_group(self, group_id: str) -> None:
        """Be no member any more; who is none already has left by the try before."""
        async with self._turn:
            path = f"groups/{group_id}/members/{self.user_id}"
            answer = await self._rest.ask("DELETE", path, token=self._token)
            _expect(answer, httpx.codes.NO_CONTENT, httpx.codes.ACCEPTED, httpx.codes.NOT_FOUND, httpx.codes.FORBIDDEN)

    async def add_to_group(self, group_id: str, other: "Participant") -> None:
        """Add somebody; who is a member already was added by the try before. A block is in the way while it stands."""
        async with self._turn:
            path, body = f"groups/{group_id}/members", {"user_ids": [other.user_id]}
            answer = await self._rest.ask("POST", path, body, token=self._token)
            fine = (httpx.codes.OK, httpx.codes.CREATED, httpx.codes.ACCEPTED, httpx.codes.NO_CONTENT)
            _expect(answer, *fine, httpx.codes.CONFLICT, httpx.codes.FORBIDDEN)

    async def remove_unknown_devices(self) -> int:
        """Log out the devices of logins whose answer was lost, as a person does who looks at the list; their number."""
        async with self._turn:
            known = {client.account.device_id for client in self.devices}
            rows = _expect(await self._rest.ask("GET", "devices", token=self._token), httpx.codes.OK).json()["results"]
            unknown = [row["device_id"] for row in rows if row["device_id"] not in known]
            for device_id in unknown:
                answer = await self._rest.ask("DELETE", f"devices/{device_id}", token=self._token)
                _expect(answer, httpx.codes.NO_CONTENT, httpx.codes.NOT_FOUND)
            return len(unknown)

    async def _end_login(self, client: ChatClient) -> None:
        answer = await self._rest.ask("POST", "auth/logout", {}, token=client.account.token)
        # The answer to the first try may have been lost: then the credential is known no more.
        _expect(answer, httpx.codes.NO_CONTENT, httpx.codes.UNAUTHORIZED)
        client.history.logged_out_at = time.monotonic()
        await client.stop()

    @property
    def _token(self) -> str:
        return self.devices[0].account.token

    def _note_end(self, other: "Participant", *, until: float, over_at: float) -> None:
        """Of each block of that person that was not over before."""
        self.blocks = [
            block.ends(until, over_at) if block.person_id == other.user_id and block.over_at == math.inf else block
            for block in self.blocks
        ]


async def register(rest: RestClient, username: str, password: str) -> Account:
    """A new person with one device. Raises NoAnswer or WrongAnswer."""
    body = {"username": username, "password": password, "device_name": DEVICE_NAME}
    return read_account(_expect(await rest.ask("POST", "auth/register", body), httpx.codes.CREATED), username)


def read_account(answer: httpx.Response, username: str) -> Account:
    """The device that an answer to `login` or `register` tells."""
    row = answer.json()
    return Account(user_id=row["user_id"], device_id=row["device_id"], token=row["token"], username=username)


async def _wait_sent(client: ChatClient) -> bool:
    """Wait until nothing of a device is without ✓; False when that takes too long."""
    sent = client.history.sent
    give_up_at = time.monotonic() + UNDERWAY_PATIENCE
    while any(not (message.is_acknowledged or message.is_refused) for message in sent.values()):
        if time.monotonic() > give_up_at:
            return False
        await asyncio.sleep(0.1)
    return True


def _expect(answer: httpx.Response, *codes: int) -> httpx.Response:
    if answer.status_code not in codes:
        asked = f"{answer.request.method} {answer.request.url.path}"
        raise WrongAnswer(f"{asked} answered {answer.status_code}: {answer.text[:300]}")
    return answer
