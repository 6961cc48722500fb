"""The two databases of Django's under virtual time: real SQLite in memory, with a fault possible at each statement.

Each process has connections of its own. While one is in a transaction everybody else waits for it: that is what one
writer at a time comes to. What was not committed is gone when its process or the server dies.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import greenlet
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.sqlite3.base import DatabaseWrapper, SQLiteCursorWrapper

from tests.simulation.calls import Calls, Errors, Server
from tests.simulation.processes import current_process
from tests.simulation.schema import find_schema
from tests.simulation.virtual_time import is_blocking, wait_for

Answer = TypeVar("Answer")

BUSY_SECONDS = 5.0
TURN_EVERY = 8
ANSWER_SECONDS = 30.0
Database = DatabaseWrapper.Database
ERRORS = Errors(
    refused=Database.OperationalError,
    timed_out=Database.OperationalError,
    lost=Database.OperationalError,
    full=Database.OperationalError,
)


class SimulatedDatabase(Server):
    """One database. ``alias`` is Django's name for it."""

    def __init__(self, alias: str, name: str, calls: Calls) -> None:
        super().__init__(name, ERRORS)
        self.alias = alias
        self.calls = calls
        self._raw: Any = None
        self._holder: Connection | None = None
        self._free = asyncio.Event()
        self._open: dict[Connection, None] = {}
        self._statements = 0

    # -- what befalls it ------------------------------------------------------------------------------------------

    def end(self) -> None:
        """See Server: transactions under way are undone."""
        for connection in list(self._open):
            connection.break_off()
        super().end()

    def close(self) -> None:
        """The world is over."""
        for connection in list(self._open):
            connection.break_off()
        if self._raw is not None:
            self._raw.close()

    # -- connections ----------------------------------------------------------------------------------------------

    def connect(self) -> "Connection":
        """A connection for the process that asks."""
        made = Connection(self)
        self._open[made] = None
        return made

    def take_raw(self, make: Callable[[], Any]) -> Any:
        """The one connection to SQLite itself: no two ever do something at the same time."""
        if self._raw is None:
            self._raw = make()
            self._raw.executescript(find_schema(self.alias))
            self._raw.isolation_level = None  # transactions begin where Django begins them
        return self._raw

    def look(self, query: str) -> list[tuple[Any, ...]]:
        """Ask it from outside of the simulation: no time passes, nothing fails."""
        rows: list[tuple[Any, ...]] = self._raw.execute(query).fetchall()
        return rows

    # -- whose turn it is -----------------------------------------------------------------------------------------

    async def run(self, connection: "Connection", what: str, effect: Callable[[], Answer]) -> Answer:
        """Let a statement happen, when nobody else is in a transaction. Raises OperationalError."""
        while True:
            await self._wait_turn(connection)
            done = await self.calls.make(self, what, lambda: self._try(connection, effect), patience=ANSWER_SECONDS)
            if done:
                return done[0]

    def run_at_once(self, connection: "Connection", what: str, effect: Callable[[], Answer]) -> Answer:
        """The same within a transaction, giving nobody else a turn."""
        return self.calls.make_at_once(self, what, lambda: self._try(connection, effect))[0]

    def lets_others_run(self) -> bool:
        """Whether others get a turn at this statement of a transaction; it costs too much at each."""
        self._statements += 1
        return self._statements % TURN_EVERY == 0

    def is_held_by(self, connection: "Connection") -> bool:
        """Whether this one is in a transaction."""
        return self._holder is connection

    def _try(self, connection: "Connection", effect: Callable[[], Answer]) -> list[Answer]:
        """What the statement gave; nothing where somebody else was faster."""
        if connection.is_broken:
            raise self.errors.lost("the connection was lost")
        return [effect()] if self._holder in (None, connection) else []

    async def _wait_turn(self, connection: "Connection") -> None:
        try:
            async with asyncio.timeout(BUSY_SECONDS):
                while self._holder not in (None, connection):
                    await self._free.wait()
        except TimeoutError:
            raise self.errors.timed_out("database is locked") from None

    def hold(self, connection: "Connection") -> None:
        """A transaction begins."""
        self._holder = connection

    def undo(self) -> None:
        """Roll the present transaction back."""
        self._raw.rollback()

    def release(self, connection: "Connection") -> None:
        """It ended."""
        if self._holder is connection:
            self._holder = None
            freed, self._free = self._free, asyncio.Event()
            freed.set()

    def forget(self, connection: "Connection") -> None:
        """It is closed."""
        self._open.pop(connection, None)


class Connection(DatabaseWrapper):
    """Django's connection of one piece of blocking code."""

    def __init__(self, database: SimulatedDatabase) -> None:
        super().__init__(connections.settings[database.alias] | {"NAME": ":memory:", "CONN_MAX_AGE": 0}, database.alias)
        self.database = database
        self.is_broken = False
        if (process := current_process.get()) is not None:
            process.on_death(self.break_off)

    def __hash__(self) -> int:
        return id(self)

    def ensure_connection(self) -> None:
        """Not pytest-django's business: nothing of its databases is touched."""
        if self.connection is None:
            with self.wrap_database_errors:
                self.connect()

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect. Raises OperationalError."""
        self.database.check_up()
        self.is_broken = False
        make = super().get_new_connection
        return self.database.take_raw(lambda: make(conn_params))

    def init_connection_state(self) -> None:
        """Nothing to ask the server."""

    def _set_autocommit(self, autocommit: bool) -> None:
        """Nothing: to say so again to SQLite's one connection would commit what somebody else has begun."""

    def is_usable(self) -> bool:
        """Whether it still is connected."""
        return not self.is_broken

    def create_cursor(self, name: str | None = None) -> Any:
        """A cursor whose statements may fail."""
        return self.connection.cursor(factory=lambda raw: Cursor(raw, self))

    def pass_statement(self, what: str, effect: Callable[[], Answer]) -> Answer:
        """Run one statement."""
        if not is_blocking():
            raise AssertionError(f"{what} outside of blocking code")
        if self.database.is_held_by(self) and not self.database.lets_others_run():
            return self.database.run_at_once(self, what, effect)
        return wait_for(self.database.run(self, what, effect))

    def _start_transaction_under_autocommit(self) -> None:
        def begin() -> None:
            self.connection.cursor().execute("BEGIN")
            self.database.hold(self)

        with self.wrap_database_errors:
            wait_for(self.database.run(self, "BEGIN", begin))

    def _commit(self) -> None:
        if self.connection is not None:
            with self.wrap_database_errors:
                wait_for(self.database.run(self, "COMMIT", self._commit_now))

    def _commit_now(self) -> None:
        self.connection.commit()
        self.database.release(self)

    def _rollback(self) -> None:
        self._undo()

    def close(self) -> None:
        """Django would keep a database in memory for ever."""
        BaseDatabaseWrapper.close(self)

    def _close(self) -> None:
        self._undo()
        self.connection = None
        self.database.forget(self)

    def break_off(self) -> None:
        """Its process or its server died: what was not committed is gone."""
        self.is_broken = True
        self._undo()

    def _undo(self) -> None:
        if self.database.is_held_by(self):
            self.database.undo()
            self.database.release(self)


class Cursor(SQLiteCursorWrapper):
    """A cursor; each statement is a call to the server.

    A query's rows are read at once: they are of one moment, as on a server. The one connection to SQLite would read on
    in what others have written meanwhile.
    """

    def __init__(self, raw: Any, owner: Connection) -> None:
        super().__init__(raw)
        self._owner = owner
        self._rows: deque[Any] = deque()

    def execute(self, query: str, params: Any = None) -> Any:
        """See SQLiteCursorWrapper."""
        run, read = super().execute, super().fetchall

        def effect() -> Any:
            answer = run(query, params)
            self._rows = deque(read() if self.description is not None else ())
            return answer

        return self._owner.pass_statement(first_words(query), effect)

    def fetchone(self) -> Any:
        """The next row, None after the last."""
        return self._rows.popleft() if self._rows else None

    def fetchmany(self, size: int | None = 1) -> list[Any]:
        """The next rows."""
        return [self._rows.popleft() for _ in range(min(size or 1, len(self._rows)))]

    def fetchall(self) -> list[Any]:
        """All rows that are left."""
        rows, self._rows = list(self._rows), deque()
        return rows

    def __next__(self) -> Any:
        """The next row, for who goes through them."""
        if not self._rows:
            raise StopIteration
        return self._rows.popleft()

    def executemany(self, query: str, param_list: Any) -> Any:
        """See SQLiteCursorWrapper."""
        whole = super().executemany
        return self._owner.pass_statement(first_words(query), lambda: whole(query, param_list))


class Connections:
    """Stands in the place where Django keeps each thread's connections: one for each piece of blocking code."""

    owned: dict[greenlet.greenlet, dict[str, Any]]

    def __init__(self) -> None:
        object.__setattr__(self, "owned", {})

    def __getattr__(self, alias: str) -> Connection:
        owned = self.owned.get(greenlet.getcurrent())
        if owned is None or alias not in owned:
            raise AttributeError(alias)
        found: Connection = owned[alias]
        return found

    def __setattr__(self, alias: str, connection: object) -> None:
        self.owned.setdefault(greenlet.getcurrent(), {})[alias] = connection

    def __delattr__(self, alias: str) -> None:
        self.owned.get(greenlet.getcurrent(), {}).pop(alias, None)


def first_words(query: str) -> str:
    """A statement in a few words, for the trace."""
    words = query.split(None, 3)
    return " ".join(words[:3] if words[0] in ("INSERT", "DELETE") else words[:2])
