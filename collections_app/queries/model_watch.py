"""What monitoring looks at: runs, matured outcomes beside the scores of their day, how groups are treated."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.tables import Account, Customer, ModelFigure, ModelVersion, Score, ScoreRun, TrainingLabel
from collections_app.domain.model_stages import SCORED
from collections_app.queries.label_facts import HOLD_OUT

_GENTLE = ("S1", "S2")
_KNOWN_WITHIN = timedelta(days=2)
"""A score counts for an observation if it was there by the end of that day anywhere on earth."""
_PROMISE_KNOWN_WITHIN = timedelta(days=5)
"""A promise made before a long weekend is scored on the business day after it."""


def list_watched(session: Session) -> list[ModelVersion]:
    """Return the versions that are scored: champion, challenger, shadow."""
    return list(
        session.scalars(sa.select(ModelVersion).where(ModelVersion.stage.in_(SCORED)).order_by(ModelVersion.id))
    )


def list_runs(session: Session, model_version_id: int, *, after: date, until: date) -> list[ScoreRun]:
    """Return the runs of a version in the days after ``after`` up to ``until``, newest first."""
    return list(
        session.scalars(
            sa.select(ScoreRun)
            .where(
                ScoreRun.model_version_id == model_version_id,
                ScoreRun.business_date > after,
                ScoreRun.business_date <= until,
            )
            .order_by(ScoreRun.business_date.desc())
        )
    )


def judged_psi(session: Session, model_version_id: int, *, before: date, limit: int) -> list[float]:
    """Return the PSI of the newest scoring days before a day that had rows enough to be judged, newest first."""
    rows = session.scalars(
        sa.select(ModelFigure.value)
        .where(
            ModelFigure.model_version_id == model_version_id, ModelFigure.metric == "psi",
            ModelFigure.segment == "all", ModelFigure.as_of < before, ModelFigure.verdict != "few",
        )
        .order_by(ModelFigure.as_of.desc())
        .limit(limit)
    )  # fmt: skip
    return [float(value) for value in rows if value is not None]


def is_due(session: Session, cadence: str, *, since: date, on: date) -> bool:
    """Tell whether no figure of this cadence was written from ``since`` up to the day before ``on``."""
    written = sa.exists().where(ModelFigure.cadence == cadence, ModelFigure.as_of >= since, ModelFigure.as_of < on)
    return not session.scalar(sa.select(written))


def matured_scores(
    session: Session, model_version_id: int, *, label: str, after: date, until: date, hold_out_only: bool = False,
    of_promises: bool = False,
) -> pl.DataFrame:  # fmt: skip
    """Return ``outcome, p_event, customer_id`` of labels that matured after ``after`` up to ``until``.

    Each label stands beside the score that this version gave the account on the day of observation. A score that
    was written later (a day scored anew) was not there when it was decided, and does not count (domain brief
    §8.20, invariant 6). ``hold_out_only``: only customers whom the draw left alone and nobody worked.
    ``of_promises``: a promise is scored on a day after it was made, and its score says of which day it speaks.
    """
    of_its_day = ScoreRun.business_date == TrainingLabel.observed_on
    if of_promises:
        of_its_day = Score.details["made_on"].as_string() == sa.cast(TrainingLabel.observed_on, sa.String)
    statement = (
        sa.select(
            TrainingLabel.outcome, Score.p_event, Account.customer_id, TrainingLabel.observed_on, Score.available_from
        )
        .join(Score, Score.account_id == TrainingLabel.account_id)
        .join(ScoreRun, ScoreRun.id == Score.score_run_id)
        .join(Account, Account.id == Score.account_id)
        .where(
            ScoreRun.model_version_id == model_version_id, TrainingLabel.label == label, of_its_day,
            TrainingLabel.matured_on > after, TrainingLabel.matured_on <= until,
        )
    )  # fmt: skip
    if hold_out_only:
        statement = statement.where(TrainingLabel.arm == HOLD_OUT, TrainingLabel.is_worked == sa.false())
    schema: dict[str, Any] = {
        "outcome": pl.Int64, "p_event": pl.Float64, "customer_id": pl.Int64, "observed_on": pl.Date,
        "available_from": pl.Datetime("us", "UTC"),
    }  # fmt: skip
    rows = bulk.read(session, statement, schema)
    in_time = pl.col("available_from") < pl.col("observed_on").cast(pl.Datetime("us")).dt.replace_time_zone(
        "UTC"
    ) + pl.lit(_PROMISE_KNOWN_WITHIN if of_promises else _KNOWN_WITHIN)
    return rows.filter(in_time).select("outcome", "p_event", "customer_id")


def gentle_by_language(session: Session, run_id: int) -> dict[str, dict[str, tuple[int, int]]]:
    """Return per country and language how many of a run's cases stand in the gentle bands, and how many there are.

    Of what the platform holds of a person only the language says something of a group; languages are compared
    within a country, because countries have books of their own.
    """
    gentle = sa.func.sum(sa.case((Score.band.in_(_GENTLE), 1), else_=0))
    rows = session.execute(
        sa.select(Customer.country, Customer.language, gentle, sa.func.count())
        .select_from(Score)
        .join(Account, Account.id == Score.account_id)
        .join(Customer, Customer.id == Account.customer_id)
        .where(Score.score_run_id == run_id)
        .group_by(Customer.country, Customer.language)
    )
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for country, language, favoured, number in rows:
        found.setdefault(country, {})[language] = (int(favoured), int(number))
    return found


def instant_of(day: date) -> datetime:
    """Return the first instant (UTC) of a day."""
    return datetime.combine(day, time.min, UTC)
