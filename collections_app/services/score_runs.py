"""Scores into their table, a chunk at a time, and the run's counts beside them."""

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl
import sqlalchemy as sa

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import ModelVersion, Score, ScoreRun
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.model_stages import Stage
from collections_app.services.crews import Working
from models.evaluate import psi
from models.tally import added, all_points

_WRITTEN = ("case_id", "account_id", "is_fallback", "p_event", "score", "band", "reason_codes", "details")


def write_scores(uow: UnitOfWork, model: Working, scored: pl.DataFrame, *, business_date: date) -> None:
    """Append rows (``case_id, account_id, p_event, score, band, is_fallback, reason_codes, details``) to the run.

    ``reason_codes`` and ``details`` are JSON text; ``details`` may be missing or null. They go straight into the
    table: nothing is updated, so staging would only write everything twice.
    """
    if scored.is_empty():
        return
    run = _run(uow, model, business_date)
    card = model.bundle.card
    plain = scored if "details" in scored.columns else scored.with_columns(details=pl.lit(None, pl.String))
    rows = plain.select(_WRITTEN).with_columns(
        score_run_id=pl.lit(run.id),
        purpose=pl.lit(model.recipe.purpose),
        is_shadow=pl.lit(not model.decides),
        business_date=pl.lit(business_date),
        event_name=pl.lit(card.event_name),
        horizon_days=pl.lit(card.horizon_days),
        available_from=pl.lit(uow.now).cast(pl.Datetime("us", "UTC")),
    )
    bulk.insert(uow.session, table_of(Score), rows)
    model.rows += rows.height
    model.fallback_rows += int(rows["is_fallback"].sum())


def close_run(uow: UnitOfWork, model: Working, *, business_date: date) -> float | None:
    """Write what the run added up to; return the stability index of its points against development."""
    if model.rows == 0 and not model.figures:
        return None
    run = _run(uow, model, business_date)
    run.rows += model.rows
    run.fallback_rows += model.fallback_rows
    run.figures = added(run.figures or {}, model.figures)
    counts = all_points(run.figures)
    if total := sum(counts):
        development = model.bundle.card.development
        run.psi = psi(_array(development.shares), _array([n / total for n in counts]))
    return run.psi


def _array(values: Any) -> Any:
    return pl.Series(values, dtype=pl.Float64).to_numpy()


def _run(uow: UnitOfWork, model: Working, business_date: date) -> ScoreRun:
    """Return the day's run of this model, opened if it is the first time today."""
    if model.run is None:
        model.run = uow.session.scalar(
            sa.select(ScoreRun).where(ScoreRun.model_version_id == model.id, ScoreRun.business_date == business_date)
        )
    if model.run is None:
        model.run = ScoreRun(
            model_version_id=model.id, business_date=business_date, stage=model.stage, rows=0, fallback_rows=0,
            figures={}, created_at=uow.now,
        )  # fmt: skip
        uow.session.add(model.run)
        uow.session.flush()  # the scores carry the run's id
    return model.run


def already_scored(uow: UnitOfWork, models: list[Working], *, business_date: date) -> pl.DataFrame:
    """Return ``model_version_id, case_id`` of what these models scored for the day."""
    statement = (
        sa.select(ScoreRun.model_version_id, Score.case_id)
        .join(Score, Score.score_run_id == ScoreRun.id)
        .where(ScoreRun.business_date == business_date, ScoreRun.model_version_id.in_([m.id for m in models]))
    )
    return bulk.read(uow.session, statement, {"model_version_id": pl.Int64, "case_id": pl.Int64})


def last_bands(uow: UnitOfWork, *, purpose: str, after: date, before: date) -> pl.DataFrame:
    """Return ``case_id, band, since`` of the newest deciding scores of a purpose between two days, both left out."""
    days = (
        sa.select(ScoreRun.id, ScoreRun.business_date)
        .join(ModelVersion, ModelVersion.id == ScoreRun.model_version_id)
        .where(
            ModelVersion.purpose == purpose, ScoreRun.stage == Stage.CHAMPION,
            ScoreRun.business_date > after, ScoreRun.business_date < before,
        )
    )  # fmt: skip
    runs = uow.session.execute(days).all()
    newest = max((day for _, day in runs), default=None)
    wanted = [run for run, day in runs if day == newest]
    statement = sa.select(
        Score.case_id, Score.id, Score.band, Score.details["since"].as_string().label("since")
    ).where(Score.score_run_id.in_(wanted))  # fmt: skip
    told = bulk.read(
        uow.session, statement, {"case_id": pl.Int64, "id": pl.Int64, "band": pl.String, "since": pl.String}
    )
    # Two champions may have scored a case on one day, when one took the other's place: the later word holds.
    last = told.sort("id").unique("case_id", keep="last", maintain_order=True)
    return last.select("case_id", "band", pl.col("since").str.to_date("%Y-%m-%d"))


def as_json_text(frame: pl.DataFrame, fields: Mapping[str, str]) -> pl.Series:
    """Write columns as a JSON object per row, nulls left out; null where nothing is left. ``fields``: key -> column."""
    parts = []
    for key, column in fields.items():
        quote = "" if frame.schema[column].is_numeric() else '"'
        said = pl.concat_str(pl.lit(f"{json.dumps(key)}: {quote}"), pl.col(column).cast(pl.String), pl.lit(quote))
        parts.append(pl.when(pl.col(column).is_not_null()).then(said))
    text = pl.concat_str(parts, separator=", ", ignore_nulls=True)
    return frame.select(
        details=pl.when(text != "").then(pl.concat_str(pl.lit("{"), text, pl.lit("}")))
    ).to_series()  # fmt: skip
