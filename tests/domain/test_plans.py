"""Plans by hand-worked examples: exact terms, what is waived, whose authority it takes, how cash judges it."""

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collections_app.domain.calendars import add_months
from collections_app.domain.errors import InvalidInput
from collections_app.domain.plans import (
    Affordability,
    Authority,
    BreachRule,
    Debt,
    Every,
    PlanKind,
    PlanStatus,
    Proposal,
    Term,
    Waiver,
    check,
    equal_terms,
    judge,
    required_authority,
    split_waiver,
)
from collections_app.domain.promises import Cash
from collections_app.domain.restructuring import Due, defer, rearrange
from collections_app.ledger.plan_verdicts import CASH, TERMS, verdicts
from strategies.concessions import authority_levels, plan_rules

START = date(2026, 3, 2)
LEVELS = authority_levels(START)
DEBT = Debt("USD", 100_000, 25_000, principal_minor=80_000, interest_minor=15_000, fees_minor=5_000)
RULE = BreachRule(grace_days=5, tolerance_percent=5, missed_terms=1)


def plan(kind: PlanKind = PlanKind.INSTALMENT, *, total: int = 25_000, count: int = 5, **over: object) -> Proposal:
    made = equal_terms(total, count, START + timedelta(days=10))
    values = {"kind": kind, "currency": "USD", "terms": made, "starts_on": START, "ends_on": made[-1].due_on}
    return Proposal(**(values | over))  # type: ignore[arg-type]


def test_what_does_not_divide_goes_into_the_first_terms() -> None:
    terms = equal_terms(1_000, 3, date(2026, 1, 31))
    assert [t.amount_minor for t in terms] == [334, 333, 333]
    assert [t.due_on for t in terms] == [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31)]
    assert [t.due_on.day for t in equal_terms(300, 3, date(2026, 1, 5), Every.TWO_WEEKS)] == [5, 19, 2]


@given(st.integers(60, 10**12), st.integers(1, 60))
def test_terms_are_exact_and_differ_by_one_unit_at_most(total: int, count: int) -> None:
    amounts = [t.amount_minor for t in equal_terms(total, count, START)]
    assert sum(amounts) == total
    assert max(amounts) - min(amounts) <= 1


def test_a_month_is_added_to_the_end_of_a_year() -> None:
    assert add_months(date(2026, 11, 30), 3) == date(2027, 2, 28)
    assert add_months(date(2026, 3, 31), -1) == date(2026, 2, 28)


def test_fees_are_given_up_first_then_interest_then_principal() -> None:
    assert split_waiver(4_000, DEBT) == Waiver(fees=4_000)
    assert split_waiver(30_000, DEBT) == Waiver(fees=5_000, interest=15_000, principal=10_000)
    assert split_waiver(30_000, Debt("USD", 100_000, 0)) == Waiver(principal=30_000)


@pytest.mark.parametrize(
    ("over", "says"),
    [
        ({"currency": "GBP"}, "kept in USD"),
        ({"terms": ()}, "at least one term"),
        ({"terms": (Term(START - timedelta(days=1), 10),)}, "the first date lies in the past"),
        ({"terms": (Term(START, 10), Term(START, 10))}, "must increase"),
        ({"terms": (Term(START, 0),)}, "more than zero"),
        ({"ends_on": START}, "ends with its last term"),
        ({"waiver": Waiver(fees=1)}, "only a settlement waives"),
        ({"kind": PlanKind.SETTLEMENT}, "gives something up"),
        ({"kind": PlanKind.SETTLEMENT, "waiver": Waiver(fees=5_000)}, "must make the balance of 1,000.00 USD"),
        ({"kind": PlanKind.DEFERRAL}, "no terms"),
    ],
)
def test_what_nobody_should_record_is_refused(over: dict[str, object], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        check(plan(**over), DEBT, as_of=START, most_terms=60)  # type: ignore[arg-type]


def test_sixty_terms_are_the_most_and_the_balance_is_the_most() -> None:
    most = plan_rules(START).most_terms
    check(plan(count=60), DEBT, as_of=START, most_terms=most)
    with pytest.raises(InvalidInput, match="60 terms at most"):
        check(plan(count=61), DEBT, as_of=START, most_terms=most)
    with pytest.raises(InvalidInput, match="more than the balance"):
        check(plan(total=100_001), DEBT, as_of=START, most_terms=most)


def test_an_agent_grants_six_months_and_a_supervisor_more() -> None:
    assert required_authority(plan(count=6), DEBT, LEVELS).level is Authority.AGENT
    needed = required_authority(plan(count=7), DEBT, LEVELS)
    assert needed.level is Authority.SUPERVISOR
    assert needed.reasons == ("7 months; the agent's limit is 6",)


def test_principal_is_never_waived_by_an_agent_and_never_beyond_the_last_level() -> None:
    def settlement(pays: int) -> Proposal:
        waiver = split_waiver(100_000 - pays, DEBT)
        return plan(PlanKind.SETTLEMENT, total=pays, count=1, waiver=waiver)

    assert required_authority(settlement(90_000), DEBT, LEVELS).level is Authority.AGENT
    needed = required_authority(settlement(70_000), DEBT, LEVELS)
    assert needed.level is Authority.SUPERVISOR
    assert needed.reasons == (
        "30.0% of the balance waived; the agent's limit is 10%",
        "12.5% of principal waived; the agent's limit is 0%",
    )
    with pytest.raises(InvalidInput, match=r"creditor must: .*68\.8% of principal"):
        required_authority(settlement(25_000), DEBT, LEVELS)


def test_a_currency_without_a_limit_is_granted_by_nobody() -> None:
    with pytest.raises(InvalidInput, match="no limit is set for JPY"):
        required_authority(plan(currency="JPY"), DEBT, LEVELS)


def test_a_plan_above_what_is_left_in_a_month_needs_a_second_person() -> None:
    # 250.00 a week from 5 March: four payments, 1,000.00, fall into March.
    terms = equal_terms(100_000, 4, date(2026, 3, 5), Every.WEEK)
    known = Affordability(income_minor=200_000, expense_minor=120_000)
    asked = plan(count=1, total=1, affordability=known)
    asked = Proposal(asked.kind, "USD", terms, START, terms[-1].due_on, affordability=known)
    assert asked.heaviest_month_minor == 100_000
    needed = required_authority(asked, DEBT, LEVELS)
    assert needed.level is Authority.SUPERVISOR
    assert needed.reasons == ("1,000.00 USD in a month is more than the 800.00 USD that is left",)


TERMS_3 = (Term(date(2026, 3, 10), 10_000), Term(date(2026, 4, 10), 10_000), Term(date(2026, 5, 10), 10_000))


@pytest.mark.parametrize(
    ("cash", "as_of", "status", "paid"),
    [
        ([], date(2026, 3, 15), PlanStatus.ACTIVE, (0, 0, 0)),  # the last day of grace
        ([], date(2026, 3, 16), PlanStatus.BROKEN, (0, 0, 0)),
        ([(date(2026, 3, 15), 9_500)], date(2026, 3, 16), PlanStatus.ACTIVE, (9_500, 0, 0)),  # 5% short is kept
        ([(date(2026, 3, 15), 9_499)], date(2026, 3, 16), PlanStatus.BROKEN, (9_499, 0, 0)),
        ([(date(2026, 3, 16), 10_000)], date(2026, 3, 20), PlanStatus.BROKEN, (10_000, 0, 0)),  # a day late
        ([(date(2026, 3, 1), 10_000)], date(2026, 3, 16), PlanStatus.BROKEN, (0, 0, 0)),  # before the plan
        ([(date(2026, 3, 5), 25_000)], date(2026, 4, 20), PlanStatus.ACTIVE, (10_000, 10_000, 5_000)),  # ahead
        ([(date(2026, 3, 5), 30_000)], date(2026, 3, 5), PlanStatus.COMPLETED, (10_000, 10_000, 10_000)),
        ([(date(2026, 3, 5), 29_000)], date(2026, 5, 16), PlanStatus.COMPLETED, (10_000, 10_000, 9_000)),
    ],
)
def test_cash_judges_the_terms_in_their_order(
    cash: list[tuple[date, int]], as_of: date, status: PlanStatus, paid: tuple[int, ...]
) -> None:
    verdict = judge(TERMS_3, [Cash(a, d) for d, a in cash], starts_on=START, as_of=as_of, rule=RULE)
    assert (verdict.status, verdict.paid_minor) == (status, paid)


DAYS = st.dates(START, START + timedelta(days=120))
PLANS = st.lists(
    st.tuples(
        st.integers(2, 6), st.integers(6, 50_000), DAYS, st.integers(0, 7), st.integers(0, 10), st.integers(1, 2),
        st.lists(st.tuples(DAYS, st.integers(1, 20_000)), max_size=6),
    ),
    min_size=1,
    max_size=4,
)  # fmt: skip


@settings(max_examples=60)
@given(PLANS, st.dates(START, START + timedelta(days=200)))
def test_the_whole_book_is_judged_as_each_plan_alone(book: list, as_of: date) -> None:
    terms, cash, expected = [], [], []
    for number, (count, total, first, grace, tolerance, missed, came) in enumerate(book, start=1):
        made = equal_terms(total, count, first, Every.TWO_WEEKS)
        rule = BreachRule(grace, tolerance, missed)
        pool = [Cash(amount, day) for day, amount in came]
        verdict = judge(made, pool, starts_on=START, as_of=as_of, rule=rule)
        expected.append((number, verdict.status.value, verdict.paid_minor))
        cash += [(number, day, amount) for day, amount in came]
        terms += [
            (number, number, START, grace, tolerance, missed, seq, t.due_on, t.amount_minor)
            for seq, t in enumerate(made, start=1)
        ]
    status, paid = verdicts(
        pl.DataFrame(terms, schema=TERMS, orient="row"), pl.DataFrame(cash, schema=CASH, orient="row"), as_of=as_of
    )
    by_plan = paid.group_by("plan_id", maintain_order=True).agg("paid_amount")
    found = [
        (plan_id, word, tuple(amounts))
        for (plan_id, word), (_, amounts) in zip(status.iter_rows(), by_plan.iter_rows(), strict=True)
    ]
    assert found == expected


def due(seq: int, on: date, *, interest: int = 20, principal: int = 80, paid: dict[str, int] | None = None) -> Due:
    return Due(seq, on, {"interest": interest, "principal": principal}, paid or {})


def test_what_is_overdue_moves_into_the_plan_to_the_minor_unit() -> None:
    # 100 due in January and 30 of it paid, 100 in February, 100 to come in April; the plan takes 170 in two terms.
    dues = (
        due(1, date(2026, 1, 10), paid={"interest": 20, "principal": 10}),
        due(2, date(2026, 2, 10)),
        due(3, date(2026, 4, 10)),
    )
    terms = (Term(date(2026, 3, 20), 85), Term(date(2026, 4, 20), 85))
    left, made = rearrange(dues, terms, as_of=START)
    assert [(d.due["interest"], d.due["principal"]) for d in left] == [(20, 10), (0, 0), (20, 80)]
    assert [(d.seq, d.due["interest"], d.due["principal"]) for d in made] == [(4, 15, 70), (5, 5, 80)]


def test_a_fresh_start_must_take_in_everything_overdue_and_no_more_than_there_is() -> None:
    dues = (due(1, date(2026, 1, 10)), due(2, date(2026, 4, 10)))
    with pytest.raises(InvalidInput, match="everything that is overdue"):
        rearrange(dues, (Term(START, 99),), as_of=START)
    with pytest.raises(InvalidInput, match="more than the schedule"):
        rearrange(dues, (Term(START, 201),), as_of=START)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 90), st.integers(0, 500), st.integers(1, 500)), min_size=1, max_size=6),
    st.integers(1, 8),
)
def test_rearranging_neither_makes_nor_loses_anything(rows: list[tuple[int, int, int]], count: int) -> None:
    dues = [due(n, START - timedelta(days=d), interest=i, principal=p) for n, (d, i, p) in enumerate(rows, start=1)]
    whole = sum(d.unpaid_minor for d in dues)
    terms = equal_terms(whole, min(count, whole), START)
    left, made = rearrange(dues, terms, as_of=START + timedelta(days=1))
    assert [sum(d.due.values()) for d in made] == [t.amount_minor for t in terms]
    for part in ("interest", "principal"):
        assert sum(d.due[part] for d in (*left, *made)) == sum(d.due[part] for d in dues)


def test_a_deferral_moves_what_is_still_to_come_and_leaves_the_rest() -> None:
    dues = (
        due(1, date(2026, 2, 28)),
        due(2, date(2026, 3, 31)),
        due(3, date(2026, 4, 30), paid={"interest": 20, "principal": 80}),
    )
    moved = defer(dues, from_on=START, months=1)
    assert [d.due_on for d in moved] == [date(2026, 2, 28), date(2026, 4, 30), date(2026, 4, 30)]
