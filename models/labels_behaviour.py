"""Outcomes of accounts that were still good: what a B-card predicts (domain brief §3.1).

An account is observed while nothing is past due; the event is that it reaches a DPD within the window, or is
charged off in it. DPD grows by a day a day, so the day on which a span of the ledger reaches it is exact.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import polars as pl

POSTING_LAG_DAYS = 3
"""Payments valued inside the window may be booked this much later."""
_LAST_WORD = ("sold",)
"""Statuses after which nobody tells what became of the account."""


@dataclass(frozen=True)
class BehaviourLabel:
    """One label: reaches ``bad_dpd`` within ``days`` of an observation at the end of each ``cadence``."""

    name: str
    bad_dpd: int
    days: int
    cadence: Literal["month", "week"]
    least_days_on_book: int = 0

    def last_observed(self, business_date: date) -> date:
        """Return the last observation day whose window and posting lag have passed."""
        latest = business_date - timedelta(days=self.days + POSTING_LAG_DAYS)
        return last_end(self.cadence, latest)


def last_end(cadence: Literal["month", "week"], latest: date) -> date:
    """Return the last day of a month, or the last Sunday, that is not after ``latest``."""
    if cadence == "week":
        return latest - timedelta(days=(latest.weekday() + 1) % 7)
    tomorrow = latest + timedelta(days=1)
    return latest if tomorrow.day == 1 else latest.replace(day=1) - timedelta(days=1)


BEHAVIOUR_LABELS: tuple[BehaviourLabel, ...] = (
    BehaviourLabel("bad30_6m", bad_dpd=30, days=180, cadence="month", least_days_on_book=90),
    BehaviourLabel("bad7_30d", bad_dpd=7, days=30, cadence="week"),
)

SPANS = {
    "account_id": pl.Int64, "from_on": pl.Date, "dpd": pl.Int64, "is_ageing": pl.Boolean, "status": pl.String,
}  # fmt: skip


def reached_on(spans: pl.DataFrame, *, dpd: int, until: date) -> pl.DataFrame:
    """Return ``account_id, reached_on``: every day on which a span stands at ``dpd`` for the first time.

    ``spans`` (columns SPANS, ordered by account and day) are the ledger's: each lasts until the next one of its
    account begins, the last until ``until``. A span that begins at or above ``dpd`` reaches it on its first day.
    """
    left = pl.col("from_on").shift(-1).over("account_id")
    short = pl.when(pl.col("is_ageing")).then(dpd - pl.col("dpd"))
    missing = pl.when(pl.col("dpd") >= dpd).then(0).otherwise(short)
    gone = (pl.col("status") == "charged_off") & (pl.col("status").shift(1).over("account_id") != "charged_off")
    return (
        spans.with_columns(left_on=left, missing=pl.when(gone).then(0).otherwise(missing))
        .filter(pl.col("missing").is_not_null())
        .with_columns(reached_on=(pl.col("from_on") + pl.duration(days=pl.col("missing"))).cast(pl.Date))
        .filter(
            (pl.col("reached_on") <= until) & (pl.col("left_on").is_null() | (pl.col("reached_on") < pl.col("left_on")))
        )
        .select("account_id", "reached_on")
    )


def outcomes(observed: pl.DataFrame, spans: pl.DataFrame, label: BehaviourLabel, *, on: date) -> pl.DataFrame:
    """Return ``account_id, observed_on, matured_on, outcome, bad_on`` of accounts that were good on a day.

    ``observed`` names the accounts (``account_id``); ``spans`` must reach to the end of the window. Accounts whose
    fate nobody tells (sold within the window) have no outcome and are left out.
    """
    last = on + timedelta(days=label.days)
    first = (
        reached_on(spans, dpd=label.bad_dpd, until=last)
        .filter(pl.col("reached_on") > on)
        .group_by("account_id")
        .agg(bad_on=pl.col("reached_on").min())
    )
    silent = spans.filter(pl.col("status").is_in(_LAST_WORD) & (pl.col("from_on") <= last)).select("account_id")
    found = observed.select("account_id").join(first, on="account_id", how="left")
    known = found.join(silent.unique().with_columns(silent=pl.lit(value=True)), on="account_id", how="left")
    return known.filter(pl.col("silent").is_null() | pl.col("bad_on").is_not_null()).select(
        "account_id",
        observed_on=pl.lit(on, pl.Date),
        matured_on=pl.lit(last, pl.Date),
        outcome=pl.col("bad_on").is_not_null().cast(pl.Int64),
        bad_on=pl.col("bad_on"),
    )
