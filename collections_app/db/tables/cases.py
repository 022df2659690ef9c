"""Cases and their append-only history."""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from collections_app.db.base import Base, Id, ref
from collections_app.db.types import EnumText
from collections_app.domain.cases import CaseStage, CloseReason
from collections_app.domain.events import EventKind

_OPEN = sa.text("closed_on IS NULL")


class Case(Base):
    """Our work item: one customer, every account of theirs in an episode (Episode.case_id)."""

    __tablename__ = "case"
    __table_args__ = (
        sa.Index("uq_case_open", "customer_id", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
        sa.Index(None, "customer_id", "opened_on"),
    )

    id: Mapped[Id]
    customer_id: Mapped[int] = ref("customer.id", index=False)
    opened_on: Mapped[date]
    stage: Mapped[CaseStage] = mapped_column(EnumText(CaseStage))
    # Kept by casework from the accounts in episode: the worst account speaks for the case.
    dpd: Mapped[int]
    arrears_amount: Mapped[int] = mapped_column(sa.BigInteger)
    balance_amount: Mapped[int] = mapped_column(sa.BigInteger)
    currency: Mapped[str] = mapped_column(sa.String(3))
    cool_until_on: Mapped[date | None]
    closed_on: Mapped[date | None]
    close_reason: Mapped[CloseReason | None] = mapped_column(EnumText(CloseReason))


class CaseEvent(Base):
    """One thing that happened to a case; never edited."""

    __tablename__ = "case_event"
    __table_args__ = (sa.Index(None, "case_id", "at"),)

    id: Mapped[Id]
    case_id: Mapped[int] = ref("case.id", index=False)
    kind: Mapped[EventKind] = mapped_column(EnumText(EventKind))
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(sa.String(64))
    payload: Mapped[dict[str, Any]]
