"""Every key of this package, with its type and how long it lives. Braces are literal: a user's hash tag on a cluster.

connections:{user}   HASH device → "server_id connection_id connected_at_ms"; a field lives 60 s, renewed by heartbeats
presence:{user}      STRING "1", 60 s, renewed by heartbeats
gateway:server_id    STRING number of its connections, 60 s, renewed each second: a gateway that
                     misses it writes its connections anew; on a cluster one on each node (gateway:server_id:number)
connects:{address … or credential …}   STRING, connects in the running minute, 60 s; of a credential stands the digest

Read, and in part written, by this package's scripts, so that a gateway needs no inbox (apps.inbox describes them):
inboxmeta:{user}:device, inbox:{user}:device, receipts:{user}:device, receiptframes:{user}:device
"""

CONNECTION_TTL_SECONDS = 60


def connections_key(user_id: str) -> str:
    """Who of a user's devices is connected where."""
    return f"connections:{{{user_id}}}"


def presence_key(user_id: str) -> str:
    """There while the user is online."""
    return f"presence:{{{user_id}}}"


def connects_key(source: str) -> str:
    """Counter of the connects from an address or with a credential."""
    return f"connects:{{{source}}}"


def gateway_key(server_id: str) -> str:
    """The sign of life of one gateway process."""
    return f"gateway:{server_id}"


def gateway_channel(server_id: str) -> str:
    """The channel-layer channel that one gateway process reads."""
    return f"gateway.{server_id}"
