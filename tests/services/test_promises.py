"""Promises: one open per account, judged by payments alone, a payment is consumed once."""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from collections_app.db.tables import Account, Case, CaseEvent, Episode, PaymentAllocation, Promise
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.errors import Conflict, InvalidInput
from collections_app.domain.events import EventKind
from collections_app.domain.promises import PromiseStatus
from collections_app.queries.as_of import standings_as_of
from collections_app.services import promise_verdicts, promises
from tests import loans
from tests.factories import NOW, TODAY, make_account, make_case, make_episode

DUE = TODAY + timedelta(days=5)


@pytest.fixture
def case(units: UnitsOfWork) -> Case:
    with units.begin() as uow:
        return make_case(uow.session)


def account_of(units: UnitsOfWork, case: Case) -> Account:
    with units.database.reading() as session:
        return session.scalars(sa.select(Account).where(Account.customer_id == case.customer_id)).one()


def promise(units: UnitsOfWork, case: Case, *, amount: int = 20_000, due: date = DUE) -> int:
    with units.begin() as uow:
        return promises.record(
            uow,
            case_id=case.id,
            account_id=account_of(units, case).id,
            amount_minor=amount,
            due_on=due,
            business_date=TODAY,
        ).id


def pay(units: UnitsOfWork, case: Case, amount: int, on: date, ref: str = "P0", **over: object) -> None:
    loans.pay(units, account_of(units, case), ref, amount, on, **over)


def status(units: UnitsOfWork, promise_id: int, on: date) -> PromiseStatus:
    with units.begin() as uow:
        promise_verdicts.settle(uow, business_date=on)
    with units.database.reading() as session:
        return session.get_one(Promise, promise_id).status


def test_a_payment_within_tolerance_keeps_the_promise_at_once(units: UnitsOfWork, case: Case) -> None:
    made = promise(units, case)
    pay(units, case, 19_000, TODAY + timedelta(days=2))
    assert status(units, made, TODAY + timedelta(days=3)) is PromiseStatus.KEPT


def test_a_promise_breaks_only_after_its_grace(units: UnitsOfWork, case: Case) -> None:
    made = promise(units, case)
    assert status(units, made, DUE + timedelta(days=2)) is PromiseStatus.OPEN
    assert status(units, made, DUE + timedelta(days=3)) is PromiseStatus.BROKEN


def test_half_paid_is_partial(units: UnitsOfWork, case: Case) -> None:
    made = promise(units, case)
    pay(units, case, 10_000, DUE)
    assert status(units, made, DUE + timedelta(days=3)) is PromiseStatus.PARTIAL


def test_money_before_the_promise_does_not_help_it(units: UnitsOfWork, case: Case) -> None:
    pay(units, case, 20_000, TODAY - timedelta(days=1))
    made = promise(units, case)
    assert status(units, made, DUE + timedelta(days=3)) is PromiseStatus.BROKEN


def test_a_chargeback_undoes_a_kept_promise(units: UnitsOfWork, case: Case) -> None:
    made = promise(units, case)
    pay(units, case, 20_000, TODAY + timedelta(days=1))
    assert status(units, made, TODAY + timedelta(days=2)) is PromiseStatus.KEPT
    pay(units, case, 20_000, TODAY + timedelta(days=1), "R0", kind="chargeback", reverses_ref="P0")
    assert status(units, made, DUE + timedelta(days=4)) is PromiseStatus.BROKEN


def test_a_new_promise_supersedes_the_open_one(units: UnitsOfWork, case: Case) -> None:
    first = promise(units, case)
    second = promise(units, case, amount=5_000)
    with units.database.reading() as session:
        assert session.get_one(Promise, first).status is PromiseStatus.SUPERSEDED
        assert session.get_one(Promise, second).supersedes_id == first


@pytest.mark.parametrize(
    ("amount", "due", "says"),
    [
        (0, DUE, "more than zero"),
        (30_000, DUE, "more than what is overdue"),
        (1, TODAY - timedelta(days=1), "in the past"),
        (1, TODAY + timedelta(days=60), "more than 14 days away"),
    ],
)
def test_terms_that_nobody_should_record_are_refused(
    units: UnitsOfWork, case: Case, amount: int, due: date, says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        promise(units, case, amount=amount, due=due)


def test_a_closed_case_takes_no_promise(units: UnitsOfWork, case: Case) -> None:
    with units.begin() as uow:
        uow.session.get_one(Case, case.id).closed_on = TODAY
    with pytest.raises(Conflict, match="closed"):
        promise(units, case)


def test_one_payment_satisfies_one_promise_only(units: UnitsOfWork, case: Case) -> None:
    """Two accounts have two pools; two promises on one account in turn share one payment once."""
    first = promise(units, case, amount=10_000, due=TODAY + timedelta(days=1))
    pay(units, case, 10_000, TODAY + timedelta(days=1))
    assert status(units, first, TODAY + timedelta(days=2)) is PromiseStatus.KEPT
    second = promise(units, case, amount=10_000)
    assert status(units, second, DUE + timedelta(days=3)) is PromiseStatus.BROKEN


def test_the_other_account_of_the_customer_keeps_its_own_promise(units: UnitsOfWork, case: Case) -> None:
    made = promise(units, case)
    with units.begin() as uow:
        other = make_account(uow.session, customer_id=case.customer_id)
        make_episode(uow.session, account_id=other.id, case_id=case.id)
        other_id = other.id
    with units.begin() as uow:
        twin = promises.record(
            uow, case_id=case.id, account_id=other_id, amount_minor=1_000, due_on=DUE, business_date=TODAY
        ).id
    with units.database.reading() as session:
        assert {session.get_one(Promise, i).status for i in (made, twin)} == {PromiseStatus.OPEN}


def test_the_chargeback_of_the_payment_that_kept_a_promise_undoes_all_that_followed_from_it(units: UnitsOfWork) -> None:
    """T17: promise broken, days past due written anew from the payment's value date, no cash left to credit."""
    due = TODAY - timedelta(days=12)
    with units.begin() as uow:
        case = make_case(uow.session, account=False)
        loan = loans.make_loan(uow.session, {due: 20_000}, customer_id=case.customer_id)
    loans.refresh(units, TODAY)
    with units.begin() as uow:
        episode = uow.session.scalars(sa.select(Episode).where(Episode.account_id == loan.id)).one()
        episode.case_id = case.id
    made = promise(units, case)
    pay(units, case, 20_000, TODAY + timedelta(days=1))
    loans.refresh(units, TODAY + timedelta(days=2))
    assert status(units, made, TODAY + timedelta(days=2)) is PromiseStatus.KEPT
    pay(units, case, 20_000, DUE + timedelta(days=4), "R0", kind="chargeback", reverses_ref="P0")
    after = DUE + timedelta(days=5)
    loans.refresh(units, after)
    assert status(units, made, after) is PromiseStatus.BROKEN
    with units.database.reading() as session:
        told = session.get_one(Promise, made)
        assert (told.paid_amount, told.settled_on, told.is_stale) == (0, after, False)
        events = session.scalars(sa.select(CaseEvent.payload).where(CaseEvent.kind == EventKind.PROMISE_JUDGED))
        assert [(e["was"], e["status"]) for e in events] == [("open", "kept"), ("kept", "broken")]
        for on in (TODAY, TODAY + timedelta(days=2), after):
            stood = standings_as_of(on)
            assert session.scalar(sa.select(stood.c.dpd).where(stood.c.account_id == loan.id)) == (on - due).days
        assert session.scalar(sa.select(sa.func.count()).select_from(PaymentAllocation)) == 0


def test_a_payment_that_was_booked_late_keeps_a_promise_that_was_broken(units: UnitsOfWork, case: Case) -> None:
    made = promise(units, case)
    later = DUE + timedelta(days=3)
    assert status(units, made, later) is PromiseStatus.BROKEN
    pay(units, case, 20_000, DUE)
    assert status(units, made, later + timedelta(days=1)) is PromiseStatus.KEPT


def test_a_promise_that_would_be_open_again_gives_way_to_the_newer_one(units: UnitsOfWork, case: Case) -> None:
    first = promise(units, case, amount=10_000)
    pay(units, case, 10_000, TODAY)
    assert status(units, first, TODAY + timedelta(days=1)) is PromiseStatus.KEPT
    second = promise(units, case, amount=5_000)
    pay(units, case, 10_000, TODAY + timedelta(days=1), "R0", kind="reversal", reverses_ref="P0")
    assert status(units, first, TODAY + timedelta(days=2)) is PromiseStatus.SUPERSEDED
    with units.database.reading() as session:
        assert session.get_one(Promise, second).status is PromiseStatus.OPEN
        assert session.get_one(Promise, second).supersedes_id == first


def test_part_of_a_payment_taken_back_leaves_a_promise_partial(units: UnitsOfWork, case: Case) -> None:
    made = promise(units, case)
    pay(units, case, 20_000, DUE)
    pay(units, case, 6_000, DUE + timedelta(days=1), "R0", kind="reversal", reverses_ref="P0")
    assert status(units, made, DUE + timedelta(days=3)) is PromiseStatus.PARTIAL


@pytest.mark.parametrize(("minutes", "expected"), [(-1, PromiseStatus.BROKEN), (1, PromiseStatus.KEPT)])
def test_money_that_was_on_its_way_before_the_promise_does_not_help_it(
    units: UnitsOfWork, case: Case, minutes: int, expected: PromiseStatus
) -> None:
    """T18 within a day: value date and promise fall on the same one."""
    made = promise(units, case)
    pay(units, case, 20_000, TODAY, initiated_at=NOW + timedelta(minutes=minutes))
    assert status(units, made, DUE + timedelta(days=3)) is expected


def test_what_a_partial_promise_counted_helps_no_later_one(units: UnitsOfWork, case: Case) -> None:
    first = promise(units, case, amount=10_000, due=TODAY)
    pay(units, case, 10_000, TODAY)
    assert status(units, first, TODAY + timedelta(days=1)) is PromiseStatus.KEPT
    second = promise(units, case, amount=8_000)
    pay(units, case, 8_000, TODAY + timedelta(days=1), "P1")
    assert status(units, second, TODAY + timedelta(days=3)) is PromiseStatus.KEPT
    pay(units, case, 10_000, TODAY + timedelta(days=3), "R0", kind="reversal", reverses_ref="P0")
    assert status(units, first, TODAY + timedelta(days=4)) is PromiseStatus.PARTIAL
    assert status(units, second, DUE + timedelta(days=3)) is PromiseStatus.BROKEN


def test_a_judged_promise_is_left_alone_until_cash_of_its_account_changes(units: UnitsOfWork, case: Case) -> None:
    made = promise(units, case)
    assert status(units, made, DUE + timedelta(days=3)) is PromiseStatus.BROKEN
    with units.begin() as uow:
        assert promise_verdicts.settle(uow, business_date=DUE + timedelta(days=4)) == {"judged": 0}
    pay(units, case, 1, DUE)
    with units.begin() as uow:
        assert promise_verdicts.settle(uow, business_date=DUE + timedelta(days=4))["judged"] == 0
        assert uow.session.get_one(Promise, made).paid_amount == 1
