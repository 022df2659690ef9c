"""Whom to make an offer: response times risk, never response alone (domain brief §3.9, trap 25)."""

from datetime import date
from typing import Any

import numpy as np
import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.tables import Account, Episode, ModelVersion, ScoreRun
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.errors import Conflict, NotConfigured
from collections_app.domain.model_stages import Stage
from collections_app.domain.permissions import Permission
from collections_app.queries.feature_frames import raw_frames
from collections_app.queries.good_accounts import not_overdue
from collections_app.queries.label_facts import matured_labels
from collections_app.services import observations, score_runs
from collections_app.services.crews import Working, load_bundle
from models import family
from models.catalogue import recipe_of
from models.deal_closing import AdverseSelection, Offer, adverse_selection, offer_value, whitelist
from models.feature_list import frames_of
from models.features import build_features
from models.registry import ModelStore
from models.sample import SampleError

RESPONSE, RISK = "deal-closing", "b-classic"
PASS_BANDS = ("S1", "S2", "S3")
"""Bands of the B-card that let an account pass."""
_RISK_LABEL = "bad30_6m"
_SAME_TIME_DAYS = 31
_CHUNK = 50_000


def make_list(
    uow: UnitOfWork, *, business_date: date, models: ModelStore, offer: Offer, capacity: int, threads: int = 2
) -> dict[str, Any]:  # fmt: skip
    """Value an offer to every account that is not overdue and list the ``capacity`` most valuable that pass.

    Nobody with anything overdue is looked at: contacts to overdue customers never carry marketing. PD is the B-card's,
    corrected by what matured responders showed; where they are too few it is used as it is, and that is told. Every
    account's value is stored as a score of purpose ``response`` (details: value_minor, p_default, is_listed). Raise
    NotConfigured without a champion for either half, Conflict when the day's list was made already.
    """
    uow.actor.require(Permission.JOB_RUN)
    response, risk = (_champion(uow, models, name) for name in (RESPONSE, RISK))
    if uow.session.scalar(
        sa.select(ScoreRun.id).where(
            ScoreRun.model_version_id == response.id, ScoreRun.business_date == business_date
        )
    ):  # fmt: skip
        raise Conflict(f"{response.title} has made its list for {business_date}", code="list_exists")
    shift, why = _correction(uow.session, response, risk, until=business_date, threads=threads)
    accounts = _nobody_overdue(uow.session, business_date)
    parts = [
        _predicted(uow.session, part["account_id"].to_list(), response, risk, on=business_date, threads=threads)
        for part in accounts.iter_slices(_CHUNK)
    ]
    if not parts:
        return {"accounts": 0, "listed": 0}
    seen = pl.concat(parts)
    p_respond, p_default = seen["p_event"].to_numpy(), seen["p_default"].to_numpy()
    if shift is not None:
        p_default = shift.correct(p_default, p_respond)
    value = offer_value(p_respond, p_default, offer)
    passes = seen["risk_band"].is_in(PASS_BANDS).to_numpy()
    listed = whitelist(value, passes, capacity=capacity)
    told = seen.with_columns(
        case_id=pl.lit(None, pl.Int64),
        details=pl.DataFrame(
            {"value_minor": value, "p_default": p_default.round(4), "is_listed": listed}
        ).select(pl.struct(pl.all()).struct.json_encode()).to_series(),
    )  # fmt: skip
    score_runs.write_scores(uow, response, told, business_date=business_date)
    score_runs.close_run(uow, response, business_date=business_date)
    return {
        "accounts": seen.height, "passed": int(passes.sum()), "listed": int(listed.sum()),
        "value_minor": int(value[listed].sum()), "is_corrected": shift is not None,
        **({"reason": why} if why else {}),
    }  # fmt: skip


def _champion(uow: UnitOfWork, models: ModelStore, name: str) -> Working:
    version = uow.session.scalar(
        sa.select(ModelVersion).where(ModelVersion.name == name, ModelVersion.stage == Stage.CHAMPION)
    )
    if version is None:
        half = "who answers" if name == RESPONSE else "who will not pay: by response alone the worst risks come first"
        raise NotConfigured(f"no approved {name} tells {half}; build one and approve it", code="no_champion")
    bundle = load_bundle(models, version.bundle_key)
    return Working(version.id, version.name, version.version, version.stage, recipe_of(name), bundle)


def _nobody_overdue(session: Session, on: date) -> pl.DataFrame:
    """Return the accounts of customers who owe nothing overdue on any account."""
    late = (
        sa.select(Account.customer_id).join(Episode, Episode.account_id == Account.id).where(Episode.ended_on.is_(None))
    )
    fit = bulk.read(
        session, sa.select(Account.id.label("account_id")).where(Account.customer_id.not_in(late)),
        {"account_id": pl.Int64},
    )  # fmt: skip
    return not_overdue(session, on).join(fit, on="account_id", how="semi")


def _predicted(
    session: Session, accounts: list[int], response: Working, risk: Working, *, on: date, threads: int
) -> pl.DataFrame:  # fmt: skip
    names = {*response.bundle.card.features, *risk.bundle.card.features}
    features = build_features(raw_frames(session, account_ids=accounts, as_of=on, also=frames_of(names)), on)
    return _said(features, response, risk, threads=threads)


def _said(features: pl.DataFrame, response: Working, risk: Working, *, threads: int) -> pl.DataFrame:
    """Return ``account_id``, what the response model says, ``p_default`` and ``risk_band``."""
    try:
        answers = family.predict(response.bundle, features, threads=threads, exact_reasons=False)
        fails = family.predict(risk.bundle, features, threads=threads, exact_reasons=False)
    except ValueError as error:
        raise NotConfigured(f"{response.title} or {risk.title}: {error}", code="model_unfit") from None
    return pl.concat([features.select("account_id"), answers.frame()], how="horizontal").with_columns(
        p_default=pl.Series(fails.p_event), risk_band=pl.Series(fails.band.tolist(), dtype=pl.String)
    )


def _correction(
    session: Session, response: Working, risk: Working, *, until: date, threads: int
) -> tuple[AdverseSelection | None, str]:  # fmt: skip
    """Fit the correction on responders whose fate has matured; or say why there is none."""
    said_yes = matured_labels(session, label=response.recipe.event, until=until).filter(pl.col("outcome") == 1)
    fates = matured_labels(session, label=_RISK_LABEL, until=until)
    known = (
        said_yes.drop("outcome")
        .join(fates.select("account_id", "outcome", fate_on="observed_on"), on="account_id")
        .filter((pl.col("fate_on") - pl.col("observed_on")).dt.total_days().is_between(0, _SAME_TIME_DAYS))
        .sort("account_id", "observed_on", "fate_on")
        .unique(["account_id", "observed_on"], keep="first", maintain_order=True)
        .drop("fate_on")
    )
    if known.is_empty():
        return None, "PD is not corrected: the fate of no responder has matured"
    rows = observations.of_labels(session, response.recipe, known).rows
    told = _said(rows, response, risk, threads=threads)
    try:
        return adverse_selection(
            told["p_default"].to_numpy(), told["p_event"].to_numpy(), rows["outcome"].to_numpy().astype(np.int64)
        ), ""  # fmt: skip
    except SampleError as error:
        return None, f"PD is not corrected: {error}"
