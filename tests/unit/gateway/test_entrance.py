"""Who is counted at the door, and refused before anything is looked up."""

import asyncio
from typing import Any

import pytest

from apps.connections import registry
from apps.gateway import entrance
from apps.gateway.authentication import Refused, find_credential
from apps.gateway.close_codes import CloseReason
from apps.valkey.async_keyspace import AsyncKeyspace
from apps.valkey.pools import close_async_clients

pytestmark = pytest.mark.usefixtures("inbox_valkey")

HOME, OFFICE = "203.0.113.7", "198.51.100.7"
OURS, FOREIGN = "http://localhost", "http://evil.example"


@pytest.fixture
def limits(settings: Any) -> Any:
    settings.CONNECTIONS_PER_MINUTE_PER_ADDRESS = 100
    settings.CONNECTIONS_PER_MINUTE_PER_USER = 3
    return settings


def scope(address: str, *, query: str = "", **headers: str) -> dict[str, Any]:
    return {
        "client": (address, 4711),
        "scheme": "ws",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }


def connect(*scopes: dict[str, Any]) -> list[bool]:
    """Whether each of these connections would be let in to be authenticated."""

    async def count_all() -> list[bool]:
        try:
            return [await is_let_in(one) for one in scopes]
        finally:
            await close_async_clients()

    return asyncio.run(count_all())


async def is_let_in(one: dict[str, Any]) -> bool:
    try:
        await entrance.count_connection(one, find_credential(one))
    except Refused as refused:
        return refused.reason is not CloseReason.TOO_MANY_CONNECTIONS
    return True


def test_a_user_who_connects_too_often_is_refused_from_wherever_and_others_are_not(limits: Any) -> None:
    mine = [scope(address, authorization="Token mine") for address in (HOME, OFFICE, HOME, OFFICE, HOME)]
    assert connect(*mine) == [True, True, True, False, False]
    assert connect(scope(HOME, authorization="Token other")) == [True]
    assert connect(*[scope(HOME, cookie="sessionid=session", origin=OURS)] * 4) == [True, True, True, False]


def test_each_limit_works_without_the_other(limits: Any) -> None:
    limits.CONNECTIONS_PER_MINUTE_PER_ADDRESS = 0
    assert connect(*[scope(HOME, authorization="Token mine")] * 4) == [True, True, True, False]
    limits.CONNECTIONS_PER_MINUTE_PER_ADDRESS, limits.CONNECTIONS_PER_MINUTE_PER_USER = 2, 0
    assert connect(*[scope(OFFICE, authorization="Token mine")] * 3) == [True, True, False]


def test_who_shows_nothing_or_a_ticket_is_counted_by_address(limits: Any) -> None:
    limits.CONNECTIONS_PER_MINUTE_PER_ADDRESS = 5
    assert connect(*[scope(HOME)] * 3, *[scope(HOME, query="ticket=x")] * 3) == [True] * 5 + [False]


def test_a_foreign_page_cannot_use_up_what_its_visitor_may_open(limits: Any) -> None:
    assert connect(*[scope(HOME, cookie="sessionid=mine", origin=FOREIGN)] * 10) == [True] * 10
    assert connect(scope(HOME, cookie="sessionid=mine", origin=OURS)) == [True]


def test_it_takes_one_round_trip_and_none_where_nothing_is_limited(
    limits: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    trips: list[int] = []
    execute_all = AsyncKeyspace.execute_all

    async def counted(self: AsyncKeyspace, commands: Any) -> list[Any]:
        trips.append(len(commands))
        return await execute_all(self, commands)

    monkeypatch.setattr(AsyncKeyspace, "execute_all", counted)
    connect(scope(HOME, authorization="Token mine"))
    assert trips == [4]
    limits.CONNECTIONS_PER_MINUTE_PER_ADDRESS = limits.CONNECTIONS_PER_MINUTE_PER_USER = 0
    connect(scope(HOME, authorization="Token mine"))
    assert trips == [4]


def test_no_secret_stands_in_the_cache(limits: Any, inbox_valkey: Any) -> None:
    connect(scope(HOME, authorization="Token a-secret"))
    keys = list(inbox_valkey.scan("*"))
    assert registry.connects_key(f"address {HOME}") in keys
    assert len(keys) == 2
    assert not any("a-secret" in key for key in keys)
