"""Which of a device's connections a process finds, in whatever order they are registered and end."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from apps.gateway.close_codes import CloseReason
from apps.gateway.connection_table import ConnectionTable


@dataclass(eq=False)
class FakeConnection:
    """As much of a connection as the table sees."""

    device_id: str = "dev-1"
    connection_id: int = 0
    outgoing: Any = field(default_factory=lambda: SimpleNamespace(closing=False))
    closed: CloseReason | None = None

    def close(self, reason: CloseReason) -> None:
        self.closed, self.outgoing.closing = reason, True


def opened(table: ConnectionTable, count: int) -> list[Any]:
    connections = [FakeConnection() for _ in range(count)]
    for one in connections:
        table.add(one)  # type: ignore[arg-type]
    return connections


def register(table: ConnectionTable, connection: Any, connection_id: int) -> None:
    connection.connection_id = connection_id
    table.settle(connection)


def test_the_last_of_three_that_were_registered_at_once_is_found_though_the_others_came_and_went() -> None:
    table = ConnectionTable()
    slow, first, second = opened(table, 3)
    register(table, first, 2)
    register(table, second, 3)
    table.remove(first)
    table.remove(second)
    register(table, slow, 1)
    assert table.find("dev-1") is slow
    assert slow.closed is None


def test_one_that_has_ended_replaces_nobody() -> None:
    table = ConnectionTable()
    older, newer = opened(table, 2)
    register(table, older, 5)
    table.remove(older)
    register(table, newer, 4)
    assert (table.find("dev-1"), newer.closed) == (newer, None)


def test_the_highest_id_stays_and_the_others_are_told() -> None:
    table = ConnectionTable()
    one, two, three = opened(table, 3)
    for connection, connection_id in ((two, 9), (three, 7), (one, 8)):
        register(table, connection, connection_id)
    assert table.find("dev-1") is two
    assert [one.closed, two.closed, three.closed] == [CloseReason.REPLACED, None, CloseReason.REPLACED]


def test_nobody_is_left_when_all_have_ended() -> None:
    table = ConnectionTable()
    for one in opened(table, 3):
        table.remove(one)
        table.remove(one)
    assert (len(table), table.find("dev-1"), table._rivals) == (0, None, {})


@given(st.permutations(range(4)), st.lists(st.tuples(st.sampled_from(["register", "end"]), st.integers(0, 3))))
def test_whoever_is_open_and_registered_is_found(ids: list[int], steps: list[tuple[str, int]]) -> None:
    table = ConnectionTable()
    connections = opened(table, 4)
    ended: set[int] = set()
    for what, number in steps:
        if what == "end":
            table.remove(connections[number])
            ended.add(number)
        elif number not in ended and not connections[number].connection_id:
            register(table, connections[number], ids[number] + 1)
    living = [one for number, one in enumerate(connections) if number not in ended and one.closed is None]
    registered = [one for one in living if one.connection_id]
    assert len(registered) <= 1
    if registered and len(living) == 1:
        assert table.find("dev-1") is registered[0]
    elif not living:
        assert table.find("dev-1") is None or table.find("dev-1").closed  # type: ignore[union-attr]
