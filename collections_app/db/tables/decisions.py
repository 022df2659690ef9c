"""What was decided, by which rule, on which facts."""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from collections_app.db.base import Base, Id, ref


class StrategyVersion(Base):
    """A published strategy book, whole, by its digest."""

    __tablename__ = "strategy_version"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(sa.String(64))
    digest: Mapped[str] = mapped_column(sa.String(64), unique=True)
    content: Mapped[dict[str, Any]]
    effective_from: Mapped[date]
    published_at: Mapped[datetime]
    published_by: Mapped[str] = mapped_column(sa.String(64))


class Decision(Base):
    """One strategy decision: facts + rule + result + arm and its probability."""

    __tablename__ = "decision"
    __table_args__ = (sa.UniqueConstraint("case_id", "kind", "business_date"), sa.Index(None, "business_date", "kind"))

    id: Mapped[Id]
    case_id: Mapped[int] = ref("case.id", index=False)
    kind: Mapped[str] = mapped_column(sa.String(16))
    business_date: Mapped[date]
    strategy_version_id: Mapped[int] = ref("strategy_version.id", index=False)
    rule_id: Mapped[str] = mapped_column(sa.String(64))
    result: Mapped[dict[str, Any]]
    facts: Mapped[dict[str, Any]]
    arm: Mapped[str] = mapped_column(sa.String(24))
    propensity: Mapped[float]
    decided_at: Mapped[datetime]


class GateDecision(Base):
    """The gate's word on one attempt, with every counter it read."""

    __tablename__ = "gate_decision"

    id: Mapped[Id]
    attempt_id: Mapped[int] = ref("contact_attempt.id")
    phase: Mapped[str] = mapped_column(sa.String(16))
    decision: Mapped[str] = mapped_column(sa.String(8))
    hits: Mapped[list[Any]]
    next_eligible_at: Mapped[datetime | None]
    required_content: Mapped[list[str]]
    local_times: Mapped[dict[str, Any]]
    # Every counter as it was read, also those below their limit: evidence a year later.
    counters: Mapped[dict[str, Any]] = mapped_column(default=dict)
    pack_version: Mapped[str] = mapped_column(sa.String(200))
    decided_at: Mapped[datetime]
