"""How accounts stand, derived from facts: spans of days past due, episodes, and what waits to be derived again."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from collections_app.db.base import Base, Id, MinorUnits, ref
from collections_app.db.types import EnumText
from collections_app.domain.cases import EpisodeEnd

_CURRENT = sa.text("known_until IS NULL")


class AccountStanding(Base):
    """How an account stands from a day on, until its next row: a day that only passes needs no row.

    On day t: dpd + (t - from_on) if ageing, else dpd. Rows are never edited: a restatement (a reversal, a late
    correction) closes ``known_until`` of what it replaces, so that what we believed then can still be read.
    """

    __tablename__ = "account_standing"
    __table_args__ = (
        sa.Index(
            "uq_account_standing_current",
            "account_id",
            "from_on",
            unique=True,
            sqlite_where=_CURRENT,
            postgresql_where=_CURRENT,
        ),
    )

    account_id: Mapped[int] = mapped_column(sa.ForeignKey("account.id"), primary_key=True)
    from_on: Mapped[date] = mapped_column(primary_key=True)
    known_from: Mapped[datetime] = mapped_column(primary_key=True)
    known_until: Mapped[datetime | None]
    batch_id: Mapped[int | None] = ref("feed_batch.id", index=False, nullable=True)
    dpd: Mapped[int]
    is_ageing: Mapped[bool]
    arrears_amount: Mapped[MinorUnits]
    balance_amount: Mapped[MinorUnits]
    limit_amount: Mapped[MinorUnits | None]
    status: Mapped[str] = mapped_column(sa.String(16))


class Episode(Base):
    """One continuous spell of DPD >= 1 on one account.

    ``end_reason`` restated: later facts show that it never was, or that it is part of another one; it counts nowhere.
    """

    __tablename__ = "episode"
    __table_args__ = (
        sa.Index(
            "uq_episode_open",
            "account_id",
            unique=True,
            sqlite_where=sa.text("ended_on IS NULL"),
            postgresql_where=sa.text("ended_on IS NULL"),
        ),
        sa.Index(None, "account_id", "entry_on"),
    )

    id: Mapped[Id]
    account_id: Mapped[int] = ref("account.id", index=False)
    case_id: Mapped[int | None] = ref("case.id", nullable=True)
    entry_on: Mapped[date]
    entry_dpd: Mapped[int]
    entry_arrears_amount: Mapped[MinorUnits]
    max_dpd: Mapped[int]
    ended_on: Mapped[date | None]
    end_reason: Mapped[EpisodeEnd | None] = mapped_column(EnumText(EpisodeEnd))


class LedgerTask(Base):
    """An account whose facts changed: it is derived again from ``from_on`` on. Written with the facts."""

    __tablename__ = "ledger_task"

    account_id: Mapped[int] = mapped_column(sa.ForeignKey("account.id"), primary_key=True)
    from_on: Mapped[date]


class LedgerDay(Base):
    """A day that has passed for the whole ledger: accounts of which nothing new was heard have aged to it."""

    __tablename__ = "ledger_day"

    business_date: Mapped[date] = mapped_column(primary_key=True)
    passed_at: Mapped[datetime]
    # Accounts that only aged.
    aged: Mapped[int]
