"""The ledger's invariants: they hold of what the services leave, and each one notices when it is broken."""

from collections.abc import Callable
from datetime import date

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.promises import PromiseStatus
from collections_app.queries import invariants
from collections_app.services import casework
from tests.factories import NOW, make_agent
from tests.loans import make_loan, pay, refresh

TODAY = date(2026, 5, 10)


@pytest.fixture
def book(units: UnitsOfWork) -> int:
    """Make a loan of three instalments of 1,000 with 1,500 paid, worked in a case; return its account."""
    with units.begin() as uow:
        dues = {date(2026, 3, 1): 1000, date(2026, 4, 1): 1000, date(2026, 5, 1): 1000}
        loan = make_loan(uow.session, dues, status="active")
    pay(units, loan, "P1", 1500, date(2026, 5, 5))
    refresh(units, TODAY)
    with units.begin() as uow:
        casework.refresh(uow, business_date=TODAY)
        case = uow.session.scalars(sa.select(t.Case)).one()
        uow.session.add(
            t.Promise(
                account_id=loan.id, case_id=case.id, amount=1500, currency="USD", due_on=date(2026, 5, 6),
                method="transfer", grace_days=2, tolerance_percent=5, status=PromiseStatus.KEPT, made_by="agent",
                created_at=NOW, created_on=date(2026, 5, 4), paid_amount=1500, settled_on=date(2026, 5, 5),
            )
        )  # fmt: skip
        uow.session.add(t.Assignment(case_id=case.id, agent_id=make_agent(uow.session).id, from_at=NOW, reason="new"))
    return loan.id


def broken(units: UnitsOfWork) -> dict[str, int]:
    with units.database.reading() as session:
        return {f.name: f.count for f in invariants.check(session) if f.count}


def test_what_the_services_leave_breaks_nothing(units: UnitsOfWork, book: int) -> None:
    assert broken(units) == {}


def _reverse(session: Session) -> None:
    paid = session.scalars(sa.select(t.Payment)).one()
    session.add(
        t.Payment(source=paid.source, payment_ref="R1", account_id=paid.account_id, amount=paid.amount, currency="USD",
                  kind="chargeback", status="settled", value_on=paid.value_on, reverses_ref=paid.payment_ref)
    )  # fmt: skip


def _twice(session: Session) -> None:
    session.add(
        t.Episode(account_id=session.scalars(sa.select(t.Account.id)).one(), entry_on=date(2026, 5, 3), entry_dpd=1,
                  entry_arrears_amount=1, max_dpd=3, ended_on=date(2026, 5, 6))
    )  # fmt: skip


BENDS: dict[str, tuple[set[str], Callable[[Session], object]]] = {
    "a line too much": ({"allocation"}, lambda s: s.execute(sa.update(t.PaymentAllocation).values(amount=999))),
    "a payment taken back behind our back": ({"allocation", "kept"}, _reverse),
    "a DPD that nothing explains": ({"dpd", "standing", "episode"},
                                    lambda s: s.execute(sa.update(t.Account).values(dpd=0))),
    "arrears that nothing explains": ({"arrears", "standing"},
                                      lambda s: s.execute(sa.update(t.Account).values(arrears_amount=7))),
    "a standing of its own mind": ({"standing"}, lambda s: s.execute(
        sa.update(t.AccountStanding).where(t.AccountStanding.dpd > 0).values(dpd=77))),
    "an episode that ended too soon": ({"episode", "case"}, lambda s: s.execute(
        sa.update(t.Episode).values(ended_on=TODAY))),
    "two episodes at once": ({"overlap"}, _twice),
    "a payment in another currency": ({"currency"}, lambda s: s.execute(sa.update(t.Payment).values(currency="CNY"))),
    "a closed case that somebody works": ({"case", "assignment"}, lambda s: s.execute(
        sa.update(t.Case).values(closed_on=TODAY))),
}  # fmt: skip


@pytest.mark.parametrize("bend", BENDS)
def test_each_invariant_notices_when_it_is_broken(units: UnitsOfWork, book: int, bend: str) -> None:
    expected, do = BENDS[bend]
    with units.begin() as uow:
        do(uow.session)
    assert set(broken(units)) == expected


def test_the_sum_of_the_parts_is_held_by_the_database_itself(units: UnitsOfWork, book: int) -> None:
    with pytest.raises(sa.exc.IntegrityError, match="balance_is_sum_of_parts"), units.begin() as uow:
        uow.session.execute(
            sa.update(t.Account).values(
                balance_amount=10, principal_amount=9, interest_amount=0, fees_amount=0, penalty_amount=0
            )
        )


def test_an_account_that_waits_to_be_derived_is_not_judged(units: UnitsOfWork, book: int) -> None:
    with units.begin() as uow:
        uow.session.add(t.LedgerTask(account_id=book, from_on=date(2026, 3, 1)))
        uow.session.execute(sa.update(t.Account).values(arrears_amount=7))
    assert broken(units) == {}
