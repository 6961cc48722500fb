"""Every key of this package, with its type and how long it lives. Braces are literal: a group's hash tag on a cluster.

group_messages:{group}  ZSET sequence → a message as JSON, of a group that members poll; the newest 1,000, 1 h unread
group_times:{group}     ZSET the latest time (ms) up to a message → its sequence; as long
group_newest:{group}    STRING the newest sequence that a relay has stored; 1 h
group_whole:{group}     STRING "1": nothing older is kept anywhere; as long
group_run:{group}       STRING which run of the server all these are of: another one may lack what came last; as long
group_drops:{group}     STRING how often these were forgotten because the Message DB had lost some of it; 1 h
viewers:{group}         ZSET gateway process → ms until which somebody there may have the group open; 90 s
slow:{user}:group       STRING "1": this member wrote a moment ago, in a group with slow mode; as long as that lasts

Facts of groups and memberships stand beside those of accounts (apps.accounts.facts).
"""

VIEWERS_SECONDS = 90


def viewers_key(group_id: str) -> str:
    """Which gateway processes have the group open."""
    return f"viewers:{{{group_id}}}"


def slow_key(group_id: str, user_id: str) -> str:
    """There while a member must wait before the next message."""
    return f"slow:{{{user_id}}}:{group_id}"
