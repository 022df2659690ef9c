"""What is due and what was paid: instalments, payments, and which payment covered what."""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from collections_app.db.base import Base, Currency, Id, MinorUnits, Rate, ref


class Instalment(Base):
    """One due amount of an account by component; a changed schedule is a new version (domain brief §8.3).

    ``kind``: scheduled (a loan), minimum (a card's minimum payment of a cycle), balance (a part of a card's
    balance at one rate, never past due), plan (agreed with the customer; paid first).
    """

    __tablename__ = "instalment"
    __table_args__ = ({"postgresql_with": {"fillfactor": 85}},)

    account_id: Mapped[int] = mapped_column(sa.ForeignKey("account.id"), primary_key=True)
    schedule_version: Mapped[int] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(12), default="scheduled", server_default="scheduled")
    cycle_start_on: Mapped[date | None]
    cycle_end_on: Mapped[date | None]
    # As the contract says, and after rolling it off a day without business; DPD counts from due_on.
    contract_due_on: Mapped[date | None]
    due_on: Mapped[date | None]
    rate: Mapped[Rate | None]
    cost_due_amount: Mapped[MinorUnits] = mapped_column(default=0, server_default="0")
    fee_due_amount: Mapped[MinorUnits] = mapped_column(default=0, server_default="0")
    penalty_due_amount: Mapped[MinorUnits] = mapped_column(default=0, server_default="0")
    interest_due_amount: Mapped[MinorUnits] = mapped_column(default=0, server_default="0")
    principal_due_amount: Mapped[MinorUnits] = mapped_column(default=0, server_default="0")
    # Derived by services/ledger: covered so far, and the value date on which nothing (over tolerance) was left.
    paid_amount: Mapped[MinorUnits] = mapped_column(default=0, server_default="0")
    closed_on: Mapped[date | None]


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
    # Empty for what the house books itself: the waiver of a settlement, and its reversal.
    batch_id: Mapped[int | None] = ref("feed_batch.id", index=False, nullable=True)
    amount: Mapped[MinorUnits]
    currency: Mapped[Currency]
    kind: Mapped[str] = mapped_column(sa.String(24))
    status: Mapped[str] = mapped_column(sa.String(16))
    value_on: Mapped[date]
    initiated_at: Mapped[datetime | None]
    posted_at: Mapped[datetime | None]
    channel: Mapped[str | None] = mapped_column(sa.String(24))
    reverses_ref: Mapped[str | None] = mapped_column(sa.String(64))
    directed_to: Mapped[dict[str, Any] | None]
    # What no instalment could take: paid in advance or too much; empty = nothing. Derived, like the allocation.
    unapplied_amount: Mapped[MinorUnits | None]


class PaymentAllocation(Base):
    """Which part of a payment covered which component of which instalment, by which rule.

    Derived: rewritten from the value date of whatever changed. Lines + unapplied = payment.
    """

    __tablename__ = "payment_allocation"
    __table_args__ = (sa.CheckConstraint("amount > 0", name="amount_positive"),)

    payment_id: Mapped[int] = mapped_column(sa.ForeignKey("payment.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    schedule_version: Mapped[int]
    instalment_seq: Mapped[int]
    component: Mapped[str] = mapped_column(sa.String(12))
    amount: Mapped[MinorUnits]
    rule: Mapped[str] = mapped_column(sa.String(60))


class DelinquencyPause(Base):
    """A period in which days past due do not grow: a moratorium, a disaster, an agreed deferral."""

    __tablename__ = "delinquency_pause"

    id: Mapped[Id]
    account_id: Mapped[int] = ref("account.id")
    # Both days are paused; an open end pauses until further notice.
    from_on: Mapped[date]
    until_on: Mapped[date | None]
    reason: Mapped[str] = mapped_column(sa.String(64))
    set_by: Mapped[str] = mapped_column(sa.String(64))
    set_at: Mapped[datetime]
    ended_by: Mapped[str | None] = mapped_column(sa.String(64))
