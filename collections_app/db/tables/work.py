"""Agents, queues and who is responsible for which case."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from collections_app.db.base import Base, Id, ref

_ACTIVE = sa.text("removed_on IS NULL")
_OPEN = sa.text("to_at IS NULL")


class Agent(Base):
    """A person who collects."""

    __tablename__ = "agent"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(sa.String(100), unique=True)
    team: Mapped[str] = mapped_column(sa.String(50))
    skills: Mapped[list[str]]
    languages: Mapped[list[str]]
    capacity_cases: Mapped[int]
    is_active: Mapped[bool] = mapped_column(default=True, server_default=sa.text("true"))


class QueueEntry(Base):
    """A case's place in a queue; a case stands in at most one."""

    __tablename__ = "queue_entry"
    __table_args__ = (
        sa.Index("uq_queue_entry_active", "case_id", unique=True, sqlite_where=_ACTIVE,
                 postgresql_where=_ACTIVE),
        sa.Index(None, "queue", "removed_on", "priority"),
    )  # fmt: skip

    id: Mapped[Id]
    case_id: Mapped[int] = ref("case.id", index=False)
    queue: Mapped[str] = mapped_column(sa.String(40))
    priority: Mapped[float]
    decision_id: Mapped[int] = ref("decision.id", index=False)
    placed_on: Mapped[date]
    removed_on: Mapped[date | None]


class Assignment(Base):
    """Who is responsible for a case from when to when, and why."""

    __tablename__ = "assignment"
    __table_args__ = (
        sa.Index("uq_assignment_open", "case_id", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
        sa.Index(None, "agent_id", "to_at"),
    )

    id: Mapped[Id]
    case_id: Mapped[int] = ref("case.id")
    agent_id: Mapped[int] = ref("agent.id", index=False)
    from_at: Mapped[datetime]
    to_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(sa.String(24))
    released_reason: Mapped[str | None] = mapped_column(sa.String(24))
