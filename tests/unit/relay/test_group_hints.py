"""What a batch leaves to do for groups is asked for by the tasks' names, and what is lost a sweep finds."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from celery import current_app
from kombu.exceptions import OperationalError

from apps.delivery.group_due import note_telling
from apps.groups import viewers
from apps.groups.polled_messages import PageRequest, PolledMessage, fill, read_page
from apps.relay import group_hints
from apps.relay.group_hints import GROUPS_A_TASK, GroupHinter
from apps.relay.group_records import GroupHints
from apps.valkey.pools import ValkeyError, close_async_clients
from apps.valkey.sync_keyspace import SyncKeyspace

GROUP, OTHER = "grp-0123456789ab", "grp-ffffffffffff"


@dataclass
class Tasks:
    """In the place of Celery: what was asked for; ``is_down`` refuses it."""

    asked: list[tuple[str, list[str]]] = field(default_factory=list)
    is_down: bool = False

    def send_task(self, name: str, args: Any, **options: Any) -> None:
        if self.is_down:
            raise OperationalError("the broker is down")
        assert options == {"retry": False}, "the relay does not wait for the broker"
        self.asked.append((name, args[0]))


class ViewersBus:
    """A bus that keeps what viewers are told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, dict[str, Any]]] = []

    def tell_viewers(self, frames: Any) -> None:
        self.told += [(server_id, group_id, json.loads(frame)) for server_id, group_id, frame in frames]


@pytest.fixture
def tasks(inbox_valkey: SyncKeyspace, monkeypatch: pytest.MonkeyPatch) -> Tasks:
    made = Tasks()
    monkeypatch.setattr(current_app, "send_task", made.send_task)
    return made


@pytest.fixture
def viewers_bus() -> ViewersBus:
    return ViewersBus()


@pytest.fixture
def hinter(viewers_bus: ViewersBus) -> GroupHinter:
    return GroupHinter(viewers_bus)  # type: ignore[arg-type]


def polled(sequence: int, group_id: str = GROUP) -> PolledMessage:
    now_ms = int(time.time() * 1000)
    return PolledMessage(group_id=group_id, sequence=sequence, timestamp_ms=now_ms, text=f'{{"n":{sequence}}}')


def open_at(server_id: str, *group_ids: str) -> None:
    """Somebody at this gateway has these groups open."""

    async def note() -> None:
        await viewers.note_viewers(server_id, group_ids)
        await close_async_clients()

    asyncio.run(note())


def test_fan_outs_are_asked_for_some_groups_at_a_time(tasks: Tasks, hinter: GroupHinter) -> None:
    group_ids = [f"grp-{number:012x}" for number in range(2 * GROUPS_A_TASK + 3)]
    hinter.pass_on(GroupHints(to_fan_out=set(group_ids)))
    assert [name for name, _ in tasks.asked] == ["groups.fan_out"] * 3
    assert [one for _, part in tasks.asked for one in part] == group_ids


def test_a_group_is_counted_at_once_and_then_when_its_turn_comes(
    tasks: Tasks, hinter: GroupHinter, monkeypatch: pytest.MonkeyPatch
) -> None:
    hinter.pass_on(GroupHints(to_count={GROUP: 5}))
    hinter.pass_on(GroupHints(to_count={GROUP: 4, OTHER: 2}))
    assert tasks.asked == [("groups.count", [GROUP]), ("groups.count", [OTHER])]
    monkeypatch.setattr(group_hints, "take_due", lambda: [GROUP])
    hinter.look()
    assert tasks.asked[2:] == [("groups.count", [GROUP])]


def test_counts_to_be_told_again_are_noted_before_they_are_asked_for(
    tasks: Tasks, hinter: GroupHinter, settings: Any
) -> None:
    hinter.pass_on(GroupHints(to_count={GROUP: 5}, to_tell={GROUP: {"msg-2", "msg-1"}}))
    assert note_telling(GROUP, []) == {"msg-1", "msg-2"}
    assert tasks.asked == [("groups.count", [GROUP])]
    settings.REDIS_URL = "redis://127.0.0.1:1"
    with pytest.raises(ValkeyError):
        hinter.pass_on(GroupHints(to_count={GROUP: 5}, to_tell={GROUP: {"msg-1"}}))


def test_it_looks_for_what_is_due_at_most_four_times_a_second(
    tasks: Tasks, hinter: GroupHinter, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("apps.relay.group_hints.time.monotonic", lambda: now[0])
    monkeypatch.setattr(group_hints, "take_due", lambda: [GROUP])
    for moment in (100.0, 100.1, 100.2, 100.3, 100.4, 100.6):
        now[0] = moment
        hinter.look()
    assert len(tasks.asked) == 3


def test_a_batch_without_groups_asks_for_nothing(tasks: Tasks, hinter: GroupHinter, settings: Any) -> None:
    settings.INBOX_REDIS_URL = settings.REDIS_URL = "redis://127.0.0.1:1"
    hinter.pass_on(GroupHints())
    assert tasks.asked == []


def test_hints_that_no_broker_takes_are_left_to_the_sweep(tasks: Tasks, hinter: GroupHinter) -> None:
    tasks.is_down = True
    hinter.pass_on(GroupHints(to_fan_out={GROUP}, to_count={GROUP: 5}))
    hinter.look()
    tasks.is_down = False
    hinter.pass_on(GroupHints(to_fan_out={GROUP}))
    assert tasks.asked == [("groups.fan_out", [GROUP])]


def test_where_the_cache_of_a_polled_group_would_miss_a_message_the_batch_is_not_done(
    tasks: Tasks, hinter: GroupHinter, settings: Any
) -> None:
    settings.INBOX_REDIS_URL = "redis://127.0.0.1:1"
    with pytest.raises(ValkeyError):
        hinter.pass_on(GroupHints(to_fan_out={OTHER}, polled=[polled(1)]))
    assert tasks.asked == [], "it is all asked for when the cache is back"


def test_what_was_stored_of_polled_groups_is_in_their_cache_and_their_viewers_hear_of_the_newest(
    tasks: Tasks, hinter: GroupHinter, viewers_bus: ViewersBus
) -> None:
    for group_id in (GROUP, OTHER):
        fill(group_id, [], whole=True)
    open_at("gw-1", GROUP)
    open_at("gw-2", GROUP, OTHER)
    hinter.pass_on(GroupHints(polled=[polled(1), polled(2), polled(7, OTHER)], changed={GROUP: 5}))
    page = read_page(PageRequest(group_id=GROUP, after=0, since_ms=0, limit=9))
    assert page.texts == ('{"n":1}', '{"n":2}')
    told = sorted((server_id, group_id, frame["action"]) for server_id, group_id, frame in viewers_bus.told)
    assert told == [
        ("gw-1", GROUP, "group_activity"),
        ("gw-1", GROUP, "group_changed"),
        ("gw-2", GROUP, "group_activity"),
        ("gw-2", GROUP, "group_changed"),
        ("gw-2", OTHER, "group_activity"),
    ]
    assert {frame.get("sequence", frame.get("version")) for _, _, frame in viewers_bus.told} == {2, 5, 7}


def test_hints_of_two_batches_add_up() -> None:
    hints = GroupHints(to_fan_out={GROUP}, polled=[polled(1)], changed={GROUP: 1})
    hints.update(GroupHints(to_fan_out={OTHER}, to_count={GROUP: 5}, polled=[polled(2)], changed={GROUP: 2}))
    hints.update(GroupHints(to_tell={GROUP: {"msg-1"}}))
    hints.update(GroupHints(to_tell={GROUP: {"msg-2"}, OTHER: {"msg-3"}}))
    assert hints.to_tell == {GROUP: {"msg-1", "msg-2"}, OTHER: {"msg-3"}}
    hints.update(GroupHints(to_count={GROUP: 3, OTHER: 7}))
    hints.update(GroupHints(to_count={GROUP: 4}))
    assert (hints.to_fan_out, hints.changed) == ({GROUP, OTHER}, {GROUP: 2})
    assert hints.to_count == {GROUP: 3, OTHER: 7}
    assert [one.sequence for one in hints.polled] == [1, 2]
