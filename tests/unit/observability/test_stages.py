"""A message's way: counted always, told only to who listens."""

import logging
from collections.abc import Iterator

import pytest

from apps.observability.metrics import MESSAGES
from apps.observability.stages import note_stage


def count() -> float:
    return MESSAGES["stored"]._value.get()


def never() -> Iterator[str]:
    raise AssertionError("nobody listens")
    yield ""


def test_messages_are_counted_and_their_ids_not_looked_at_while_nobody_listens() -> None:
    before = count()
    note_stage("stored", 3, never())
    assert count() == before + 3


def test_nothing_is_counted_or_said_of_no_messages(caplog: pytest.LogCaptureFixture) -> None:
    before = count()
    with caplog.at_level(logging.DEBUG, "chatsite.trace"):
        note_stage("stored", 0, never())
    assert (count(), caplog.records) == (before, [])


def test_who_listens_hears_one_line_a_message(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "chatsite.trace"):
        note_stage("stored", 2, iter(["msg-1", "msg-2"]))
    assert [line.message for line in caplog.records] == ["stored msg-1", "stored msg-2"]
    assert [vars(line)["message_id"] for line in caplog.records] == ["msg-1", "msg-2"]
