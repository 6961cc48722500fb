"""What a server must be able to do; asked of servers that answer, before they are relied on."""

from redis.exceptions import AskError, ResponseError

from apps.valkey.pools import SyncValkey


class UnsuitableServer(Exception):
    """What the server is, and what it takes in its place."""


def check_is_one_server(client: SyncValkey) -> None:
    """Raise UnsuitableServer for a node of a cluster, ValkeyError where the server does not answer."""
    if client.info("cluster").get("cluster_enabled"):
        raise UnsuitableServer(
            "is a node of a cluster: it takes a single server (only INBOX_REDIS_URL may be a cluster)"
        )


def check_keeps_inboxes(client: SyncValkey) -> None:
    """Raise UnsuitableServer where hash fields cannot expire or keys may be evicted, ValkeyError where it does not
    answer.
    """
    if not _knows_hexpire(client):
        server = client.info("server")
        version = server.get("valkey_version") or server.get("redis_version") or "unknown"
        raise UnsuitableServer(
            f"is a server without HEXPIRE (version {version}): it takes Valkey 9 or Redis 7.4, or newer"
        )
    memory = client.info("memory")
    policy = memory.get("maxmemory_policy", "noeviction")
    if memory.get("maxmemory") and policy != "noeviction":
        raise UnsuitableServer(
            f"is a server that evicts keys when its memory is full (maxmemory-policy {policy}): it takes noeviction, "
            "or waiting messages would be lost"
        )


def _knows_hexpire(client: SyncValkey) -> bool:
    """Ask it to let a field expire that does not exist."""
    try:
        client.execute_command("HEXPIRE", "no-such-key", 1, "FIELDS", 1, "no-such-field")
    except AskError:
        return True  # known, and sent on to the node that has the key (MOVED is one of these too)
    except ResponseError as error:
        return "unknown command" not in str(error).lower()
    return True
