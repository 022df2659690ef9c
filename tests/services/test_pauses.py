"""A pause stops the clock, also in the past; ending it lets the clock go on from where it stood."""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from collections_app.db.tables import Account, CaseEvent, DelinquencyPause
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.errors import Conflict, InvalidInput, NotAllowed, NotFound
from collections_app.domain.events import EventKind
from collections_app.domain.permissions import Actor, Role
from collections_app.services import casework, pauses
from tests.factories import make_account
from tests.loans import make_loan, refresh, standing_rows

DUE = date(2026, 3, 1)
HEAD = Actor(id=None, name="head", role=Role.SUPERVISOR)


@pytest.fixture
def loan(units: UnitsOfWork) -> Account:
    with units.begin() as uow:
        return make_loan(uow.session, {DUE: 1000})


def pause(units: UnitsOfWork, account: Account, first: int, last: int | None, reason: str = "flood") -> int:
    with units.begin(HEAD) as uow:
        until = None if last is None else DUE + timedelta(days=last)
        return pauses.pause_delinquency(
            uow, account_id=account.id, from_on=DUE + timedelta(days=first), until_on=until, reason=reason
        ).id


def dpd(units: UnitsOfWork, account: Account, days: int) -> int:
    refresh(units, DUE + timedelta(days=days))
    with units.database.reading() as session:
        return session.get_one(Account, account.id).dpd


def test_days_stand_still_and_go_on_without_anybody_asking(units: UnitsOfWork, loan: Account) -> None:
    pause(units, loan, 5, 9)
    assert [dpd(units, loan, days) for days in (4, 5, 9, 10, 12)] == [4, 4, 4, 5, 7]
    with units.database.reading() as session:
        assert standing_rows(session, loan) == [
            (DUE, 0, False, 0),
            (DUE + timedelta(days=1), 1, True, 1000),
            (DUE + timedelta(days=5), 4, False, 1000),
            (DUE + timedelta(days=10), 5, True, 1000),
        ]


def test_the_past_can_be_paused_and_the_pause_ended(units: UnitsOfWork, loan: Account) -> None:
    assert dpd(units, loan, 20) == 20
    made = pause(units, loan, 11, None)
    assert dpd(units, loan, 21) == 10
    with units.begin(HEAD) as uow:
        pauses.end_pause(uow, pause_id=made, on=DUE + timedelta(days=22))
    assert dpd(units, loan, 23) == 12
    with units.begin(HEAD) as uow, pytest.raises(Conflict, match="ended on"):
        pauses.end_pause(uow, pause_id=made, on=DUE + timedelta(days=30))


def test_a_pause_that_has_not_begun_is_taken_back(units: UnitsOfWork, loan: Account) -> None:
    made = pause(units, loan, 10, 20)
    with units.begin(HEAD) as uow:
        pauses.end_pause(uow, pause_id=made, on=DUE + timedelta(days=10))
    assert dpd(units, loan, 15) == 15
    with units.database.reading() as session:
        assert session.get(DelinquencyPause, made) is None


def test_the_case_remembers_both(units: UnitsOfWork, loan: Account) -> None:
    refresh(units, DUE + timedelta(days=3))
    with units.begin() as uow:
        casework.refresh(uow, business_date=DUE + timedelta(days=3))
    made = pause(units, loan, 3, None)
    with units.begin(HEAD) as uow:
        pauses.end_pause(uow, pause_id=made, on=DUE + timedelta(days=5))
    with units.database.reading() as session:
        kinds = session.scalars(sa.select(CaseEvent.kind).where(CaseEvent.actor == "head").order_by(CaseEvent.id))
        assert list(kinds) == [EventKind.DELINQUENCY_PAUSED, EventKind.DELINQUENCY_RESUMED]


def test_only_a_supervisor_pauses(units: UnitsOfWork, loan: Account) -> None:
    with units.begin(Actor(id=None, name="agent", role=Role.AGENT)) as uow, pytest.raises(NotAllowed):
        pauses.pause_delinquency(uow, account_id=loan.id, from_on=DUE, until_on=None, reason="flood")


@pytest.mark.parametrize(("last", "reason", "says"), [(4, "flood", "before its first"), (9, "  ", "needs a reason")])
def test_what_makes_no_sense_is_refused(units: UnitsOfWork, loan: Account, last: int, reason: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        pause(units, loan, 5, last, reason)


def test_days_that_a_source_counts_cannot_be_paused_here(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        told = make_account(uow.session)
    with pytest.raises(InvalidInput, match="lender counts"):
        pause(units, told, 5, 9)
    with units.begin(HEAD) as uow, pytest.raises(NotFound):
        pauses.pause_delinquency(uow, account_id=10**9, from_on=DUE, until_on=None, reason="flood")
