"""What each account does not tell of itself, from its product; asked once per distinct kind of account."""

from datetime import date
from typing import Any

import polars as pl

from collections_app.domain.waterfalls import InstalmentKind, Waterfall
from collections_app.ledger.frames import Schema
from strategies.parameters import products

_KIND = ("profile", "product_family", "currency")
_TERMS: Schema = {
    **dict.fromkeys((*_KIND, "product"), pl.String),
    "product_tolerance_amount": pl.Int64,
    "product_tolerance_rate": pl.Int64,
    "product_grace_days": pl.Int64,
    "materiality_amount": pl.Int64,
    "materiality_rate": pl.Int64,
    "charge_off_dpd": pl.Int64,
    "regulatory_table": pl.String,
    "waterfall": pl.String,
    "plan_waterfall": pl.String,
}
_TOLD = ("tolerance_amount", "tolerance_rate", "grace_days")


def resolve(accounts: pl.DataFrame, on: date) -> pl.DataFrame:
    """Add the columns of the account's product as in force on a day; what the account tells stays.

    Raises ValueError for an account twice, or a profile that products.yaml does not have.
    """
    if accounts["account_id"].is_duplicated().any():
        raise ValueError("an account is in the book twice")
    terms: list[dict[str, Any]] = []
    for told, family, currency in accounts.select(_KIND).unique().iter_rows():
        product = products.product(products.profile_of(told, family=family, currency=currency), on)
        terms.append(
            {
                "profile": told,
                "product_family": family,
                "currency": currency,
                "product": product.name,
                "product_tolerance_amount": product.tolerance_amounts.get(currency),
                "product_tolerance_rate": product.tolerance_rate,
                "product_grace_days": product.grace_days,
                "materiality_amount": product.materiality_amounts.get(currency, 0),
                "materiality_rate": product.materiality_rate,
                "charge_off_dpd": product.charge_off_dpd,
                "regulatory_table": product.regulatory_table,
                "waterfall": product.waterfall.name,
                "plan_waterfall": product.plan_waterfall.name,
            }
        )
    joined = accounts.join(pl.DataFrame(terms, schema=_TERMS), on=_KIND, nulls_equal=True, how="left")
    return joined.with_columns(**{name: pl.coalesce(name, f"product_{name}") for name in _TOLD})


def place(accounts: pl.DataFrame, instalments: pl.DataFrame) -> tuple[pl.DataFrame, tuple[Waterfall, ...]]:
    """Add ``position`` (by waterfall, then number of instalments) and make ``waterfall`` its number in the second
    result. An account with agreed instalments is paid by the waterfall of plans."""
    counts = instalments.group_by("account_id").agg(
        instalments=pl.len().cast(pl.Int64), has_plan=(pl.col("kind") == InstalmentKind.PLAN).any()
    )
    chosen = accounts.join(counts, on="account_id", how="left").with_columns(
        pl.col("instalments").fill_null(0),
        waterfall=pl.when(pl.col("has_plan").fill_null(value=False)).then("plan_waterfall").otherwise("waterfall"),
    )
    names = sorted(chosen["waterfall"].unique())
    numbers = pl.DataFrame(
        {"waterfall": names, "number": range(len(names))}, schema={"waterfall": pl.String, "number": pl.Int64}
    )
    placed = (
        chosen.join(numbers, on="waterfall", how="left")
        .drop("waterfall")
        .rename({"number": "waterfall"})
        .sort("waterfall", "instalments", "account_id")
        .with_columns(position=pl.int_range(pl.len(), dtype=pl.Int64))
    )
    return placed, tuple(products.waterfall(name) for name in names)
