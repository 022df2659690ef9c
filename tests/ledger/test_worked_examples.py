"""Delinquency worked by hand; each example is asked of the reference, and the engine must agree with it.

Amounts are minor units. Numbers T16, T19 and T20 are those of the domain brief, §9.
"""

from dataclasses import replace
from datetime import date

import pytest

from collections_app.domain.allocation import Account, Instalment, Payment
from collections_app.domain.cases import EpisodeEnd
from collections_app.domain.delinquency import Pause, bucket_of
from collections_app.domain.schedules import roll_due
from collections_app.domain.standing import AccountLedger, Spell, Standing
from collections_app.domain.waterfalls import Component, DueRoll, InstalmentKind
from strategies.parameters import bucket_bands
from strategies.parameters.products import product, reg_class_of
from tests.ledger_books import work

C, K = Component, InstalmentKind
PRODUCTS_ON = date(2026, 1, 1)


def at(month: int, day: int) -> date:
    """Return a day of 2026."""
    return date(2026, month, day)


def due(
    seq: int, on: date | None, *, kind: K = K.SCHEDULED, rate: int = 0, after: date | None = None, **dues: int
) -> Instalment:
    """Return an instalment; ``principal=1000``."""
    return Instalment((1, seq), kind, on, {C(name): amount for name, amount in dues.items()}, rate, after)


def account(profile: str, *instalments: Instalment, currency: str = "USD", **facts: object) -> Account:
    """Return an account of a product."""
    return Account(product(profile, PRODUCTS_ON), currency, instalments, **facts)


def thousands(*months: int) -> list[Instalment]:
    """Return an instalment of 1000 due on the first of each month."""
    return [due(seq, at(month, 1), principal=1000) for seq, month in enumerate(months, 1)]


def lines(ledger: AccountLedger, ref: str) -> list[tuple[int, str, int]]:
    """Return instalment, component and amount of each line of a payment."""
    return [(line.key[1], str(line.component), line.amount) for line in ledger.lines if line.payment.ref == ref]


def test_t16_half_of_the_second_instalment_is_39_days_late() -> None:
    loan = account("loan", *thousands(3, 4, 5), payments=[Payment("P", at(5, 5), 1500)])
    ledger = work(loan, at(5, 10))
    assert ledger.standings[-1] == Standing(at(5, 5), 34, True, 1500)  # 39 on 10 May; 500 of April, 1000 of May
    assert ledger.oldest_unpaid_due_on == at(4, 1)
    assert ledger.closed_on == {(1, 1): at(5, 5), (1, 2): None, (1, 3): None}
    assert (bucket_of(39, bucket_bands("cn")), bucket_of(39, bucket_bands("intl"))) == ("M2", "30-59")


@pytest.mark.parametrize(
    ("dpd", "cn", "intl", "ifrs", "card", "asset", "closed_end", "open_end"),
    [
        (0, "M0", "current", "stage_1", "normal", "normal", "pass", "pass"),
        (30, "M1", "30-59", "stage_1", "special_mention", "special_mention", "pass", "pass"),  # T19
        (31, "M2", "30-59", "stage_2", "special_mention", "special_mention", "pass", "pass"),
        (90, "M3", "90-119", "stage_3", "special_mention", "special_mention", "substandard", "substandard"),
        (91, "M4", "90-119", "stage_3", "substandard", "substandard", "substandard", "substandard"),
        (120, "M4", "120-149", "stage_3", "substandard", "substandard", "loss", "substandard"),
        (181, "M7+", "180+", "stage_3", "loss", "substandard", "loss", "loss"),
        (271, "M7+", "180+", "stage_3", "loss", "doubtful", "loss", "loss"),
        (361, "M7+", "180+", "stage_3", "loss", "loss", "loss", "loss"),
    ],
)
def test_t19_buckets_and_classes_are_off_by_one_by_design(
    dpd: int, cn: str, intl: str, ifrs: str, card: str, asset: str, closed_end: str, open_end: str
) -> None:
    on = at(6, 1)
    assert bucket_of(dpd, bucket_bands("cn", on)) == cn
    assert bucket_of(dpd, bucket_bands("intl", on)) == intl
    tables = ("ifrs9_presumption", "cn_card_art92", "cn_asset_2023", "us_ffiec_closed_end", "us_ffiec_open_end")
    assert [reg_class_of(dpd, table, on) for table in tables] == [ifrs, card, asset, closed_end, open_end]


CN_CARD = account(
    "cn_card",
    due(1, at(3, 1), kind=K.MINIMUM, interest=30, fee=20, principal=950),
    due(2, at(4, 1), kind=K.MINIMUM, interest=40, principal=960),
    currency="CNY",
    tolerance_amount=0,
)


def test_t20_a_chinese_card_at_95_days_pays_principal_first() -> None:
    ledger = work(replace(CN_CARD, payments=[Payment("P", at(6, 4), 1930)]), at(6, 4))
    assert ledger.lines[0].rule == "cn_card@2011-01-13/dpd91"  # 1 March to 4 June: 95 days
    assert lines(ledger, "P") == [(1, "principal", 950), (2, "principal", 960), (1, "fee", 20)]


def test_a_chinese_card_turns_on_day_91_not_on_day_90() -> None:
    on_day_90 = work(replace(CN_CARD, payments=[Payment("P", at(5, 30), 100)]), at(5, 30))
    assert lines(on_day_90, "P") == [(1, "fee", 20), (1, "interest", 30), (2, "interest", 40), (1, "principal", 10)]
    on_day_91 = work(replace(CN_CARD, payments=[Payment("P", at(5, 31), 100)]), at(5, 31))
    assert lines(on_day_91, "P") == [(1, "principal", 100)]


def test_the_second_payment_of_a_day_sees_the_days_past_due_that_the_first_left() -> None:
    # The first one, at 95 days, leaves 940 of principal less and then all of cycle 1: the oldest is cycle 2, 64 days.
    payments = [Payment("A", at(6, 4), 1960), Payment("B", at(6, 4), 20)]
    ledger = work(replace(CN_CARD, payments=payments), at(6, 4))
    assert lines(ledger, "A") == [(1, "principal", 950), (2, "principal", 960), (1, "fee", 20), (1, "interest", 30)]
    assert [(line.amount, line.rule) for line in ledger.lines[-1:]] == [(20, "cn_card@2011-01-13/dpd0")]


def test_a_part_payment_does_not_stop_the_clock() -> None:
    ledger = work(account("loan", *thousands(3), payments=[Payment("P", at(3, 11), 999)]), at(3, 21))
    assert ledger.standings == (
        Standing(at(3, 1), 0, False, 0),
        Standing(at(3, 2), 1, True, 1000),
        Standing(at(3, 11), 10, True, 1),
    )
    assert ledger.spells == (Spell(at(3, 2), 1, 1000, 20, None, None),)


def test_what_no_instalment_takes_stays_unapplied() -> None:
    ledger = work(account("loan", *thousands(3), payments=[Payment("P", at(3, 1), 1200)]), at(3, 5))
    assert (lines(ledger, "P"), ledger.unapplied) == ([(1, "principal", 1000)], {"P": 200})
    assert ledger.standings == (Standing(at(3, 1), 0, False, 0),)


def test_a_payment_in_advance_covers_what_comes() -> None:
    loan = account("loan", *thousands(3, 4, 5), payments=[Payment("P", at(2, 10), 2000)], opened_on=at(2, 1))
    ledger = work(loan, at(4, 15))
    assert ledger.standings == (Standing(at(2, 1), 0, False, 0),)
    assert ledger.closed_on == {(1, 1): at(2, 10), (1, 2): at(2, 10), (1, 3): None}
    assert (ledger.next_due_on, ledger.next_change_on) == (at(5, 1), at(5, 2))


@pytest.mark.parametrize(("paid", "dpd"), [(9000, 0), (8999, 9)])
def test_ten_yuan_short_is_paid_a_cent_more_is_not(paid: int, dpd: int) -> None:
    card = account("cn_card", due(1, at(3, 1), kind=K.MINIMUM, principal=10_000), currency="CNY")
    ledger = work(replace(card, payments=[Payment("P", at(2, 25), paid)]), at(3, 10))
    standing = ledger.last
    assert standing.dpd + (at(3, 10) - standing.from_on).days * standing.is_ageing == dpd
    assert standing.arrears_amount == (10_000 - paid if dpd else 0)


def test_the_lower_of_both_limits_is_the_tolerance() -> None:
    loan = account("loan", *thousands(3), tolerance_amount=50, tolerance_rate=20_000_000)  # 2 % of 1000 = 20
    assert work(replace(loan, payments=[Payment("P", at(3, 1), 980)]), at(3, 10)).spells == ()
    assert len(work(replace(loan, payments=[Payment("P", at(3, 1), 979)]), at(3, 10)).spells) == 1


def test_grace_shifts_the_start_of_collection_not_the_due_date() -> None:
    card = account("cn_card", due(1, at(3, 1), kind=K.MINIMUM, principal=10_000), currency="CNY")
    ledger = work(card, at(3, 3))
    assert ledger.last.dpd == 1  # since 2 March
    assert ledger.collect_from_on == at(3, 5)  # three days of grace: 2, 3 and 4 March


def test_a_due_date_on_a_holiday_weekend_rolls_to_the_next_business_day() -> None:
    easter = {date(2026, 4, 3), date(2026, 4, 6)}  # Good Friday and Easter Monday around 4 and 5 April
    rolled = roll_due(at(4, 3), DueRoll.FOLLOWING, holidays=easter)
    assert rolled == at(4, 7)
    assert roll_due(at(4, 6), DueRoll.PRECEDING, holidays=easter) == at(4, 2)
    assert roll_due(at(4, 4), DueRoll.NONE, holidays=easter) == at(4, 4)
    ledger = work(account("loan", due(1, rolled, principal=1000)), at(4, 8))
    assert ledger.last == Standing(at(4, 8), 1, True, 1000)


MIXED = (due(1, at(3, 1), interest=100, principal=900), due(2, at(4, 1), interest=90, principal=910))


def test_horizontal_pays_whole_instalments_vertical_one_component_after_the_other() -> None:
    payment = [Payment("P", at(4, 10), 500)]
    horizontal = work(account("loan", *MIXED, payments=payment), at(4, 10))
    assert lines(horizontal, "P") == [(1, "interest", 100), (1, "principal", 400)]
    vertical = work(account("loan_vertical", *MIXED, payments=payment), at(4, 10))
    assert lines(vertical, "P") == [(1, "interest", 100), (2, "interest", 90), (1, "principal", 310)]


def test_vertical_leaves_what_is_not_due_yet_for_the_end() -> None:
    ledger = work(account("loan_vertical", *MIXED, payments=[Payment("P", at(3, 20), 1050)]), at(3, 20))
    assert lines(ledger, "P") == [(1, "interest", 100), (1, "principal", 900), (2, "interest", 50)]


def test_an_american_card_pays_the_excess_to_the_highest_rate_first() -> None:
    statement = at(4, 5)
    card = account(
        "us_card",
        due(1, at(5, 1), kind=K.MINIMUM, interest=25, fee=35, principal=40, after=statement),
        due(2, None, kind=K.BALANCE, rate=199_900_000, principal=3000, after=statement),
        due(3, None, kind=K.BALANCE, rate=299_900_000, interest=10, principal=500, after=statement),
        due(4, None, kind=K.BALANCE, rate=0, principal=2000, after=statement),
    )
    ledger = work(replace(card, payments=[Payment("P", at(4, 20), 1000)]), at(4, 20))
    minimum = [(1, "fee", 35), (1, "interest", 25), (1, "principal", 40)]
    assert lines(ledger, "P") == [*minimum, (3, "interest", 10), (3, "principal", 500), (2, "principal", 390)]


def test_the_minimum_cures_although_a_balance_remains() -> None:
    statement = at(4, 5)
    card = account(
        "us_card",
        due(1, at(5, 1), kind=K.MINIMUM, principal=100, after=statement),
        due(2, None, kind=K.BALANCE, rate=199_900_000, principal=5000, after=statement),
        # What was paid before the statement is in its balance already; it does not pay its minimum.
        payments=[Payment("A", at(4, 1), 300), Payment("B", at(5, 11), 100)],
    )
    ledger = work(card, at(5, 31))
    assert ledger.unapplied == {"A": 300, "B": 0}
    assert ledger.spells == (Spell(at(5, 2), 1, 100, 9, at(5, 11), EpisodeEnd.CURED),)
    assert ledger.last == Standing(at(5, 11), 0, False, 0)


def test_a_plan_is_paid_before_the_contract() -> None:
    planned = [*thousands(3), due(9, at(6, 1), kind=K.PLAN, principal=300)]
    ledger = work(account("loan", *planned, payments=[Payment("P", at(5, 20), 400)]), at(5, 20))
    assert lines(ledger, "P") == [(9, "principal", 300), (1, "principal", 100)]
    assert ledger.lines[0].rule == "plan_first@2000-01-01"


def test_days_inside_a_pause_do_not_count_and_none_is_taken_back() -> None:
    loan = account("loan", *thousands(3), pauses=[Pause(at(3, 11), at(3, 20)), Pause(at(3, 15), at(3, 25))])
    ledger = work(loan, at(3, 31))
    assert ledger.standings == (
        Standing(at(3, 1), 0, False, 0),
        Standing(at(3, 2), 1, True, 1000),
        Standing(at(3, 11), 9, False, 1000),
        Standing(at(3, 26), 10, True, 1000),  # 15 on 31 March: 30 days less 15 paused
    )
    assert ledger.spells[0].max_dpd == 15


def test_an_account_that_falls_due_inside_a_pause_is_not_past_due_until_it_ends() -> None:
    ledger = work(account("loan", *thousands(3), pauses=[Pause(at(2, 20))]), at(3, 31))
    assert (ledger.last, ledger.spells) == (Standing(at(3, 2), 0, False, 1000), ())
    ended = work(account("loan", *thousands(3), pauses=[Pause(at(2, 20), at(4, 9))]), at(3, 31))
    assert ended.next_change_on == at(4, 10)


def test_a_charge_off_ends_the_episode_and_none_begins_after_it() -> None:
    loan = account("us_loan", *thousands(3, 4), charged_off_on=at(6, 29), status="charged_off")
    before = work(replace(loan, charged_off_on=None, status="active"), at(6, 1))
    assert before.charge_off_due_on == at(6, 29)  # 1 March + 120 days
    ledger = work(replace(loan, payments=[Payment("P", at(7, 5), 1000, "writeoff_recovery")]), at(7, 31))
    assert ledger.spells == (Spell(at(3, 2), 1, 1000, 119, at(6, 29), EpisodeEnd.CHARGED_OFF),)
    assert ledger.last == Standing(at(7, 5), 95, True, 1000)  # the debt goes on: since 1 April
    assert ledger.charge_off_due_on is None


def test_nothing_is_due_on_an_account_that_was_sold() -> None:
    loan = account("loan", *thousands(3, 4), status="sold", status_since_on=at(3, 15))
    ledger = work(loan, at(5, 1))
    assert ledger.spells == (Spell(at(3, 2), 1, 1000, 13, at(3, 15), EpisodeEnd.SOLD),)
    assert (ledger.last, ledger.oldest_unpaid_due_on) == (Standing(at(3, 15), 0, False, 0), None)


THREE = [Payment("A", at(3, 1), 1000), Payment("B", at(4, 1), 1000), Payment("C", at(5, 1), 1000)]


def test_a_reversal_of_the_first_of_three_payments_rewrites_history_from_its_value_date() -> None:
    loan = account("loan", *thousands(3, 4, 5), payments=THREE)
    assert work(loan, at(5, 20)).standings == (Standing(at(3, 1), 0, False, 0),)
    bounced = Payment("X", at(5, 12), 1000, "reversal", reverses_ref="A")
    ledger = work(replace(loan, payments=[*THREE, bounced]), at(5, 20))
    # B pays March a month late, C April; May stays. On 1 April and 1 May the oldest goes forward by a month.
    assert ledger.standings == (
        Standing(at(3, 1), 0, False, 0),
        Standing(at(3, 2), 1, True, 1000),
        Standing(at(4, 1), 0, False, 0),
        Standing(at(4, 2), 1, True, 1000),
        Standing(at(5, 1), 0, False, 0),
        Standing(at(5, 2), 1, True, 1000),
    )
    assert [(s.max_dpd, s.ended_on) for s in ledger.spells] == [(30, at(4, 1)), (29, at(5, 1)), (19, None)]
    assert ledger.closed_on == {(1, 1): at(4, 1), (1, 2): at(5, 1), (1, 3): None}


def test_a_partial_chargeback_leaves_the_rest_of_the_payment() -> None:
    undo = [Payment("X", at(3, 9), 400, "chargeback", reverses_ref="A")]
    ledger = work(account("loan", *thousands(3), payments=[THREE[0], *undo]), at(3, 11))
    assert lines(ledger, "A") == [(1, "principal", 600)]
    assert ledger.last == Standing(at(3, 2), 1, True, 400)


@pytest.mark.parametrize("status", ["initiated", "pending", "failed"])
def test_a_payment_that_is_not_settled_moves_nothing(status: str) -> None:
    ledger = work(account("loan", *thousands(3), payments=[Payment("P", at(3, 1), 1000, status=status)]), at(3, 5))
    assert (ledger.lines, ledger.last.dpd) == ((), 1)
    assert ledger.unapplied == {"P": 0}


def test_a_reversal_that_has_not_settled_undoes_nothing() -> None:
    undo = Payment("X", at(3, 9), 1000, "reversal", "pending", "A")
    assert work(account("loan", *thousands(3), payments=[THREE[0], undo]), at(3, 11)).last.dpd == 0


def test_a_waiver_covers_without_being_cash() -> None:
    instalment = due(1, at(3, 1), penalty=50, principal=1000)
    payments = [Payment("W", at(3, 10), 50, "waiver"), Payment("P", at(3, 11), 1000)]
    ledger = work(account("loan", instalment, payments=payments), at(3, 12))
    assert [(str(line.component), line.rule) for line in ledger.lines] == [
        ("penalty", "waiver:default_loan@2000-01-01"),
        ("principal", "default_loan@2000-01-01"),
    ]
    assert ledger.last.dpd == 0


def test_a_refund_takes_what_is_left_over_first_then_what_was_covered_last() -> None:
    payments = [Payment("P", at(3, 1), 2100), Payment("R", at(4, 10), 300, "refund")]
    ledger = work(account("loan", *thousands(3, 4), payments=payments), at(4, 11))
    assert lines(ledger, "R") == [(2, "principal", -200)]
    assert ledger.unapplied == {"P": 100, "R": 100}
    # The instalment of April is open again, and has been due since the first.
    assert ledger.last == Standing(at(4, 10), 9, True, 200)
    assert ledger.spells == (Spell(at(4, 10), 9, 200, 10, None, None),)


def test_the_regulators_days_count_from_the_day_on_which_arrears_became_material() -> None:
    loan = account(
        "eu_loan",
        due(1, at(3, 1), principal=9_000),
        due(2, at(4, 1), principal=9_000),
        currency="EUR",
        balance_amount=1_500_000,  # over 100 euro and over 1 percent: over 150 euro
    )
    assert work(loan, at(3, 31)).dpd_regulatory == 0
    ledger = work(loan, at(4, 10))
    assert (ledger.last.dpd, ledger.material_since_on, ledger.dpd_regulatory) == (32, at(4, 2), 9)
    partly = replace(loan, payments=[Payment("P", at(4, 5), 3_000)])  # 150 euro are not over 150 euro
    assert work(partly, at(4, 10)).dpd_regulatory == 0


def test_a_new_default_after_a_cure_is_another_episode() -> None:
    loan = account("loan", *thousands(3, 4), payments=[Payment("P", at(3, 6), 1000)])
    ledger = work(loan, at(4, 3))
    assert ledger.spells == (
        Spell(at(3, 2), 1, 1000, 4, at(3, 6), EpisodeEnd.CURED),
        Spell(at(4, 2), 1, 1000, 2, None, None),
    )


def test_payments_of_one_day_are_taken_by_reference_however_they_came_in() -> None:
    payments = [Payment("B1", at(3, 5), 600), Payment("A2", at(3, 5), 600)]
    ledger = work(account("loan", *thousands(3, 4), payments=payments), at(3, 6))
    assert lines(ledger, "A2") == [(1, "principal", 600)]
    assert lines(ledger, "B1") == [(1, "principal", 400), (2, "principal", 200)]


def test_pauses_that_adjoin_are_one() -> None:
    pauses = [Pause(at(3, 11), at(3, 20)), Pause(at(3, 21), at(3, 30))]
    ledger = work(account("loan", *thousands(3), pauses=pauses), at(3, 15))
    assert ledger.next_change_on == at(3, 31)
