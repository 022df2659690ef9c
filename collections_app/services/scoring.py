"""Score the open book: tables -> feature frames -> every model at work -> Score rows, all in sets.

Champions decide, each for its purpose; of the purpose ``risk`` each account goes to the champion card of its DPD
range, or to the champion of the C-card for all. Shadow and challenger versions are scored beside them and decide
nothing. Work is cut into chunks of cases: a million accounts need the memory of one chunk.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa

from collections_app.db import bulk
from collections_app.db.tables import Case, Episode
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.permissions import Permission
from collections_app.queries.feature_frames import paying_sources, raw_frames
from collections_app.services import score_runs
from collections_app.services.crews import Crew, Working, call_up, every_nth, predict
from models.catalogue import Recipe
from models.feature_list import frames_of
from models.features import build_features
from models.registry import ModelStore
from models.schema import RawFrames
from strategies.bands import held_bands
from strategies.model_numbers import BandHold, band_hold

C_CARD = "c-card"
RISK = "risk"
RECOVERY = "recovery"
EXACT_UP_TO = 5_000
"""Accounts whose reasons are exact contributions; a larger book gets approximate ones (some 100 times faster)."""
CHUNK_CASES = 50_000


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
    # Models of promises, slots, panels and of accounts not overdue have roads of their own.
    crew = call_up(uow, models, asked=lambda r: r.kind == "account" and _is_overdue(r), led_by_any=True)
    if not crew.models:
        return {"scored": 0, "reason": f"no approved {C_CARD}: train one and approve it"}
    routes = sorted((m for m in crew.models if _is_route(m)), key=lambda m: _width(m.recipe))
    book = _open_book(uow)
    done = score_runs.already_scored(uow, crew.models, business_date=business_date)
    todo = {m.id: _todo(book, done, [r.id for r in routes] if _is_route(m) else [m.id]) for m in crew.models}
    waiting = pl.concat(list(todo.values())).unique() if todo else book.select("case_id").clear()
    pairs = book.join(waiting, on="case_id", how="semi")
    if pairs.is_empty():
        return _told(crew, routes, {}, accounts=0, reason="every open case has its score")
    hold = band_hold(business_date)
    day = _Day(
        on=business_date, threads=threads, is_exact=pairs.height <= EXACT_UP_TO,
        every=every_nth(pairs.height), hold=hold,
        bands=score_runs.last_bands(
            uow, purpose=RISK, after=business_date - timedelta(days=hold.hold_days), before=business_date
        ),
    )  # fmt: skip
    unseen = unrouted = 0
    paying = paying_sources(uow.session)
    also = frames_of(crew.features)
    for chunk in _chunks(pairs, chunk_cases):
        ids = chunk["account_id"].to_list()
        frames = raw_frames(uow.session, account_ids=ids, as_of=business_date, also=also, paying=paying)
        rows = chunk.join(build_features(frames, business_date), on="account_id")
        rows = rows.join(_arrears(frames, business_date), on="account_id", how="left", maintain_order="left")
        unseen += chunk.height - rows.height
        unrouted += _score_routes(uow, routes, todo, rows, day)
        _score_others(uow, crew, todo, rows, day)
    psi = {m.id: score_runs.close_run(uow, m, business_date=business_date) for m in crew.models}
    return _told(crew, routes, psi, accounts=pairs.height, unseen=unseen, unrouted=unrouted)


def _is_route(model: Working) -> bool:
    """Tell the cards among which the risk of an account is divided by its days past due."""
    return model.decides and model.recipe.purpose == RISK


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


def _score_routes(
    uow: UnitOfWork, routes: list[Working], todo: dict[int, pl.DataFrame], rows: pl.DataFrame, day: _Day
) -> int:  # fmt: skip
    """Let the cards of risk speak, one account for each case; return how many accounts none of them serves."""
    if not routes:
        return 0
    left = rows.join(todo[routes[0].id], on="case_id", how="semi")
    said = []
    for model in routes:
        mine = left.filter(_serves(model.recipe))
        left = left.filter(~_serves(model.recipe))
        said.append(_predict(model, mine, day).with_columns(model=pl.lit(model.id)))
    speaking = held_bands(_one_per_case(pl.concat(said)), day.bands, on=day.on, hold=day.hold)
    speaking = speaking.with_columns(score_runs.as_json_text(speaking, {"since": "since", "said": "said"}))
    for model in routes:
        score_runs.write_scores(uow, model, speaking.filter(pl.col("model") == model.id), business_date=day.on)
    return left.height


def _score_others(
    uow: UnitOfWork, crew: Crew, todo: dict[int, pl.DataFrame], rows: pl.DataFrame, day: _Day
) -> None:  # fmt: skip
    """Let the models of other questions, and those that only watch, say their word."""
    for model in [m for m in crew.models if not _is_route(m)]:
        mine = rows.join(todo[model.id], on="case_id", how="semi").filter(_serves(model.recipe))

        def work(model: Working = model, mine: pl.DataFrame = mine) -> None:
            scored = _spoken(model, mine, _predict(model, mine, day))
            score_runs.write_scores(uow, model, scored, business_date=day.on)

        crew.let(model, work)


def _predict(model: Working, rows: pl.DataFrame, day: _Day) -> pl.DataFrame:
    return predict(model, rows, threads=day.threads, every=day.every, is_exact=day.is_exact)


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
    crew: Crew, routes: list[Working], psi: dict[int, float | None], *, accounts: int, unseen: int = 0,
    unrouted: int = 0, reason: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Say what was done, in the words of the run's record."""
    shifted = [p for m in routes if (p := psi.get(m.id)) is not None]
    told: dict[str, Any] = {
        **{purpose: rows for purpose, rows in crew.told().items() if purpose != RISK},
        "scored": sum(m.rows for m in routes),
        "accounts": accounts,
        "model": ", ".join(m.title for m in routes) or None,
        "psi": round(max(shifted), 4) if shifted else None,
        "fallback": sum(m.fallback_rows for m in routes),
        "reason": reason if routes else f"no approved {C_CARD}: train one and approve it",
        "unseen": unseen,
        "unrouted": unrouted,
    }
    return {k: v for k, v in told.items() if k == "scored" or v not in (None, 0, {})}
