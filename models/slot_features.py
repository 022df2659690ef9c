"""When to call: a call's hour at the customer's place and what came of earlier calls (domain brief §3.1 BTTC, §5.3).

A slot is a part of the day on working days or on the weekend. Calls count from the day after they were made, so
that the order of one day's calls tells nothing.
"""

from datetime import date, timedelta

import polars as pl

from models.schema import Direction, FeatureSpec

CALLS = {
    "customer_id": pl.Int64, "on": pl.Date, "local_hour": pl.Int64, "local_weekday": pl.Int64, "settled_on": pl.Date,
    "is_answered": pl.Boolean, "point_kind": pl.String,
}  # fmt: skip
"""Calls made. ``local_hour`` (0..23) and ``local_weekday`` (1 = Monday) are null where the zone is not known."""
ASKED = {"row": pl.Int64, "customer_id": pl.Int64, "on": pl.Date, "local_hour": pl.Int64, "local_weekday": pl.Int64,
         "point_kind": pl.String, "days_in_case": pl.Int64}  # fmt: skip
"""What is asked: a call of a customer on a day, at an hour, to a kind of number."""

SLOT_STARTS: tuple[int, ...] = (0, 9, 12, 14, 17, 19)
"""First hour of each part of the day: early, morning, noon, afternoon, late afternoon, evening."""
_SATURDAY = 6
_QUARTER, _MONTH = 90, 30
_UP, _FREE = Direction.RISKIER, Direction.FREE
_ZONE = "zone unknown"

SLOT_FEATURES: tuple[FeatureSpec, ...] = (
    FeatureSpec("slot_hour", "attempts", _ZONE, _FREE, "time_of_day"),
    FeatureSpec("slot_weekday", "attempts", _ZONE, _FREE, "time_of_day"),
    FeatureSpec("slot_weekend", "attempts", _ZONE, _FREE, "time_of_day"),
    FeatureSpec("slot_calls_90d", "attempts", _ZONE, _FREE, "hard_to_reach"),
    FeatureSpec("slot_answered_90d", "attempts", "no call in this slot, or " + _ZONE, _FREE, "hard_to_reach"),
    FeatureSpec("calls_30d", "attempts", "never", _FREE, "hard_to_reach"),
    FeatureSpec("calls_answered_90d", "attempts", "no call in 90 days", _FREE, "hard_to_reach"),
    FeatureSpec("days_since_answer", "attempts", "nobody answered in 90 days", _FREE, "hard_to_reach"),
    FeatureSpec("days_since_call", "attempts", "no call in 90 days", _FREE, "hard_to_reach"),
    FeatureSpec("point_is_mobile", "contact points", "never", _FREE, "hard_to_reach"),
    FeatureSpec("point_is_work", "contact points", "never", _FREE, "hard_to_reach"),
    FeatureSpec("days_in_case", "cases", "never", _FREE, "late_now"),
)

SLOT_NAMES: tuple[str, ...] = tuple(f.name for f in SLOT_FEATURES)


def slot_of(hour: pl.Expr, weekday: pl.Expr) -> pl.Expr:
    """Return the slot's number: the part of the day, and as many more on the weekend; null where the hour is."""
    part = pl.sum_horizontal((hour >= start).cast(pl.Int64) for start in SLOT_STARTS[1:])
    return pl.when(hour.is_not_null()).then(part + (weekday >= _SATURDAY).cast(pl.Int64) * len(SLOT_STARTS))


def slot_features(asked: pl.DataFrame, calls: pl.DataFrame) -> pl.DataFrame:
    """Return ``row`` and SLOT_NAMES of what is asked (columns ASKED), from the calls (CALLS) before its day.

    What came of a call counts only from the day after it was settled.
    """
    slot = slot_of(pl.col("local_hour"), pl.col("local_weekday"))
    then = calls.select(
        "customer_id", "settled_on", "is_answered", called_on=pl.col("on"), call_slot=slot
    )  # fmt: skip
    age = (pl.col("on") - pl.col("called_on")).dt.total_days()
    here = pl.col("call_slot") == pl.col("slot")
    known = pl.col("settled_on") < pl.col("on")
    answer = (pl.col("is_answered") & known).fill_null(value=False)
    counted = (
        asked.select("row", "customer_id", "on", slot=slot)
        .join(then, on="customer_id")
        .with_columns(age=age, here=here.fill_null(value=False), answer=answer)
        .filter(pl.col("age").is_between(1, _QUARTER))
        .group_by("row")
        .agg(
            slot_calls_90d=pl.col("here").sum(),
            slot_answered_90d=pl.col("answer").filter("here").mean(),
            calls_30d=(pl.col("age") <= _MONTH).sum(),
            calls_answered_90d=pl.col("answer").mean(),
            days_since_answer=pl.col("age").filter("answer").min(),
            days_since_call=pl.col("age").min(),
        )
    )
    hour, weekday = pl.col("local_hour"), pl.col("local_weekday")
    return (
        asked.join(counted, on="row", how="left", maintain_order="left")
        .select(
            "row",
            slot_hour=hour,
            slot_weekday=weekday,
            slot_weekend=weekday >= _SATURDAY,
            slot_calls_90d=pl.when(hour.is_not_null()).then(pl.col("slot_calls_90d").fill_null(0)),
            slot_answered_90d="slot_answered_90d",
            calls_30d=pl.col("calls_30d").fill_null(0),
            calls_answered_90d="calls_answered_90d",
            days_since_answer="days_since_answer",
            days_since_call="days_since_call",
            point_is_mobile=pl.col("point_kind") == "mobile",
            point_is_work=pl.col("point_kind") == "work_phone",
            days_in_case="days_in_case",
        )
        .cast(dict.fromkeys(SLOT_NAMES, pl.Float64))
    )


def look_back(day: date) -> date:
    """Return the first day of which a call can matter to a question of ``day``."""
    return day - timedelta(days=_QUARTER)
