"""The log and the relay behind it, for tests of what is asked of groups: what is appended is in force at once."""

from collections.abc import Sequence

import pytest

from apps.groups.changes import Outcome, carry_out
from apps.messagelog.base import Entry, LogUnavailable
from apps.protocol.records import GroupChangeSubmitted, decode_record

FIRST_SEQUENCE = 1_000


class ImmediateLog:
    """Stands in the place of a MessageLog. ``is_held``: what is appended waits for ``relay``; ``is_down``: it fails."""

    def __init__(self) -> None:
        self.records: list[tuple[int, GroupChangeSubmitted]] = []
        self.is_held = False
        self.is_down = False
        self._done = 0

    def append(self, entries: Sequence[Entry]) -> list[int]:
        if self.is_down:
            raise LogUnavailable("down")
        first = FIRST_SEQUENCE + len(self.records)
        for sequence, entry in enumerate(entries, first):
            record = decode_record(entry.payload)
            assert isinstance(record, GroupChangeSubmitted)
            assert entry.key == record.group_id
            self.records.append((sequence, record))
        if not self.is_held:
            self.relay()
        return list(range(first, first + len(entries)))

    def relay(self) -> list[Outcome]:
        """Carry out what was appended since the last time."""
        waiting, self._done = self.records[self._done :], len(self.records)
        return [carry_out(record, sequence) for sequence, record in waiting]

    def kinds(self) -> list[str]:
        """The kinds of all changes so far."""
        return [record.kind for _, record in self.records]


def put_in_place(monkeypatch: pytest.MonkeyPatch) -> ImmediateLog:
    """Let the services append to such a log."""
    log = ImmediateLog()
    monkeypatch.setattr("apps.groups.services.submission.get_message_log", lambda: log)
    return log
