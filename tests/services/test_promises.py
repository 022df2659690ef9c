"""Promises: one open per account, judged by payments alone, a payment is consumed once."""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from collections_app.db.tables import Account, Case, FeedBatch, Payment, Promise
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.errors import Conflict, InvalidInput
from collections_app.domain.promises import PromiseStatus
from collections_app.services import promises
from tests.factories import TODAY, make_account, make_case, make_episode

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


def pay(units: UnitsOfWork, case: Case, amount: int, on: date, **over: object) -> None:
    account = account_of(units, case)
    with units.begin() as uow:
        count = uow.session.scalar(sa.select(sa.func.count()).select_from(Payment)) or 0

        batch = FeedBatch(
            source="test",
            entity="payments",
            mapping="m",
            mapping_version=1,
            business_date=on,
            file_name="f",
            sha256=str(count),
            rows=1,
            accepted=1,
            quarantined=0,
            unchanged=0,
            imported_at=uow.now,
        )
        uow.session.add(batch)
        uow.session.flush()
        values = {
            "source": "test",
            "payment_ref": f"P{count}",
            "account_id": account.id,
            "batch_id": batch.id,
            "amount": amount,
            "currency": "USD",
            "kind": "payment",
            "status": "settled",
            "value_on": on,
        }
        uow.session.add(Payment(**(values | over)))


def status(units: UnitsOfWork, promise_id: int, on: date) -> PromiseStatus:
    with units.begin() as uow:
        promises.settle(uow, business_date=on)
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
    pay(units, case, 20_000, TODAY + timedelta(days=1), kind="chargeback", reverses_ref="P0")
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
