"""build_features: the one builder for training and for serving.

Point in time: states (snapshots, cycles, vendors' answers) up to and including ``as_of``, as the
day's feed brings them before the day's work; events (payments, attempts, promises) only strictly
before it. Nothing is read from a column that is overwritten later.
"""

from collections.abc import Iterator
from datetime import date, timedelta

import polars as pl

from models.event_features import event_features
from models.external import external_features
from models.feature_list import FEATURE_SCHEMA, MONTHS
from models.feedback_features import feedback_features
from models.months import monthly_states
from models.schema import RawFrames

_YEAR = 365
_RATIO_CAP = 5.0
_LAST = ("paid_30d_of_arrears",)
"""Made of features of several parts, after all of them."""


def build_features(frames: RawFrames, as_of: date) -> pl.DataFrame:
    """Return one row per account seen on or before ``as_of``, with the features in their frozen order."""
    built = _now(frames, as_of)
    for part in (
        _history(frames, as_of, limits=built.select("account_id", "limit_amount")),
        _payments(frames, as_of),
        _episodes(frames, as_of),
        _attempts(frames, as_of),
        _promises(frames, as_of),
        external_features(frames, as_of),
        *_behaviour(frames, as_of),
    ):
        built = built.join(part, on="account_id", how="left")
    counts = ("earlier_episodes", "late_days_12m", "attempts_30d", "connects_30d", "refusals_90d", "dead_ends_90d",
              "promises_kept_12m", "promises_broken_12m")  # fmt: skip
    return (
        built.with_columns(pl.col(counts).fill_null(0))
        .with_columns(paid_30d_of_arrears=_ratio("paid_30d", "arrears_amount"))
        .select(pl.col(c) if c in built.columns or c in _LAST else pl.lit(None).alias(c) for c in FEATURE_SCHEMA)
        .cast(FEATURE_SCHEMA)
        .sort("account_id")
    )


def _behaviour(frames: RawFrames, as_of: date) -> Iterator[pl.DataFrame]:
    """Build what only the B-cards read, where somebody asked for its frames."""
    if not frames.event_feeds.is_empty():
        yield event_features(frames, as_of)
    if not frames.feedback.is_empty():
        yield feedback_features(frames, as_of)


def _ratio(part: str, whole: str) -> pl.Expr:
    """Divide where the whole is positive; capped, because one tiny bill must not dwarf a portfolio."""
    return pl.when(pl.col(whole) > 0).then((pl.col(part) / pl.col(whole)).clip(-_RATIO_CAP, _RATIO_CAP))


def _last_year(column: str, as_of: date) -> pl.Expr:
    """Keep the events of the year before ``as_of``; that day's own events are not yet known."""
    return pl.col(column).is_between(as_of - timedelta(days=_YEAR), as_of, closed="left")


def _days_since(day: pl.Expr, as_of: date) -> pl.Expr:
    return (pl.lit(as_of) - day).dt.total_days()


def _now(frames: RawFrames, as_of: date) -> pl.DataFrame:
    latest = (
        frames.snapshots.filter(pl.col("business_date") <= as_of)
        .sort("business_date")
        .unique("account_id", keep="last", maintain_order=True)
    )
    return (
        frames.accounts.join(latest, on="account_id")
        .with_columns(
            arrears_ratio=_ratio("arrears_amount", "balance_amount"),
            months_on_book=_days_since(pl.col("opened_on"), as_of) / (_YEAR / 12),
        )
    )  # fmt: skip


def _history(frames: RawFrames, as_of: date, *, limits: pl.DataFrame) -> pl.DataFrame:
    states = monthly_states(frames, as_of).join(limits, on="account_id")
    past_due = [pl.col(f"past_due_{k}") for k in range(MONTHS)]
    late = [p.clip(0, None) for p in past_due]
    months = range(MONTHS)
    states = states.with_columns(
        *(_ratio(f"statement_{k}", "limit_amount").alias(f"utilisation_{k}") for k in months),
        *(_ratio(f"paid_{k}", "limit_amount").alias(f"paid_of_limit_{k}") for k in months),
        # What was paid in a month answers the bill of the month before.
        *(_ratio(f"paid_{k}", f"statement_{k + 1}").alias(f"pay_ratio_{k}") for k in range(MONTHS - 1)),
        past_due_max=pl.max_horizontal(past_due),
        past_due_mean=pl.mean_horizontal(past_due),
        months_late=_count([p >= 1 for p in past_due]),
        months_late_2=_count([p >= 2 for p in past_due]),
        past_due_trend=pl.mean_horizontal(late[:2]) - pl.mean_horizontal(late[2:]),
        months_paid=_count([pl.col(f"paid_{k}") > 0 for k in months]),
        paid_all=_total([pl.col(f"paid_{k}") for k in months]),
        statement_all=_total([pl.col(f"statement_{k}") for k in months]),
    )
    return states.with_columns(
        utilisation_mean=pl.mean_horizontal(f"utilisation_{k}" for k in months),
        utilisation_change=pl.col("utilisation_0") - pl.col(f"utilisation_{MONTHS - 1}"),
        pay_ratio_all=_ratio("paid_all", "statement_all"),
        paid_of_limit_all=_ratio("paid_all", "limit_amount"),
    ).drop("limit_amount")


def _count(conditions: list[pl.Expr]) -> pl.Expr:
    """Count the months where it holds; null when no month is known."""
    seen = pl.sum_horizontal(c.is_not_null() for c in conditions)
    return pl.when(seen > 0).then(pl.sum_horizontal(c.cast(pl.Int64) for c in conditions))


def _total(amounts: list[pl.Expr]) -> pl.Expr:
    seen = pl.sum_horizontal(a.is_not_null() for a in amounts)
    return pl.when(seen > 0).then(pl.sum_horizontal(amounts))


def _payments(frames: RawFrames, as_of: date) -> pl.DataFrame:
    sums = (
        frames.payments.filter(_last_year("value_on", as_of) & (pl.col("known_on") <= as_of))
        .group_by("account_id")
        .agg(
            days_since_payment=_days_since(pl.col("value_on").filter(pl.col("amount") > 0).max(), as_of),
            paid_30d=pl.col("amount").filter(pl.col("value_on") >= as_of - timedelta(days=30)).sum(),
        )
    )
    return (
        frames.accounts.select("account_id", "has_payment_feed")
        .join(sums, on="account_id", how="left")
        .with_columns(paid_30d=pl.when("has_payment_feed").then(pl.col("paid_30d").fill_null(0)))
        .drop("has_payment_feed")
    )


def _episodes(frames: RawFrames, as_of: date) -> pl.DataFrame:
    """Read the episodes that were over: how late, cured when, and how many days of the last year they took."""
    year = as_of - timedelta(days=_YEAR)
    late = (pl.col("ended_on") - pl.max_horizontal("entry_on", pl.lit(year))).dt.total_days()
    return (
        frames.episodes.filter(pl.col("ended_on") < as_of)
        .group_by("account_id")
        .agg(
            earlier_episodes=pl.len(),
            earlier_max_dpd=pl.col("max_dpd").max(),
            earlier_cure_dpd=pl.col("max_dpd").filter("is_cured").mean(),
            days_since_cure=_days_since(pl.col("ended_on").max(), as_of),
            late_days_12m=late.clip(lower_bound=0).sum(),
        )
    )


def _attempts(frames: RawFrames, as_of: date) -> pl.DataFrame:
    """Count what was tried before the day; what came of it counts only if it was settled before the day."""
    told = (pl.col("settled_on") < as_of).fill_null(value=False)
    month = pl.col("at_on") >= as_of - timedelta(days=30)
    quarter = pl.col("at_on") >= as_of - timedelta(days=90)
    connect, rpc, refusal, dead = (told & pl.col(c) for c in ("is_connect", "is_rpc", "is_refusal", "is_dead_end"))
    per_customer = (
        frames.attempts.filter(_last_year("at_on", as_of))
        .group_by("customer_id")
        .agg(
            attempts_30d=month.sum(),
            connects_30d=(month & connect).sum(),
            connect_ratio_90d=(quarter & connect).sum() / quarter.sum(),
            days_since_connect=_days_since(pl.col("at_on").filter(connect).max(), as_of),
            days_since_rpc=_days_since(pl.col("at_on").filter(rpc).max(), as_of),
            refusals_90d=(quarter & refusal).sum(),
            dead_ends_90d=(quarter & dead).sum(),
        )
    )
    return (
        frames.accounts.select("account_id", "customer_id")
        .join(per_customer, on="customer_id")
        .drop("customer_id")
        .with_columns(pl.col("connect_ratio_90d").fill_nan(None))
    )


def _promises(frames: RawFrames, as_of: date) -> pl.DataFrame:
    return (
        frames.promises.filter(_last_year("settled_on", as_of))
        .group_by("account_id")
        .agg(
            promises_kept_12m=pl.col("is_kept").sum(),
            promises_broken_12m=pl.col("is_broken").sum(),
            promise_kept_ratio=pl.col("is_kept").mean(),
        )
    )
