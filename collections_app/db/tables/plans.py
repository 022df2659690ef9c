"""Payment plans and settlements: proposed, approved within authority, kept or broken."""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from collections_app.db.base import Base, Currency, Id, MinorUnits, ref
from collections_app.db.types import EnumText
from collections_app.domain.plans import PlanKind, PlanStatus

_OPEN = sa.text("status IN ('proposed', 'active')")


class PaymentPlan(Base):
    """One arrangement on one account; one open at a time (domain brief §8.12)."""

    __tablename__ = "payment_plan"
    __table_args__ = (
        sa.Index("uq_payment_plan_open", "account_id", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
    )

    id: Mapped[Id]
    account_id: Mapped[int] = ref("account.id")
    case_id: Mapped[int | None] = ref("case.id", nullable=True)
    kind: Mapped[PlanKind] = mapped_column(EnumText(PlanKind))
    status: Mapped[PlanStatus] = mapped_column(EnumText(PlanStatus))
    currency: Mapped[Currency]
    total_amount: Mapped[MinorUnits]
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    waived_principal_amount: Mapped[MinorUnits] = mapped_column(default=0, server_default="0")
    waived_interest_amount: Mapped[MinorUnits] = mapped_column(default=0, server_default="0")
    waived_fees_amount: Mapped[MinorUnits] = mapped_column(default=0, server_default="0")
    # Months of income, expense and what is left, in minor units; with the evidence seen.
    affordability: Mapped[dict[str, Any] | None]
    reason: Mapped[str] = mapped_column(sa.String(200))
    re_ages: Mapped[bool] = mapped_column(default=False, server_default=sa.text("false"))
    proposed_by: Mapped[str] = mapped_column(sa.String(64))
    proposed_at: Mapped[datetime]
    # The lowest authority that may approve it, why the ones below may not, and who did.
    authority: Mapped[str] = mapped_column(sa.String(24))
    authority_reasons: Mapped[list[str]]
    decided_by: Mapped[str | None] = mapped_column(sa.String(64))
    decided_at: Mapped[datetime | None]
    decision_reason: Mapped[str | None] = mapped_column(sa.String(200))
    # Days of grace, percent of tolerance, missed terms that break it: as agreed when it was made.
    breach: Mapped[dict[str, Any]]
    # Where the plan rearranged the schedule: the version that it made, and the one that holds again when it breaks.
    plan_version: Mapped[int | None]
    contract_version: Mapped[int | None]
    ended_on: Mapped[date | None]


class PlanTerm(Base):
    """One agreed payment of a plan."""

    __tablename__ = "plan_term"

    plan_id: Mapped[int] = mapped_column(sa.ForeignKey("payment_plan.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    due_on: Mapped[date]
    amount: Mapped[MinorUnits]
    paid_amount: Mapped[MinorUnits] = mapped_column(default=0, server_default="0")
