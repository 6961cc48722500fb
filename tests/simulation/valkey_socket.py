"""fakeredis without a wire: one command in, its answer out, as quickly as Python allows."""

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

Command = Sequence[Any]


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
