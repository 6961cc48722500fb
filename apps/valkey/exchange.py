"""One round of a batch from a process that is not async: to one server, or to several nodes at the same time."""

from collections.abc import Sequence
from typing import Any

from redis.exceptions import RedisError, ResponseError

from apps.valkey.batch import Shipment
from apps.valkey.pools import sync_client


def exchange(shipments: Sequence[Shipment]) -> list[list[Any]]:
    """Each shipment's answers; errors are answers too. Several nodes work at the same time: all is written before
    anything is read.
    """
    if len(shipments) == 1:
        return [_send(shipments[0])]
    calls = [_NodeCall(shipment) for shipment in shipments]
    try:
        for call in calls:
            call.write()
        return [call.read() for call in calls]
    finally:
        for call in calls:
            call.end()


def _send(shipment: Shipment) -> list[Any]:
    client = sync_client(shipment.url)
    try:
        if len(shipment.commands) == 1:
            return [client.execute_command(*shipment.commands[0])]
        with client.pipeline(transaction=False) as pipeline:
            for args in shipment.commands:
                pipeline.execute_command(*args)
            return list(pipeline.execute(raise_on_error=False))
    except (RedisError, OSError) as error:
        return [error] * len(shipment.commands)


class _NodeCall:
    """One shipment over one connection, which goes back to its pool clean or closed."""

    def __init__(self, shipment: Shipment) -> None:
        self._commands = shipment.commands
        self._client = sync_client(shipment.url)
        self._connection: Any = None
        self._failure: Exception | None = None
        self._is_clean = False

    def write(self) -> None:
        try:
            self._connection = self._client.connection_pool.get_connection()
            self._connection.send_packed_command(self._connection.pack_commands(self._commands))
        except (RedisError, OSError) as error:
            self._failure = error

    def read(self) -> list[Any]:
        answers = [self._failure or self._read_one(str(args[0])) for args in self._commands]
        self._is_clean = self._failure is None
        return answers

    def _read_one(self, name: str) -> Any:
        try:
            return self._client.parse_response(self._connection, name)
        except ResponseError as error:
            return error
        except (RedisError, OSError) as error:
            self._failure = error
            return error

    def end(self) -> None:
        if self._connection is None:
            return
        if not self._is_clean:
            self._connection.disconnect()
        self._client.connection_pool.release(self._connection)
