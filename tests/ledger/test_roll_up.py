"""Customers as late as their accounts, and accounts in default by their customer."""

from datetime import date

import polars as pl

from collections_app.ledger.roll_up import pull_down, roll_up
from strategies.parameters.products import pulling_percent


def _accounts(*rows: tuple[int, int, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["customer_id", "dpd", "exposure_amount"], orient="row").with_columns(
        is_defaulted=pl.col("dpd") > 90
    )


def test_the_worst_account_speaks_for_its_customer() -> None:
    rolled = roll_up(_accounts((1, 0, 900), (1, 95, 100), (2, 0, 50)), method="worst")
    assert rolled.select("customer_id", "customer_dpd", "accounts", "accounts_past_due").rows() == [
        (1, 95, 2, 1),
        (2, 0, 1, 0),
    ]


def test_a_small_account_does_not_make_its_customer_late_when_the_share_counts() -> None:
    book = _accounts((1, 0, 900), (1, 95, 10), (1, 40, 90))
    assert roll_up(book, method="material_share", percent=5)["customer_dpd"].to_list() == [40]
    # Exactly the share is not more than the share.
    assert roll_up(book, method="material_share", percent=10)["customer_dpd"].to_list() == [0]


def test_accounts_equally_late_count_together() -> None:
    book = _accounts((1, 0, 80), (1, 30, 10), (1, 30, 10))
    assert roll_up(book, method="material_share", percent=15)["customer_dpd"].to_list() == [30]


def test_without_exposure_the_share_is_the_worst() -> None:
    assert roll_up(_accounts((1, 7, 0)), method="material_share", percent=5)["customer_dpd"].to_list() == [7]


def test_more_than_a_fifth_in_default_pulls_the_other_accounts_in() -> None:
    percent = pulling_percent(date(2026, 1, 1))
    assert percent == 20
    pulled = pull_down(_accounts((1, 95, 21), (1, 0, 79), (2, 95, 20), (2, 0, 80)), percent=percent)
    assert pulled["is_pulled"].to_list() == [False, True, False, False]
