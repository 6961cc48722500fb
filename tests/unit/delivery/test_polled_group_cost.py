"""What a large group costs, by counting: a message the same for 3 members as for 100,000, a poll of what is cached no
SQL at all.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from celery import current_app
from django.db import connections
from django.db.models import Model

from apps.connections.bus import BusSender
from apps.delivery.polled_groups import list_page
from apps.gateway.group_pages import GroupPageReader, PagePoll
from apps.gateway.sessions import KnownSessions
from apps.groups import viewers
from apps.groups.polled_messages import PageRequest
from apps.ingest.permissions import AccountDirectory
from apps.relay.group_hints import GroupHinter
from apps.valkey.pools import close_async_clients, sync_client

if TYPE_CHECKING:
    from tests.unit.group_world import Circle

pytestmark = pytest.mark.django_db(databases=["default", "messages"], transaction=True)

MEMBERS = 100_000
POLLERS = 300
NOISE = 1_000
"""Octets by which counting itself differs; one for each member would be 100,000."""


@pytest.fixture(autouse=True)
def _sqlite_only() -> None:
    if connections["messages"].vendor != "sqlite":
        pytest.skip("only SQLite tells its instructions")


@dataclass(slots=True, kw_only=True)
class Work:
    """What was done meanwhile. ``steps`` are the instructions of SQLite's machine: what one statement does for many
    rows is seen there, as what one Valkey command does for many names is in the ``octets`` to and from Valkey.
    """

    statements: dict[str, list[str]] = field(default_factory=dict)
    rows_written: dict[str, int] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    commands: Counter[str] = field(default_factory=Counter)
    octets: int = 0
    tasks: list[str] = field(default_factory=list)


class Meter:
    """Counts at both databases, at Valkey, inside of its scripts too, and at Celery's door."""

    def __init__(self, valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._valkey = sync_client(valkey_url)
        self._asked: list[str] = []
        monkeypatch.setattr(current_app, "send_task", lambda name, **options: self._asked.append(name))

    @contextlib.contextmanager
    def measure(self) -> Iterator[Work]:
        work = Work()
        self._asked.clear()
        with contextlib.ExitStack() as stack:
            for alias in ("default", "messages"):
                stack.enter_context(self._measure_database(alias, work))
            stack.enter_context(self.measure_valkey(work))
            yield work
        work.tasks = list(self._asked)

    @contextlib.contextmanager
    def measure_valkey(self, work: Work) -> Iterator[None]:
        commands, octets = self._read_valkey()
        yield
        commands_after, octets_after = self._read_valkey()
        work.commands, work.octets = commands_after - commands, octets_after - octets

    @staticmethod
    @contextlib.contextmanager
    def _measure_database(alias: str, work: Work) -> Iterator[None]:
        connection = connections[alias]
        connection.ensure_connection()
        sqlite = connection.connection
        work.statements[alias], work.steps[alias] = [], 0

        def execute(execute: Any, sql: str, *rest: Any) -> Any:
            work.statements[alias].append(sql)
            return execute(sql, *rest)

        def step() -> None:
            work.steps[alias] += 1

        before = sqlite.total_changes
        sqlite.set_progress_handler(step, 1)
        with connection.execute_wrapper(execute):
            yield
        sqlite.set_progress_handler(None, 1)
        assert connection.connection is sqlite, "what another connection did was not counted"
        work.rows_written[alias] = sqlite.total_changes - before

    def _read_valkey(self) -> tuple[Counter[str], int]:
        stats = self._valkey.info("stats")
        octets = int(stats["total_net_input_bytes"]) + int(stats["total_net_output_bytes"])
        calls = {name: each["calls"] for name, each in self._valkey.info("commandstats").items()}
        return Counter({name: count for name, count in calls.items() if name != "cmdstat_info"}), octets


@pytest.fixture
def meter(circle: "Circle", cache_valkey: str, monkeypatch: pytest.MonkeyPatch) -> Meter:
    return Meter(cache_valkey, monkeypatch)


@pytest.fixture
def polled(circle: "Circle", settings: Any) -> "Circle":
    """Return a group of three that is polled, with a message that is in the cache, open at one gateway."""
    settings.GROUP_PUSH_LIMIT = 2
    rename(circle, "Crowd")
    send(circle, 1)
    assert len(ask(circle)) == 1
    open_at_a_gateway(circle)
    return circle


def rename(circle: "Circle", name: str) -> None:
    """A change, after which the group knows how many it has."""
    circle.relay(circle.change("renamed", circle.ada, name=name))


def grow(circle: "Circle", members: int) -> None:
    """So many there are now: rows as if they had joined, made by the database itself."""
    from apps.accounts.models import User
    from apps.groups.models import Group, Member

    missing = members - Group.objects.get(pk=circle.group_id).member_count
    copy_rows(User, circle.bob, missing, {"id": "printf('usr-%012x', i)", "username": "printf('crowd%d', i)"})
    template = Member.objects.get(group_id=circle.group_id, user_id=circle.bob)
    copy_rows(Member, template.pk, missing, {"id": "NULL", "user_id": "printf('usr-%012x', i)"})
    rename(circle, "A large crowd")
    assert Group.objects.get(pk=circle.group_id).member_count == members


def copy_rows(model: type[Model], pk: object, count: int, changes: dict[str, str]) -> None:
    """So many copies of a row, with ``i`` from 1 in the columns that differ. Objects would take ten seconds."""
    columns = [one.column for one in model._meta.concrete_fields]
    values = ", ".join(changes.get(name, name) for name in columns)
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < %s) "  # noqa: S608
            f"INSERT INTO {model._meta.db_table} ({', '.join(columns)}) "
            f"SELECT {values.replace('%', '%%')} FROM {model._meta.db_table}, numbers WHERE id = %s",
            [count, pk],
        )


def open_at_a_gateway(circle: "Circle") -> None:
    async def note() -> None:
        await viewers.note_viewers("gw-1", [circle.group_id])
        await close_async_clients()

    asyncio.run(note())


def send(circle: "Circle", number: int) -> None:
    """All that a relay does with a message."""
    message = circle.message(number, timestamp_ms=int(time.time() * 1000))
    GroupHinter(BusSender()).pass_on(circle.relay(message).hints)


def ask(circle: "Circle") -> tuple[str, ...]:
    """The first page."""
    return list_page(PageRequest(group_id=circle.group_id, after=0, since_ms=0, limit=100))


def test_a_message_to_a_hundred_thousand_is_one_row_and_nothing_for_each_member(polled: "Circle", meter: Meter) -> None:
    with meter.measure() as of_three:
        send(polled, 2)
    assert polled.bus.pushes == []
    grow(polled, MEMBERS)
    polled.bus.pushes.clear()
    with meter.measure() as of_many:
        send(polled, 3)

    assert of_many.rows_written == {"default": 0, "messages": 1}
    assert polled.standing(3).members == MEMBERS - 1, "it was to so many"
    assert of_many.tasks == []
    assert polled.bus.pushes == []
    assert of_many.commands["cmdstat_publish"] == 1, "to the gateway at which somebody has it open"
    assert len(ask(polled)) == 3
    assert (of_many.statements, of_many.rows_written) == (of_three.statements, of_three.rows_written)
    assert min(of_three.steps.values()) > 0
    assert of_many.steps == of_three.steps
    assert of_many.commands == of_three.commands
    assert of_many.octets == pytest.approx(of_three.octets, abs=NOISE)


def test_a_page_that_is_cached_costs_no_sql(polled: "Circle", meter: Meter) -> None:
    with meter.measure() as work:
        pages = [ask(polled) for _ in range(POLLERS)]
    assert {len(page) for page in pages} == {1}
    assert (work.statements, work.steps) == ({"default": [], "messages": []}, {"default": 0, "messages": 0})
    assert work.commands["cmdstat_evalsha"] == POLLERS


class Threads:
    """In the place of the gateway's database threads: says how often they were needed. On the event loop itself Django
    allows no SQL.
    """

    def __init__(self) -> None:
        self.calls = 0

    async def run(self, function: Callable[[], Any]) -> Any:
        self.calls += 1

        def call() -> Any:
            try:
                return function()
            finally:
                connections.close_all()

        return await asyncio.to_thread(call)


def test_members_who_poll_at_a_gateway_cost_no_sql_and_one_call_of_the_cache_for_all(
    polled: "Circle", meter: Meter
) -> None:
    """Once it knows them: and that costs two calls for all of them."""
    grow(polled, POLLERS)
    polls = [
        PagePoll(digest=digest, group_id=polled.group_id, after=0, since_ms=0, limit=100)
        for digest in log_in_everybody(polled)
    ]
    threads, second_round = Threads(), Work()
    answers: list[list[str] | None] = []
    calls: list[int] = []

    async def poll_twice() -> None:
        reader = GroupPageReader(KnownSessions(threads), AccountDirectory(threads.run))  # type: ignore[arg-type]
        task = asyncio.create_task(reader.run())
        for work in (Work(), second_round):
            with meter.measure_valkey(work):
                answers.extend(await asyncio.gather(*map(reader.read, polls)))
            calls.append(threads.calls)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await close_async_clients()

    asyncio.run(poll_twice())
    assert [answer and len(answer) for answer in answers] == [1] * 2 * POLLERS
    assert calls == [2, 2]
    assert second_round.commands["cmdstat_evalsha"] == 1


def log_in_everybody(circle: "Circle") -> list[str]:
    """A device for each member; gives their credentials' digests."""
    from apps.accounts.models import Device
    from apps.groups.models import Member

    members = Member.objects.filter(group_id=circle.group_id, to_sequence=None).values_list("user_id", flat=True)
    devices = [Device(user_id=one, name="phone", kind=Device.Kind.TOKEN, credential_hash=one) for one in members]
    return [device.credential_hash for device in Device.objects.bulk_create(devices)]
