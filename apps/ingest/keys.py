"""Every key of this package, with its type and how long it lives. Braces are literal: a user's hash tag on a cluster.

dedup:{user}:device:client_id  STRING "state message_id timestamp_ms sequence digest", state p(ending) or d(one); 7 days
rate:{user}                    LIST times in ms of the last accepted messages; 60 s
limited:{user}:minute          STRING messages asked for in that minute by one who may send few; 120 s
throttle:second                STRING messages admitted in that second, all gateways together; 2 s
"""

RATE_WINDOW_MS = 60_000


def dedup_key(user_id: str, device_id: str, client_id: str) -> str:
    """What is known of one message of one device."""
    return f"dedup:{{{user_id}}}:{device_id}:{client_id}"


def limited_key(user_id: str, minute: int) -> str:
    """Counter of one minute's messages of a user with a limit of their own."""
    return f"limited:{{{user_id}}}:{minute}"


def throttle_key(second: int) -> str:
    """Counter of one second's messages."""
    return f"throttle:{second}"


def rate_key(user_id: str) -> str:
    """When a user's last messages were accepted; the script of admission writes it."""
    return f"rate:{{{user_id}}}"
