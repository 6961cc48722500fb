"""Keys of the work for groups, on the server of ``REDIS_URL``.

groups:due               ZSET group id → ms when its messages are to be counted (again)
group_counted:{group}    STRING "1", 1 s: it was counted a moment ago, the next time waits
fan_out:{group}          STRING token of whoever fans the group out, 30 s, renewed
"""

DUE_KEY = "groups:due"


def fan_out_key(group_id: str) -> str:
    """The lease of a group's fan-out."""
    return f"fan_out:{group_id}"
