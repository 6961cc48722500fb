"""Text of one client frame to its type. Every field is checked here, once; nothing later sees JSON."""

from collections.abc import Callable
from typing import Any, Literal

import orjson

from apps.protocol import ids, limits
from apps.protocol.client_frames import (
    ClientFrame,
    ConfirmDelivery,
    Heartbeat,
    MarkRead,
    OpenChat,
    SendMessage,
    Typing,
)
from apps.protocol.errors import ErrorCode, FrameError

_Fields = dict[str, Any]


def decode_client_frame(text: str) -> ClientFrame:
    """Parse and check one text frame.

    Raises FrameError with ``invalid_json``, ``unknown_action``, ``invalid_field`` (naming the field) or
    ``content_too_long``; it carries ``message_id_by_client`` where the frame had a valid one.
    """
    # A character is at most 4 bytes: encode only what might be too long.
    size = len(text) if len(text) * 4 <= limits.MAX_FRAME_BYTES else _byte_length(text)
    try:
        fields = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise FrameError(ErrorCode.INVALID_JSON, "Expected one JSON object in UTF-8.") from error
    if not isinstance(fields, dict):
        raise FrameError(ErrorCode.INVALID_JSON, "Expected one JSON object.")
    action = fields.get("action")
    decode = _DECODERS.get(action) if isinstance(action, str) else None
    if decode is None:
        raise FrameError(ErrorCode.UNKNOWN_ACTION, f"Expected an action, one of: {', '.join(_DECODERS)}.")
    try:
        if size > limits.MAX_FRAME_BYTES and fields.get("envelope") is None:
            raise FrameError(
                ErrorCode.CONTENT_TOO_LONG, f"A frame is at most {limits.MAX_FRAME_BYTES} bytes without an envelope."
            )
        return decode(fields)
    except FrameError as error:
        error.message_id_by_client = _valid_client_id(fields.get("message_id_by_client"))
        raise


def _byte_length(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _decode_send_message(fields: _Fields) -> SendMessage:
    client_id = _valid_client_id(fields.get("message_id_by_client"))
    if client_id is None:
        raise _invalid("message_id_by_client", "an integer from 0 to 2^53-1 or a string of 1 to 64 characters")
    receiver_id, group_id = _one_target(fields)
    envelope = _optional_object(fields, "envelope")
    media = _optional_media(fields)
    content = _content(fields, required=envelope is None and media is None)
    if content is not None and envelope is not None:
        raise _invalid("content", "no content beside an envelope")
    return SendMessage(
        receiver_id=receiver_id,
        group_id=group_id,
        content=content,
        envelope=envelope,
        media=media,
        reply_to=_optional_message_id(fields, "reply_to"),
        client_id=client_id,
        sent_at_ms=_timestamp(fields),
    )


def _decode_confirm_delivery(fields: _Fields) -> ConfirmDelivery:
    _timestamp(fields, optional=True)
    several = fields.get("message_ids")
    if several is None:
        return ConfirmDelivery(message_ids=(_message_id(fields, "message_id"),))
    if fields.get("message_id") is not None:
        raise _invalid("message_ids", "either message_id or message_ids")
    if not isinstance(several, list) or not 1 <= len(several) <= limits.MAX_CONFIRMED_AT_ONCE:
        raise _invalid("message_ids", f"a list of 1 to {limits.MAX_CONFIRMED_AT_ONCE} message ids")
    if not all(map(ids.is_message_id, several)):
        raise _invalid("message_ids", "message ids, msg- and 16 hexadecimal digits each")
    return ConfirmDelivery(message_ids=tuple(several))


def _decode_mark_read(fields: _Fields) -> MarkRead:
    _timestamp(fields, optional=True)
    receiver_id, group_id = _one_target(fields)
    return MarkRead(message_id=_message_id(fields, "message_id"), receiver_id=receiver_id, group_id=group_id)


def _decode_heartbeat(fields: _Fields) -> Heartbeat:
    return Heartbeat()


def _decode_typing(fields: _Fields) -> Typing:
    receiver_id, group_id = _one_target(fields)
    state: Literal["start", "stop"]
    match fields.get("state"):
        case "start":
            state = "start"
        case "stop":
            state = "stop"
        case _:
            raise _invalid("state", '"start" or "stop"')
    return Typing(receiver_id=receiver_id, group_id=group_id, state=state)


def _decode_open_chat(fields: _Fields) -> OpenChat:
    user_id, group_id = fields.get("user_id"), fields.get("group_id")
    if user_id is not None and not ids.is_user_id(user_id):
        raise _invalid("user_id", "usr- and 12 hexadecimal digits")
    if group_id is not None and not ids.is_group_id(group_id):
        raise _invalid("group_id", "grp- and 12 hexadecimal digits")
    if user_id is not None and group_id is not None:
        raise _invalid("group_id", "at most one of user_id and group_id")
    return OpenChat(user_id=user_id, group_id=group_id)


_DECODERS: dict[str, Callable[[_Fields], ClientFrame]] = {
    "send_message": _decode_send_message,
    "message_delivered": _decode_confirm_delivery,
    "message_read": _decode_mark_read,
    "heartbeat": _decode_heartbeat,
    "typing": _decode_typing,
    "open_chat": _decode_open_chat,
}


def _invalid(field: str, expected: str) -> FrameError:
    return FrameError(ErrorCode.INVALID_FIELD, f"{field}: expected {expected}.", field=field)


def _valid_client_id(value: object) -> int | str | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if 0 <= value <= limits.MAX_CLIENT_ID_INTEGER else None
    if isinstance(value, str) and 1 <= len(value) <= limits.MAX_CLIENT_ID_CHARACTERS and "\0" not in value:
        return value
    return None


def _one_target(fields: _Fields) -> tuple[str | None, str | None]:
    receiver_id, group_id = fields.get("receiver_id"), fields.get("group_id")
    if group_id is None:
        if not ids.is_user_id(receiver_id):
            raise _invalid("receiver_id", "usr- and 12 hexadecimal digits, or a group_id")
    elif receiver_id is not None:
        raise _invalid("group_id", "exactly one of receiver_id and group_id")
    elif not ids.is_group_id(group_id):
        raise _invalid("group_id", "grp- and 12 hexadecimal digits")
    return receiver_id, group_id


def _content(fields: _Fields, *, required: bool) -> str | None:
    content = fields.get("content")
    if content is None and not required:
        return None
    if not isinstance(content, str) or (required and not content):
        raise _invalid("content", f"text of 1 to {limits.MAX_CONTENT_CHARACTERS:,} characters")
    if len(content) > limits.MAX_CONTENT_CHARACTERS:
        raise FrameError(
            ErrorCode.CONTENT_TOO_LONG,
            f"content: expected at most {limits.MAX_CONTENT_CHARACTERS:,} characters, got {len(content):,}.",
            field="content",
        )
    if "\0" in content:
        raise _invalid("content", "text without U+0000")
    return content or None


def _timestamp(fields: _Fields, *, optional: bool = False) -> int:
    value = fields.get("timestamp")
    if value is None and optional:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= limits.MAX_TIMESTAMP_MS:
        raise _invalid("timestamp", "milliseconds since the Unix epoch, an integer")
    return value


def _message_id(fields: _Fields, name: str) -> str:
    value = fields.get(name)
    if not ids.is_message_id(value):
        raise _invalid(name, "msg- and 16 hexadecimal digits")
    return str(value)


def _optional_message_id(fields: _Fields, name: str) -> str | None:
    return None if fields.get(name) is None else _message_id(fields, name)


def _optional_object(fields: _Fields, name: str) -> dict[str, Any] | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, dict) or not value:
        raise _invalid(name, "an object that is not empty")
    try:
        # Deeper than it may stand in a record: orjson reads more levels than it writes.
        orjson.dumps([[[value]]])
    except TypeError as error:
        raise _invalid(name, "an object of fewer than 250 levels") from error
    return value


def _optional_media(fields: _Fields) -> dict[str, Any] | None:
    media = _optional_object(fields, "media")
    if media is not None and not ids.is_media_id(media.get("media_id")):
        raise _invalid("media", "an object with a media_id, med- and 32 hexadecimal digits")
    return media
