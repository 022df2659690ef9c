"""Score moments rather than accounts: will this promise be kept, and at what hour does this customer answer?

A promise is scored once, as it stood when it was made, on the first business day after. The hours of a day are
asked anew every day for every open case with a number that works; the answer of the best one is the score, those
of all stand in ``details``.
"""

from datetime import date
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.tables import Case, ContactPoint, Episode, Promise, Score, ScoreRun
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.contact import PointKind
from collections_app.domain.errors import InvalidInput, NotConfigured
from collections_app.domain.permissions import Permission
from collections_app.domain.promises import PromiseStatus
from collections_app.queries import call_slots
from collections_app.services import observations, score_runs
from collections_app.services.crews import Working, call_up, predict
from models import slot_features
from models.registry import ModelStore

CHUNK_CASES = 50_000
_PHONES = (PointKind.MOBILE, PointKind.LANDLINE, PointKind.VOIP, PointKind.UNKNOWN)
# The parts of a day in which people are called; the hours before belong to nobody.
_STARTS = tuple(start for start in slot_features.SLOT_STARTS if start > 0)


def score_moments(
    uow: UnitOfWork, *, business_date: date, models: ModelStore, threads: int = 2, chunk: int = CHUNK_CASES
) -> dict[str, Any]:
    """Score new promises and today's hours by the models of these kinds that are led by a champion. Repeatable.

    A champion that cannot work raises NotConfigured; a shadow or challenger that cannot is told under ``failed``.
    """
    uow.actor.require(Permission.JOB_RUN)
    crew = call_up(uow, models, asked=lambda recipe: recipe.kind in ("promise", "slot"))
    for model in list(crew.models):

        def work(model: Working = model) -> None:
            if model.recipe.kind == "promise":
                _promises(uow, model, on=business_date, threads=threads)
            else:
                _hours(uow, model, on=business_date, threads=threads, chunk=chunk)

        crew.let(model, work)
    for model in crew.models:
        score_runs.close_run(uow, model, business_date=business_date)
    return crew.told()


def _promises(uow: UnitOfWork, model: Working, *, on: date, threads: int) -> None:
    """Score the open promises that this version has not scored since they were made."""
    waiting = _open_promises(uow.session, model.id, on)
    if waiting.is_empty():
        return
    try:
        rows = observations.of_labels(uow.session, model.recipe, waiting).rows
    except InvalidInput as error:
        raise NotConfigured(f"{model.title}: {error.message}", code="model_unfit") from None
    scored = predict(model, rows, threads=threads).with_columns(made_on=rows["observed_on"])
    details = score_runs.as_json_text(scored, {"made_on": "made_on"})
    score_runs.write_scores(uow, model, scored.with_columns(details), business_date=on)


def _open_promises(session: Session, version_id: int, on: date) -> pl.DataFrame:
    done = sa.exists().where(
        Score.account_id == Promise.account_id, Score.score_run_id == ScoreRun.id,
        ScoreRun.model_version_id == version_id, ScoreRun.business_date > Promise.created_on,
    )  # fmt: skip
    statement = sa.select(Promise.case_id, Promise.account_id, Promise.created_on.label("observed_on")).where(
        Promise.status == PromiseStatus.OPEN, Promise.created_on < on, ~done
    )
    return bulk.read(session, statement, {"case_id": pl.Int64, "account_id": pl.Int64, "observed_on": pl.Date})


def _hours(uow: UnitOfWork, model: Working, *, on: date, threads: int, chunk: int) -> None:
    """Ask of every callable case, for each part of the day, whether the customer would answer."""
    done = score_runs.already_scored(uow, [model], business_date=on)
    cases = _callable_cases(uow.session, on).join(done, on="case_id", how="anti")
    if cases.is_empty():
        return
    calls = call_slots.calls(uow.session, since=slot_features.look_back(on), until=on)
    for part in cases.iter_slices(chunk):
        asked = (
            part.join(pl.DataFrame({"local_hour": _STARTS}, schema={"local_hour": pl.Int64}), how="cross")
            .with_row_index("row")
            .with_columns(pl.col("row").cast(pl.Int64), on=pl.lit(on), local_weekday=pl.lit(on.isoweekday()))
        )
        mine = calls.join(part, on="customer_id", how="semi")
        features = slot_features.slot_features(asked, mine).drop("days_in_case")
        rows = asked.join(features, on="row", maintain_order="left").with_columns(
            pl.col("days_in_case").cast(pl.Float64)
        )
        scored = predict(model, rows, threads=threads).with_columns(hour=rows["local_hour"])
        score_runs.write_scores(uow, model, _best(scored), business_date=on)


def _callable_cases(session: Session, on: date) -> pl.DataFrame:
    """Return ``case_id, customer_id, account_id, point_kind, days_in_case`` of open cases with a working number."""
    accounts = (
        sa.select(Episode.case_id, sa.func.min(Episode.account_id).label("account_id"))
        .where(Episode.ended_on.is_(None))
        .group_by(Episode.case_id)
        .subquery()
    )
    statement = (
        sa.select(
            Case.id.label("case_id"), Case.customer_id, accounts.c.account_id, Case.opened_on, ContactPoint.rank,
            sa.cast(ContactPoint.kind, sa.String(24)).label("point_kind"), ContactPoint.id.label("point_id"),
        )
        .join(accounts, accounts.c.case_id == Case.id)
        .join(ContactPoint, ContactPoint.customer_id == Case.customer_id)
        .where(
            Case.closed_on.is_(None), ContactPoint.kind.in_(_PHONES), ContactPoint.quality == "ok",
            ContactPoint.owner == "debtor", ContactPoint.withdrawn_at.is_(None),
        )
    )  # fmt: skip
    schema = {
        "case_id": pl.Int64, "customer_id": pl.Int64, "account_id": pl.Int64, "opened_on": pl.Date, "rank": pl.Int64,
        "point_kind": pl.String, "point_id": pl.Int64,
    }  # fmt: skip
    return (
        bulk.read(session, statement, schema)
        .sort("case_id", "rank", "point_id")
        .unique("case_id", keep="first", maintain_order=True)
        .with_columns(days_in_case=(pl.lit(on) - pl.col("opened_on")).dt.total_days())
        .drop("opened_on", "rank", "point_id")
    )


def _best(scored: pl.DataFrame) -> pl.DataFrame:
    """Keep of each case the hour at which an answer is likeliest; what is said of every hour goes into details."""
    each = pl.concat_str(pl.lit('"'), "hour", pl.lit('": '), pl.col("p_event").round(4)).str.join(", ")
    hours = scored.group_by("case_id", maintain_order=True).agg(hours=each)
    best = scored.sort("case_id", "p_event", "hour", descending=[False, True, False]).unique(
        "case_id", keep="first", maintain_order=True
    )
    told = pl.concat_str(pl.lit('{"best_hour": '), "hour", pl.lit(', "hours": {'), "hours", pl.lit("}}"))
    return best.join(hours, on="case_id", maintain_order="left").with_columns(details=told)
