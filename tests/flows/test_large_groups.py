"""Groups above GROUP_PUSH_LIMIT: stored once, polled, hinted at; and what happens when one crosses the limit."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.client.options import Account
from tests.client.people import AccountPool
from tests.client.rest import RestClient
from tests.client.server import Server, running_server
from tests.flows.test_groups import GroupDoor, contents, online

LIMIT = 3


@pytest.fixture(scope="module")
def small_limit() -> Iterator[Server]:
    """A server on which four members are a large group."""
    with running_server(arguments=("--workers", "2"), GROUP_PUSH_LIMIT=LIMIT) as running:
        yield running


@pytest.fixture(scope="module")
def people(small_limit: Server) -> list[Account]:
    return AccountPool(small_limit).take(30)


async def poll(rest: RestClient, account: Account, group_id: str, **query: Any) -> dict[str, Any]:
    """A page of a large group."""
    path = "&".join(f"{name}={value}" for name, value in query.items())
    answer = await rest.ask("GET", f"chat/{group_id}?{path}", token=account.token)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def texts(page: dict[str, Any]) -> list[str]:
    return [message["content"] for message in page["results"]]


async def test_members_of_a_large_group_poll_and_nothing_is_pushed(small_limit: Server, people: list[Account]) -> None:
    ann, bob, *others = people[:5]
    async with RestClient(small_limit.base_url) as rest, online(small_limit, [ann, bob]) as (a, b):
        group = await GroupDoor.create(rest, ann, [bob, *others])
        for number in range(5):
            a.send(group.group_id, f"{number}")
        await a.wait_for(lambda: all(one.is_acknowledged for one in a.history.sent.values()), "✓")
        b.send_frame({"action": "open_chat", "group_id": group.group_id})
        seen: list[str] = []
        while len(seen) < 5:
            seen = texts(await poll(rest, bob, group.group_id))
        assert seen == [f"{number}" for number in range(5)]
        page = await poll(rest, bob, group.group_id, limit=2)
        rest_of_it = await poll(rest, bob, group.group_id, limit=10, cursor=page["next"])
        assert texts(page) + texts(rest_of_it) == seen
        assert rest_of_it["next"] is None
        newest = rest_of_it["results"][-1]
        later = a.send(group.group_id, "later")
        await a.wait_for(lambda: later.is_acknowledged, "✓")
        await b.wait_for_frame(action="group_activity", group_id=group.group_id, sequence=later.sequence)
        assert texts(await poll(rest, bob, group.group_id, timestamp=newest["timestamp"]))[-1] == "later"
        assert contents(b) == []
        kept = await rest.ask("GET", f"history/{group.group_id}?limit=2", token=bob.token)
        assert texts(kept.json()) == ["later", "4"], "kept for all of its members, the newest first"
        assert small_limit.waiting_entries().get(f"inbox:{{{bob.user_id}}}:{bob.device_id}", 0) == 0


async def test_polling_goes_on_without_the_cache(small_limit: Server, people: list[Account]) -> None:
    ann, bob, *others = people[5:10]
    async with RestClient(small_limit.base_url) as rest, online(small_limit, [ann]) as (a,):
        group = await GroupDoor.create(rest, ann, [bob, *others])
        for number in range(3):
            a.send(group.group_id, f"{number}")
        await a.wait_for(lambda: all(one.is_acknowledged for one in a.history.sent.values()), "✓")
        while len(texts(await poll(rest, bob, group.group_id))) < 3:
            continue
        with small_limit.cache() as cache:
            cache.delete(*cache.keys("group_*"))
        a.send(group.group_id, "3")
        await a.wait_for(lambda: all(one.is_acknowledged for one in a.history.sent.values()), "✓")
        while texts(await poll(rest, bob, group.group_id)) != ["0", "1", "2", "3"]:
            continue


async def test_strangers_do_not_poll_and_newcomers_not_what_was_before(
    small_limit: Server, people: list[Account]
) -> None:
    ann, bob, cy, dan, eve, stranger = people[10:16]
    async with RestClient(small_limit.base_url) as rest, online(small_limit, [ann]) as (a,):
        group = await GroupDoor.create(rest, ann, [bob, cy, dan])
        before = a.send(group.group_id, "before")
        await a.wait_for(lambda: before.is_acknowledged, "✓")
        await group.add(eve)
        after = a.send(group.group_id, "after")
        await a.wait_for(lambda: after.is_acknowledged, "✓")
        while texts(await poll(rest, eve, group.group_id)) != ["after"]:
            continue
        assert texts(await poll(rest, eve, group.group_id, timestamp=1)) == ["after"]
        assert texts(await poll(rest, bob, group.group_id)) == ["before", "after"]
        answer = await rest.ask("GET", f"chat/{group.group_id}", token=stranger.token)
        assert answer.status_code == 404


async def test_a_group_that_crosses_the_limit_loses_and_repeats_nothing(
    small_limit: Server, people: list[Account]
) -> None:
    ann, bob, cy, dan = people[16:20]
    async with RestClient(small_limit.base_url) as rest, online(small_limit, [ann, bob]) as (a, b):
        group = await GroupDoor.create(rest, ann, [bob, cy])
        a.send(group.group_id, "pushed")
        await b.wait_for(lambda: contents(b) == ["pushed"], "a push")
        await group.add(dan)
        polled = a.send(group.group_id, "polled")
        await a.wait_for(lambda: polled.is_acknowledged, "✓")
        while texts(await poll(rest, bob, group.group_id)) != ["polled"]:
            continue
        await group.remove(dan)
        a.send(group.group_id, "pushed again")
        await b.wait_for(lambda: contents(b) == ["pushed", "pushed again"], "a push again")
        assert texts(await poll(rest, bob, group.group_id)) == ["polled"]
        async with online(small_limit, [cy]) as (c,):
            assert contents(c) == ["pushed", "pushed again"]
