"""`manage.py replay`: plans, asks, and refuses while somebody reads."""

import asyncio
import io
import json

import pytest
from django.core.management import CommandError, call_command

from apps.messagelog.base import Entry, KnownLog, MessageLog, partition_of
from apps.messagelog.log import get_message_log

AT = partition_of("same", 12)


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("replay", *arguments, stdout=out)
    return out.getvalue()


def committed(log: MessageLog) -> int:
    return log.status().partitions[AT].committed["relay"]


@pytest.fixture
def log(log_valkey: str) -> MessageLog:
    """Return a log with five records that the relay has read."""
    log = get_message_log()
    log.set_up(KnownLog(generation=0, identity=""))

    async def append() -> None:
        await log.appender().append([Entry(key="same", payload=b"%d" % number) for number in range(5)])

    asyncio.run(append())
    reader = log.reader("relay", "r1")
    reader.commit(reader.poll(100, 100))
    reader.close()
    return log


def test_a_dry_run_says_how_many_records_and_changes_nothing(log: MessageLog) -> None:
    assert run("--from", f"{AT}:3", "--dry-run") == "3 records of 1 partitions would be read again by relay\n"
    assert committed(log) == 5


def test_with_yes_the_group_is_set_back(log: MessageLog) -> None:
    report = json.loads(run("--from", "oldest", "--yes", "--json"))
    assert report == {"records": 5, "positions": {str(AT): 1}, "done": True}
    assert committed(log) == 0


@pytest.mark.parametrize(("answer", "expected"), [("y\n", 0), ("n\n", 5), ("\n", 5), ("", 5)])
def test_without_yes_it_asks(log: MessageLog, monkeypatch: pytest.MonkeyPatch, answer: str, expected: int) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    if expected:
        with pytest.raises(CommandError, match=r"nothing was changed|give --yes"):
            run("--from", "oldest")
    else:
        run("--from", "oldest")
    assert committed(log) == expected


def test_a_group_that_is_read_is_refused_in_one_line(log: MessageLog) -> None:
    reader = log.reader("relay", "relay-7")
    reader.poll(1, 10)
    with pytest.raises(CommandError, match="read by relay-7: stop it first"):
        run("--from", "oldest", "--yes")
    reader.close()
    assert committed(log) == 5


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--from", "yesterday", "--yes"], "it takes oldest, PARTITION:POSITION, or a time"),
        (["--from", "oldest", "--json"], "--json takes --yes or --dry-run"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(log: MessageLog, arguments: list[str], expected: str) -> None:
    with pytest.raises(CommandError, match=expected):
        run(*arguments)
