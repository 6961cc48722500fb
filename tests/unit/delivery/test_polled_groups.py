"""Pages of groups that are polled are the same from the cache as from the Message DB, whatever the cache has lost."""

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest
from rest_framework.test import APIRequestFactory, force_authenticate

from apps.delivery import polled_groups
from apps.delivery.polled_groups import list_page
from apps.groups import polled_messages
from apps.groups.polled_messages import PageRequest, PolledMessage, add_polled, drop, fill, read_page, read_pages
from apps.messagelog.base import sequence_of
from apps.valkey.pools import close_async_clients
from apps.valkey.sync_keyspace import SyncKeyspace, sync_keyspace

if TYPE_CHECKING:
    from tests.unit.group_world import Circle

on_databases = pytest.mark.django_db(databases=["default", "messages"], transaction=True)
GROUP = "grp-0123456789ab"
NOW = int(time.time() * 1000)
DAY_MS = 86_400_000
SEQUENCES = {number: sequence_of(1, number) for number in range(200)}


def message(number: int, at_ms: int | None = None) -> PolledMessage:
    """``at_ms`` is since NOW, as what is asked for is."""
    timestamp_ms = NOW + (1_000 * number if at_ms is None else at_ms)
    return PolledMessage(
        group_id=GROUP, sequence=SEQUENCES[number], timestamp_ms=timestamp_ms, text=f'{{"n":{number}}}'
    )


def read(after: int = 0, since_ms: int | None = None, limit: int = 100) -> list[int] | str:
    """Numbers of a page's messages, or why there is none."""
    page = read_page(to_request(after, since_ms, limit))
    return [int(text[5:-1]) for text in page.texts] if page.state == "page" else page.state


def to_request(after: int = 0, since_ms: int | None = None, limit: int = 100) -> PageRequest:
    """After a message's number, and from a time since NOW on."""
    at_ms = 0 if since_ms is None else NOW + since_ms
    return PageRequest(group_id=GROUP, after=SEQUENCES.get(after, after), since_ms=at_ms, limit=limit)


def make_of_another_run(valkey: SyncKeyspace, group_id: str = GROUP) -> None:
    """As a restart or a failover does it."""
    valkey.execute_all([("SET", f"group_run:{{{group_id}}}", "00000000")])


def time_to_live(valkey: SyncKeyspace) -> list[int]:
    """Of each key of the cache that is there."""
    names = ("messages", "times", "newest", "whole", "run")
    lives = valkey.execute_all([("TTL", f"group_{name}:{{{GROUP}}}") for name in names])
    return [int(one) for one in lives if one != -2]


# -- the cache -------------------------------------------------------------------------------------------------------


def test_a_cache_that_nobody_has_filled_takes_nothing(inbox_valkey: SyncKeyspace) -> None:
    add_polled([message(1)])
    assert read(after=0) == "miss"


def test_a_filled_cache_has_what_comes_after(inbox_valkey: SyncKeyspace) -> None:
    assert fill(GROUP, [message(1), message(2)], whole=True)
    add_polled([message(3), message(4)])
    assert [read(after=one) for one in (0, 2, 4)] == [[1, 2, 3, 4], [3, 4], []]
    assert read(after=1, limit=2) == [2, 3]


def test_what_is_added_twice_is_there_once(inbox_valkey: SyncKeyspace) -> None:
    fill(GROUP, [message(1)], whole=True)
    for _ in range(2):
        add_polled([message(1), message(2), message(3)])
    assert read(after=0) == [1, 2, 3]


def test_a_group_without_messages_is_known_to_be_empty(inbox_valkey: SyncKeyspace) -> None:
    fill(GROUP, [], whole=True)
    assert read(after=0) == read() == []
    add_polled([message(1)])
    assert read(after=0) == [1]


def test_all_that_is_kept_has_its_time(inbox_valkey: SyncKeyspace) -> None:
    """Also what was added to a cache that was empty: nobody may ever read it."""
    fill(GROUP, [], whole=True)
    add_polled([message(1)])
    assert len(time_to_live(inbox_valkey)) == 5
    assert all(0 < one <= polled_messages.SECONDS for one in time_to_live(inbox_valkey))
    fill(GROUP, [message(1)], whole=True)
    add_polled([message(2)])
    read(after=0)
    assert all(0 < one <= polled_messages.SECONDS for one in time_to_live(inbox_valkey))


def test_what_is_older_than_the_cache_is_in_the_message_db(inbox_valkey: SyncKeyspace) -> None:
    fill(GROUP, [message(5), message(6)], whole=False)
    assert [read(after=one) for one in (3, 4, 5)] == ["older", [5, 6], [6]]
    assert [read(since_ms=one) for one in (4_000, 5_000, 5_001)] == ["older", "older", [6]]


def test_a_cache_that_is_full_forgets_its_oldest(inbox_valkey: SyncKeyspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polled_messages, "KEPT", 3)
    fill(GROUP, [message(1), message(2)], whole=True)
    add_polled([message(3)])
    assert read(after=0) == [1, 2, 3]
    add_polled([message(4), message(5)])
    assert [read(after=one) for one in (0, 1, 2, 3)] == ["older", "older", [3, 4, 5], [4, 5]]
    assert [read(since_ms=one) for one in (3_000, 3_001)] == ["older", [4, 5]]


def test_a_relay_that_begins_again_brings_nothing_older_into_it(
    inbox_valkey: SyncKeyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polled_messages, "KEPT", 3)
    fill(GROUP, [message(number) for number in (4, 5, 6)], whole=False)
    add_polled([message(number) for number in range(1, 7)])
    assert read(after=3) == [4, 5, 6]
    assert [read(since_ms=one) for one in (4_001, 5_001, 6_001)] == [[5, 6], [6], []]


def test_what_was_stored_while_the_cache_is_filled_is_not_lost(inbox_valkey: SyncKeyspace) -> None:
    add_polled([message(3)])
    assert not fill(GROUP, [message(1), message(2)], whole=True)
    assert read(after=0) == "miss"
    assert fill(GROUP, [message(1), message(2), message(3)], whole=True)
    assert read(after=0) == [1, 2, 3]


@pytest.mark.parametrize(
    ("since_ms", "found"), [(None, [1, 2, 3, 4]), (10_001, [3, 4]), (30_000, [3, 4]), (30_001, [])]
)
def test_by_time_a_message_counts_as_late_as_those_before_it(
    inbox_valkey: SyncKeyspace, since_ms: int | None, found: Sequence[int]
) -> None:
    """Gateways' clocks differ: what comes after a message in the log comes after it on a page, too."""
    fill(GROUP, [message(1, 10_000)], whole=True)
    add_polled([message(2, 9_000), message(3, 30_000), message(4, 20_000)])
    assert read(since_ms=since_ms) == found


def test_pages_by_time_and_then_by_sequence_give_everything_once(inbox_valkey: SyncKeyspace) -> None:
    times = [5_000, 9_000, 7_000, 7_000, 12_000, 11_000, 12_000]
    fill(GROUP, [message(number, at_ms) for number, at_ms in enumerate(times, 1)], whole=True)
    got = read(since_ms=6_000, limit=2)
    assert isinstance(got, list)
    while isinstance(page := read(after=got[-1], limit=2), list) and page:
        got += page
    assert got == [2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(("after", "since_ms", "found"), [(1, 1_000, [2, 3]), (1, 2_001, [3]), (3, 2_000, [])])
def test_by_time_it_begins_after_a_sequence_too(
    inbox_valkey: SyncKeyspace, after: int, since_ms: int, found: Sequence[int]
) -> None:
    fill(GROUP, [message(1), message(2), message(3)], whole=True)
    assert read(after, since_ms) == found
    assert read(after, since_ms, limit=1) == found[:1]


def test_by_time_nothing_older_is_missing_where_the_sequence_is_in_the_cache(inbox_valkey: SyncKeyspace) -> None:
    fill(GROUP, [message(5), message(6)], whole=False)
    assert [read(after, 1_000) for after in (3, 4, 5, 6)] == ["older", [5, 6], [6], []]
    assert read(3, 5_001) == [6]


def test_what_another_run_of_the_server_left_is_read_no_more(inbox_valkey: SyncKeyspace) -> None:
    """It may lack what was added last. Nor is it read when the first run is back."""
    fill(GROUP, [message(1)], whole=True)
    [run] = inbox_valkey.execute_all([("GET", f"group_run:{{{GROUP}}}")])
    make_of_another_run(inbox_valkey)
    assert read() == "miss"
    inbox_valkey.execute_all([("SET", f"group_run:{{{GROUP}}}", run)])
    assert read() == "miss"


def test_after_another_run_the_cache_begins_anew(inbox_valkey: SyncKeyspace) -> None:
    fill(GROUP, [message(1), message(2)], whole=True)
    make_of_another_run(inbox_valkey)
    add_polled([message(4)])
    miss = read_page(to_request())
    assert miss.state == "miss"
    assert not fill(GROUP, [message(1), message(2), message(3)], whole=True, drops=miss.drops), "4 was stored"
    assert fill(GROUP, [message(number) for number in (1, 2, 3, 4)], whole=True, drops=miss.drops)
    assert read() == [1, 2, 3, 4]


def test_whoever_has_read_the_message_db_before_another_run_fills_nothing(inbox_valkey: SyncKeyspace) -> None:
    """What says that a message was stored meanwhile may be lost."""
    assert not fill(GROUP, [message(1)], whole=True, drops="00000000:")
    assert read() == "miss"


def test_what_another_run_knew_as_the_newest_hinders_nobody(inbox_valkey: SyncKeyspace) -> None:
    add_polled([message(9)])
    make_of_another_run(inbox_valkey)
    assert fill(GROUP, [message(1)], whole=True)
    add_polled([message(9)])
    make_of_another_run(inbox_valkey)
    add_polled([message(2)])
    assert fill(GROUP, [message(1), message(2)], whole=True, drops=read_page(to_request()).drops)


def test_a_cache_whose_newest_is_erased_is_filled_again(inbox_valkey: SyncKeyspace) -> None:
    fill(GROUP, [message(1), message(2)], whole=True)
    add_polled([message(3)])
    drop([GROUP])
    assert fill(GROUP, [message(1), message(2)], whole=True, drops=read_page(to_request()).drops)
    assert read() == [1, 2]


def test_what_is_too_old_to_be_kept_leaves_the_cache_though_it_is_read(
    inbox_valkey: SyncKeyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    # NOW is when this file was read: hours ago at most.
    fill(GROUP, [message(1, -6 * DAY_MS), message(2, -4 * DAY_MS), message(3, 0)], whole=False)
    assert read(after=1) == [2, 3]
    monkeypatch.setattr(polled_messages, "HISTORY_KEPT_MS", 5 * DAY_MS)
    assert [read(after=1), read(after=0), read(since_ms=-7 * DAY_MS)] == [[2, 3], "older", "older"]
    monkeypatch.setattr(polled_messages, "HISTORY_KEPT_MS", 2 * DAY_MS)
    assert [read(after=2), read(since_ms=-100)] == [[3], "older"]


def test_what_is_too_old_to_be_kept_is_not_put_into_the_cache(inbox_valkey: SyncKeyspace) -> None:
    """And then the cache has all there is."""
    old = -polled_messages.HISTORY_KEPT_MS - DAY_MS
    fill(GROUP, [message(1, old), message(2)], whole=False)
    assert read() == [2]
    fill(GROUP, [message(1, old)], whole=False)
    assert read() == []


async def test_many_pages_are_read_at_once(inbox_valkey: SyncKeyspace) -> None:
    fill(GROUP, [message(1), message(2)], whole=True)
    asked = [
        PageRequest(group_id=group_id, after=after, since_ms=0, limit=9)
        for group_id, after in ((GROUP, 0), ("grp-ffffffffffff", 0), (GROUP, SEQUENCES[1]))
    ]
    pages = await read_pages(asked)
    await close_async_clients()
    assert pages == [read_page(one) for one in asked]
    assert [page.state for page in pages] == ["page", "miss", "page"]


# -- filled from the Message DB --------------------------------------------------------------------------------------


@pytest.fixture
def large(circle: "Circle", settings: Any) -> "Circle":
    """Return a group that is polled."""
    settings.GROUP_PUSH_LIMIT = 3
    circle.relay(circle.change("joined", circle.ada, circle.dee))
    return circle


def ask(circle: "Circle", after: int = 0, since_ms: int = 0, limit: int = 100) -> list[str]:
    """Words of a page; ``after`` is a message's number."""
    position = circle.standing(after).sequence if after else 0
    page = list_page(PageRequest(group_id=circle.group_id, after=position, since_ms=since_ms, limit=limit))
    return [json.loads(text)["content"] for text in page]


def store(circle: "Circle", *numbers: int, **changes: Any) -> None:
    """As the relay does, with the cache."""
    now = {"timestamp_ms": NOW}
    add_polled(circle.relay(*[circle.message(number, **(now | changes)) for number in numbers]).hints.polled)


@on_databases
def test_the_first_who_asks_fills_the_cache_and_the_next_ones_do_not(
    large: "Circle", monkeypatch: pytest.MonkeyPatch
) -> None:
    fills: list[int] = []

    def fill_and_count(*args: Any, **options: Any) -> bool:
        fills.append(1)
        return fill(*args, **options)

    monkeypatch.setattr(polled_groups, "fill", fill_and_count)
    store(large, 1, 2)
    assert ask(large, after=0) == ["hello 1", "hello 2"]
    store(large, 3)
    assert [ask(large, after=one) for one in (1, 2, 3)] == [["hello 2", "hello 3"], ["hello 3"], []]
    assert len(fills) == 1


@on_databases
def test_what_is_stored_while_the_cache_is_filled_is_on_the_page(
    large: "Circle", monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = type(large.store.groups)
    list_last = groups.list_last_polled
    raced: list[int] = []

    def list_then_store(*args: Any) -> list[str]:
        found: list[str] = list_last(*args)
        if len(raced) < 2:
            raced.append(1)
            store(large, 10 + len(raced))
        return found

    monkeypatch.setattr(groups, "list_last_polled", list_then_store)
    store(large, 1)
    assert ask(large, after=0) == ["hello 1", "hello 11", "hello 12"]
    assert ask(large, after=1) == ["hello 11", "hello 12"]


@on_databases
def test_where_it_is_written_faster_than_filled_the_message_db_answers(
    large: "Circle", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polled_groups, "fill", lambda *args, **options: False)
    store(large, 1, 2)
    assert ask(large, after=1) == ["hello 2"]


@on_databases
def test_a_cache_that_is_lost_is_filled_again(large: "Circle", settings: Any) -> None:
    from apps.valkey.pools import sync_client

    store(large, 1, 2)
    ask(large, after=0)
    sync_client(settings.REDIS_URL).flushall()
    store(large, 3)
    assert ask(large, after=0) == ["hello 1", "hello 2", "hello 3"]


@on_databases
def test_a_cache_that_lost_its_last_second_is_filled_again(large: "Circle", settings: Any) -> None:
    store(large, 1, 2)
    ask(large)
    valkey = sync_keyspace(settings.INBOX_REDIS_URL)
    names = [f"group_{name}:{{{large.group_id}}}" for name in ("messages", "times")]
    store(large, 3)
    valkey.execute_all([("ZREMRANGEBYRANK", name, -1, -1) for name in names])
    make_of_another_run(valkey, large.group_id)
    store(large, 4)
    assert ask(large, after=2) == ["hello 3", "hello 4"]


@on_databases
@pytest.mark.parametrize("kept", [1_000, 1])
def test_who_comes_back_polls_by_a_time_before_and_gets_what_came_since(
    large: "Circle", settings: Any, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    """However much there was meanwhile, which is not theirs."""
    from apps.accounts.models import User
    from apps.api.chat import ChatView

    for module in (polled_groups, polled_messages):
        monkeypatch.setattr(module, "KEPT", kept)
    settings.GROUP_PUSH_LIMIT = 2
    store(large, 1)
    large.relay(large.change("removed", large.ada, large.bob))
    store(large, *range(2, 8))
    large.relay(large.change("joined", large.ada, large.bob))
    store(large, 8, 9)
    request = APIRequestFactory().get(f"/api/chat/{large.group_id}?timestamp={NOW}&limit=2")
    force_authenticate(request, user=User.objects.get(pk=large.bob))
    page = ChatView.as_view()(request, group_id=large.group_id).data
    assert [one["content"] for one in page["results"]] == ["hello 8", "hello 9"]
    assert page["next"] is None


@on_databases
def test_what_the_cache_has_no_more_comes_from_the_message_db(large: "Circle", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polled_groups, "KEPT", 3)
    monkeypatch.setattr(polled_messages, "KEPT", 3)
    store(large, *range(1, 8))
    assert ask(large, after=6) == ["hello 7"]
    got = ask(large, after=0, limit=2)
    while page := ask(large, after=int(got[-1].split()[1]), limit=2):
        got += page
    assert got == [f"hello {number}" for number in range(1, 8)]
    store(large, 8)
    assert ask(large, after=5) == ["hello 6", "hello 7", "hello 8"]


@on_databases
def test_by_time_the_message_db_gives_what_clocks_may_have_hidden(
    large: "Circle", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polled_groups, "KEPT", 1)
    store(large, 1, timestamp_ms=NOW + 100_000)
    store(large, 2, timestamp_ms=NOW + 95_000)
    store(large, 3, timestamp_ms=NOW + 200_000)
    assert ask(large, since_ms=NOW + 100_000) == ["hello 1", "hello 2", "hello 3"]


@on_databases
def test_messages_that_were_refused_and_events_are_on_no_page(large: "Circle") -> None:
    store(large, 1)
    large.relay(large.change("renamed", large.ada, name="Chess"))
    store(large, 2, sender_id="usr-0123456789ab")
    store(large, 3)
    assert ask(large, after=0) == ["hello 1", "hello 3"]
