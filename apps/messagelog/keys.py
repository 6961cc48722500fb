"""Every key of the Valkey Streams adapter, with its type. None expires: the log is trimmed behind the relay.

log:{n}               STREAM of partition n; entry ids are 0-position, field "r" is the record
log:generation        STRING the log's generation; absent: the log is not set up
log:identity          STRING a random name, given when the log was made: tells it from every other log
log:partitions        STRING the number of partitions, fixed when the log was made
log:committed:{group} HASH partition → committed position
log:lease:{group}     STRING reader id, PX: who may read for the group
log:marks:{n}         ZSET position → time in ms when it was committed; tells how far a partition may be trimmed
log:dead              STREAM of records that could not be processed, with the reason
"""

GENERATION_KEY = "log:generation"
IDENTITY_KEY = "log:identity"
PARTITIONS_KEY = "log:partitions"
DEAD_KEY = "log:dead"
MARKS_PREFIX = "log:marks:"
STREAM_PREFIX = "log:"


def stream_key(partition: int) -> str:
    """The stream of a partition."""
    return f"{STREAM_PREFIX}{partition}"


def committed_key(group: str) -> str:
    """A consumer group's positions."""
    return f"log:committed:{group}"


def lease_key(group: str) -> str:
    """A consumer group's one active reader."""
    return f"log:lease:{group}"


def marks_key(partition: int) -> str:
    """When positions of a partition were committed."""
    return f"{MARKS_PREFIX}{partition}"
