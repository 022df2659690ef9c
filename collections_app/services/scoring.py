"""Score the open book: tables -> feature frames -> champion -> Score rows, all in sets."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import polars as pl
import sqlalchemy as sa

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import Case, Episode, ModelVersion, Score, ScoreRun
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.errors import NotConfigured
from collections_app.domain.permissions import Permission
from collections_app.queries.feature_frames import raw_frames
from models import family
from models.features import build_features
from models.registry import Bundle, BundleError, ModelStore

CHAMPION = "champion"
C_CARD = "c-card"
_CHUNK_CASES = 100_000


def score_open(uow: UnitOfWork, *, business_date: date, models: ModelStore, threads: int = 2) -> dict[str, Any]:
    """Score every open case that the champion has not scored for this date; its riskiest account speaks.

    Without a champion (cold start) nothing is scored and the reason is returned: strategies have rows
    for a case without a score.
    """
    uow.actor.require(Permission.JOB_RUN)
    champion = uow.session.scalar(
        sa.select(ModelVersion).where(ModelVersion.name == C_CARD, ModelVersion.stage == CHAMPION)
    )
    if champion is None:
        return {"scored": 0, "reason": f"no approved {C_CARD}: train one and approve it"}
    pairs = _unscored(uow, champion.id, business_date)
    if pairs.is_empty():
        return {
            "scored": 0,
            "model": f"{champion.name} {champion.version}",
            "reason": "every open case has its score",
        }
    bundle = load_bundle(models, champion.bundle_key)
    parts = []
    for chunk in _chunks(pairs):
        frames = raw_frames(uow.session, account_ids=chunk["account_id"].to_list(), as_of=business_date)
        parts.append(_worst_per_case(chunk, build_features(frames, business_date), bundle, threads))
    scored = pl.concat(parts)
    run = _write(uow, champion.id, business_date, scored, bundle)
    return {
        "scored": scored.height,
        "accounts": pairs.height,
        "model": f"{champion.name} {champion.version}",
        "psi": None if run.psi is None else round(run.psi, 4),
    }


def _chunks(pairs: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Cut the book into parts that fit in memory; a case is never cut in two."""
    cases = pairs.select(pl.col("case_id").unique().sort())
    for part in cases.iter_slices(_CHUNK_CASES):
        yield pairs.join(part, on="case_id", how="semi")


def load_bundle(models: ModelStore, key: str) -> Bundle:
    """Load a bundle; a damaged one is a matter of set-up, not of the case at hand."""
    try:
        return models.load(key)
    except BundleError as error:
        raise NotConfigured(str(error), code="bundle_damaged") from None


def _unscored(uow: UnitOfWork, model_version_id: int, business_date: date) -> pl.DataFrame:
    """Return ``case_id, account_id`` of open cases without a score of this model for this date."""
    done = sa.exists().where(
        Score.case_id == Case.id, Score.score_run_id == ScoreRun.id,
        ScoreRun.model_version_id == model_version_id, ScoreRun.business_date == business_date,
    )  # fmt: skip
    statement = (
        sa.select(Episode.case_id, Episode.account_id)
        .join(Case, Case.id == Episode.case_id)
        .where(Case.closed_on.is_(None), Episode.ended_on.is_(None), ~done)
    )
    return bulk.read(uow.session, statement, {"case_id": pl.Int64, "account_id": pl.Int64})


def _worst_per_case(pairs: pl.DataFrame, features: pl.DataFrame, bundle: Bundle, threads: int) -> pl.DataFrame:
    said = family.predict(bundle, features, threads=threads)
    scores = pl.concat([features.select("account_id"), said.frame()], how="horizontal")
    return (
        pairs.join(scores, on="account_id")
        .sort("case_id", "points", "account_id")
        .group_by("case_id", maintain_order=True)
        .first()
    )


def _write(
    uow: UnitOfWork, model_version_id: int, business_date: date, scored: pl.DataFrame, bundle: Bundle
) -> ScoreRun:
    """Add the rows to the day's run of this model, opening the run if it is the first time today."""
    session, table = uow.session, table_of(Score)
    run = session.scalar(
        sa.select(ScoreRun).where(
            ScoreRun.model_version_id == model_version_id, ScoreRun.business_date == business_date
        )
    )
    if run is None:
        psi = bundle.card.development.psi(scored["points"].to_numpy()) if scored.height else None
        run = ScoreRun(
            model_version_id=model_version_id,
            business_date=business_date,
            rows=0,
            psi=psi,
            created_at=uow.now,
        )
        session.add(run)
    run.rows += scored.height
    session.flush()  # the scores below carry the run's id
    staged = bulk.stage(
        session,
        "staged_score",
        scored.select("case_id", "account_id", "p_event", "score", "band", "is_fallback", "reason_codes"),
    )
    columns = {c: staged.c[c] for c in ("case_id", "account_id", "p_event", "score", "band", "is_fallback")} | {
        "reason_codes": bulk.as_json(session, staged.c.reason_codes),
        "score_run_id": sa.literal(run.id),
        "business_date": sa.literal(business_date, sa.Date()),
        "event_name": sa.literal(bundle.card.event_name),
        "horizon_days": sa.literal(bundle.card.horizon_days),
        "available_from": sa.literal(uow.now, table.c.available_from.type),
    }
    session.execute(sa.insert(Score).from_select(list(columns), sa.select(*columns.values())))
    return run
