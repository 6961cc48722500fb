"""A batch of commands on its way to the nodes that have their keys. Pure: who sends it is sync or async.

Only what a server certainly did not run is sent again: it said MOVED, ASK, TRYAGAIN or NOSCRIPT. A command without an
answer may have run, so its error is the answer.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    NoScriptError,
    TryAgainError,
)
from redis.exceptions import (
    ConnectionError as ConnectionFailed,
)
from redis.exceptions import (
    TimeoutError as TimedOut,
)

from apps.valkey.scripts import Argument, Script
from apps.valkey.slots import SlotMap, node_url

MAX_ROUNDS = 6
"""How often a command is sent at most: twice elsewhere in a reshard, once more for an unknown script, and spare."""

PAUSE_SECONDS = 0.05
"""Before what a node put off (TRYAGAIN) is sent again."""

Item = Sequence[Argument]
"""What a script is to do for one user; its first part is the user's hash tag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command and a key that says which node it is for; ``script`` where it is an EVALSHA."""

    args: tuple[Argument, ...]
    key: str
    script: Script | None = None


@dataclass(slots=True, kw_only=True)
class Shipment:
    """What goes to one node in one pipeline; ``indexes`` says whose answer each is, None: nobody's."""

    url: str
    commands: list[tuple[Argument, ...]] = field(default_factory=list)
    indexes: list[int | None] = field(default_factory=list)

    def add(self, args: tuple[Argument, ...], index: int | None = None) -> None:
        """Send a command after the others."""
        self.commands.append(args)
        self.indexes.append(index)


@dataclass(frozen=True, slots=True)
class _Detour:
    """Where a command goes in place of its slot's node."""

    url: str
    asking: bool = False
    unknown_script: bool = False


class Batch:
    """The commands that have no answer yet, and where each goes next."""

    def __init__(self, commands: Sequence[Command], server_url: str) -> None:
        self._commands = commands
        self._server_url = server_url
        self._answers: list[Any] = [None] * len(commands)
        self._open: dict[int, _Detour | None] = dict.fromkeys(range(len(commands)))
        self.failed_urls: set[str] = set()
        self.new_owner = ""
        self.was_misled = False
        self.put_off = False

    def next_shipments(self, slots: SlotMap | None) -> list[Shipment]:
        """What to send now, one shipment a node, in the order of the commands; nothing when all is answered.

        Without slots all goes to the one server. Raises ClusterDownError where no node has a slot.
        """
        self.put_off = False
        shipments: dict[str, Shipment] = {}
        loaded: set[tuple[str, str]] = set()
        for index, detour in self._open.items():
            command = self._commands[index]
            url = detour.url if detour else self._find_node(command.key, slots)
            shipment = shipments.setdefault(url, Shipment(url=url))
            if detour and detour.unknown_script and command.script and (url, command.script.sha) not in loaded:
                loaded.add((url, command.script.sha))
                shipment.add(("SCRIPT", "LOAD", command.script.text))
            if detour and detour.asking:
                shipment.add(("ASKING",))
            shipment.add(command.args, index)
        return list(shipments.values())

    def _find_node(self, key: str, slots: SlotMap | None) -> str:
        if slots is None:
            return self._server_url
        try:
            return slots.owner(key)
        except ClusterDownError:
            self.was_misled = True
            raise

    def take(self, shipment: Shipment, answers: Sequence[Any]) -> None:
        """Note what a node answered; errors are answers too."""
        for index, answer in zip(shipment.indexes, answers, strict=True):
            if index is not None:
                self._take_one(index, answer, shipment.url)

    def _take_one(self, index: int, answer: Any, url: str) -> None:
        self._answers[index] = answer
        match answer:
            case MovedError():
                self.was_misled = True
                self.new_owner = node_url(url, answer.host, answer.port)
                self._open[index] = _Detour(self.new_owner)
            case AskError():
                self._open[index] = _Detour(node_url(url, answer.host, answer.port), asking=True)
            case TryAgainError():
                self.put_off = True
                self._open[index] = None
            case NoScriptError():
                before = self._open[index]
                self._open[index] = _Detour(url, asking=bool(before and before.asking), unknown_script=True)
            case ConnectionFailed() | TimedOut():
                self.failed_urls.add(url)
                self.was_misled = True
                del self._open[index]
            case ClusterDownError():
                self.was_misled = True
                del self._open[index]
            case _:
                del self._open[index]

    def answers(self) -> list[Any]:
        """All answers, in the order of the commands. Raises the first that is an error."""
        for answer in self._answers:
            if isinstance(answer, Exception):
                raise answer
        return self._answers


def command(*args: Argument) -> Command:
    """A command whose first argument is its key."""
    return Command(args=args, key=str(args[1]))


def script_command(script: Script, tag: str, arguments: Iterable[Argument], *, on_cluster: bool) -> Command:
    """A call of a script for the keys of one hash tag (on one server: of any number of tags).

    On a cluster it names two keys that never exist. They lead it to the tag's node; and while that node's slot is
    being handed over key by key, several keys of which some are missing make both nodes put the call off (TRYAGAIN):
    no script ever runs on half of a user's keys.
    """
    keys = (f"{{{tag}}}", f"{{{tag}}}:") if on_cluster else ()
    return Command(args=("EVALSHA", script.sha, len(keys), *keys, *arguments), key=f"{{{tag}}}", script=script)


def item_commands(
    script: Script, head: Sequence[Argument], items: Sequence[Item], *, on_cluster: bool
) -> tuple[list[Command], list[list[int]]]:
    """Calls of a script that do all items, and which items each does: one call a hash tag, or one for all."""
    if not on_cluster:
        arguments = chain(head, chain.from_iterable(items))
        return [script_command(script, "", arguments, on_cluster=False)], [list(range(len(items)))]
    by_tag: Mapping[str, list[int]] = defaultdict(list)
    for index, item in enumerate(items):
        by_tag[str(item[0])].append(index)
    commands = [
        script_command(
            script, tag, chain(head, chain.from_iterable(items[index] for index in indexes)), on_cluster=True
        )
        for tag, indexes in by_tag.items()
    ]
    return commands, list(by_tag.values())


def scatter(indexes: Sequence[Sequence[int]], answers: Sequence[Sequence[Any]]) -> list[Any]:
    """Each item's own answer, in the order of the items."""
    found: list[Any] = [None] * sum(map(len, indexes))
    for whose, answer in zip(indexes, answers, strict=True):
        for index, one in zip(whose, answer, strict=True):
            found[index] = one
    return found
