"""The databases of the simulation: what they say of one moment."""

import sqlite3
from collections.abc import Callable
from typing import Any

from tests.simulation.databases import Cursor


class Owner:
    """Passes each statement on, and lets somebody else write between a query and the reading of its rows."""

    def __init__(self, between: Callable[[], object]) -> None:
        self._between = between

    def pass_statement(self, what: str, effect: Callable[[], Any]) -> Any:
        answer = effect()
        self._between()
        return answer


def test_the_rows_of_a_query_are_those_of_one_moment() -> None:
    raw = sqlite3.connect(":memory:")
    raw.execute("CREATE TABLE device (id INTEGER PRIMARY KEY, seen INTEGER)")
    raw.executemany("INSERT INTO device VALUES (?, 0)", [(number,) for number in range(10)])
    # Whoever read on row by row would meet these a second time.
    owner: Any = Owner(lambda: raw.execute("UPDATE device SET id = id + 100 WHERE id < 5"))
    cursor: Any = raw.cursor(factory=lambda connection: Cursor(connection, owner))
    cursor.execute("SELECT id FROM device ORDER BY id")
    first, second = cursor.fetchone(), cursor.fetchmany(2)
    assert [first, *second, *cursor.fetchall()] == [(number,) for number in range(10)]
    assert cursor.fetchone() is None
    cursor.execute("SELECT id FROM device WHERE id > 100 ORDER BY id")
    assert list(cursor) == [(101,), (102,), (103,), (104,)]
