"""A Valkey server under virtual time: fakeredis runs the product's own Lua scripts, and every call may fail."""

import asyncio
import copy
import hashlib
from collections.abc import Sequence
from typing import Any

import redis
import redis.asyncio
from fakeredis import FakeServer
from redis.exceptions import NoScriptError

from apps.operations.embedded_valkey import list_embedded_valkeys
from tests.simulation.bus import Bus
from tests.simulation.calls import Calls, Errors, Server
from tests.simulation.processes import outside_processes
from tests.simulation.valkey_socket import Command, Socket, describe, encode, name_of

CONFIG = {
    "appendonly": "yes",
    "maxmemory-policy": "noeviction",
    "no-appendfsync-on-rewrite": "no",
}
READS = frozenset(
    {
        *("get", "mget", "hget", "hmget", "hgetall", "exists", "info", "ping", "config get", "time", "xread", "xrange"),
        *("xrevrange", "xlen", "zrange", "zrevrangebyscore", "zcard", "zscore", "scan"),
    }
)
APPENDING = frozenset({"xadd", "eval", "evalsha"})
"""After these whoever waits for an entry of a stream looks again."""

ERRORS = Errors(
    refused=redis.ConnectionError,
    timed_out=redis.TimeoutError,
    lost=redis.ConnectionError,
    full=lambda text: redis.ResponseError(f"MISCONF Errors writing to the AOF file: {text}"),
)


class SimulatedValkey(Server):
    """One server, alone in its place. A restart finds what ``cut_back`` or ``lose_everything`` left.

    It syncs to its disk as often as the one of this name that the product starts: ``appendfsync``.
    """

    def __init__(self, name: str, calls: Calls, bus: Bus, *, seed: int) -> None:
        super().__init__(name, ERRORS)
        self.calls = calls
        self.appendfsync = next(one.appendfsync for one in list_embedded_valkeys() if one.name == name)
        self._bus = bus
        self._seed = seed
        self._starts = 0
        self._written = asyncio.Event()
        self._copy: dict[bytes, Any] | None = None
        self._journal: list[list[bytes]] = []
        self._synced = 0  # so many of the journal are on the disk
        self._keeps_journal = False
        self._begin_life({})

    # -- what befalls it ------------------------------------------------------------------------------------------

    def take_copy(self) -> None:
        """Remember how it is now, and from here on what is written: ``cut_back`` comes."""
        self._copy = copy.deepcopy(self._databases()[0]._dict)
        self._journal, self._synced, self._keeps_journal = [], 0, True

    def cut_back(self) -> None:
        """Start again with what was synced: what the copy had, and (if it syncs always) all that an answer told of.

        Valkey answers nobody, readers neither, before what was written till then is on the disk.
        """
        synced = self._journal[: self._synced] if self.appendfsync == "always" else []
        kept, scripts = self._copy or {}, dict(self._server.script_cache)
        self._copy, self._journal, self._keeps_journal = None, [], False
        self._begin_life(kept)
        self._server.script_cache.update(scripts)
        for fields in synced:
            self._socket.run(fields)
        self._server.script_cache.clear()

    def restart(self) -> None:
        """Start again with everything, as after a kill -9 that the page cache survives."""
        self._begin_life(self._databases()[0]._dict)

    def lose_everything(self) -> None:
        """Start again empty."""
        self._begin_life({})

    def flush(self) -> None:
        """FLUSHALL: the server runs on."""
        self.look("FLUSHALL")

    # -- what is in it --------------------------------------------------------------------------------------------

    def look(self, *command: Any) -> Any:
        """Ask it from outside of the simulation: no time passes, nothing fails."""
        with outside_processes():
            return self._socket.run(encode(command))

    # -- calls ----------------------------------------------------------------------------------------------------

    async def exchange(self, commands: Sequence[Command], limit: float) -> list[Any]:
        """The answers of commands sent together; those that are errors stand among them. Raises RedisError."""
        packed = [encode(command) for command in commands]
        if len(packed) == 1 and packed[0][0].lower() == b"xread" and b"BLOCK" in packed[0]:
            return [await self._read_blocking(packed[0], limit)]
        writes = any(name_of(fields) not in READS for fields in packed)
        answers, written = await self.calls.make(
            self, describe(packed), lambda: (self._run(packed), len(self._journal)), patience=limit, writes=writes
        )
        self._synced = max(self._synced, written)
        return answers

    async def _read_blocking(self, fields: list[bytes], limit: float) -> Any:
        """One call that waits at the server for an entry, however often others write meanwhile."""
        at = fields.index(b"BLOCK")
        plain = [*fields[:at], *fields[at + 2 :]]
        deadline = asyncio.get_running_loop().time() + int(fields[at + 1]) / 1000
        incarnation = self.incarnation
        answer = await self._read(plain, limit)
        while not answer and (left := deadline - asyncio.get_running_loop().time()) > 0:
            try:
                async with asyncio.timeout(left):
                    await self._written.wait()
            except TimeoutError:
                if not self.is_paused:
                    return None
            if self.incarnation != incarnation:
                raise self.errors.lost(f"{self.name} went away")
            if self._look_again(plain):
                answer = await self._read(plain, limit)
        return answer

    async def _read(self, plain: list[bytes], limit: float) -> Any:
        [answer], count = await self.calls.make(
            self, "xread", lambda: (self._run([plain]), len(self._journal)), patience=limit, writes=False
        )
        self._synced = max(self._synced, count)
        return answer

    def _look_again(self, plain: list[bytes]) -> bool:
        """Whether the waiting read has something by now; a frozen server will say when it goes on."""
        return self.is_paused or bool(self._run([plain])[0])

    def end(self) -> None:
        """See Server."""
        super().end()
        self._tell_written()

    def _run(self, packed: Sequence[list[bytes]]) -> list[Any]:
        with outside_processes():
            return [self._run_one(fields) for fields in packed]

    def _run_one(self, fields: list[bytes]) -> Any:
        name = name_of(fields)
        if name == "publish":
            return self._bus.publish(fields[1].decode(), fields[2])
        if name == "config get":
            config = CONFIG | {"appendfsync": self.appendfsync}
            return [text for key in map(bytes.decode, fields[2:]) for text in (key, config.get(key, ""))]
        if name == "ping":
            return "PONG"
        answer = self._socket.run(fields)
        # A script that was not run is none that wrote: whoever runs the journal again knows it.
        if name not in READS and not isinstance(answer, NoScriptError):
            if self._keeps_journal:
                self._journal.append(fields)
            if name in APPENDING:
                self._tell_written()
        return answer

    def _tell_written(self) -> None:
        written, self._written = self._written, asyncio.Event()
        written.set()

    def _databases(self) -> Any:
        return self._server.dbs

    def _begin_life(self, keys: dict[bytes, Any]) -> None:
        self._starts += 1
        run_id = hashlib.sha1(f"{self._seed} {self.name} {self._starts}".encode(), usedforsecurity=False).hexdigest()
        self._server = FakeServer(version=(9,), server_type="valkey")
        self._socket = Socket(self._server, run_id)
        database = self._server.dbs[0]
        for key, item in keys.items():
            database[key] = item
