"""The bodies of ``POST /chat/poll``: frames of a client, and frames for it, many at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from apps.protocol.errors import ErrorCode
from apps.protocol.limits import MAX_ENVELOPE_FRAME_BYTES

MAX_POLL_BYTES = 1024 * 1024
MAX_POLL_FRAMES = 500
MAX_WAIT_MS = 25_000
MAX_MARK_CHARACTERS = 120
_MAX_NUMBER_DIGITS = 16


class PollError(Exception):
    """A body that cannot be taken; nothing of it was."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class PollMark:
    """What a client has received: answer ``number`` of a connection, and its inbox up to a place in an epoch.

    ``client`` is the first connection of this client, from which its later ones took over: where its polls reach
    several gateways it may have more than one. A mark goes out with an answer as ``poll`` and comes back as
    ``last_poll``. To clients it is opaque.
    """

    client: int
    connection_id: int
    number: int
    position: int
    epoch: str

    def __str__(self) -> str:
        return f"{self.client}.{self.connection_id}.{self.number}.{self.position}.{self.epoch}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PollRequest:
    """One poll. ``frames`` are texts as a socket would carry them.

    ``last_poll`` is the ``poll`` of the last answer that has come, empty where a client begins, and None for clients
    that know nothing of it.
    """

    frames: tuple[str, ...]
    wait_seconds: float
    last_poll: str | None


def decode_poll_request(body: bytes) -> PollRequest:
    """Parse and check a body. Raises PollError, which names the field and what was expected."""
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise PollError(ErrorCode.INVALID_JSON, "Expected one JSON object in UTF-8.") from error
    if not isinstance(fields, dict):
        raise PollError(ErrorCode.INVALID_JSON, "Expected one JSON object with frames and wait_ms.")
    return PollRequest(
        frames=_frames(fields.get("frames")),
        wait_seconds=_wait_ms(fields.get("wait_ms")) / 1000,
        last_poll=_last_poll(fields.get("last_poll")),
    )


def decode_mark(text: str) -> PollMark:
    """The mark of an answer. Raises PollError."""
    *numbers, epoch = text.split(".", maxsplit=4)
    if len(numbers) < 4 or not all(map(_is_number, numbers)) or len(text) > MAX_MARK_CHARACTERS:
        raise _invalid("last_poll", "the poll of the last answer, or an empty text to begin")
    client, connection_id, number, position = map(int, numbers)
    return PollMark(client=client, connection_id=connection_id, number=number, position=position, epoch=epoch)


def encode_poll_answer(frames: Sequence[str], mark: str) -> bytes:
    """The body of an answer; the frames are JSON already, ``mark`` is what the client has received with it."""
    return f'{{"frames":[{",".join(frames)}],"poll":{orjson.dumps(mark).decode()}}}'.encode()


def encode_poll_refusal(code: str, message: str, close_code: int | None, frames: Sequence[str]) -> bytes:
    """The body of an error, with what was still to be said to the client."""
    fields: dict[str, Any] = {"code": code, "message": message}
    if close_code is not None:
        fields["close_code"] = close_code
    if frames:
        fields["frames"] = [orjson.Fragment(frame) for frame in frames]
    return orjson.dumps(fields)


def _frames(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_POLL_FRAMES:
        raise _invalid("frames", f"a list of at most {MAX_POLL_FRAMES} frames")
    return tuple(_frame_text(index, frame) for index, frame in enumerate(value))


def _frame_text(index: int, frame: object) -> str:
    try:
        text = orjson.dumps(frame)
    except orjson.JSONEncodeError as error:
        # It reads more levels than it writes.
        raise _invalid(f"frames[{index}]", "an object of fewer than 250 levels") from error
    if len(text) > MAX_ENVELOPE_FRAME_BYTES:
        raise PollError(
            ErrorCode.CONTENT_TOO_LONG, f"frames[{index}]: expected at most {MAX_ENVELOPE_FRAME_BYTES:,} bytes."
        )
    return text.decode()


def _wait_ms(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_WAIT_MS:
        raise _invalid("wait_ms", f"an integer from 0 to {MAX_WAIT_MS:,}")
    return value


def _last_poll(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise _invalid("last_poll", "the poll of the last answer, or an empty text to begin")
    return value


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MAX_NUMBER_DIGITS


def _invalid(field: str, expected: str) -> PollError:
    return PollError(ErrorCode.INVALID_FIELD, f"{field}: expected {expected}.")
