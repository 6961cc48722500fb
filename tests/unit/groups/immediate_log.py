"""The log and the relay behind it, for tests of what is asked of groups: what is appended is in force at once."""

from collections.abc import Callable, Sequence

import pytest

from apps.groups.changes import Outcome, carry_out
from apps.messagelog.base import Entry, LogUnavailable
from apps.protocol.records import GroupChangeSubmitted, decode_record


class ImmediateLog:
    """Stands in the place of a MessageLog. ``is_held``: what is appended waits for ``relay``; ``is_down``: it fails;
    ``meanwhile`` is called once before the next append: what it appends stands before that.
    """

    def __init__(self) -> None:
        self.records: list[GroupChangeSubmitted] = []
        self.is_held = False
        self.is_down = False
        self.meanwhile: Callable[[], object] | None = None
        self._waiting: list[tuple[int, GroupChangeSubmitted]] = []
        self.sequence = 0

    def append(self, entries: Sequence[Entry]) -> list[int]:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        if self.is_down:
            raise LogUnavailable("down")
        return [self._append(entry) for entry in entries]

    def relay(self) -> list[Outcome]:
        """Carry out what was appended since the last time."""
        waiting, self._waiting = self._waiting, []
        return [carry_out(record, sequence) for sequence, record in waiting]

    def _append(self, entry: Entry) -> int:
        record = decode_record(entry.payload)
        assert isinstance(record, GroupChangeSubmitted)
        assert entry.key == record.group_id
        self.sequence += 1
        self.records.append(record)
        self._waiting.append((self.sequence, record))
        if not self.is_held:
            self.relay()
        return self.sequence

    def kinds(self) -> list[str]:
        """The kinds of all changes so far."""
        return [record.kind for record in self.records]


def put_in_place(monkeypatch: pytest.MonkeyPatch) -> ImmediateLog:
    """Let the services append to such a log."""
    log = ImmediateLog()
    monkeypatch.setattr("apps.groups.services.submission.get_message_log", lambda: log)
    return log
