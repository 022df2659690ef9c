"""Whose days past due count for whom: accounts rolled up to their customers, default pulled down again (§2.2)."""

from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.tables import Account
from collections_app.ledger.roll_up import pull_down, roll_up
from collections_app.queries.as_of import standings_as_of
from collections_app.queries.reports.report import CURRENCY, Column, Row, Scope, Table, count, money
from collections_app.queries.reports.roll_rates import BUCKET_TABLE, FROM_DPD, dpd_range
from strategies.parameters import bucket_bands
from strategies.parameters.products import pulling_percent

DEFAULT_DPD = 90
"""A facility is in default from here on, by days alone (IFRS 9 B5.5.37, presumption; EBA: 90 days)."""
_LIVE = ("active", "legal", "forborne")
_BOOK = {
    "customer_id": pl.Int64, "currency": pl.String, "bucket_table": pl.String, "dpd": pl.Int64,
    "exposure_amount": pl.Int64,
}  # fmt: skip


def roll_up_by_bucket(session: Session, scope: Scope) -> Table:
    """Return per bucket: facilities, customers by worst account and by material share, and pulled facilities."""
    columns = (
        BUCKET_TABLE, CURRENCY, Column("bucket", "Bucket", "bucket of the facility, or of the customer"), FROM_DPD,
        count("accounts", "Accounts", "facilities in the bucket by their own days past due"),
        money("account_balance", "Balance", "what they owe"),
        count("customers", "Customers, worst", "customers whose worst account is in the bucket"),
        money("customer_balance", "Their balance", "what these customers owe on all their accounts"),
        count("customers_material", "Customers, material",
              "customers of whom more than the material share is at least so late"),
        count("pulled", "Pulled", "facilities not in default themselves whose customer's defaulted share pulls them"),
        money("pulled_balance", "Pulled balance", "what is owed on them"),
    )  # fmt: skip
    percent = pulling_percent(scope.as_of)
    book = _book(session, scope)
    rows: list[Row] = []
    for (table, currency), part in sorted(book.partition_by("bucket_table", "currency", as_dict=True).items()):
        rows += _rows(part, str(table), str(currency), scope=scope, percent=percent)
    notes = (
        f"In default: {DEFAULT_DPD} days past due or more. Pulled, material: over {percent} % of the exposure.",
        "Customers are counted per currency and bucket table: amounts of different currencies are never added.",
    )
    return Table(columns, tuple(rows), notes)


def _book(session: Session, scope: Scope) -> pl.DataFrame:
    """Read every live account as it stood, with its customer."""
    standing = standings_as_of(scope.as_of, scope.known_at)
    statement: sa.Select[Any] = (
        sa.select(
            Account.customer_id, Account.currency, Account.bucket_table, standing.c.dpd,
            standing.c.balance_amount.label("exposure_amount"),
        )
        .join(standing, standing.c.account_id == Account.id)
        .where(standing.c.status.in_(_LIVE))
    )  # fmt: skip
    if scope.source:
        statement = statement.where(Account.source == scope.source)
    return bulk.read(session, statement, _BOOK)


def _rows(book: pl.DataFrame, table: str, currency: str, *, scope: Scope, percent: int) -> list[Row]:
    bands = bucket_bands(table, scope.as_of)
    starts = [band.from_dpd for band in bands]

    def bucket(dpd: str) -> pl.Expr:
        return pl.lit(pl.Series(starts)).search_sorted(pl.col(dpd), side="right") - 1

    pulled = pull_down(book.with_columns(is_defaulted=pl.col("dpd") >= DEFAULT_DPD), percent=percent)
    accounts = _sums(pulled, bucket("dpd"))
    held = _sums(pulled.filter("is_pulled"), bucket("dpd"))
    worst = _sums(roll_up(book, method="worst"), bucket("customer_dpd"))
    material = _sums(roll_up(book, method="material_share", percent=percent), bucket("customer_dpd"))
    nothing = (0, 0)
    return [
        (
            table, currency, band.code, dpd_range(bands, i), *accounts.get(i, nothing), *worst.get(i, nothing),
            material.get(i, nothing)[0], *held.get(i, nothing),
        )
        for i, band in enumerate(bands)
    ]  # fmt: skip


def _sums(frame: pl.DataFrame, at: pl.Expr) -> dict[int, tuple[int, int]]:
    """Return count and exposure by the bucket's index."""
    found = frame.group_by(at=at).agg(pl.len(), pl.col("exposure_amount").sum())
    return {int(i): (int(n), int(amount)) for i, n, amount in found.iter_rows()}
