"""Watch the models at work: figures of the day, the week and the month, and alerts that wait for a person.

Daily: volume, drift of the score, missing values, the vendor's answers. Weekly (the first run of an ISO week):
shifted features. Monthly (the first run of a month): matured cohorts and groups (domain brief §3.11).
"""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import reduce
from typing import Any

import sqlalchemy as sa

from collections_app.db.tables import ModelAlert, ModelFigure, ModelVersion, ScoreRun
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.errors import InvalidInput
from collections_app.domain.model_stages import SCORED, Stage
from collections_app.domain.permissions import SYSTEM, Permission
from collections_app.queries import model_watch
from models import monitor, tally, triggers
from models.card import ModelCard
from models.catalogue import BY_NAME
from models.monitor import Figure, Limits
from models.triggers import Trigger
from strategies.model_numbers import monitoring_limits

DAILY, WEEKLY, MONTHLY = "daily", "weekly", "monthly"
_WEEK = timedelta(days=7)
_RISK = "risk"


def refresh(uow: UnitOfWork, *, business_date: date) -> dict[str, int]:
    """Measure every version that is scored and raise what fires. Repeatable: a day's figures are written anew.

    Only champions raise alerts: what a shadow says harms nobody, its figures are there to be read.
    """
    uow.actor.require(Permission.JOB_RUN)
    session = uow.session
    try:
        limits = Limits(**monitoring_limits(business_date))
    except ValueError as error:
        raise InvalidInput(str(error), code="no_limits") from None
    due = {
        WEEKLY: model_watch.is_due(
            session, WEEKLY, since=business_date - timedelta(days=business_date.weekday()), on=business_date
        ),
        MONTHLY: model_watch.is_due(session, MONTHLY, since=business_date.replace(day=1), on=business_date),
    }
    session.execute(sa.delete(ModelFigure).where(ModelFigure.as_of == business_date))
    told = {"models": 0, "figures": 0, "act": 0, "alerts": 0, "unreadable": 0, "closed": _close_idle(uow)}
    for model in model_watch.list_watched(session):
        try:
            card = ModelCard.from_json(model.card)
        except (KeyError, TypeError, ValueError):
            told["unreadable"] += 1  # a card of another release: it must be trained again to be watched
            continue
        figures = _measure(uow, model, card, limits, on=business_date, due=due)
        if not figures:
            continue
        session.add_all(_row(model, business_date, cadence, f) for cadence, f in figures)
        told["models"] += 1
        told["figures"] += len(figures)
        told["act"] += sum(f.verdict == "act" for _, f in figures)
        if model.stage == Stage.CHAMPION:
            before = model_watch.judged_psi(session, model.id, before=business_date, limit=limits.psi_days - 1)
            found = triggers.fired([f for _, f in figures], limits, psi_before=before)
            told["alerts"] += _raise(uow, model, found, on=business_date, quiet_days=limits.quiet_days)
            told["closed"] += _end_passing(uow, model, found, figures, on=business_date)
    return told


def _measure(
    uow: UnitOfWork, model: ModelVersion, card: ModelCard, limits: Limits, *, on: date, due: dict[str, bool]
) -> list[tuple[str, Figure]]:
    """Return the figures that are due, each with its cadence."""
    week = model_watch.list_runs(uow.session, model.id, after=on - _WEEK, until=on)
    today: ScoreRun | None = next((run for run in week if run.business_date == on), None)
    figures = [(DAILY, f) for f in monitor.daily(card, today.figures, limits)] if today else []
    if due[WEEKLY] and week:
        summed: dict[str, Any] = reduce(tally.added, (run.figures for run in week))
        figures += [(WEEKLY, f) for f in monitor.weekly(card, summed, limits)]
    if due[MONTHLY]:
        figures += [(MONTHLY, f) for f in _cohort(uow, model, card, limits, on=on)]
        if model.purpose == _RISK and week:
            groups = model_watch.gentle_by_language(uow.session, week[0].id)
            figures += [(MONTHLY, f) for country, counts in sorted(groups.items())
                        for f in monitor.fairness(f"language in {country}", counts, limits)]  # fmt: skip
    return figures


def _cohort(uow: UnitOfWork, model: ModelVersion, card: ModelCard, limits: Limits, *, on: date) -> list[Figure]:
    recipe = BY_NAME.get(model.name)
    rows = model_watch.matured_scores(
        uow.session, model.id, label=card.event_name, after=on - timedelta(days=limits.cohort_days), until=on,
        hold_out_only=recipe is not None and recipe.hold_out_only,
        of_promises=recipe is not None and recipe.kind == "promise",
    )  # fmt: skip
    if rows.is_empty():
        return []
    people = rows["customer_id"].rank("dense").to_numpy().astype("int64")
    return monitor.cohort(
        card, rows["outcome"].to_numpy(), rows["p_event"].to_numpy(), limits, people=people, seed=on.toordinal()
    )  # fmt: skip


def _row(model: ModelVersion, on: date, cadence: str, figure: Figure) -> ModelFigure:
    return ModelFigure(
        model_version_id=model.id, as_of=on, cadence=cadence, metric=figure.metric, segment=figure.segment,
        value=figure.value, low=figure.low, high=figure.high, rows=figure.rows, events=figure.events,
        verdict=figure.verdict, detail=dict(figure.detail) or None,
    )  # fmt: skip


def _raise(uow: UnitOfWork, model: ModelVersion, found: Sequence[Trigger], *, on: date, quiet_days: int) -> int:
    """Open an alert for each trigger that is not open already and was not closed by a person a short while ago."""
    known = uow.session.scalars(sa.select(ModelAlert).where(ModelAlert.model_version_id == model.id)).all()
    since = model_watch.instant_of(on - timedelta(days=quiet_days))
    quiet = {a.trigger for a in known if a.closed_at is None or (a.closed_at >= since and a.closed_by != SYSTEM.name)}
    new = [t for t in found if t.name not in quiet]
    uow.session.add_all(
        ModelAlert(model_version_id=model.id, trigger=t.name, raised_on=on, sentence=t.sentence[:500]) for t in new
    )
    return len(new)


def _end_passing(
    uow: UnitOfWork, model: ModelVersion, found: Sequence[Trigger], figures: Sequence[tuple[str, Figure]], *, on: date
) -> int:
    """Close alerts that end by themselves, once the day has shown that they are over."""
    looked_at = any(f.metric == "external_error" and f.verdict == "ok" for _, f in figures)
    if not looked_at or any(t.name in triggers.PASSING for t in found):
        return 0
    over = uow.session.scalars(
        sa.select(ModelAlert).where(
            ModelAlert.model_version_id == model.id, ModelAlert.closed_at.is_(None),
            ModelAlert.trigger.in_(triggers.PASSING),
        )
    ).all()  # fmt: skip
    for alert in over:
        _close(uow, alert, f"over on {on}")
    return len(over)


def _close_idle(uow: UnitOfWork) -> int:
    """Close the alerts of models that are no longer scored: nobody has to act on them."""
    idle = uow.session.scalars(
        sa.select(ModelAlert)
        .join(ModelVersion, ModelVersion.id == ModelAlert.model_version_id)
        .where(ModelAlert.closed_at.is_(None), ModelVersion.stage.not_in(SCORED))
    ).all()
    for alert in idle:
        _close(uow, alert, "the model is no longer at work")
    return len(idle)


def _close(uow: UnitOfWork, alert: ModelAlert, note: str) -> None:
    alert.closed_at, alert.closed_by, alert.note = uow.now, uow.actor.name, note
