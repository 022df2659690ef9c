"""Promises with what was known when they were made."""

from datetime import date, timedelta

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.tables import Payment, Promise
from collections_app.domain.promises import PromiseStatus
from collections_app.queries.feature_frames import CASH_SIGN

_EARLIER_DAYS = 60
_LAST_PAID_DAYS = 366
_VOID = (PromiseStatus.SUPERSEDED, PromiseStatus.CANCELLED)


def promised(session: Session, observations: pl.DataFrame) -> pl.DataFrame:
    """Return models.promise_features.PROMISED, without the arrears, of observations (``row, account_id, observed_on``).

    An observation is the day on which a promise was made; of several of one day the last that stood counts.
    """
    asked = observations.select("row", "account_id", "observed_on")
    accounts = bulk.stage(session, "promise_account", asked.select("account_id").unique(), index=("account_id",))
    schema = {"id": pl.Int64, "account_id": pl.Int64, "created_on": pl.Date, "due_on": pl.Date, "amount": pl.Int64,
              "made_by": pl.String, "is_void": pl.Boolean}  # fmt: skip
    made = bulk.read(
        session,
        sa.select(
            Promise.id, Promise.account_id, Promise.created_on, Promise.due_on, Promise.amount, Promise.made_by,
            Promise.status.in_(_VOID).label("is_void"),
        ).join(accounts, accounts.c.account_id == Promise.account_id),
        schema,
    )  # fmt: skip
    own = (
        asked.join(made, left_on=["account_id", "observed_on"], right_on=["account_id", "created_on"])
        .sort("row", "is_void", "id", descending=[False, True, False])
        .unique("row", keep="last", maintain_order=True)
    )
    day = pl.col("observed_on")
    earlier = (
        asked.join(made.select("account_id", "created_on"), on="account_id")
        .filter(pl.col("created_on").is_between(day - pl.duration(days=_EARLIER_DAYS), day, closed="left"))
        .group_by("row")
        .agg(earlier_60d=pl.len().cast(pl.Int64))
    )
    return (
        own.select("row", "amount", "due_on", "made_by", created_on="observed_on")
        .join(earlier, on="row", how="left")
        .join(_last_paid(session, asked, accounts), on="row", how="left")
        .with_columns(pl.col("earlier_60d").fill_null(0))
    )


def _last_paid(session: Session, asked: pl.DataFrame, accounts: sa.Table) -> pl.DataFrame:
    first = asked["observed_on"].min()
    assert isinstance(first, date)
    paying = [kind for kind, sign in CASH_SIGN.items() if sign > 0]
    paid = bulk.read(
        session,
        sa.select(Payment.account_id, Payment.value_on)
        .join(accounts, accounts.c.account_id == Payment.account_id)
        .where(
            Payment.kind.in_(paying), Payment.status == "settled",
            Payment.value_on >= first - timedelta(days=_LAST_PAID_DAYS),
        ),
        {"account_id": pl.Int64, "value_on": pl.Date},
    )  # fmt: skip
    return (
        asked.join(paid, on="account_id")
        .filter(pl.col("value_on") < pl.col("observed_on"))
        .group_by("row")
        .agg(last_paid_on=pl.col("value_on").max())
    )
