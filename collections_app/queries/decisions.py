"""Decisions on a case with the words of the row that made them, from the book as it was then."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import Decision, StrategyVersion


@dataclass(frozen=True)
class ExplainedDecision:
    """One stored decision and the ``why`` of its rule."""

    kind: str
    business_date: date
    rule_id: str
    why: str
    result: dict[str, Any]
    facts: dict[str, Any]
    arm: str
    propensity: float
    book: str
    digest: str


def list_decisions(session: Session, case_id: int) -> list[ExplainedDecision]:
    """Return the newest decision of each kind on a case."""
    newest = (
        sa.select(Decision.kind, sa.func.max(Decision.business_date).label("on"))
        .where(Decision.case_id == case_id)
        .group_by(Decision.kind)
        .subquery()
    )
    rows = session.execute(
        sa.select(Decision, StrategyVersion)
        .join(StrategyVersion, StrategyVersion.id == Decision.strategy_version_id)
        .join(newest, sa.and_(newest.c.kind == Decision.kind, newest.c.on == Decision.business_date))
        .where(Decision.case_id == case_id)
        .order_by(Decision.kind)
    )
    return [
        ExplainedDecision(
            kind=d.kind,
            business_date=d.business_date,
            rule_id=d.rule_id,
            why=why_of(v.content, d.kind, d.rule_id),
            result=d.result,
            facts=d.facts,
            arm=d.arm,
            propensity=d.propensity,
            book=v.name,
            digest=v.digest,
        )
        for d, v in rows
    ]


def why_of(content: dict[str, Any], kind: str, rule_id: str) -> str:
    """Return the sentence of a rule from a stored book."""
    rows = content.get(kind, {}).get("rows", [])
    return next((str(row["why"]) for row in rows if row["id"] == rule_id), "")
