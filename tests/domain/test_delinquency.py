"""Days past due of one date, re-ageing, charge-off, and the dated tables behind them."""

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collections_app.domain.delinquency import (
    Pause,
    ReAgeRefusal,
    charge_off_due_on,
    days_past_due,
    may_re_age,
)
from collections_app.domain.schedules import roll_due
from collections_app.domain.waterfalls import DueRoll, InstalmentKind, Waterfall, tolerance_of
from strategies.parameters import bucket_bands, in_force, load
from strategies.parameters.products import (
    product,
    product_names,
    profile_of,
    re_age_limits,
    regulatory_bands,
    waterfall,
)

TODAY = date(2026, 6, 1)


def test_the_due_day_is_day_0_and_the_day_after_is_day_1() -> None:
    assert [days_past_due(date(2026, 3, 1), date(2026, 3, day)) for day in (1, 2, 31)] == [0, 1, 30]
    assert days_past_due(None, TODAY) == 0


@settings(max_examples=50, deadline=None)
@given(st.dates(date(2026, 1, 1), date(2026, 6, 1)), st.dates(date(2026, 1, 1), date(2026, 6, 1)), st.integers(0, 40))
def test_a_pause_never_makes_days_past_due_fall(due_on: date, begins: date, length: int) -> None:
    pause = Pause(begins, date.fromordinal(begins.toordinal() + length))
    days = [days_past_due(due_on, date.fromordinal(due_on.toordinal() + n), pauses=[pause]) for n in range(120)]
    steps = [later - earlier for earlier, later in pairwise(days)]
    assert set(steps) <= {0, 1}


def test_charge_off_falls_due_by_the_products_days() -> None:
    assert charge_off_due_on(100, TODAY, charge_off_dpd=120) == date(2026, 6, 21)
    assert charge_off_due_on(200, TODAY, charge_off_dpd=180) == date(2026, 5, 12)
    assert charge_off_due_on(0, TODAY, charge_off_dpd=120) is None
    assert charge_off_due_on(100, TODAY, charge_off_dpd=None) is None


LIMITS = re_age_limits(TODAY)


def test_an_account_in_good_will_may_be_re_aged() -> None:
    assert may_re_age(TODAY, opened_on=date(2025, 9, 1), payments_in_a_row=3, re_aged_on=[], limits=LIMITS) == ()


@pytest.mark.parametrize(
    ("opened_on", "payments", "re_aged_on", "refusals"),
    [
        (date(2020, 1, 1), 2, [], [ReAgeRefusal.TOO_FEW_PAYMENTS]),
        (date(2025, 9, 2), 3, [], [ReAgeRefusal.TOO_YOUNG]),
        (None, 3, [], [ReAgeRefusal.TOO_YOUNG]),
        (date(2020, 1, 1), 3, [date(2025, 6, 2)], [ReAgeRefusal.ONCE_IN_12_MONTHS]),
        (date(2020, 1, 1), 3, [date(2025, 6, 1)], []),
        (date(2020, 1, 1), 3, [date(2021, 6, 2), date(2023, 1, 1)], [ReAgeRefusal.TWICE_IN_60_MONTHS]),
        (date(2020, 1, 1), 3, [date(2021, 6, 1), date(2023, 1, 1)], []),
        (
            date(2026, 5, 1),
            0,
            [date(2026, 1, 1), date(2026, 2, 1)],
            list(ReAgeRefusal),
        ),
    ],
)
def test_re_ageing_is_refused_with_every_reason(
    opened_on: date | None, payments: int, re_aged_on: list[date], refusals: list[ReAgeRefusal]
) -> None:
    found = may_re_age(TODAY, opened_on=opened_on, payments_in_a_row=payments, re_aged_on=re_aged_on, limits=LIMITS)
    assert list(found) == refusals


def test_months_end_on_their_last_day() -> None:
    on, opened = date(2026, 11, 30), date(2026, 2, 28)  # nine months before 30 November: 28 February
    assert may_re_age(on, opened_on=opened, payments_in_a_row=3, re_aged_on=[], limits=LIMITS) == ()


def test_without_any_limit_nothing_is_tolerated() -> None:
    assert tolerance_of(1000, amount=None, rate=None) == 0
    assert tolerance_of(1999, amount=None, rate=10_000_000) == 19
    assert tolerance_of(1999, amount=5, rate=10_000_000) == 5


def test_a_due_date_may_roll_over_a_month_end() -> None:
    assert roll_due(date(2026, 1, 31), DueRoll.FOLLOWING) == date(2026, 2, 2)
    assert roll_due(date(2026, 2, 1), DueRoll.PRECEDING) == date(2026, 1, 30)


def test_the_version_in_force_is_the_last_that_has_begun() -> None:
    versions = {date(2020, 1, 1): "old", date(2024, 1, 1): "new"}
    days = (date(2019, 1, 1), date(2023, 12, 31), date(2024, 1, 1), None)
    assert [in_force(versions, day) for day in days] == ["old", "old", "new", "new"]
    assert product("eu_loan", date(2020, 12, 31)).materiality_amounts == {}
    assert product("eu_loan", date(2021, 1, 1)).materiality_amounts == {"EUR": 10_000}


def test_a_waterfall_changes_with_the_value_date_of_the_payment() -> None:
    card, loan = waterfall("cn_card"), waterfall("default_loan")
    dated = Waterfall("x", card.tiers, (*loan.versions, *card.versions))
    before, after = date(2011, 1, 12), date(2011, 1, 13)
    assert dated.rule_on(before, dpd=95).name == "default_loan@2000-01-01"
    assert dated.rule_on(after, dpd=95).name == "cn_card@2011-01-13/dpd91"
    assert dated.rule_on(date(1990, 1, 1), dpd=0).name == "default_loan@2000-01-01"


def test_every_product_and_table_of_the_parameters_can_be_read() -> None:
    families = load("products")["families"]
    assert {name for by_currency in families.values() for name in by_currency.values()} <= set(product_names())
    for name in product_names():
        found = product(name, TODAY)
        assert bucket_bands(found.bucket_table, TODAY)[0].from_dpd == 0
        assert regulatory_bands(found.regulatory_table, TODAY)[0].from_dpd == 0
        assert {kind for tier in found.waterfall.tiers for kind in tier.kinds} == set(InstalmentKind)
    assert profile_of("hardship", family="card", currency="USD") == "hardship"
    assert profile_of(None, family="something new", currency="USD") == "us_loan"
    for unknown in (bucket_bands, waterfall):
        with pytest.raises(ValueError, match="unknown"):
            unknown("gold")
    with pytest.raises(ValueError, match="known are loan"):
        product("gold", TODAY)
