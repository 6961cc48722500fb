"""The whole site with its messages in a MongoDB-protocol server, which stands still and goes away."""

import asyncio
import json
from collections.abc import Iterator

import httpx
import pytest

from tests.client.chat_client import ChatClient
from tests.client.people import AccountPool
from tests.client.processes import Role, wait_until
from tests.client.server import Server, running_server
from tests.faults.checker import check
from tests.servers.mongo import MongoServer, running_mongo

pytestmark = [pytest.mark.production, pytest.mark.timeout(300)]

WAIT_SECONDS = 60


@pytest.fixture(scope="module")
def breakable_mongo() -> Iterator[MongoServer]:
    with running_mongo() as server:
        yield server


@pytest.fixture(scope="module")
def site(breakable_mongo: MongoServer) -> Iterator[Server]:
    with running_server(MESSAGE_STORE_URL=f"{breakable_mongo.url}/site") as running:
        yield running


@pytest.fixture(scope="module")
def people(site: Server) -> AccountPool:
    return AccountPool(site)


def names_message_store(site: Server) -> bool:
    """Tell whether `/readyz` says that the Message DB is what is missing."""
    answer = httpx.get(f"{site.base_url}/readyz", timeout=30)
    parts = answer.json()["parts"]
    return answer.status_code == 503 and not parts["message_store"]["ok"] and parts["event_log"]["ok"]


async def wait(condition: object, what: str) -> None:
    await asyncio.to_thread(wait_until, condition, what, WAIT_SECONDS)


async def test_people_chat_and_who_was_away_gets_everything(site: Server, people: AccountPool) -> None:
    ann, bob = people.take(2)
    async with ChatClient(site.url, ann) as a, ChatClient(site.url, bob) as b:
        a.send(bob.user_id, "hello")
        b.send(ann.user_id, "hello yourself")
        await a.wait_delivered(WAIT_SECONDS)
        await b.wait_delivered(WAIT_SECONDS)
        await b.stop(cut=True)
        for number in range(300):
            a.send(bob.user_id, f"{number}")
        await a.wait_for(lambda: all(one.is_acknowledged for one in a.history.sent.values()), "every ✓", WAIT_SECONDS)
        await b.start()
        await a.wait_delivered(WAIT_SECONDS)
        report = check([a.history, b.history])
        assert report.is_clean, report.text()
    assert not (site.data_dir / "messages.sqlite3").exists(), "no second Message DB lies about"


async def test_the_commands_of_operators_know_it(site: Server, people: AccountPool) -> None:
    ann, bob = people.take(2)
    async with ChatClient(site.url, ann) as a, ChatClient(site.url, bob):
        message = a.send(bob.user_id, "hello")
        await a.wait_delivered(WAIT_SECONDS)
    assert message.delivered_id is not None
    way = json.loads(await asyncio.to_thread(site.manage, "trace", message.delivered_id, "--json"))
    assert way["message_id"] == message.delivered_id
    assert "hello" not in json.dumps(way)
    assert json.loads(await asyncio.to_thread(site.manage, "purge_expired", "--yes", "--json")) == {"deleted": 0}
    assert "inboxes rebuilt" in await asyncio.to_thread(site.manage, "inbox", "rebuild", bob.username)


async def test_while_it_stands_still_ticks_go_on_and_delivery_resumes_by_itself(
    site: Server, people: AccountPool, breakable_mongo: MongoServer
) -> None:
    ann, bob = people.take(2)
    relay = site.processes.pids(Role.RELAY)
    async with ChatClient(site.url, ann) as a, ChatClient(site.url, bob) as b:
        breakable_mongo.pause()
        try:
            for number in range(20):
                a.send(bob.user_id, f"{number}")
            ticked = "every ✓ without the Message DB"
            await a.wait_for(lambda: all(one.is_acknowledged for one in a.history.sent.values()), ticked, WAIT_SECONDS)
            await wait(lambda: names_message_store(site), "/readyz that names the Message DB")
            assert not b.history.shown
        finally:
            breakable_mongo.resume()
        await a.wait_delivered(WAIT_SECONDS)
        report = check([a.history, b.history])
        assert report.is_clean, report.text()
    assert site.processes.pids(Role.RELAY) == relay
    await wait(site.is_ready, "a site that is ready again")


async def test_one_that_comes_back_without_its_indexes_is_used_when_it_has_them(
    site: Server, people: AccountPool, breakable_mongo: MongoServer
) -> None:
    ann, bob = people.take(2)
    async with ChatClient(site.url, ann) as a, ChatClient(site.url, bob) as b:
        breakable_mongo.kill()
        a.send(bob.user_id, "while it is gone")
        await a.wait_for(lambda: all(one.is_acknowledged for one in a.history.sent.values()), "✓", WAIT_SECONDS)
        await wait(lambda: names_message_store(site), "/readyz that names the Message DB")
        breakable_mongo.restart()
        await wait(lambda: "run `manage.py setup_store`" in site.output, "a relay that says what is missing")
        assert not b.history.shown
        await asyncio.to_thread(site.manage, "setup_store")
        await a.wait_delivered(WAIT_SECONDS)
        report = check([a.history, b.history])
        assert report.is_clean, report.text()
