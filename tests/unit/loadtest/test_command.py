"""The arguments of `manage.py loadtest`, its files and its live line."""

import io
import time
from argparse import ArgumentTypeError
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper

from apps.loadtest.accounts import LoadAccount, MalformedUsers, read_users
from apps.loadtest.figures import Load
from apps.loadtest.live_line import LiveLine
from apps.loadtest.pair import Clock, Latencies, Pair
from apps.operations.management.commands.loadtest import number, site_address


def test_the_address_of_a_site_has_the_port_of_its_scheme() -> None:
    assert (site_address("http://chat.example:81").port, site_address("http://chat.example/").port) == (81, 80)
    secure = site_address("https://chat.example")
    assert (secure.host, secure.port) == ("chat.example", 443)
    assert secure.tls is not None


@pytest.mark.parametrize(
    "text", ["", "chat.example", "ws://chat.example", "http://", "http://x:y", "http://x/ws/chat/"]
)
def test_what_is_no_address_of_a_site_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="it takes http://host:port"):
        site_address(text)


@pytest.mark.parametrize("text", ["0", "1.5", "many", "", "11", "nan"])
def test_what_is_no_number_within_bounds_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is not a whole number from 1 to 10"):
        number(int, 1, 10)(text)


def test_no_number_is_not_a_number() -> None:
    with pytest.raises(ArgumentTypeError, match="is not a number"):
        number(float, 0, 10)("nan")


def test_users_are_read_and_a_broken_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "users"
    file.write_text('{"user_id": "usr-1", "username": "a", "token": "x", "device_id": "d"}\n')
    assert read_users(file) == [LoadAccount(user_id="usr-1", token="x")]
    for broken in ("no json", "[]", '{"user_id": "usr-1"}'):
        file.write_text(f'{{"user_id": "usr-1", "token": "x"}}\n{broken}\n')
        with pytest.raises(MalformedUsers, match="line 2 is no user"):
            read_users(file)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("loadtest", users=tmp_path / "none")


def test_the_live_line_tells_rate_latency_and_what_is_on_its_way() -> None:
    out = io.StringIO()
    load = Load(pairs=1, window=1, rate=10, seconds=8, warmup_seconds=2, size=20)
    now, latencies = time.perf_counter(), Latencies()
    account = LoadAccount(user_id="usr-1", token="x")
    pair = Pair(account, account, clock=Clock(starts_at=now, ends_at=now), latencies=latencies, size=20)
    line = LiveLine(OutputWrapper(out), load)
    pair.sent, pair.acknowledged, pair.delivered = 5, 4, 2
    line.look([pair], [], latencies)
    latencies.acknowledged.append(0.012)
    line.look([pair], [], latencies)
    line.end_span()
    first, second = out.getvalue().split("\r")[1:]
    assert "of 10 s" in first
    assert "warming up" in first
    assert "✓ p99 12 ms" in second
    assert "3 without ✓✓" in second
    assert second.endswith("\n")
