"""People live by their plan and come to rest, on a server in memory."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

from tests.client.chat_client import ChatClient
from tests.client.memory_server import MemoryServer, memory_server
from tests.client.options import Account
from tests.client.rest import RestClient
from tests.faults.checker import check
from tests.faults.course import Course
from tests.faults.crowd import Crowd
from tests.faults.housing import wait_online
from tests.faults.participant import Credentials, Participant
from tests.faults.plan import make_plan
from tests.faults.recovery import Probe

PEOPLE = 4
SOME_MESSAGES = 40


@contextlib.asynccontextmanager
async def living_crowd() -> AsyncIterator[tuple[MemoryServer, Crowd, list[Participant]]]:
    """A crowd online on a memory server; without passwords, so that nobody logs in or out."""
    async with memory_server() as server, RestClient("http://127.0.0.1:9", patience=0.1) as rest:

        def connect(account: Account, pick: int) -> ChatClient:
            return ChatClient(server.url, account)

        people = []
        for number in range(PEOPLE + 2):
            user_id = f"usr-{number}"
            person = Participant(Credentials(user_id=user_id, username=user_id, password=None), rest, connect)
            person.add_device(Account(user_id=user_id, device_id=f"dev-{number}", token=user_id), number)
            people.append(person)
        await wait_online(people)
        crowd = Crowd(people[:PEOPLE], make_plan(1, PEOPLE, 200.0))
        yield server, crowd, people[PEOPLE:]
        await crowd.go_offline()
        await asyncio.gather(*(person.devices[0].stop() for person in people[PEOPLE:]))


def count_sent(crowd: Crowd) -> int:
    return sum(len(history.sent) for history in crowd.histories)


async def test_a_crowd_writes_by_its_plan_and_the_checker_finds_nothing() -> None:
    async with living_crowd() as (_, crowd, _):
        living = asyncio.create_task(crowd.live())
        while count_sent(crowd) < SOME_MESSAGES:
            await asyncio.sleep(0.01)
        living.cancel()
        crowd.burst(SOME_MESSAGES)
        for client in crowd.devices:
            await client.wait_delivered(within=60)
        report = check(crowd.histories)
    assert report.is_clean, report.text()
    assert report.counts["delivered"] >= 2 * SOME_MESSAGES


async def test_the_same_seed_sends_the_same_words() -> None:
    contents = []
    for _ in range(2):
        async with living_crowd() as (_, crowd, _):
            crowd.burst(SOME_MESSAGES)
            contents.append(sorted(m.content for history in crowd.histories for m in history.sent.values()))
    assert contents[0] == contents[1]
    assert len(set(contents[0])) == SOME_MESSAGES


async def test_a_device_that_was_replaced_comes_back_and_one_shut_out_is_reported() -> None:
    async with living_crowd() as (server, crowd, _):
        watching = asyncio.create_task(crowd.watch())
        replaced, shut_out, *_ = crowd.devices
        await server.connections[shut_out.user_id].close(4403, "suspended")
        await server.connections[replaced.user_id].close(4409, "replaced")
        while not (crowd.mishaps and replaced.connection == 2):
            await asyncio.sleep(0.01)
        watching.cancel()
    assert crowd.mishaps == [("shut out", f"{shut_out.account.device_id} was closed with 4403 'suspended'")]
    assert crowd.done["came back after 4409"] == 1


async def test_the_probe_says_when_a_message_went_all_the_way() -> None:
    async with living_crowd() as (_, _, probes):
        asker, answerer = (person.devices[0] for person in probes)
        probe = Probe(asker, answerer)
        await asyncio.gather(asker.stop(), answerer.stop())
        before = asker.connection
        assert await probe.find_recovery() is not None
        assert await probe.find_recovery() is not None
        assert asker.connection == before + 2, "each question takes a new connection"


class Refusing:
    """A fault after which the server takes no message for a long time."""

    kind = "refuse"
    target = "server"
    says = "the server takes no message"

    def __init__(self, server: MemoryServer) -> None:
        self._server = server

    async def inflict(self, rng: random.Random) -> None:
        """Begin to refuse."""
        self._server.refusals += [{"code": "unavailable", "message": "later", "retry_after_ms": 50}] * 100_000


async def test_a_fault_that_nothing_recovers_from_is_a_finding() -> None:
    async with living_crowd() as (server, crowd, probes):
        fault = Refusing(server)
        told: list[str] = []
        asker, answerer = (person.devices[0] for person in probes)
        course = Course(crowd, Probe(asker, answerer, within=0.5), told.append)
        await course.run([fault], 0.0, 1, random.Random(1))
        server.refusals.clear()
        await course.come_to_rest(lambda: asyncio.sleep(0))
        events = course.events([fault])
    # There is no REST here: a person who set something had no answer.
    [mishap] = [mishap for mishap in events.mishaps if mishap.kind != "no answer"]
    assert mishap.kind == "did not recover"
    assert mishap.detail.endswith("after refuse of server")
    assert [line for line in told if "DID NOT RECOVER" in line]
    assert [(window.kind, window.recovered_at) for window in events.windows] == [("refuse", None)]
    assert not events.not_struck
    report = check(events.histories)
    assert report.is_clean, report.text()


async def test_kinds_that_did_not_come_are_named() -> None:
    async with living_crowd() as (server, crowd, _):
        course = Course(crowd, None, lambda line: None)
        await course.run([Refusing(server)], 0.0, 0, random.Random(1))
        assert course.events([Refusing(server)]).not_struck == ["refuse"]
