"""Who is connected to this process: one connection of each device, found by the device's id."""

import asyncio
from collections.abc import Collection
from typing import TYPE_CHECKING

from apps.gateway.close_codes import CloseReason

if TYPE_CHECKING:
    from apps.gateway.connection import Connection


class ConnectionTable:
    """Of a device's connections the one is found that has the highest id, or is on its way to get one.

    A device may open several at once: of a client that gives up and tries again while the process is paused all come in
    together. Which of them is the newest the registry decides, by its ids, and its answers come in any order.
    """

    def __init__(self) -> None:
        self._found: dict[str, Connection] = {}
        self._rivals: dict[str, list[Connection]] = {}  # of devices that have more than one, all of them
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        """How many devices are connected."""
        return len(self._found)

    def values(self) -> "Collection[Connection]":
        """The one connection of each device."""
        return self._found.values()

    def find(self, device_id: str) -> "Connection | None":
        """A device's connection."""
        return self._found.get(device_id)

    def add(self, connection: "Connection") -> None:
        """One that is about to be registered: pushes may come as soon as the registry has it."""
        device_id = connection.device_id
        if (held := self._found.get(device_id)) is not None:
            self._rivals.setdefault(device_id, [held]).append(connection)
        self._found[device_id] = connection
        self._empty.clear()

    def settle(self, connection: "Connection") -> None:
        """One has been registered: of those that have, the one with the highest id stays and the others are closed."""
        rivals = self._rivals.get(connection.device_id)
        if rivals is None:
            return
        registered = [one for one in rivals if one.connection_id and not one.outgoing.closing]
        if not registered:
            return
        newest = max(registered, key=lambda one: one.connection_id)
        self._found[connection.device_id] = newest
        for one in registered:
            if one is not newest:
                one.close(CloseReason.REPLACED)

    def remove(self, connection: "Connection") -> None:
        """One has ended, or was not registered; another one that is open takes its place. Again it changes nothing."""
        device_id = connection.device_id
        rivals = self._rivals.get(device_id)
        if rivals is not None:
            if connection in rivals:
                rivals.remove(connection)
            if len(rivals) < 2:
                del self._rivals[device_id]
        if self._found.get(device_id) is not connection:
            return
        others = [one for one in rivals or () if not one.outgoing.closing]
        if others:
            self._found[device_id] = max(others, key=lambda one: one.connection_id)
            return
        del self._found[device_id]
        if not self._found:
            self._empty.set()

    async def wait_until_empty(self) -> None:
        """Until nobody is connected."""
        await self._empty.wait()
