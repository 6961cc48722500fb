"""How the people of a run get their devices: registered for it, or from a file of accounts that somebody made."""

import asyncio
import secrets
from collections.abc import Sequence
from pathlib import Path

import orjson

from tests.client.chat_client import ChatClient
from tests.client.options import Account
from tests.client.people import PASSWORD
from tests.client.rest import RestClient
from tests.faults.connecting import Address, Connect
from tests.faults.participant import Credentials, Participant, register
from tests.faults.plan import Plan

REGISTRATIONS_AT_ONCE = 4  # each costs the server the hash of a password
PROBE_PICKS = (1, 2)  # no long polling, which may be given up at any time
ONLINE_TIMEOUT = 60.0
FIELDS = ("user_id", "device_id", "token", "username")


async def register_people(
    plan: Plan, rest: RestClient, address: Address
) -> tuple[list[Participant], list[Participant]]:
    """Register the plan's people with as many devices as it says, and those of the probe; all of them come online.

    Raises NoAnswer or WrongAnswer.
    """
    prefix = f"fault-{secrets.token_hex(3)}"
    turns = asyncio.Semaphore(REGISTRATIONS_AT_ONCE)

    async def move_in(number: int, pick: int, devices: int) -> Participant:
        username = f"{prefix}-{number}"
        async with turns:
            account = await register(rest, username, PASSWORD)
            person = _make_participant(account, PASSWORD, rest, address.connect)
            person.add_device(account, pick)
            for further in range(1, devices):
                await person.log_in(pick + further)
        return person

    wanted = [*enumerate(plan.devices), *((pick, 1) for pick in PROBE_PICKS)]
    people = await asyncio.gather(*(move_in(number, *want) for number, want in enumerate(wanted)))
    return people[: plan.people], people[plan.people :]


def load_people(path: Path, rest: RestClient, address: Address) -> list[Participant]:
    """The people of a file of `addusers`: JSON lines {user_id, username, token, device_id}, one for each device.

    A line may carry a password too; who has one logs in on new devices during the run. Raises ValueError that names
    the line which says something else.
    """
    people: dict[str, Participant] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            row = orjson.loads(line)
            account = Account(**{field: row[field] for field in FIELDS})
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise ValueError(f"{path}, line {number}: wanted a JSON object with {', '.join(FIELDS)}: {error}") from None
        person = people.setdefault(
            account.user_id, _make_participant(account, row.get("password"), rest, address.connect)
        )
        person.add_device(account, number)
    return list(people.values())


async def wait_online(people: Sequence[Participant]) -> None:
    """Wait until what waited for each device has come. Raises AssertionError after a minute."""
    await asyncio.gather(*(_wait_drained(client) for person in people for client in person.devices))


async def _wait_drained(client: ChatClient) -> None:
    await client.wait_for(lambda: client.is_drained, "inbox_drained", ONLINE_TIMEOUT)


def _make_participant(account: Account, password: str | None, rest: RestClient, connect: Connect) -> Participant:
    who = Credentials(user_id=account.user_id, username=account.username, password=password)
    return Participant(who, rest, connect)
