"""Two people who have written to each other, for whoever looks at the site for the first time.

What they wrote waits for the next login of the other one, as it would with real people.
"""

import asyncio
import json
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect

from apps.accounts.models import User
from apps.accounts.services import log_in_device, register_user, revoke_device

PEOPLE = {"alice": "Alice Liddell", "bob": "Bob Cratchit"}
TALK: Mapping[str, Sequence[str]] = {
    "alice": (
        "Hi Bob! This was sent while you were away.",
        "One tick: the server has it. Two ticks: your device has it.",
        "Pull the plug on anything you like – it still arrives, once, in order.",
    ),
    "bob": ("Hello Alice!", "I wrote this before you logged in, and here it is 🙂"),
}
ANSWER_SECONDS = 10


class DemoImpossible(Exception):
    """The demo cannot be set up; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPerson:
    """Somebody to log in as."""

    username: str
    password: str


def load_people(path: Path) -> list[DemoPerson]:
    """Return the people that an earlier demo wrote down at `path`; nobody where there was none."""
    if not path.exists():
        return []
    people = [DemoPerson(**fields) for fields in json.loads(path.read_text())]
    known = User.objects.filter(username__in=[person.username for person in people]).count()
    return people if known == len(people) else []


def make_people(path: Path) -> list[DemoPerson]:
    """Register the people of the demo with random passwords, and write them down at `path` for its owner only.

    Raises DemoImpossible where one of the names is taken.
    """
    for username in PEOPLE:
        if User.objects.filter(username__iexact=username).exists():
            raise DemoImpossible(f"there is a user {username!r} already who is none of the demo's")
    people = [DemoPerson(username=username, password=secrets.token_urlsafe(9)) for username in PEOPLE]
    for person in people:
        register_user(person.username, person.password, PEOPLE[person.username])
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump([asdict(person) for person in people], file)
    return people


def talk(address: str) -> None:
    """Let each of the people write to the other one over a real socket of the site at `address`.

    Raises DemoImpossible where the site does not take a message.
    """
    alice, bob = (User.objects.get(username=username) for username in PEOPLE)
    for sender, receiver in ((alice, bob), (bob, alice)):
        device, token = log_in_device(sender, "demo")
        try:
            asyncio.run(_send_all(address, token, receiver.pk, TALK[sender.username]))
        except (OSError, TimeoutError) as error:
            raise DemoImpossible(f"the site does not take the demo's messages ({error})") from None
        finally:
            # What was sent waits for the next login; this device would only collect copies.
            revoke_device(sender.pk, device.pk, "demo")


async def _send_all(address: str, token: str, receiver_id: str, texts: Sequence[str]) -> None:
    url = f"ws{address.removeprefix('http')}/ws/chat/"
    headers = {"Authorization": f"Token {token}"}
    async with connect(url, additional_headers=headers, proxy=None, open_timeout=ANSWER_SECONDS) as socket:
        await _wait_for(socket, action="inbox_drained")
        for number, text in enumerate(texts, start=1):
            await socket.send(orjson.dumps(_send_message(receiver_id, text, number)).decode())
            await _wait_for(socket, action="message_received", message_id_by_client=number)


def _send_message(receiver_id: str, text: str, number: int) -> dict[str, object]:
    return {
        "action": "send_message",
        "receiver_id": receiver_id,
        "content": text,
        "message_id_by_client": number,
        "timestamp": int(time.time() * 1000),
    }


async def _wait_for(socket: ClientConnection, **wanted: Any) -> None:
    async with asyncio.timeout(ANSWER_SECONDS):
        async for text in socket:
            frame = orjson.loads(text)
            if frame["action"] == "error":
                raise DemoImpossible(f"the site answers {frame['code']}: {frame['message']}")
            if wanted.items() <= frame.items():
                return
    raise DemoImpossible("the site closed the connection")
