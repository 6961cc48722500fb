"""Lua scripts: one file a script, sent by hash, and sent whole when the server does not know it (yet, or any more)."""

from hashlib import sha1
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis.exceptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from apps.valkey.pools import AsyncValkey, SyncValkey

Argument = str | bytes | int | float


class Script:
    """One Lua script. ``run`` and ``run_async`` raise ValkeyError."""

    def __init__(self, path: Path) -> None:
        self.text = path.read_text()
        # Not for security: EVALSHA's own name for a script.
        self.sha = sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    def run(self, client: "SyncValkey", keys: "Sequence[str]", arguments: "Sequence[Argument]") -> Any:
        """Run it on a server, waiting for the answer."""
        try:
            return client.evalsha(self.sha, len(keys), *keys, *arguments)
        except redis.exceptions.NoScriptError:
            return client.eval(self.text, len(keys), *keys, *arguments)

    async def run_async(self, client: "AsyncValkey", keys: "Sequence[str]", arguments: "Sequence[Argument]") -> Any:
        """Run it on a server from the event loop."""
        try:
            return await client.evalsha(self.sha, len(keys), *keys, *arguments)
        except redis.exceptions.NoScriptError:
            return await client.eval(self.text, len(keys), *keys, *arguments)
