"""What may be shown of dead letters: which, why, how large and from when; never what somebody wrote."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from apps.messagelog.base import DeadLetter
from apps.operations.tracing import made_at_ms
from apps.protocol.ids import is_message_id


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterLine:
    """``position`` is partition and sequence in the log; ``message_id`` and ``accepted_at`` are empty where the record
    is too broken to tell; ``size`` is in bytes.
    """

    position: str
    message_id: str
    reason: str
    size: int
    accepted_at: datetime | None


def describe_dead_letters(letters: Sequence[DeadLetter]) -> list[DeadLetterLine]:
    """One line each, in the order given."""
    return [_describe(letter) for letter in letters]


def _describe(letter: DeadLetter) -> DeadLetterLine:
    message_id = _find_message_id(letter.payload)
    return DeadLetterLine(
        position=f"{letter.partition}/{letter.sequence}",
        message_id=message_id,
        # A library's error may quote what it could not read.
        reason=re.split(r"[(:]", letter.reason, maxsplit=1)[0].strip()[:80],
        size=len(letter.payload.encode()),
        accepted_at=datetime.fromtimestamp(made_at_ms(message_id) / 1000, UTC) if message_id else None,
    )


def _find_message_id(payload: str) -> str:
    """The first message id among the record's fields; all kinds have it near the front."""
    try:
        fields = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return ""
    return next((field for field in fields if is_message_id(field)), "") if isinstance(fields, list) else ""
