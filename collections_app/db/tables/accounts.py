"""What the lenders' feeds say: batches, accounts, snapshots, cycles, payments; and episodes derived from them."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from collections_app.db.base import Base, Currency, Id, MinorUnits, ref
from collections_app.db.types import EnumText
from collections_app.domain.cases import EpisodeEnd


class FeedBatch(Base):
    """One imported file; the same content for the same day is never imported twice."""

    __tablename__ = "feed_batch"
    __table_args__ = (sa.UniqueConstraint("source", "entity", "business_date", "sha256"),)

    id: Mapped[Id]
    source: Mapped[str] = mapped_column(sa.String(64))
    entity: Mapped[str] = mapped_column(sa.String(32))
    mapping: Mapped[str] = mapped_column(sa.String(64))
    mapping_version: Mapped[int]
    business_date: Mapped[date]
    file_name: Mapped[str] = mapped_column(sa.String(255))
    sha256: Mapped[str] = mapped_column(sa.String(64))
    rows: Mapped[int]
    accepted: Mapped[int]
    quarantined: Mapped[int]
    unchanged: Mapped[int]
    imported_at: Mapped[datetime]


class QuarantinedRow(Base):
    """A row that was refused, with where and why. The value itself is kept as a digest only."""

    __tablename__ = "quarantined_row"

    id: Mapped[Id]
    batch_id: Mapped[int] = ref("feed_batch.id")
    line: Mapped[int]
    column: Mapped[str] = mapped_column(sa.String(128))
    reason: Mapped[str] = mapped_column(sa.String(300))
    value_digest: Mapped[str | None] = mapped_column(sa.String(64))


class Account(Base):
    """One loan or card contract as last told by its source."""

    __tablename__ = "account"
    __table_args__ = (sa.UniqueConstraint("source", "account_ref"),)

    id: Mapped[Id]
    source: Mapped[str] = mapped_column(sa.String(64))
    account_ref: Mapped[str] = mapped_column(sa.String(64))
    customer_id: Mapped[int] = ref("customer.id")
    creditor: Mapped[str] = mapped_column(sa.String(100))
    collector_role: Mapped[str] = mapped_column(sa.String(16))
    product_family: Mapped[str] = mapped_column(sa.String(24))
    currency: Mapped[Currency]
    opened_on: Mapped[date | None]
    limit_amount: Mapped[MinorUnits | None]
    balance_amount: Mapped[MinorUnits]
    arrears_amount: Mapped[MinorUnits]
    minimum_due_amount: Mapped[MinorUnits | None]
    oldest_unpaid_due_on: Mapped[date | None]
    dpd: Mapped[int]
    dpd_source: Mapped[int | None]
    bucket: Mapped[str] = mapped_column(sa.String(16))
    bucket_table: Mapped[str] = mapped_column(sa.String(8))
    status: Mapped[str] = mapped_column(sa.String(16))
    as_of_on: Mapped[date]


class AccountSnapshot(Base):
    """An account as it stood on a date; written when it changed. Without a batch: the feed was silent, a day passed."""

    __tablename__ = "account_snapshot"

    account_id: Mapped[int] = mapped_column(sa.ForeignKey("account.id"), primary_key=True)
    business_date: Mapped[date] = mapped_column(primary_key=True)
    batch_id: Mapped[int | None] = ref("feed_batch.id", index=False, nullable=True)
    dpd: Mapped[int]
    bucket: Mapped[str] = mapped_column(sa.String(16))
    balance_amount: Mapped[MinorUnits]
    arrears_amount: Mapped[MinorUnits]
    limit_amount: Mapped[MinorUnits | None]
    status: Mapped[str] = mapped_column(sa.String(16))


class AccountCycle(Base):
    """One statement cycle as the lender reports it: billed, paid, cycles past due at its end."""

    __tablename__ = "account_cycle"

    account_id: Mapped[int] = mapped_column(sa.ForeignKey("account.id"), primary_key=True)
    cycle_end_on: Mapped[date] = mapped_column(primary_key=True)
    cycles_past_due: Mapped[int | None]
    statement_amount: Mapped[MinorUnits | None]
    paid_amount: Mapped[MinorUnits | None]


class Payment(Base):
    """Cash as the lender booked it; a reversal is a row of its own."""

    __tablename__ = "payment"
    __table_args__ = (
        sa.UniqueConstraint("source", "payment_ref"),
        sa.Index(None, "account_id", "value_on"),
    )

    id: Mapped[Id]
    source: Mapped[str] = mapped_column(sa.String(64))
    payment_ref: Mapped[str] = mapped_column(sa.String(64))
    account_id: Mapped[int] = ref("account.id", index=False)
    batch_id: Mapped[int] = ref("feed_batch.id", index=False)
    amount: Mapped[MinorUnits]
    currency: Mapped[Currency]
    kind: Mapped[str] = mapped_column(sa.String(24))
    status: Mapped[str] = mapped_column(sa.String(16))
    value_on: Mapped[date]
    channel: Mapped[str | None] = mapped_column(sa.String(24))
    reverses_ref: Mapped[str | None] = mapped_column(sa.String(64))


class Episode(Base):
    """One continuous spell of DPD >= 1 on one account."""

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
