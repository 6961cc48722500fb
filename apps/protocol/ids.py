"""Identifiers: how they are made, checked and derived."""

import re
import secrets
from hashlib import blake2b
from typing import NewType

ClientMessageId = int | str
"""The sender's own number of a message; ``42`` and ``"42"`` are two."""

MessageId = NewType("MessageId", str)

SNOWFLAKE_EPOCH_MS = 1_704_067_200_000
"""2024-01-01T00:00:00Z, the zero of a message id's 41 bits of milliseconds."""

_USER = re.compile(r"usr-[0-9a-f]{12}\Z")
_DEVICE = re.compile(r"dev-[0-9a-f]{12}\Z")
_GROUP = re.compile(r"grp-[0-9a-f]{12}\Z")
_MESSAGE = re.compile(r"msg-[0-9a-f]{16}\Z")
_EVENT = re.compile(r"evt-[0-9a-f]{16}\Z")
_MEDIA = re.compile(r"med-[0-9a-f]{32}\Z")


def new_user_id() -> str:
    """A fresh ``usr-`` id: 48 random bits."""
    return f"usr-{secrets.token_hex(6)}"


def new_device_id() -> str:
    """A fresh ``dev-`` id: 48 random bits."""
    return f"dev-{secrets.token_hex(6)}"


def new_group_id() -> str:
    """A fresh ``grp-`` id: 48 random bits."""
    return f"grp-{secrets.token_hex(6)}"


def new_event_id() -> str:
    """A fresh ``evt-`` id, of a change of a group: 64 random bits."""
    return f"evt-{secrets.token_hex(8)}"


def is_user_id(value: object) -> bool:
    """Whether the value has the form of a user's id."""
    return isinstance(value, str) and _USER.match(value) is not None


def is_device_id(value: object) -> bool:
    """Whether the value has the form of a device's id."""
    return isinstance(value, str) and _DEVICE.match(value) is not None


def is_group_id(value: object) -> bool:
    """Whether the value has the form of a group's id."""
    return isinstance(value, str) and _GROUP.match(value) is not None


def is_message_id(value: object) -> bool:
    """Whether the value has the form of a message's id."""
    return isinstance(value, str) and _MESSAGE.match(value) is not None


def is_event_id(value: object) -> bool:
    """Whether the value has the form of a group event's id."""
    return isinstance(value, str) and _EVENT.match(value) is not None


def is_media_id(value: object) -> bool:
    """Whether the value has the form of a media id."""
    return isinstance(value, str) and _MEDIA.match(value) is not None


def conversation_id(one: str, other: str) -> str:
    """The conversation of two users, whoever writes: a hash of the smaller id followed by the larger."""
    first, second = (one, other) if one < other else (other, one)
    return f"cnv-{blake2b((first + second).encode(), digest_size=8).hexdigest()}"


def message_id(snowflake: int) -> str:
    """A Snowflake number (63 bits) as a message id; ids sort as text as their numbers do."""
    return f"msg-{snowflake:016x}"


def client_id_key(client_id: ClientMessageId) -> str:
    """The client's id as text that keeps ``42`` and ``"42"`` apart."""
    return f"i{client_id}" if isinstance(client_id, int) else f"s{client_id}"


def client_id_from_key(key: str) -> ClientMessageId:
    """The client's id that ``client_id_key`` wrote."""
    return int(key[1:]) if key[0] == "i" else key[1:]


def conflicting_key(key: str, message_id: str) -> str:
    """The key under which a message is kept whose client id had been used before for other words."""
    return f"{key}{message_id}"


def used_key(key: str, message_id: str) -> str:
    """The key that ``conflicting_key`` was made of."""
    return key.removesuffix(message_id)
