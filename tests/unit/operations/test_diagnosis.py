"""`manage.py doctor`: each part gets a line, each fault an advice, and a part that cannot be asked stops nothing."""

import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from apps.messagelog.base import LogRecord
from apps.messagelog.log import get_message_log
from apps.messagestore.base import StoreUnavailable
from apps.messagestore.orm import OrmMessageStore
from apps.operations import diagnosis
from apps.operations.diagnosis import CHECKS, LOOKS, Finding, diagnose

pytestmark = pytest.mark.django_db(databases=["default", "messages"], transaction=True)


@pytest.fixture(autouse=True)
def log(log_valkey: str, cache_valkey: str) -> None:
    """Set the log up; nobody reads it."""
    call_command("setup_log", stdout=io.StringIO())


def by_part() -> dict[str, Finding]:
    return {finding.part: finding for finding in diagnose()}


def test_each_part_is_looked_at() -> None:
    found = by_part()
    assert set(CHECKS) | set(LOOKS) <= set(found)
    for part in ("database", "message_store", "cache", "event_log", "valkey", "migrations", "log", "clocks"):
        assert found[part].level == "ok", found[part]


def test_an_empty_log_is_not_behind() -> None:
    assert by_part()["log"].text == "the relays are 0 records behind"


def test_a_fault_comes_with_what_to_do() -> None:
    finding = by_part()["relay"]
    assert (finding.level, finding.text) == ("fault", "no relay is running")
    assert "manage.py relay" in finding.advice


def test_a_part_that_cannot_be_asked_is_a_finding_and_the_others_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise StoreUnavailable("no such host\nand more")

    monkeypatch.setattr(OrmMessageStore, "count_expired", fail)
    found = by_part()
    assert found["retention"].level == "fault"
    assert "no such host" in found["retention"].text
    assert "and more" not in found["retention"].text
    assert found["disk"].text


def test_dead_letters_are_a_warning_that_names_a_page_that_is_there(admin_client: Client) -> None:
    record = LogRecord(partition=0, position=1, sequence=1, payload='["broken"]')
    get_message_log().bury(record, "ValueError")
    finding = by_part()["dead letters"]
    assert (finding.level, finding.text) == ("warning", "1 records could not be processed")
    page = admin_client.get(finding.advice.split()[0])
    assert page.status_code == 200
    assert b"ValueError" in page.content


@pytest.mark.parametrize(
    ("constant", "value", "part"),
    [
        ("CLOCK_SKEW_SECONDS", -1.0, "clocks"),
        ("LEAST_FREE_BYTES", 1 << 60, "disk"),
        ("EXPIRED_WORTH_A_WORD", -1, "retention"),
    ],
)
def test_what_is_worth_a_word_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, constant: str, value: float, part: str
) -> None:
    monkeypatch.setattr(diagnosis, constant, value)
    finding = by_part()[part]
    assert finding.level == "warning"
    assert finding.advice


def test_the_command_says_it_for_people_and_for_scripts_and_fails_on_a_fault() -> None:
    for as_json in (False, True):
        out = io.StringIO()
        with pytest.raises(CommandError, match="found"):
            call_command("doctor", (as_json and "--json") or "--no-color", stdout=out)
        lines = out.getvalue().splitlines()
        if as_json:
            assert {json.loads(line)["part"] for line in lines} >= set(LOOKS)
        else:
            assert any(line.startswith("✗ relay") for line in lines)
