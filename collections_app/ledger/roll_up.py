"""From accounts to their customers and back: whose days past due count for whom (domain brief §2.1, §2.2).

A frame of accounts here has customer_id, dpd, exposure_amount (all in one currency; the caller converts) and, to
pull down, is_defaulted. Row order is kept or free as said.
"""

from typing import Literal

import polars as pl

Method = Literal["worst", "material_share"]


def roll_up(accounts: pl.DataFrame, *, method: Method, percent: int = 0) -> pl.DataFrame:
    """Return per customer: customer_dpd, accounts, accounts_past_due, exposure_amount; sorted by customer_id.

    "worst": as late as the latest account. "material_share": the highest DPD that accounts with more than
    ``percent`` of the customer's exposure have reached, so that a forgotten fee does not make a good customer late;
    without any exposure it is the worst.
    """
    total = pl.col("exposure_amount").sum().over("customer_id")
    # Exposure of all accounts that are at least as late; ties count together.
    reached = pl.col("exposure_amount").cum_sum().over("customer_id")
    ranked = accounts.sort("customer_id", "dpd", descending=[False, True]).with_columns(
        is_material=(reached.max().over("customer_id", "dpd") * 100 > total * percent) | (total <= 0)
    )
    customer_dpd = {
        "worst": pl.col("dpd").max(),
        "material_share": pl.col("dpd").filter(pl.col("is_material")).max().fill_null(0),
    }
    return (
        ranked.group_by("customer_id")
        .agg(
            customer_dpd=customer_dpd[method],
            accounts=pl.len().cast(pl.Int64),
            accounts_past_due=(pl.col("dpd") > 0).sum().cast(pl.Int64),
            exposure_amount=pl.col("exposure_amount").sum(),
        )
        .sort("customer_id")
    )


def pull_down(accounts: pl.DataFrame, *, percent: int) -> pl.DataFrame:
    """Add is_pulled: the account is not in default itself, but more than ``percent`` of its customer's exposure is.

    EBA/GL/2016/07, 95; the share in force is strategies.parameters.products.pulling_percent. Row order is kept.
    """
    # A balance in the customer's favour is no exposure, and no share of one.
    exposure = pl.col("exposure_amount").clip(0)
    in_default = exposure.filter(pl.col("is_defaulted")).sum().over("customer_id")
    total = exposure.sum().over("customer_id")
    return accounts.with_columns(is_pulled=~pl.col("is_defaulted") & (in_default * 100 > total * percent))
