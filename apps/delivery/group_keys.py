"""Keys of the work for groups, on the server of ``REDIS_URL``.

groups:due               ZSET group id → ms when its messages are to be counted (again)
groups:confirmed         HASH group id → "lowest sequence confirmed since its last count, and how often one was"
group_counted:{group}    STRING "1", 1 s: it was counted a moment ago, the next time waits
group_counting:{group}   STRING token of whoever counts its messages, 10 s
group_telling:{group}    SET ids of messages that were counted and whose senders are being told, 1 day
fan_out:{group}          STRING token of whoever fans the group out, 30 s, renewed
"""

DUE_KEY = "groups:due"
CONFIRMED_KEY = "groups:confirmed"


def fan_out_key(group_id: str) -> str:
    """The lease of a group's fan-out."""
    return f"fan_out:{group_id}"


def counting_key(group_id: str) -> str:
    """The lease of a count of a group's messages."""
    return f"group_counting:{group_id}"


def telling_key(group_id: str) -> str:
    """What the senders of a group's messages are still to be told."""
    return f"group_telling:{group_id}"
