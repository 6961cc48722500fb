"""Clients of simulated Valkey servers, for blocking code and for the loop: redis-py's own, without the wires."""

from typing import Any

import redis
import redis.asyncio

from tests.simulation.valkey import SimulatedValkey
from tests.simulation.valkey_socket import Command
from tests.simulation.virtual_time import wait_for


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
