"""Why a case stands where it stands: the rule's own sentence, the score and what moved it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import Decision, ModelVersion, Score, ScoreRun, StrategyVersion


@dataclass(frozen=True)
class ScoreNote:
    """A score that says what it is. Higher is safer; ``p_event`` is the chance of the event."""

    score: int
    band: str
    p_event: float
    event_name: str
    horizon_days: int
    model: str
    version: str
    as_of: date
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class RuleNote:
    """Which rule decided, with its own words."""

    rule_id: str
    why: str
    result: Mapping[str, Any]
    on: date
    book: str
    arm: str


def scores_of(session: Session, case_ids: Collection[int]) -> dict[int, ScoreNote]:
    """Return the latest deciding score of each case: of the purpose risk, no shadow's."""
    if not case_ids:
        return {}
    newest = (
        sa.func.row_number()
        .over(partition_by=Score.case_id, order_by=(Score.business_date.desc(), Score.id.desc()))
        .label("n")
    )
    ranked = (
        sa.select(Score.id, newest)
        .where(Score.case_id.in_(case_ids), Score.purpose == "risk", ~Score.is_shadow)
        .subquery()
    )
    rows = session.execute(
        sa.select(Score, ModelVersion.name, ModelVersion.version, ModelVersion.card["reasons"].label("sentences"))
        .join(ranked, ranked.c.id == Score.id)
        .join(ScoreRun, ScoreRun.id == Score.score_run_id)
        .join(ModelVersion, ModelVersion.id == ScoreRun.model_version_id)
        .where(ranked.c.n == 1)
    )
    return {
        s.case_id: ScoreNote(
            score=s.score,
            band=s.band,
            p_event=s.p_event,
            event_name=s.event_name,
            horizon_days=s.horizon_days,
            model=name,
            version=version,
            as_of=s.business_date,
            reasons=tuple((sentences or {}).get(code, code) for code in s.reason_codes),
        )
        for s, name, version, sentences in rows
    }


def decisions_of(session: Session, decision_ids: Collection[int]) -> dict[int, RuleNote]:
    """Return the notes of decisions by their id."""
    if not decision_ids:
        return {}
    rows = session.scalars(sa.select(Decision).where(Decision.id.in_(decision_ids))).all()
    books = _sentences(session, {d.strategy_version_id for d in rows})
    return {d.id: _note(d, books) for d in rows}


def latest_decision(session: Session, case_id: int, kind: str) -> RuleNote | None:
    """Return the newest decision of a kind on a case."""
    row = session.scalar(
        sa.select(Decision)
        .where(Decision.case_id == case_id, Decision.kind == kind)
        .order_by(Decision.business_date.desc())
        .limit(1)
    )
    return _note(row, _sentences(session, {row.strategy_version_id})) if row else None


def _note(row: Decision, books: Mapping[int, tuple[str, Mapping[tuple[str, str], str]]]) -> RuleNote:
    name, sentences = books[row.strategy_version_id]
    return RuleNote(row.rule_id, sentences.get((row.kind, row.rule_id), ""), row.result, row.business_date,
                    name, row.arm)  # fmt: skip


def _sentences(session: Session, version_ids: Collection[int]) -> dict[int, tuple[str, dict[tuple[str, str], str]]]:
    """Return for each book its name and the ``why`` of each rule."""
    versions = session.scalars(sa.select(StrategyVersion).where(StrategyVersion.id.in_(version_ids)))
    return {
        version.id: (
            version.name,
            {
                (kind, str(row.get("id"))): str(row.get("why", ""))
                for kind, table in version.content.items()
                if isinstance(table, Mapping)
                for row in table.get("rows", ())
            },
        )
        for version in versions
    }
