"""What shields a customer or stands in dispute: holds, disputes, complaints, hardship, moratoria."""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from collections_app.db.base import Base, Currency, Id, MinorUnits, ref


class Hold(Base):
    """Collection work on a case rests from a day to a day, for a reason."""

    __tablename__ = "hold"

    id: Mapped[Id]
    case_id: Mapped[int] = ref("case.id")
    reason: Mapped[str] = mapped_column(sa.String(32))
    from_on: Mapped[date]
    until_on: Mapped[date]
    set_by: Mapped[str] = mapped_column(sa.String(64))
    set_at: Mapped[datetime]
    note: Mapped[str] = mapped_column(sa.String(300))
    released_on: Mapped[date | None]
    released_by: Mapped[str | None] = mapped_column(sa.String(64))


class Dispute(Base):
    """A debt that its debtor contests; collection of it stops until it is answered (domain brief §8.13)."""

    __tablename__ = "dispute"

    id: Mapped[Id]
    account_id: Mapped[int] = ref("account.id")
    case_id: Mapped[int | None] = ref("case.id", nullable=True)
    received_on: Mapped[date]
    channel: Mapped[str] = mapped_column(sa.String(16))
    is_written: Mapped[bool]
    in_validation_period: Mapped[bool]
    grounds: Mapped[str] = mapped_column(sa.String(16))
    disputed_amount: Mapped[MinorUnits | None]
    note: Mapped[str] = mapped_column(sa.Text)
    answer_due_on: Mapped[date]
    answered_on: Mapped[date | None]
    outcome: Mapped[str | None] = mapped_column(sa.String(24))
    stop_flag_id: Mapped[int | None] = ref("stop_flag.id", index=False, nullable=True)
    recorded_by: Mapped[str] = mapped_column(sa.String(64))


class Complaint(Base):
    """A complaint with its legal clock."""

    __tablename__ = "complaint"

    id: Mapped[Id]
    customer_id: Mapped[int] = ref("customer.id")
    case_id: Mapped[int | None] = ref("case.id", nullable=True)
    agent_id: Mapped[int | None] = ref("agent.id", index=False, nullable=True)
    channel: Mapped[str] = mapped_column(sa.String(16))
    subject: Mapped[str] = mapped_column(sa.String(200))
    received_on: Mapped[date]
    due_on: Mapped[date]
    extended_to_on: Mapped[date | None]
    closed_on: Mapped[date | None]
    outcome: Mapped[str | None] = mapped_column(sa.String(24))
    redress_amount: Mapped[MinorUnits | None]
    currency: Mapped[Currency | None]
    note: Mapped[str] = mapped_column(sa.Text)
    root_cause: Mapped[str | None] = mapped_column(sa.String(200))
    stop_flag_id: Mapped[int | None] = ref("stop_flag.id", index=False, nullable=True)
    recorded_by: Mapped[str] = mapped_column(sa.String(64))


class Hardship(Base):
    """A customer who cannot pay as agreed, why, and what was granted."""

    __tablename__ = "hardship"

    id: Mapped[Id]
    customer_id: Mapped[int] = ref("customer.id")
    case_id: Mapped[int | None] = ref("case.id", nullable=True)
    reason: Mapped[str] = mapped_column(sa.String(24))
    starts_on: Mapped[date]
    # Until the first measures are decided it is the day by which we answer.
    review_on: Mapped[date]
    decided_by: Mapped[str | None] = mapped_column(sa.String(64))
    measures: Mapped[list[str]]
    evidence_ref: Mapped[str | None] = mapped_column(sa.String(200))
    ended_on: Mapped[date | None]
    stop_flag_id: Mapped[int | None] = ref("stop_flag.id", index=False, nullable=True)
    recorded_by: Mapped[str] = mapped_column(sa.String(64))


class Moratorium(Base):
    """A breathing space given by law or a court: no contact, no interest on the included debts."""

    __tablename__ = "moratorium"

    id: Mapped[Id]
    customer_id: Mapped[int] = ref("customer.id")
    kind: Mapped[str] = mapped_column(sa.String(16))
    reference: Mapped[str] = mapped_column(sa.String(64))
    starts_on: Mapped[date]
    ends_on: Mapped[date | None]
    account_ids: Mapped[list[int]]
    interest_frozen: Mapped[bool]
    adviser: Mapped[str | None] = mapped_column(sa.String(200))
    ended_on: Mapped[date | None]
    stop_flag_id: Mapped[int | None] = ref("stop_flag.id", index=False, nullable=True)
    recorded_by: Mapped[str] = mapped_column(sa.String(64))
    details: Mapped[dict[str, Any]]
