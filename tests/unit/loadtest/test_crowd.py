"""A load on groups: what members see is counted member by member, and groups are made and deleted over REST."""

import asyncio
import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper

from apps.loadtest import groups
from apps.loadtest.accounts import LoadAccount
from apps.loadtest.connection import Address
from apps.loadtest.crowd import Crowd, Flight, Member
from apps.loadtest.figures import Load, collect_figures, format_table
from apps.loadtest.groups import GroupsUnavailable, open_groups
from apps.loadtest.live_line import LiveLine
from apps.loadtest.load import run_load, split_members
from apps.loadtest.pair import Clock, Latencies
from tests.client.memory_server import memory_server
from tests.unit.loadtest.test_load import address_of, make_account

NOBODY = Address(host="127.0.0.1", port=1)


def make_accounts(count: int) -> list[LoadAccount]:
    return [make_account(str(number)) for number in range(count)]


def make_crowd(members: int = 3, **clock: float) -> Crowd:
    now = time.perf_counter()
    times = {"starts_at": now, "ends_at": now + 60} | clock
    return Crowd("grp-1", make_accounts(members), size=20, clock=Clock(**times))


def ids(accounts: list[LoadAccount]) -> list[str]:
    return [account.user_id for account in accounts]


async def test_pairs_and_groups_are_measured_beside_each_other() -> None:
    load = Load(pairs=1, window=2, rate=60, seconds=1, warmup_seconds=0, size=20, groups=2, group_size=4)
    accounts = make_accounts(load.accounts)
    async with memory_server() as server:
        server.groups = {
            f"grp-{number}": ids(list(split_members(accounts, load, number))) for number in range(load.groups)
        }
        figures = await run_load(address_of(server), accounts, load, group_ids=list(server.groups))
    measured = figures.groups
    assert measured is not None
    assert figures.is_clean
    assert 15 <= figures.sent <= 21, "a third of what all send together"
    assert 32 <= measured.sent == measured.accepted <= 43, "two thirds, and one of each group before the measured time"
    assert measured.delivered == 3 * measured.sent
    assert measured.delivered_per_second == pytest.approx(measured.delivered, rel=0.2)
    assert (measured.repeated, measured.disordered, measured.missing) == (0, 0, 0)
    assert measured.last_arrival_ms.p50 is not None
    assert measured.acknowledged_ms.p50 is not None
    table = format_table(figures)
    assert "to groups: deliveries" in table
    assert "delivered (✓✓)" in table
    assert json.loads(json.dumps(asdict(figures)))["groups"]["delivered"] == measured.delivered


async def test_without_a_rate_a_group_has_one_message_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    on_their_way: list[int] = []
    send = Crowd.send

    def send_and_note(crowd: Crowd) -> None:
        send(crowd)
        on_their_way.append(sum(flight.missing > 0 for flight in crowd.flights))

    monkeypatch.setattr(Crowd, "send", send_and_note)
    load = Load(pairs=0, window=5, rate=0, seconds=0.5, warmup_seconds=0, size=20, groups=1, group_size=3)
    accounts = make_accounts(3)
    async with memory_server() as server:
        server.groups = {"grp-1": ids(accounts)}
        figures = await run_load(address_of(server), accounts, load, group_ids=["grp-1"])
    assert figures.groups is not None
    assert figures.groups.sent == len(on_their_way) > 5
    assert set(on_their_way) == {1}
    assert figures.is_clean
    assert "delivered (✓✓)" not in format_table(figures), "of pairs there is nothing to tell"


async def test_what_comes_twice_is_counted_and_confirmed_again() -> None:
    crowd = make_crowd(4)
    async with memory_server() as server:
        server.repeat_pushes = True
        server.groups = {"grp-1": ids(make_accounts(4))}
        await crowd.open(address_of(server))
        for _ in range(5):
            crowd.send()
        assert await crowd.wait_until_arrived(10)
        await asyncio.sleep(0.1)
        crowd.close()
        await asyncio.sleep(0)
    assert (crowd.arrived, crowd.repeated, crowd.missing, crowd.disordered) == (15, 15, 0, 0)


async def test_what_is_refused_is_counted_and_not_waited_for() -> None:
    crowd = make_crowd()
    async with memory_server() as server:
        server.refusals = [{"code": "rate_limited", "message": "slower", "retry_after_ms": 10}] * 2
        server.groups = {"grp-1": ids(make_accounts(3))}
        await crowd.open(address_of(server))
        crowd.start_window(1)
        async with asyncio.timeout(10):
            while crowd.acknowledged < 3:
                await asyncio.sleep(0.01)
        crowd._clock.ends_at = time.perf_counter()
        assert await crowd.wait_until_arrived(10)
        crowd.close()
        await asyncio.sleep(0)
    assert crowd.refusals == {"rate_limited": 2}
    assert crowd.missing == 0


def fly(crowd: Crowd, count: int, members: int) -> None:
    """So many messages are on their way, with ✓."""
    now = time.perf_counter()
    crowd.flights += [Flight(sent_at=now, missing=members, acknowledged=now) for _ in range(count)]


def test_each_member_has_an_order_of_its_own_and_what_is_owed_is_counted() -> None:
    crowd, bob, cyd = make_crowd(), Member(), Member()
    fly(crowd, 3, 2)
    for number in (0, 2, 1, 1):
        crowd._take_arrived(bob, number, time.perf_counter())
    crowd._take_arrived(cyd, 0, time.perf_counter())
    assert (crowd.arrived, crowd.disordered, crowd.repeated, crowd.missing) == (4, 1, 1, 2)
    assert [flight.last_arrival is not None for flight in crowd.flights] == [True, False, False]
    assert not crowd.is_settled


@pytest.mark.parametrize("trouble", ["missing", "disordered"])
def test_a_group_that_lacks_something_is_not_clean(trouble: str) -> None:
    load = Load(pairs=0, window=1, rate=1, seconds=1, warmup_seconds=0, size=20, groups=1, group_size=2)
    crowd, bob = make_crowd(2), Member()
    fly(crowd, 2, 1)
    for number in (1,) if trouble == "missing" else (1, 0):
        crowd._take_arrived(bob, number, time.perf_counter())
    figures = collect_figures(load, [], Latencies(), None, [crowd])
    assert not figures.is_clean
    assert getattr(figures.groups, trouble) == 1


def test_the_warm_up_does_not_count() -> None:
    load = Load(pairs=0, window=1, rate=1, seconds=1, warmup_seconds=9, size=20, groups=1, group_size=2)
    crowd = make_crowd(2, starts_at=time.perf_counter() + 9)
    fly(crowd, 1, 1)
    crowd._take_arrived(Member(), 0, time.perf_counter())
    figures = collect_figures(load, [], Latencies(), None, [crowd]).groups
    assert figures is not None
    assert (figures.delivered, figures.delivered_per_second, figures.last_arrival_ms.p50) == (1, 0, None)


def test_the_live_line_tells_deliveries_in_groups() -> None:
    out = io.StringIO()
    load = Load(pairs=0, window=1, rate=1, seconds=8, warmup_seconds=2, size=20, groups=1, group_size=3)
    line, crowd = LiveLine(OutputWrapper(out), load), make_crowd()
    fly(crowd, 2, 2)
    crowd._take_arrived(Member(), 0, time.perf_counter())
    line.look([], [crowd], Latencies())
    assert "group deliveries/s   1 groups wait" in out.getvalue()
    assert " 0 group deliveries/s" not in out.getvalue()


# -- Groups over REST ------------------------------------------------------------------------------------------------


class Site:
    """What the stub was asked: (method, path, token, body); ``delivery`` and ``refused`` are its answers."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str, Any]] = []
        self.members = 1
        self.delivery = "push"
        self.refused: set[str] = set()

    def answer(self, method: str, path: str, token: str, body: Any) -> tuple[int, Any]:
        self.calls.append((method, path, token, body))
        if method in self.refused:
            return 503, {"code": "unavailable", "message": "later"}
        if path == "/api/groups":
            self.members = 1
            return 201, {"group_id": f"grp-{len([one for one in self.calls if one[1] == '/api/groups'])}"}
        if path.endswith("/members"):
            self.members += len(body["user_ids"])
            return 200, {}
        if method == "DELETE":
            return 204, None
        return 200, {"delivery": self.delivery, "member_count": self.members}


@contextmanager
def serving(site: Site) -> Iterator[Address]:
    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            token = self.headers["Authorization"].removeprefix("Token ")
            status, answer = site.answer(self.command, self.path, token, json.loads(body) if body else None)
            text = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_DELETE = _handle  # noqa: N815  (the names that http.server looks for)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Address(host="127.0.0.1", port=server.server_port)
        finally:
            server.shutdown()
            thread.join()


TWO_GROUPS = Load(pairs=1, window=1, rate=1, seconds=1, warmup_seconds=0, size=20, groups=2, group_size=3)


def test_groups_are_made_of_the_accounts_after_the_pairs_and_deleted_by_their_owners(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(groups, "NAMED_AT_ONCE", 1)
    site, accounts, warnings = Site(), make_accounts(8), list[str]()
    with serving(site) as address, open_groups(address, accounts, TWO_GROUPS, warnings.append) as group_ids:
        assert group_ids == ["grp-1", "grp-2"]
        named = [call[3]["user_ids"] for call in site.calls if call[1].endswith("/members")]
        assert named == [["usr-3"], ["usr-4"], ["usr-6"], ["usr-7"]]
        assert [call[2] for call in site.calls if call[1] == "/api/groups"] == ["usr-2", "usr-5"]
        site.calls.clear()
        assert not [call for call in site.calls if call[0] == "DELETE"]
    deleted = [call[:3] for call in site.calls]
    assert deleted == [("DELETE", "/api/groups/grp-1", "usr-2"), ("DELETE", "/api/groups/grp-2", "usr-5")]
    assert warnings == []


def test_a_site_that_would_not_push_to_such_groups_is_told_and_they_are_deleted() -> None:
    site = Site()
    site.delivery = "poll"
    with (
        serving(site) as address,
        pytest.raises(GroupsUnavailable, match="GROUP_PUSH_LIMIT is lower"),
        open_groups(address, make_accounts(8), TWO_GROUPS, print),
    ):
        pass
    assert site.calls[-1][:2] == ("DELETE", "/api/groups/grp-1")


def test_a_refusal_is_told_with_what_the_site_said() -> None:
    site = Site()
    site.refused = {"POST"}
    with (
        serving(site) as address,
        pytest.raises(GroupsUnavailable, match=r"POST /api/groups: 503 .*later"),
        open_groups(address, make_accounts(8), TWO_GROUPS, print),
    ):
        pass


def test_a_group_that_stays_is_named_and_the_others_are_deleted() -> None:
    site, warnings = Site(), list[str]()
    with serving(site) as address, open_groups(address, make_accounts(8), TWO_GROUPS, warnings.append):
        site.refused = {"DELETE"}
    assert [line.split(":")[0] for line in warnings] == ["grp-1 was not deleted", "grp-2 was not deleted"]


def test_somebody_has_to_write() -> None:
    with pytest.raises(CommandError, match="give --pairs or --groups"):
        call_command("loadtest", "--pairs", "0")
