"""A Valkey server under virtual time: fakeredis runs the product's own Lua scripts, and every call may fail."""

import asyncio
import copy
import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import redis
import redis.asyncio
from fakeredis import FakeServer
from fakeredis._commands import Signature
from fakeredis._helpers import SimpleError
from fakeredis._socket import FakeSocket
from fakeredis._socket._resp import convert_to_resp2, extract_command
from fakeredis.commands_mixins import scripting_mixin

from tests.simulation.bus import Bus
from tests.simulation.calls import Calls, Errors, Server
from tests.simulation.processes import outside_processes
from tests.simulation.virtual_time import wait_for

Command = Sequence[Any]

CONFIG = {
    "appendonly": "yes",
    "appendfsync": "always",
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
    """One server, alone in its place. A restart finds what ``cut_back`` or ``lose_everything`` left."""

    def __init__(self, name: str, calls: Calls, bus: Bus, *, seed: int) -> None:
        super().__init__(name, ERRORS)
        self.calls = calls
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

    def cut_back(self, *, everysec: bool) -> None:
        """Start again with what was synced: what the copy had, and (unless ``everysec``) all that an answer told of.

        Valkey answers nobody, readers neither, before what was written till then is on the disk.
        """
        synced = [] if everysec else self._journal[: self._synced]
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
            return [text for key in map(bytes.decode, fields[2:]) for text in (key, CONFIG.get(key, ""))]
        if name == "ping":
            return "PONG"
        if name not in READS:
            if self._keeps_journal:
                self._journal.append(fields)
            if name in APPENDING:
                answer = self._socket.run(fields)
                self._tell_written()
                return answer
        return self._socket.run(fields)

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


class Socket(FakeSocket):
    """A connection to fakeredis without a wire; it knows INFO, which fakeredis does not."""

    def __init__(self, server: FakeServer, run_id: str) -> None:
        super().__init__(server, 0, client_class=redis.Redis)
        self._compiled: dict[bytes, Callable[[], Any]] = {}
        self._info = (
            f"# Server\r\nredis_version:7.2.4\r\nvalkey_version:9.1.2\r\nrun_id:{run_id}\r\n"
            "# Cluster\r\ncluster_enabled:0\r\n# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n"
        ).encode()
        self._info_signature = Signature("info", "info", (bytes,))

    def run(self, fields: list[bytes]) -> Any:
        """Run a command and give its answer; an error is one. It is what fakeredis does, without its access lists."""
        name, arguments = extract_command(fields)
        now = time.time()
        for database in self._server.dbs.values():
            database.time = now
        try:
            function, signature = self._name_to_func(name)
            signature.check_arity(arguments, self.version)
            with self._server.lock:
                answer = self._run_command(function, signature, arguments, False)
        except SimpleError as error:
            answer = error
        return decode(self._decode_result(answer))

    def _run_command(self, func: Callable[..., Any] | None, sig: Signature, args: list[Any], from_script: bool) -> Any:
        """As fakeredis has it, for commands that nobody is notified of."""
        items: Sequence[Any] = ()
        try:
            ready = sig.apply(args, self._db, self.version)
            if len(ready) == 1:
                return ready[0]
            args, items = ready
            assert func is not None
            answer = convert_to_resp2(func(*args), self.server_type)
        except SimpleError as error:
            answer = error
        for item in items:
            item.writeback()
        return answer

    def eval(self, script: bytes, numkeys: int, *keys_and_args: bytes) -> Any:
        """EVAL, as fakeredis has it, but each script is compiled once, and Lua's garbage collected by Lua itself."""
        server: Any = self._server
        lua = self._get_server_runtime(server)
        run = self._compiled.get(script)
        if run is None:
            server.script_cache[hashlib.sha1(script, usedforsecurity=False).hexdigest().encode()] = script
            run = self._compiled[script] = lua.compile(script)
        server._lua_current_socket[0] = self
        self._script_resp = 2
        server._lua_set_keys_argv(lua.table_from(keys_and_args[:numkeys]), lua.table_from(keys_and_args[numkeys:]))
        try:
            return self._convert_lua_result(run(), nested=False)
        except scripting_mixin.LUA_MODULE.LuaError as error:
            raise SimpleError(f"ERR in a script: {error}") from None
        finally:
            self._script_resp = None

    def info(self, *sections: bytes) -> bytes:
        """INFO."""
        return self._info

    def _name_to_func(self, cmd_name: str) -> tuple[Callable[..., Any] | None, Signature]:
        if cmd_name == "info":
            return self.info, self._info_signature
        found: tuple[Callable[..., Any] | None, Signature] = super()._name_to_func(cmd_name)
        return found


class SyncClient(redis.Redis):
    """A blocking client of a simulated server."""

    def __init__(self, server: SimulatedValkey, answer_timeout: float) -> None:
        super().__init__(protocol=2)
        self.simulated = server
        self.answer_timeout = answer_timeout

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Run a command. Raises RedisError."""
        [answer] = wait_for(self.simulated.exchange([args], self.answer_timeout))
        return interpret(self.response_callbacks, args, answer, options)

    def pipeline(self, transaction: Any = True, shard_hint: Any = None) -> Any:
        """Commands that are sent together."""
        return SyncPipeline(self)

    def close(self) -> None:
        """Nothing is held."""


class Pipeline:
    """Commands that are sent together, in their order; it collects what a client would run."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._commands: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(type(self._client), name)
        return lambda *args, **kwargs: method(self, *args, **kwargs)

    def execute_command(self, *args: Any, **options: Any) -> "Pipeline":
        """Keep a command."""
        self._commands.append((args, options))
        return self

    def _take(self) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
        commands, self._commands = self._commands, []
        return commands

    def _finish(self, commands: Any, answers: list[Any], *, raise_on_error: bool) -> list[Any]:
        found: list[Any] = []
        for (args, options), answer in zip(commands, answers, strict=True):
            try:
                found.append(interpret(self._client.response_callbacks, args, answer, options))
            except redis.RedisError as error:
                if raise_on_error:
                    raise
                found.append(error)
        return found


class SyncPipeline(Pipeline):
    """The same for blocking code."""

    def __enter__(self) -> "SyncPipeline":
        return self

    def __exit__(self, *_: object) -> None:
        self._commands.clear()

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Send them. Raises RedisError."""
        commands = self._take()
        if not commands:
            return []
        answers = wait_for(self._client.simulated.exchange([args for args, _ in commands], self._client.answer_timeout))
        return self._finish(commands, answers, raise_on_error=raise_on_error)


class AsyncClient(redis.asyncio.Redis):
    """A client of a simulated server for the loop."""

    def __init__(self, server: SimulatedValkey, answer_timeout: float) -> None:
        super().__init__(protocol=2)
        self.simulated = server
        self.answer_timeout = answer_timeout

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Run a command. Raises RedisError."""
        [answer] = await self.simulated.exchange([args], self.answer_timeout)
        return interpret(self.response_callbacks, args, answer, options)

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Any:
        """Commands that are sent together."""
        return AsyncPipeline(self)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Nothing is held."""


class AsyncPipeline(Pipeline):
    """The same for the loop."""

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Send them. Raises RedisError."""
        commands = self._take()
        if not commands:
            return []
        sent = [args for args, _ in commands]
        answers = await self._client.simulated.exchange(sent, self._client.answer_timeout)
        return self._finish(commands, answers, raise_on_error=raise_on_error)


def interpret(callbacks: Any, args: Command, answer: Any, options: dict[str, Any]) -> Any:
    """An answer as redis-py gives it. Raises RedisError where it is an error."""
    if isinstance(answer, Exception):
        raise answer
    options.pop("keys", None)
    callback = callbacks.get(args[0]) or callbacks.get(str(args[0]).upper())
    return callback(answer, **options) if callback is not None else answer


def encode(command: Command) -> list[bytes]:
    """The fields of a command as they go over the wire."""
    words = [*str(command[0]).split(" "), *command[1:]]
    return [word if isinstance(word, bytes) else str(word).encode() for word in words]


def decode(answer: Any) -> Any:
    """An answer with text in the place of bytes."""
    if isinstance(answer, bytes):
        return answer.decode()
    return [decode(one) for one in answer] if isinstance(answer, list) else answer


def name_of(fields: Sequence[bytes]) -> str:
    """The name of a command, with its subcommand where it has one."""
    name = fields[0].decode().lower()
    return f"{name} {fields[1].decode().lower()}" if name == "config" else name


def describe(packed: Sequence[Sequence[bytes]]) -> str:
    """Commands in a few words, for the trace."""
    return ", ".join(name_of(fields) for fields in packed[:4])
