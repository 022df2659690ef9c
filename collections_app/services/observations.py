"""What a model learns from: matured labels with the features as known on each one's own day, for every recipe."""

from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl
from sqlalchemy.orm import Session

from collections_app.domain.errors import InvalidInput
from collections_app.queries import call_slots, label_facts, promise_facts
from collections_app.queries.feature_frames import frames_at
from models import slot_features
from models.catalogue import Recipe
from models.feature_list import frames_of
from models.features import build_features
from models.promise_features import promise_features

_CHUNK = 25_000
"""Observations whose facts are read and moved at once: what bounds the memory."""
_SLOT_DAYS = 180
_TODAY = ("dpd", "arrears_amount")


@dataclass(frozen=True)
class Observations:
    """Rows to learn from, and how many were left out on the way, by reason.

    ``rows``: the recipe's features with ``customer, account_ref, observed_on, outcome, value, arrears_amount`` and
    the groups of reports (``country, language, product_family, month``).
    """

    rows: pl.DataFrame
    matured: int
    left_out: dict[str, int] = field(default_factory=dict)


def observe(session: Session, recipe: Recipe, *, source: str | None = None, until: date) -> Observations:
    """Return everything that this recipe can learn from by ``until``; raise InvalidInput when nothing has matured."""
    if recipe.kind == "slot":
        return _slots(session, recipe, source=source, until=until)
    labels = label_facts.matured_labels(
        session, label=recipe.event, source=source, until=until, hold_out_only=recipe.hold_out_only
    )
    if labels.is_empty():
        raise InvalidInput(_nothing(session, recipe, source=source, until=until), code="no_labels")
    return of_labels(session, recipe, labels)


def of_labels(session: Session, recipe: Recipe, labels: pl.DataFrame) -> Observations:
    """Add features to label rows (queries.label_facts.LABELLED) and keep those of the recipe's population."""
    known = labels.filter(pl.col("arm").is_not_null()) if _compares_arms(recipe) else labels
    asked = known.sort("observed_on", "account_id").with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    parts = [_part(session, recipe, part) for part in asked.iter_slices(_CHUNK)]
    if not parts:
        raise InvalidInput(f"{labels.height} {recipe.event} labels have matured, none of them of a known arm")
    seen = pl.concat(parts)
    inside = seen.filter(_in_population(recipe))
    left_out = {
        "arm not known": labels.height - known.height,
        "not seen by then": known.height - seen.height,
        "outside the population": seen.height - inside.height,
    }
    months = inside.with_columns(month=pl.col("observed_on").dt.strftime("%Y-%m"))
    return Observations(months, labels.height, {k: n for k, n in left_out.items() if n})


def _compares_arms(recipe: Recipe) -> bool:
    """Tell whether the model learns what an arm of the experiment changes: who was not drawn teaches it nothing."""
    return recipe.purpose == "uplift"


def _in_population(recipe: Recipe) -> pl.Expr:
    if recipe.dpd is None:
        return pl.lit(value=True)
    least, most = recipe.dpd
    at_least = pl.col("dpd") >= least
    return at_least if most is None else at_least & (pl.col("dpd") <= most)


def _part(session: Session, recipe: Recipe, asked: pl.DataFrame) -> pl.DataFrame:
    frames, anchor = frames_at(session, asked, also=frames_of(recipe.features))
    features = build_features(frames, anchor).rename({"account_id": "row"})
    today = (
        frames.snapshots.filter(pl.col("business_date") == anchor)
        .select("arrears_amount", row="account_id")
        .unique("row")
    )
    known = asked.join(today, on="row").join(features, on="row")
    if recipe.kind == "promise":
        said = promise_facts.promised(session, asked).join(today, on="row")
        known = known.join(promise_features(said), on="row")
    return known.drop("row")


def _slots(session: Session, recipe: Recipe, *, source: str | None, until: date) -> Observations:
    """Take every settled call of the last half year; the calls before it only tell how the customer answered then."""
    since = until - timedelta(days=_SLOT_DAYS)
    calls = call_slots.calls(session, since=slot_features.look_back(since), until=until, source=source)
    made = calls.filter(pl.col("on") >= since)
    settled = made.filter(pl.col("is_answered").is_not_null() & ~pl.col("is_dead"))
    if settled.is_empty():
        raise InvalidInput(
            f"no call of the last {_SLOT_DAYS} days has an outcome"
            f"{f' for source {source}' if source else ''}: the {recipe.name} model learns from calls made",
            code="no_labels",
        )
    asked = settled.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    features = slot_features.slot_features(asked, calls)
    nothing = {c: pl.lit(None, pl.String) for c in ("account_ref", "product_family")}
    rows = (
        asked.join(features.drop("days_in_case"), on="row")
        .drop("row")
        .with_columns(
            **nothing, outcome=pl.col("is_answered").cast(pl.Int64), value=pl.lit(None, pl.Float64), observed_on="on",
            month=pl.col("on").dt.strftime("%Y-%m"),
        )
    )  # fmt: skip
    dead = int(made["is_dead"].sum())
    left_out = {"not settled": made.height - settled.height - dead, "the number is dead": dead}
    return Observations(rows, made.height, {k: n for k, n in left_out.items() if n})


def _nothing(session: Session, recipe: Recipe, *, source: str | None, until: date) -> str:
    """Say why there is nothing to learn from, with the rows that wait."""
    of = f" for source {source}" if source else ""
    if recipe.hold_out_only:
        every = label_facts.matured_labels(session, label=recipe.event, source=source, until=until)
        if every.height:
            return (
                f"{every.height} {recipe.event} labels have matured{of}, but none of a customer in the hold-out arm "
                f"whom nobody worked: what treated customers do is not self-cure"
            )
    waiting = label_facts.waiting_labels(session, label=recipe.event, source=source, until=until)
    wait = f"; {waiting} are not mature yet" if waiting else ""
    return (
        f"no {recipe.event} label has matured{of}{wait}; import outcomes, or wait until observations are "
        f"{recipe.horizon_days + 3} days old"
    )
