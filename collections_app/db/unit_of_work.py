"""The unit of work: one session, one instant, one actor, and the only commit in the code base.

When to use: every write. Open one in an edge (view, command, job step), pass it to services as the
first argument; leaving the block commits, an exception rolls back. When not to use: reading
(``Database.reading``), or around a call to the outside world: close the unit before you call a
carrier or decode audio, so that a slow vendor never holds a connection or a lock.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa

from collections_app.db.session import Database
from collections_app.db.tables import CaseEvent
from collections_app.domain.events import EventKind
from collections_app.domain.permissions import SYSTEM, Actor

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Return the current instant. The only place that reads the wall clock for business purposes."""
    return datetime.now(UTC)


def clock_from(start: datetime | None) -> Clock:
    """Return the wall clock, or one that stands at ``start`` now and runs on: a demonstration's day."""
    if start is None:
        return system_clock
    shift = start - datetime.now(UTC)
    return lambda: datetime.now(UTC) + shift


class UnitOfWork:
    """A transaction with its clock reading and its actor."""

    def __init__(self, database: Database, *, actor: Actor, now: datetime) -> None:
        self.database = database
        self.actor = actor
        self.now = now
        self.session = database.sessions()

    def record(self, case_id: int, kind: EventKind, payload: Mapping[str, Any] | None = None) -> None:
        """Append an event to the history of a case."""
        self.session.add(
            CaseEvent(case_id=case_id, kind=kind, at=self.now, actor=self.actor.name, payload=dict(payload or {}))
        )

    def queue_up(self, name: str) -> None:
        """Wait until no other unit that queued up under this name is under way. SQLite has one writer anyway."""
        if self.database.is_postgresql:
            key = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)
            self.session.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.session.commit()
            else:
                self.session.rollback()
        finally:
            self.session.close()


class UnitsOfWork:
    """Opens units of work on one database with one clock. What edges and jobs carry around."""

    def __init__(self, database: Database, clock: Clock = system_clock) -> None:
        self.database = database
        self.clock = clock

    def begin(self, actor: Actor = SYSTEM) -> UnitOfWork:
        """Open a unit of work for this actor at the clock's instant."""
        return UnitOfWork(self.database, actor=actor, now=self.clock())
