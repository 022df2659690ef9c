"""Score the open book: tables -> feature frames -> every model at work -> Score rows, all in sets.

Champions decide, each for its purpose; of the purpose ``risk`` each account goes to the champion card of its DPD
range, or to the champion of the C-card for all. Shadow and challenger versions are scored beside them and decide
nothing. Work is cut into chunks of cases: a million accounts need the memory of one chunk.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa

from collections_app.db import bulk
from collections_app.db.tables import Case, Episode, ModelVersion
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.errors import NotConfigured
from collections_app.domain.model_stages import SCORED, Stage
from collections_app.domain.permissions import Permission
from collections_app.queries.feature_frames import paying_sources, raw_frames
from collections_app.services import score_runs
from collections_app.services.score_runs import Working
from models import family
from models.catalogue import BY_NAME, Recipe
from models.feature_list import frames_of
from models.features import build_features
from models.registry import Bundle, BundleError, ModelStore
from models.schema import RawFrames
from models.tally import tally
from strategies.bands import held_bands
from strategies.model_numbers import BandHold, band_hold

C_CARD = "c-card"
RISK = "risk"
RECOVERY = "recovery"
EXACT_UP_TO = 5_000
"""Accounts whose reasons are exact contributions; a larger book gets approximate ones (some 100 times faster)."""
CHUNK_CASES = 50_000
_DRIFT_ROWS = 200_000


@dataclass
class _Crew:
    """Who works today. ``routes`` are the champions of risk, the narrowest DPD range first."""

    routes: list[Working]
    others: list[Working]
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def all(self) -> list[Working]:
        return [*self.routes, *self.others]


@dataclass(frozen=True)
class _Day:
    """What every chunk of a run shares."""

    on: date
    threads: int
    is_exact: bool
    every: int
    hold: BandHold
    bands: pl.DataFrame


def score_open(
    uow: UnitOfWork, *, business_date: date, models: ModelStore, threads: int = 2, chunk_cases: int = CHUNK_CASES
) -> dict[str, Any]:
    """Score every open case that has no score of the day; its riskiest account speaks. Repeatable.

    Without a champion (cold start) nothing is scored and the reason is returned: strategies have rows for a case
    without a score. A champion that cannot work (bundle damaged, other feature set, feature missing) raises
    NotConfigured: nothing is decided on half the models. A shadow that cannot work is told under ``failed``.
    """
    uow.actor.require(Permission.JOB_RUN)
    crew = _crew(uow, models)
    if not crew.all:
        return {"scored": 0, "reason": f"no approved {C_CARD}: train one and approve it"}
    book = _open_book(uow)
    done = score_runs.already_scored(uow, crew.all, business_date=business_date)
    todo = {model.id: _todo(book, done, [m.id for m in crew.routes] if model in crew.routes else [model.id])
            for model in crew.all}  # fmt: skip
    waiting = pl.concat(list(todo.values())).unique() if todo else book.select("case_id").clear()
    pairs = book.join(waiting, on="case_id", how="semi")
    if pairs.is_empty():
        return _told(crew, {}, accounts=0, reason="every open case has its score")
    hold = band_hold(business_date)
    day = _Day(
        on=business_date, threads=threads, is_exact=pairs.height <= EXACT_UP_TO,
        every=-(-pairs.height // _DRIFT_ROWS), hold=hold,
        bands=score_runs.last_bands(
            uow, purpose=RISK, after=business_date - timedelta(days=hold.hold_days), before=business_date
        ),
    )  # fmt: skip
    unseen = unrouted = 0
    paying = paying_sources(uow.session)
    also = frames_of({name for model in crew.all for name in model.bundle.card.features})
    for chunk in _chunks(pairs, chunk_cases):
        ids = chunk["account_id"].to_list()
        frames = raw_frames(uow.session, account_ids=ids, as_of=business_date, also=also, paying=paying)
        rows = chunk.join(build_features(frames, business_date), on="account_id")
        rows = rows.join(_arrears(frames, business_date), on="account_id", how="left", maintain_order="left")
        unseen += chunk.height - rows.height
        unrouted += _score_chunk(uow, crew, todo, rows, day)
    psi = {m.id: score_runs.close_run(uow, m, business_date=business_date) for m in crew.all}
    return _told(crew, psi, accounts=pairs.height, unseen=unseen, unrouted=unrouted)


def load_bundle(models: ModelStore, key: str) -> Bundle:
    """Load a bundle; a damaged one is a matter of set-up, not of the case at hand."""
    try:
        return models.load(key)
    except BundleError as error:
        raise NotConfigured(str(error), code="bundle_damaged") from None


def _crew(uow: UnitOfWork, models: ModelStore) -> _Crew:
    """Load every version that is scored; without any champion nobody works."""
    versions = uow.session.scalars(
        sa.select(ModelVersion).where(ModelVersion.stage.in_(SCORED)).order_by(ModelVersion.id)
    ).all()
    crew = _Crew([], [])
    if not any(v.stage == Stage.CHAMPION for v in versions):
        return crew
    for version in versions:
        recipe = BY_NAME.get(version.name)
        if recipe is None:
            crew.failed[f"{version.name} {version.version}"] = "this release has no model of this name"
            continue
        if recipe.kind != "account" or not _is_overdue(recipe):
            continue  # models of promises, slots, panels and of accounts not overdue have roads of their own
        try:
            bundle = load_bundle(models, version.bundle_key)
        except NotConfigured as error:
            if version.stage == Stage.CHAMPION:
                raise
            crew.failed[f"{version.name} {version.version}"] = error.message
            continue
        model = Working(version.id, version.name, version.version, version.stage, recipe, bundle)
        (crew.routes if model.decides and recipe.purpose == RISK else crew.others).append(model)
    crew.routes.sort(key=lambda m: _width(m.recipe))
    return crew


def _is_overdue(recipe: Recipe) -> bool:
    return recipe.dpd is not None and recipe.dpd[1] != 0


def _width(recipe: Recipe) -> tuple[bool, int]:
    """Order the cards of risk: the card for all last, else the narrower range first."""
    low, high = recipe.dpd or (0, None)
    return recipe.name == C_CARD, (high or 10_000) - low


def _serves(recipe: Recipe) -> pl.Expr:
    """Tell which rows a recipe is for; the C-card for all takes whatever the others leave."""
    if recipe.name == C_CARD or recipe.dpd is None:
        return pl.lit(value=True)
    low, high = recipe.dpd
    return (pl.col("dpd") >= low) & (pl.lit(value=True) if high is None else pl.col("dpd") <= high)


def _open_book(uow: UnitOfWork) -> pl.DataFrame:
    """Return ``case_id, account_id`` of every account in an open episode of an open case."""
    statement = (
        sa.select(Episode.case_id, Episode.account_id)
        .join(Case, Case.id == Episode.case_id)
        .where(Case.closed_on.is_(None), Episode.ended_on.is_(None))
    )
    return bulk.read(uow.session, statement, {"case_id": pl.Int64, "account_id": pl.Int64}).sort("case_id")


def _todo(book: pl.DataFrame, done: pl.DataFrame, model_ids: Sequence[int]) -> pl.DataFrame:
    """Return the cases that none of these models has scored for the day."""
    cases = book.select("case_id").unique()
    return cases.join(done.filter(pl.col("model_version_id").is_in(model_ids)), on="case_id", how="anti")


def _chunks(pairs: pl.DataFrame, cases_at_once: int) -> Iterator[pl.DataFrame]:
    """Cut the book into parts that fit in memory; a case is never cut in two.

    Neighbours in the tables stay together: what is read of a chunk then lies in one stretch of them.
    """
    cases = pairs.group_by("case_id").agg(pl.col("account_id").min()).sort("account_id", "case_id").select("case_id")
    for part in cases.iter_slices(cases_at_once):
        yield pairs.join(part, on="case_id", how="semi")


def _score_chunk(
    uow: UnitOfWork, crew: _Crew, todo: dict[int, pl.DataFrame], rows: pl.DataFrame, day: _Day
) -> int:  # fmt: skip
    """Let every model say its word on a chunk; return how many accounts no card of risk serves."""
    left = rows.join(todo[crew.routes[0].id], on="case_id", how="semi") if crew.routes else rows.clear()
    said = []
    for model in crew.routes:
        mine = left.filter(_serves(model.recipe))
        left = left.filter(~_serves(model.recipe))
        said.append(_predict(model, mine, day).with_columns(model=pl.lit(model.id)))
    if said:
        speaking = _one_per_case(pl.concat(said))
        speaking = held_bands(speaking, day.bands, on=day.on, hold=day.hold)
        speaking = speaking.with_columns(
            score_runs.as_json_text(speaking, {"since": "since", "said": "said"})
        )  # fmt: skip
        for model in crew.routes:
            score_runs.write_scores(uow, model, speaking.filter(pl.col("model") == model.id), business_date=day.on)
    for model in list(crew.others):
        mine = rows.join(todo[model.id], on="case_id", how="semi").filter(_serves(model.recipe))
        try:
            scored = _spoken(model, mine, _predict(model, mine, day))
        except NotConfigured as error:
            if model.decides:
                raise
            crew.failed[model.title] = error.message
            crew.others.remove(model)
            continue
        score_runs.write_scores(uow, model, scored, business_date=day.on)
    return left.height


def _predict(model: Working, rows: pl.DataFrame, day: _Day) -> pl.DataFrame:
    """Score accounts by one model and count them; raise NotConfigured when it cannot work with these features."""
    try:
        said = family.predict(model.bundle, rows, threads=day.threads, exact_reasons=day.is_exact)
    except ValueError as error:
        raise NotConfigured(f"{model.title}: {error}", code="model_unfit") from None
    if rows.height:
        score_runs.count(model, tally(model.bundle, rows, said, every=day.every))
    return pl.concat([rows.select("case_id", "account_id"), said.frame()], how="horizontal")


def _arrears(frames: RawFrames, on: date) -> pl.DataFrame:
    """Return what is overdue today by account: no feature (it has a scale), but what a share is a share of."""
    today = frames.snapshots.filter(pl.col("business_date") == on)
    return today.select("account_id", "arrears_amount").unique("account_id")


def _spoken(model: Working, rows: pl.DataFrame, scored: pl.DataFrame) -> pl.DataFrame:
    """Keep one account per case; of an amount model all of them, with the amount (minor units) that is expected."""
    if model.recipe.purpose != RECOVERY:
        return _one_per_case(scored)
    share = scored["details"].str.json_path_match("$.expected_share").cast(pl.Float64)
    told = scored.select(
        share=share, expected_amount=(share * rows["arrears_amount"]).round(0).cast(pl.Int64)
    )  # fmt: skip
    details = score_runs.as_json_text(told, {"share": "share", "expected_amount": "expected_amount"})
    return scored.with_columns(details)


def _one_per_case(scored: pl.DataFrame) -> pl.DataFrame:
    """Keep of each case the account that is worst for the lender."""
    if scored["case_id"].n_unique() == scored.height:
        return scored
    return scored.sort("case_id", "points", "account_id").unique("case_id", keep="first", maintain_order=True)


def _told(
    crew: _Crew, psi: dict[int, float | None], *, accounts: int, unseen: int = 0, unrouted: int = 0,
    reason: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Say what was done, in the words of the run's record."""
    shifted = [p for m in crew.routes if (p := psi.get(m.id)) is not None]
    told: dict[str, Any] = {
        "scored": sum(m.rows for m in crew.routes),
        "accounts": accounts,
        "model": ", ".join(m.title for m in crew.routes) or None,
        "psi": round(max(shifted), 4) if shifted else None,
        "fallback": sum(m.fallback_rows for m in crew.routes),
        "reason": reason if crew.routes else f"no approved {C_CARD}: train one and approve it",
        "unseen": unseen,
        "unrouted": unrouted,
        **{m.recipe.purpose: m.rows for m in crew.others if m.decides},
        "beside": sum(m.rows for m in crew.others if not m.decides),
        "failed": dict(crew.failed),
    }
    return {k: v for k, v in told.items() if k == "scored" or v not in (None, 0, {})}
