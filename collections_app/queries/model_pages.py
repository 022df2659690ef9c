"""Models as their pages show them: every version in a line, one version whole, what fired.

The list reads parts of the cards in SQL: a card with its plots is long, and a list needs none of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import ModelAlert, ModelFigure, ModelMove, ModelVersion, ScoreRun
from collections_app.domain.errors import NotFound
from collections_app.domain.model_stages import Stage

_RUNS_SHOWN = timedelta(days=365)
_COUNTS = ("rows", "events", "draws", "worked", "top_share")
"""What stands among the figures of the test rows and is none."""


@dataclass(frozen=True)
class Estimate:
    """One figure measured on the test rows, with its 95 % interval where one was drawn."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class ModelLine:
    """One version: what it predicts, what it learnt from, how good it was, how it does.

    ``is_inspected``: a person made it the champion and wrote down what was looked at.
    ``psi``, ``scored_on``, ``scored_rows`` and ``fallback_rows`` are those of its newest run.
    """

    id: int
    name: str
    version: str
    title: str
    purpose: str
    algorithm: str
    stage: Stage
    event: str
    event_is: str
    horizon_days: int
    trained_at: datetime
    trained_by: str
    approved_at: datetime | None
    approved_by: str | None
    train_rows: int | None
    train_events: int | None
    estimates: tuple[Estimate, ...]
    has_alarms: bool
    is_inspected: bool
    scored_on: date | None
    scored_rows: int | None
    fallback_rows: int | None
    psi: float | None
    open_alerts: int

    def estimate(self, name: str) -> Estimate | None:
        """Return a figure of the test rows by its name, if it was measured."""
        return next((e for e in self.estimates if e.name == name), None)


@dataclass(frozen=True)
class RunLine:
    """One batch scoring."""

    on: date
    stage: str
    rows: int
    fallback_rows: int
    psi: float | None


@dataclass(frozen=True)
class MoveLine:
    """One change of stage."""

    from_stage: str
    to_stage: str
    note: str
    at: datetime
    by: str


@dataclass(frozen=True)
class FigureLine:
    """One figure of the monitoring; ``development``: the same figure then, where the monitoring held it beside."""

    on: date
    cadence: str
    metric: str
    segment: str
    value: float | None
    low: float | None
    high: float | None
    rows: int
    events: int | None
    verdict: str
    development: float | None


@dataclass(frozen=True)
class AlertLine:
    """A trigger that fired."""

    id: int
    model: str
    version: str
    trigger: str
    sentence: str
    raised_on: date
    closed_at: datetime | None
    closed_by: str | None
    note: str


@dataclass(frozen=True)
class ModelFile:
    """Everything that is known of one version. ``runs`` and ``monthly`` are oldest first, the rest newest first.

    ``figures`` holds what was told last of each metric; ``monthly`` those of matured cohorts, over time.
    """

    line: ModelLine
    card: Mapping[str, Any]
    champion: str | None
    moves: tuple[MoveLine, ...]
    runs: tuple[RunLine, ...]
    figures: tuple[FigureLine, ...]
    monthly: tuple[FigureLine, ...]
    alerts: tuple[AlertLine, ...]


def list_lines(session: Session) -> list[ModelLine]:
    """Return every version, newest first within its name."""
    return _lines(session, sa.true())


def get_model_file(session: Session, name: str, version: str) -> ModelFile:
    """Return one version, or raise NotFound."""
    lines = _lines(session, sa.and_(ModelVersion.name == name, ModelVersion.version == version))
    if not lines:
        raise NotFound(f"there is no {name} {version}; `collections model list` shows what there is")
    line = lines[0]
    figures = _figures(session, line.id)
    moves = session.scalars(
        sa.select(ModelMove).where(ModelMove.model_version_id == line.id).order_by(ModelMove.id.desc())
    )
    return ModelFile(
        line=line,
        card=session.scalars(sa.select(ModelVersion.card).where(ModelVersion.id == line.id)).one(),
        champion=session.scalar(
            sa.select(ModelVersion.version).where(ModelVersion.name == name, ModelVersion.stage == Stage.CHAMPION)
        ),
        moves=tuple(MoveLine(m.from_stage, m.to_stage, m.note, m.moved_at, m.moved_by) for m in moves),
        runs=_runs(session, line),
        figures=_newest(figures),
        monthly=tuple(f for f in reversed(figures) if f.cadence == "monthly"),
        alerts=tuple(list_alerts(session, model_id=line.id)),
    )


def list_alerts(session: Session, *, model_id: int | None = None, limit: int = 100) -> list[AlertLine]:
    """Return what fired, of one version or of all: open ones first, then the newest."""
    asked = (
        sa.select(ModelAlert, ModelVersion.name, ModelVersion.version)
        .join(ModelVersion, ModelVersion.id == ModelAlert.model_version_id)
        .order_by(ModelAlert.closed_at.is_not(None), ModelAlert.raised_on.desc(), ModelAlert.id.desc())
        .limit(limit)
    )
    if model_id is not None:
        asked = asked.where(ModelAlert.model_version_id == model_id)
    return [
        AlertLine(a.id, name, version, a.trigger, a.sentence, a.raised_on, a.closed_at, a.closed_by, a.note or "")
        for a, name, version in session.execute(asked)
    ]


def _lines(session: Session, which: sa.ColumnElement[bool]) -> list[ModelLine]:
    model = sa.select(ModelVersion.id).where(which)
    runs, alerts, inspected = _newest_runs(session, model), _open_alerts(session, model), _inspected(session, model)
    parts = ("title", "event_name", "event_is", "horizon_days", "sample", "test", "alarms", "provenance")
    rows = session.execute(
        sa.select(
            ModelVersion.id, ModelVersion.name, ModelVersion.version, ModelVersion.purpose, ModelVersion.algorithm,
            ModelVersion.stage, ModelVersion.trained_at, ModelVersion.trained_by, ModelVersion.approved_at,
            ModelVersion.approved_by, *(ModelVersion.card[part].label(f"card_{part}") for part in parts),
        )
        .where(which)
        .order_by(ModelVersion.name, ModelVersion.id.desc())
    )  # fmt: skip
    return [_line(row._mapping, runs.get(row.id), alerts.get(row.id, 0), row.id in inspected) for row in rows]


def _line(row: Mapping[Any, Any], run: RunLine | None, open_alerts: int, is_inspected: bool) -> ModelLine:
    sample: Mapping[str, Any] = row["card_sample"] or {}
    provenance: Mapping[str, Any] = row["card_provenance"] or {}
    return ModelLine(
        id=row["id"], name=row["name"], version=row["version"],
        title=row["card_title"] or provenance.get("title") or "", purpose=row["purpose"], algorithm=row["algorithm"],
        stage=Stage(row["stage"]), event=row["card_event_name"] or "", event_is=row["card_event_is"] or "bad",
        horizon_days=row["card_horizon_days"] or 0, trained_at=row["trained_at"], trained_by=row["trained_by"],
        approved_at=row["approved_at"], approved_by=row["approved_by"],
        train_rows=sample.get("train_rows", sample.get("rows")),
        train_events=sample.get("train_events", sample.get("events")),
        estimates=estimates(row["card_test"] or {}), has_alarms=bool(row["card_alarms"]),
        is_inspected=is_inspected,
        scored_on=run.on if run else None, scored_rows=run.rows if run else None,
        fallback_rows=run.fallback_rows if run else None, psi=run.psi if run else None, open_alerts=open_alerts,
    )  # fmt: skip


def estimates(test: Mapping[str, Any]) -> tuple[Estimate, ...]:
    """Return the measured figures of a card's ``test`` part: those with an interval first, in the card's order.

    An interval stands beside its figure as ``<name>_interval`` or as ``<name>_low`` and ``<name>_high``; models of
    amounts and of uplift keep figures of their own in a part of the part.
    """
    found = [estimate for part in (test, test.get("amount"), test.get("uplift")) for estimate in _measured(part or {})]
    return tuple(sorted(found, key=lambda e: e.low is None))


def _measured(test: Mapping[str, Any]) -> Iterator[Estimate]:
    for name, value in test.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or name in _COUNTS:
            continue
        if name.endswith(("_low", "_high")):
            continue
        spread = test.get(f"{name}_interval") or {}
        yield Estimate(name, float(value), spread.get("low", test.get(f"{name}_low")),
                       spread.get("high", test.get(f"{name}_high")))  # fmt: skip


def _newest_runs(session: Session, models: sa.Select[Any]) -> dict[int, RunLine]:
    newest = (
        sa.select(ScoreRun.model_version_id, sa.func.max(ScoreRun.business_date).label("on"))
        .where(ScoreRun.model_version_id.in_(models))
        .group_by(ScoreRun.model_version_id)
        .subquery()
    )
    rows = session.scalars(
        sa.select(ScoreRun).join(
            newest,
            sa.and_(
                newest.c.model_version_id == ScoreRun.model_version_id, newest.c["on"] == ScoreRun.business_date
            ),
        )
    )  # fmt: skip
    return {r.model_version_id: _run(r) for r in rows}


def _runs(session: Session, line: ModelLine) -> tuple[RunLine, ...]:
    if line.scored_on is None:
        return ()
    rows = session.scalars(
        sa.select(ScoreRun)
        .where(ScoreRun.model_version_id == line.id, ScoreRun.business_date > line.scored_on - _RUNS_SHOWN)
        .order_by(ScoreRun.business_date)
    )
    return tuple(_run(r) for r in rows)


def _run(run: ScoreRun) -> RunLine:
    return RunLine(run.business_date, run.stage, run.rows, run.fallback_rows, run.psi)


def _open_alerts(session: Session, models: sa.Select[Any]) -> dict[int, int]:
    rows = session.execute(
        sa.select(ModelAlert.model_version_id, sa.func.count())
        .where(ModelAlert.model_version_id.in_(models), ModelAlert.closed_at.is_(None))
        .group_by(ModelAlert.model_version_id)
    )
    return {row[0]: row[1] for row in rows}


def _inspected(session: Session, models: sa.Select[Any]) -> frozenset[int]:
    """Return the versions that a person made the champion with a note."""
    rows = session.scalars(
        sa.select(ModelMove.model_version_id).where(
            ModelMove.model_version_id.in_(models), ModelMove.to_stage == Stage.CHAMPION, ModelMove.note != ""
        )
    )
    return frozenset(rows)


def _figures(session: Session, model_id: int) -> list[FigureLine]:
    """Return what was told last of each metric, and every monthly figure; newest first.

    The newest day of a metric, not of each segment: a weekly table names the features that moved that week.
    """
    place = sa.func.rank().over(partition_by=ModelFigure.metric, order_by=ModelFigure.as_of.desc()).label("place")
    ranked = sa.select(ModelFigure.id, place).where(ModelFigure.model_version_id == model_id).subquery()
    rows = session.execute(
        sa.select(
            ModelFigure.as_of, ModelFigure.cadence, ModelFigure.metric, ModelFigure.segment, ModelFigure.value,
            ModelFigure.low, ModelFigure.high, ModelFigure.rows, ModelFigure.events, ModelFigure.verdict,
            ModelFigure.detail,
        )
        .join(ranked, ranked.c.id == ModelFigure.id)
        .where(sa.or_(ranked.c.place == 1, ModelFigure.cadence == "monthly"))
        .order_by(ModelFigure.as_of.desc(), ModelFigure.metric, ModelFigure.segment)
    )  # fmt: skip
    return [
        FigureLine(
            r.as_of,
            r.cadence,
            r.metric,
            r.segment,
            r.value,
            r.low,
            r.high,
            r.rows,
            r.events,
            r.verdict,
            (r.detail or {}).get("development"),
        )
        for r in rows
    ]


def _newest(figures: list[FigureLine]) -> tuple[FigureLine, ...]:
    last: dict[str, date] = {}
    for figure in figures:
        last.setdefault(figure.metric, figure.on)
    return tuple(f for f in figures if f.on == last[f.metric])
