"""Monthly panels from the ledger: how each account stood at the end of each month, as believed at that time.

tables -> models.panel.Panel, for training and for scoring. A month's row is what was known on the evening of its last
day; a reversal or a correction that came later does not rewrite it (domain brief §3.4 (7)), so that a model learns from
the same first reports that it will be served. Where nothing of a month was known then (a history loaded later), what
is known now stands in.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.tables import Account, Customer
from collections_app.domain.calendars import add_months
from collections_app.queries.as_of import SPANS, all_versions, on_days
from models.panel import KEYS, NO_LOAN, PAID_OFF, WORST, Panel
from models.sample import SampleError

MONTHS = 36
"""Months of history that a panel holds at most."""

PANEL_FEATURES = ("dpd",)
"""What a month tells beside its state: the days past due on its last day."""

_SETTLED = ("closed", "settled")
_SOLD, _CHARGED_OFF = "sold", "charged_off"
_DAYS_PER_STATE = 30


def account_chunks(session: Session, *, source: str | None = None, size: int) -> Iterator[pl.DataFrame]:
    """Yield the accounts in parts of ``size`` (``account_id, customer_id, customer``), in the order of their customers.

    ``customer`` is the stable name of the person, by which people are dealt into training and test.
    """
    statement = (
        sa.select(
            Account.id.label("account_id"), Account.customer_id,
            (Customer.source + "|" + Customer.customer_ref).label("customer"),
        )
        .join(Customer, Customer.id == Account.customer_id)
        .order_by(Account.customer_id, Account.id)
    )  # fmt: skip
    if source is not None:
        statement = statement.where(Account.source == source)
    schema = {"account_id": pl.Int64, "customer_id": pl.Int64, "customer": pl.String}
    yield from bulk.read(session, statement, schema).iter_slices(size)


def read_panel(session: Session, account_ids: Sequence[int], *, until: date, months: int = MONTHS) -> Panel | None:
    """Return the panel of these accounts over the ``months`` calendar months that ended last by ``until``.

    States: 30-day steps of DPD, a written-off account 5, a closed or settled one paid off, nothing owed and nothing
    past due no loan. A sold account is lost to follow-up: it has no row from then on. None = nothing was known of any.
    """
    wanted = bulk.stage(session, "panel_account", bulk.frame_of_ids("account_id", account_ids), index=("account_id",))
    ends = month_ends(until, months)
    spans = all_versions(session, wanted, until=until)
    stood = pl.concat([_believed(spans, day) for day in ends])
    if stood.is_empty():
        return None
    schema = {"account_id": pl.Int64, "customer": pl.Int64, "opened_on": pl.Date}
    owners = bulk.read(
        session,
        sa.select(
            Account.id.label("account_id"), Account.customer_id.label("customer"), Account.opened_on
        ).join(wanted, wanted.c.account_id == Account.id),
        schema,
    )  # fmt: skip
    sold = (pl.col("status") == _SOLD).cum_max().over("account_id", order_by="business_date")
    held = stood.filter(~sold)
    if held.is_empty():
        return None
    try:
        return Panel.of(_months(held.join(owners, on="account_id")), PANEL_FEATURES)
    except SampleError as error:
        raise ValueError(f"the ledger gives no panel: {error}") from None


def month_ends(until: date, months: int) -> list[date]:
    """Return the last days of the ``months`` calendar months that ended last by ``until``, the latest first."""
    begun = (until + timedelta(days=1)).replace(day=1)
    return [add_months(begun, -k) - timedelta(days=1) for k in range(months)]


def month_index(day: date) -> int:
    """Return the panel's calendar index of a day's month."""
    return day.year * 12 + day.month - 1


def _believed(spans: pl.DataFrame, day: date) -> pl.DataFrame:
    """Return how the accounts stood on a day as known on its evening, or as known now where nothing was known then."""
    evening = pl.lit(day).cast(pl.Datetime("us")).dt.offset_by("1d").dt.replace_time_zone("UTC")
    begun = spans.filter(pl.col("from_on") <= day)
    by_then = pl.col("known_from") < evening
    then = by_then & (pl.col("known_until").is_null() | (pl.col("known_until") >= evening))
    held = begun.filter(pl.when(by_then.any().over("account_id")).then(then).otherwise(pl.col("known_until").is_null()))
    return on_days(held.select(*SPANS), [day])


def _months(stood: pl.DataFrame) -> pl.DataFrame:
    """Turn standings into the rows of a panel; months on book count from the opening, else from the first row."""
    month = _index("business_date")
    opened = pl.min_horizontal(_index("opened_on"), month.min().over("account_id"))
    overdue = (pl.col("dpd") // _DAYS_PER_STATE).clip(0, WORST)
    is_idle = (pl.col("dpd") <= 0) & (pl.col("balance_amount") <= 0)
    state = (
        pl.when(pl.col("status").is_in(_SETTLED))
        .then(PAID_OFF)
        .when(pl.col("status") == _CHARGED_OFF)
        .then(WORST)
        .when(is_idle)
        .then(NO_LOAN)
        .otherwise(overdue)
    )
    rows = stood.with_columns(month=month, mob=month - opened, state=state).sort("account_id", "month")
    # A correction may have taken an account back for a month: what lies before the gap is another watch.
    watch = pl.col("month") - pl.int_range(pl.len()).over("account_id")
    return rows.filter(watch == watch.last().over("account_id")).select(*KEYS, *PANEL_FEATURES)


def _index(name: str) -> pl.Expr:
    return pl.col(name).dt.year().cast(pl.Int32) * 12 + pl.col(name).dt.month().cast(pl.Int32) - 1
