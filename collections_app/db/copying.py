"""First loads: COPY runs beside the work that makes the next rows, and references are checked once for all rows."""

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import polars as pl
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from collections_app.db import bulk

# How long a first load waits to be alone with an empty table before it goes on with a check per row.
_LOCK_WAIT = "2s"
_Job = tuple[str, list[bytes]]


class Copier:
    """Appends frames to tables. On PostgreSQL a second thread feeds the server while the next frame is made.

    Until ``drain`` returns, the connection may be at work: no other statement of the session may run before it.
    Use as a context manager; leaving it drains, or after an error gives up what was still waiting.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._beside = session.get_bind().dialect.name == "postgresql"
        self._jobs: queue.Queue[_Job | None] = queue.Queue(maxsize=2)
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        # Of tables that nobody else can see: what all rows say alike, set as the column's default.
        self._said: dict[str, dict[str, Any]] = {}

    def add(self, table: sa.Table, frame: pl.DataFrame) -> None:
        """Append a frame; frames arrive in the order of the calls. Raises what an earlier frame met with."""
        if frame.is_empty():
            return
        if not self._beside:
            bulk.insert(self._session, table, frame)
            return
        if table.name in self._said:
            frame = self._without_said(table, frame)
        if self._thread is None:
            connection = bulk.driver(self._session)
            self._thread = threading.Thread(target=self._feed, args=(connection,), daemon=True)
            self._thread.start()
        job = (bulk.copy_statement(table, frame), list(bulk.csv_slices(frame)))
        self._raise()
        self._jobs.put(job)

    @contextmanager
    def first_load(self, *tables: sa.Table, indexes: bool = False) -> Iterator[None]:
        """Load tables of which nobody has had any use yet; they stay locked until the transaction ends.

        Foreign keys (and ``indexes``) follow at the end, see ``references_checked_at_end``; and what every row says
        alike does not travel with each: it is the column's default meanwhile.
        """
        with references_checked_at_end(self._session, *tables, indexes=indexes) as is_alone:
            self._said = {table.name: {} for table in tables} if is_alone else {}
            yield
            self.drain()
            for name, columns in self._said.items():
                for column in columns:
                    self._session.execute(sa.text(f'ALTER TABLE "{name}" ALTER COLUMN "{column}" DROP DEFAULT'))
            self._said = {}

    def is_alone(self, table: sa.Table) -> bool:
        """Tell whether nobody else can write to a table until this transaction ends."""
        return table.name in self._said

    def _without_said(self, table: sa.Table, frame: pl.DataFrame) -> pl.DataFrame:
        said = self._said[table.name]
        if not said:
            self.drain()
            connection = bulk.driver(self._session)
            # A number that the database draws by itself has a default that the metadata does not tell.
            own = {c.name for c in table.c if c.server_default is not None or c.primary_key}
            free = (c for c in frame.iter_columns() if c.name not in own and c.n_unique() == 1)
            said.update({c.name: c[0] for c in free if c[0] is not None and not c.dtype.is_float()})
            for column, value in said.items():
                change = sql.SQL("ALTER TABLE {} ALTER COLUMN {} SET DEFAULT {}")
                name = (sql.Identifier(table.name), sql.Identifier(column))
                connection.execute(change.format(*name, sql.Literal(value)))
        alike = [c for c in said if c in frame.columns and (frame[c] == said[c]).fill_null(value=False).all()]
        # A column that this frame leaves out is empty in it: the default of the others is not its own.
        frame = frame.with_columns(pl.lit(None, pl.String).alias(c) for c in said if c not in frame.columns)
        return frame.drop(alike[: frame.width - 1])  # a row has to say something

    def drain(self) -> None:
        """Wait until everything is in its table."""
        self._stop()
        self._raise()

    def _stop(self) -> None:
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None

    def _raise(self) -> None:
        if self._error is not None:
            self._stop()
            error, self._error = self._error, None
            raise error

    def _feed(self, connection: Any) -> None:
        while (job := self._jobs.get()) is not None:
            if self._error is not None:
                continue
            statement, parts = job
            try:
                with connection.cursor() as cursor, cursor.copy(statement) as copy:
                    for part in parts:
                        copy.write(part)
            except BaseException as error:  # noqa: BLE001 - carried over to the thread that waits for the rows
                self._error = error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.drain()
        else:
            self._error = self._error or error
            self._stop()


@contextmanager
def references_checked_at_end(session: Session, *tables: sa.Table, indexes: bool = False) -> Iterator[bool]:
    """Load tables with their foreign keys checked by one join at the end instead of once a row (8 us each).

    ``indexes``: their indexes too are built at the end, but for the keys that others refer to; nothing is then to be
    looked up in them meanwhile. Yields whether that is so: the tables are locked until the transaction ends, and who
    cannot have the lock at once loads with a check per row. SQLite checks per row always.
    """
    if session.get_bind().dialect.name != "postgresql":
        yield False
        return
    suspended = _suspendable(session, tables, indexes=indexes)
    try:
        with session.begin_nested():
            session.execute(sa.text(f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'"))
            for drop, _ in suspended:
                session.execute(sa.text(drop))
            session.execute(sa.text("SET LOCAL lock_timeout TO DEFAULT"))
    except OperationalError:
        suspended = []
    yield bool(suspended)
    restore = [add for _, add in reversed(suspended)]
    for statement in (s for s in restore if "FOREIGN KEY" not in s):
        session.execute(sa.text(statement))
    for loaded in tables if suspended else ():
        # Else what follows in this transaction is planned for an empty table; the joined columns are enough.
        joined = {c.name for index in loaded.indexes for c in index.columns} | {c.name for c in loaded.primary_key}
        session.execute(sa.text(f'ANALYZE "{loaded.name}" ({", ".join(sorted(joined))})'))
    for statement in (s for s in restore if "FOREIGN KEY" in s):
        session.execute(sa.text(statement))


def _suspendable(session: Session, tables: Sequence[sa.Table], *, indexes: bool) -> list[tuple[str, str]]:
    """Return the statements that drop what may be missing during a load, each with the one that brings it back."""
    names = {"names": [table.name for table in tables]}
    constraints = session.execute(
        sa.text(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint own "
            "WHERE conrelid = ANY(CAST(:names AS regclass[])) AND (contype = 'f' "
            "OR (:indexes AND contype IN ('p', 'u') AND NOT EXISTS "
            "(SELECT 1 FROM pg_constraint r WHERE r.contype = 'f' AND r.conindid = own.conindid))) "
            "ORDER BY contype, 1, 2"
        ),
        names | {"indexes": indexes},
    )
    found = [
        (f'ALTER TABLE {table} DROP CONSTRAINT "{name}"', f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')
        for table, name, definition in constraints
    ]
    if indexes:
        plain = session.execute(
            sa.text(
                "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index "
                "WHERE indrelid = ANY(CAST(:names AS regclass[])) AND NOT EXISTS "
                "(SELECT 1 FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u')) ORDER BY 1"
            ),
            names,
        )
        found += [(f"DROP INDEX {name}", str(definition)) for name, definition in plain]
    return found
