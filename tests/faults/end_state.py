"""What a site at rest holds, as the checker reads it: its Message DB without contents, its dead letters, its inboxes.

`python -m tests.faults.end_state` prints it as JSON, of the site that the environment describes.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import orjson

from tests.client.site import PROJECT, Site

TIMEOUT = 300.0
ROWS = (
    "SELECT id, sender_id, receiver_id, group_id, undelivered, waiting, pending_devices, own_devices, history_for,"
    " refusal, expires_at_ms, content IS NOT NULL OR envelope IS NOT NULL OR media IS NOT NULL OR reply_to IS NOT NULL"
    " FROM message ORDER BY id"
)
CONTENT = ("content", "envelope", "media", "reply_to")


def read_end_state(site: Site) -> dict[str, Any]:
    """The end state of a site that runs on this machine. Raises RuntimeError with the error output when it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.end_state"],
        cwd=PROJECT,
        env=dict(site.environment),
        capture_output=True,
        timeout=TIMEOUT,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the end state cannot be read: {done.stderr.decode(errors='replace')[-4000:]}")
    found: dict[str, Any] = orjson.loads(done.stdout)
    return found | {"inboxes": site.waiting_entries()}


def _describe_site() -> dict[str, Any]:
    from django.conf import settings

    from apps.messagelog.log import get_message_log

    rows = _read_mongodb(settings.MESSAGE_STORE_URL) if settings.ON_MONGODB else _read_sql()
    return {
        "now_ms": int(time.time() * 1000),
        "dead_letters": get_message_log().status().dead_letters,
        "counts_to_tell": _count_untold(),
        "rows": list(rows),
    }


def _count_untold() -> int:
    """Groups to count, and messages whose senders are to be told how many have them."""
    from django.conf import settings

    from apps.delivery.group_keys import DUE_KEY, telling_key
    from apps.valkey.pools import sync_client

    client = sync_client(settings.REDIS_URL)
    return int(client.zcard(DUE_KEY)) + sum(int(client.scard(key)) for key in client.scan_iter(telling_key("*")))


def _read_sql() -> Iterator[dict[str, Any]]:
    from django.db import connections

    with connections["messages"].cursor() as cursor:
        cursor.execute(ROWS)
        for row in cursor:
            message_id, sender, receiver, group, undelivered, waiting, pending, own, keepers, *others = row
            refusal, expires, has_content = others
            yield {
                "message_id": message_id,
                "sender_id": sender,
                "receiver_id": receiver,
                "group_id": group,
                "undelivered": bool(undelivered),
                "waiting": bool(waiting),
                "pending_devices": pending.split(),
                "own_devices": own.split(),
                "history_for": keepers.split(),
                "refusal": refusal,
                "expires_at_ms": expires,
                "has_content": bool(has_content),
            }


def _read_mongodb(url: str) -> Iterator[dict[str, Any]]:
    from apps.messagestore.mongo_connection import open_collections

    collections = open_collections(url)
    for row in collections.messages.find({}):
        yield {
            "message_id": row["_id"],
            "sender_id": row["sender_id"],
            "receiver_id": row["receiver_id"] or "",
            "group_id": row.get("group_id") or "",
            "undelivered": row["undelivered"],
            "waiting": bool(row.get("waiting")),
            "pending_devices": row["pending_devices"],
            "own_devices": row["own_devices"],
            "history_for": row["history_for"],
            "refusal": row["refusal"],
            "expires_at_ms": int(row["expires_at"]),
            "has_content": any(name in row for name in CONTENT),
        }
    collections.database.client.close()


def main() -> None:
    """Print it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    import django

    django.setup()
    sys.stdout.buffer.write(orjson.dumps(_describe_site()))


if __name__ == "__main__":
    main()
