"""Every key of this package, with its type and how long it lives. Braces are literal: a user's hash tag on a cluster.

inbox:{user}:device          ZSET message id → counter; until confirmed
inboxmeta:{user}:device      HASH epoch, counter, acked_ms, looked_ms; lives with the device
receipts:{user}:device       ZSET coalescing key → counter; until two heartbeats after it was written
receiptframes:{user}:device  HASH coalescing key → frame; as receipts
inboxlate:{user}:device       LIST kind, member, frame of changes refused while the inbox was rebuilt; 60 s
inboxlock:{user}             STRING token, 10 s: one rebuild of a user's inboxes at a time

A message's body is never here: drains read it from the Message DB.
"""

import re

LOCK_SECONDS = 10

PATTERN = "*:{usr-*}:dev-*"
"""All keys that belong to a device."""

_DEVICE_KEY = re.compile(r"(?:inbox|inboxmeta|receipts|receiptframes|inboxlate):\{(usr-\w+)\}:(dev-\w+)")


def device_keys(user_id: str, device_id: str) -> tuple[str, str, str, str]:
    """A device's inbox, meta, receipts and receipt-frames keys."""
    suffix = f":{{{user_id}}}:{device_id}"
    return f"inbox{suffix}", f"inboxmeta{suffix}", f"receipts{suffix}", f"receiptframes{suffix}"


def lock_key(user_id: str) -> str:
    """The lock under which a user's inboxes are rebuilt."""
    return f"inboxlock:{{{user_id}}}"


def find_device(key: str) -> tuple[str, str] | None:
    """The user and the device that a key of this package belongs to; None for any other key."""
    match = _DEVICE_KEY.fullmatch(key)
    return (match[1], match[2]) if match else None
