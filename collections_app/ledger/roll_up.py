"""From accounts to their customers and back: whose days past due count for whom (domain brief §2.1, §2.2).

A frame of accounts here has customer_id, dpd, exposure_amount (all in one currency; the caller converts) and, to
pull down, is_defaulted. Row order is kept or free as said.
"""

from typing import Literal

import polars as pl

Method = Literal["worst", "material_share"]
_ROLLED_UP = ("customer_id", "customer_dpd", "accounts", "accounts_past_due", "exposure_amount")


def roll_up(accounts: pl.DataFrame, *, method: Method, percent: int = 0) -> pl.DataFrame:
    """Return per customer: customer_dpd, accounts, accounts_past_due, exposure_amount; sorted by customer_id.

    "worst": as late as the latest account. "material_share": the highest DPD that accounts with more than
    ``percent`` of the customer's exposure have reached, so that a forgotten fee does not make a good customer late;
    without any exposure it is the worst.
    """
    figures = (
        accounts.group_by("customer_id")
        .agg(
            worst=pl.col("dpd").max(),
            accounts=pl.len().cast(pl.Int64),
            accounts_past_due=(pl.col("dpd") > 0).sum().cast(pl.Int64),
            exposure_amount=pl.col("exposure_amount").sum(),
        )
        .sort("customer_id")
    )
    if method == "worst":
        return figures.rename({"worst": "customer_dpd"}).select(_ROLLED_UP)
    # One row per customer and DPD, the latest first: how much of the exposure is at least so late.
    steps = (
        accounts.group_by("customer_id", "dpd")
        .agg(at=pl.col("exposure_amount").sum())
        .sort("customer_id", "dpd", descending=[False, True])
        .with_columns(reached=pl.col("at").cum_sum().over("customer_id"))
        .join(figures.select("customer_id", total="exposure_amount"), on="customer_id")
    )
    material = (
        steps.filter(pl.col("reached") * 100 > pl.col("total") * percent)
        .group_by("customer_id")
        .agg(material=pl.col("dpd").max())
    )
    speaks = pl.when(pl.col("exposure_amount") <= 0).then("worst").otherwise(pl.col("material").fill_null(0))
    return (
        figures.join(material, on="customer_id", how="left")
        .with_columns(customer_dpd=speaks)
        .select(_ROLLED_UP)
        .sort("customer_id")
    )


def pull_down(accounts: pl.DataFrame, *, percent: int) -> pl.DataFrame:
    """Add is_pulled: the account is not in default itself, but more than ``percent`` of its customer's exposure is.

    EBA/GL/2016/07, 95; the share in force is strategies.parameters.products.pulling_percent. Row order is kept.
    """
    # A balance in the customer's favour is no exposure, and no share of one.
    exposure = pl.col("exposure_amount").clip(0)
    shares = accounts.group_by("customer_id").agg(
        _late=exposure.filter(pl.col("is_defaulted")).sum(), _all=exposure.sum()
    )
    pulled = ~pl.col("is_defaulted") & (pl.col("_late") * 100 > pl.col("_all") * percent)
    return (
        accounts.join(shares, on="customer_id", how="left", maintain_order="left")
        .with_columns(is_pulled=pulled)
        .drop("_late", "_all")
    )
