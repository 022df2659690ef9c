"""What a promise to pay says by itself: how much of what is owed, how soon, in whose words (domain brief §3.1).

Known when it is made; the state of the account and what became of earlier promises come from ``build_features``.
"""

import polars as pl

from models.schema import Direction, FeatureSpec

PROMISED = {
    "row": pl.Int64, "amount": pl.Int64, "arrears_amount": pl.Int64, "created_on": pl.Date, "due_on": pl.Date,
    "made_by": pl.String, "last_paid_on": pl.Date, "earlier_60d": pl.Int64,
}  # fmt: skip
"""One row per promise. ``arrears_amount``: overdue that day; ``last_paid_on``: the latest payment before it;
``earlier_60d``: promises made in the sixty days before."""

_UP, _FREE = Direction.RISKIER, Direction.FREE
_CAP = 5.0
_MONTH = 30.4375
_SATURDAY = 6

PROMISE_FEATURES: tuple[FeatureSpec, ...] = (
    FeatureSpec("promise_of_arrears", "promises", "nothing was overdue", _FREE, "promise_terms"),
    FeatureSpec("promise_days_to_due", "promises", "never", _FREE, "promise_terms"),
    FeatureSpec("promise_weekday", "promises", "never: 1 = due on a Monday", _FREE, "promise_terms"),
    FeatureSpec("promise_weekend", "promises", "never", _FREE, "promise_terms"),
    FeatureSpec("promise_payday_gap", "promises", "no earlier payment", _FREE, "promise_terms"),
    FeatureSpec("promise_to_agent", "promises", "never: 1 = said to a person", _FREE, "promise_terms"),
    FeatureSpec("promise_by_customer", "promises", "never: 1 = entered without anybody asking", _FREE, "promise_terms"),
    FeatureSpec("promises_60d", "promises", "never", _UP, "promises_broken"),
)

PROMISE_NAMES: tuple[str, ...] = tuple(f.name for f in PROMISE_FEATURES)

ACCOUNT_NAMES: tuple[str, ...] = (
    "dpd", "arrears_ratio", "past_due_max", "months_late", "past_due_trend", "utilisation_0", "pay_ratio_0",
    "months_paid", "days_since_payment", "paid_30d_of_arrears", "partial_share", "months_on_book", "earlier_episodes",
    "earlier_cure_dpd", "attempts_30d", "connect_ratio_90d", "days_since_rpc", "refusals_90d", "promises_kept_12m",
    "promises_broken_12m", "promise_kept_ratio", "ml_status", "ml_orgs_12m", "ml_apps_7d", "ml_apps_8d_1m",
    "ml_overdue_orgs_12m",
)  # fmt: skip
"""What of the account bears on whether its promise is kept."""


def promise_features(promised: pl.DataFrame) -> pl.DataFrame:
    """Return ``row`` and PROMISE_NAMES of promises (columns PROMISED).

    ``promise_payday_gap``: days between the day it is due and the day of the month on which the customer paid last,
    by the shorter way around the month (0..15): who is paid monthly pays when the money is there.
    """
    due = pl.col("due_on")
    apart = (due - pl.col("last_paid_on")).dt.total_days() % _MONTH
    return promised.select(
        "row",
        promise_of_arrears=pl.when(pl.col("arrears_amount") > 0).then(
            (pl.col("amount") / pl.col("arrears_amount")).clip(0, _CAP)
        ),
        promise_days_to_due=(due - pl.col("created_on")).dt.total_days(),
        promise_weekday=due.dt.weekday(),
        promise_weekend=due.dt.weekday() >= _SATURDAY,
        promise_payday_gap=pl.min_horizontal(apart, _MONTH - apart),
        promise_to_agent=pl.col("made_by") == "agent",
        promise_by_customer=pl.col("made_by") == "customer",
        promises_60d="earlier_60d",
    ).cast(dict.fromkeys(PROMISE_NAMES, pl.Float64))
