"""Promises to pay."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from collections_app.db.base import Base, Currency, Id, MinorUnits, ref
from collections_app.db.types import EnumText
from collections_app.domain.promises import PromiseStatus

_OPEN = sa.text("status = 'open'")
_STALE = sa.text("is_stale")


class Promise(Base):
    """Amount and date as promised, on one account; one open at a time, a new one supersedes."""

    __tablename__ = "promise"
    __table_args__ = (
        sa.Index("uq_promise_open", "account_id", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
        sa.Index("ix_promise_stale", "account_id", sqlite_where=_STALE, postgresql_where=_STALE),
        sa.CheckConstraint("amount > 0", name="amount_positive"),
    )

    id: Mapped[Id]
    account_id: Mapped[int] = ref("account.id")
    case_id: Mapped[int] = ref("case.id")
    attempt_id: Mapped[int | None] = ref("contact_attempt.id", index=False, nullable=True)
    amount: Mapped[MinorUnits]
    currency: Mapped[Currency]
    due_on: Mapped[date]
    method: Mapped[str] = mapped_column(sa.String(24))
    grace_days: Mapped[int]
    tolerance_percent: Mapped[int]
    status: Mapped[PromiseStatus] = mapped_column(EnumText(PromiseStatus))
    made_by: Mapped[str] = mapped_column(sa.String(16))
    created_at: Mapped[datetime]
    created_on: Mapped[date]
    paid_amount: Mapped[MinorUnits]
    settled_on: Mapped[date | None]
    # Cash of its account changed after it was judged: it is judged again.
    is_stale: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    supersedes_id: Mapped[int | None] = ref("promise.id", index=False, nullable=True)
