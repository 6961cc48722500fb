"""How lines look, and that the settings send every logger through them."""

import copy
import json
import logging
import logging.config
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings

from apps.observability import process
from apps.observability.logs import JsonFormatter, TextFormatter


def record(message: str = "hello %s", *args: Any, level: int = logging.WARNING, **extra: Any) -> logging.LogRecord:
    logger = logging.getLogger("apps.example")
    return logger.makeRecord(logger.name, level, "file.py", 1, message, args, None, extra=extra)


def failed_record(error: Exception) -> logging.LogRecord:
    try:
        raise error
    except type(error):
        logger = logging.getLogger("apps.example")
        return logger.makeRecord(logger.name, logging.ERROR, "file.py", 1, "it failed", (), sys.exc_info())


def to_json(one: logging.LogRecord) -> dict[str, Any]:
    line = JsonFormatter().format(one)
    assert "\n" not in line
    fields: dict[str, Any] = json.loads(line)
    return fields


def test_text_is_one_line_for_people() -> None:
    assert TextFormatter().format(record("hello %s", "you")) == "WARNING apps.example: hello you"


def test_json_names_time_level_logger_event_and_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_server_id", "gw-1")
    fields = to_json(record("hello %s", "you"))
    assert fields.pop("timestamp").endswith("Z")
    assert fields.pop("pid") > 0
    assert fields == {
        "level": "warning",
        "logger": "apps.example",
        "event": "hello you",
        "role": process.ROLE,
        "server_id": "gw-1",
    }


def test_a_process_without_a_name_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_server_id", "")
    assert "server_id" not in to_json(record("hello"))


def test_json_has_the_message_id_as_a_field_and_nothing_else_that_was_passed() -> None:
    fields = to_json(record("hello", message_id="msg-1", stage="stored", content="hush"))
    assert (fields["message_id"], fields["stage"]) == ("msg-1", "stored")
    assert "content" not in fields


def test_an_exception_is_text_in_json_and_masked_in_both() -> None:
    one = failed_record(ValueError("unusable: content='hush'"))
    fields = to_json(one)
    assert fields["exception"].startswith("Traceback")
    assert "ValueError: unusable: content=[…]" in fields["exception"]
    assert "hush" not in fields["exception"] + TextFormatter().format(one)


def test_text_that_is_no_unicode_does_not_break_a_line() -> None:
    assert to_json(record("half a %s", "\ud800"))["event"] == "half a \ud800"


@pytest.fixture
def logging_restored() -> Iterator[None]:
    yield
    logging.config.dictConfig(settings.LOGGING)


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_settings_send_our_lines_and_those_of_libraries_through_the_formatter(
    form: str, logging_restored: None, capsys: pytest.CaptureFixture[str]
) -> None:
    configuration = copy.deepcopy(settings.LOGGING)
    configuration["handlers"]["stderr"]["formatter"] = form
    logging.config.dictConfig(configuration)
    logging.getLogger("apps.example").warning("redis://:hush@cache")
    logging.getLogger("some.library").warning("redis://:hush@cache")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all("hush" not in line and "redis://:" in line for line in lines)
    assert all(line.startswith("{") == (form == "json") for line in lines)
