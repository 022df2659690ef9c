"""Cases follow episodes: grace first, one case per customer, each account placed, closed for the right reason."""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from collections_app.db.tables import Account, Case, CaseEvent, Episode, Placement
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.cases import CloseReason
from collections_app.domain.events import EventKind
from collections_app.queries.charge_offs import due_for_charge_off
from collections_app.services import casework
from collections_app.services.ledger_tasks import touch_account
from tests.factories import make_account, make_customer, make_episode
from tests.loans import make_loan, pay, refresh, reverse

DUE = date(2026, 3, 1)


def night(units: UnitsOfWork, on: date) -> dict[str, int]:
    """Bring the ledger and then the cases to a day."""
    refresh(units, on)
    with units.begin() as uow:
        return casework.refresh(uow, business_date=on)


def loan(units: UnitsOfWork, **over: object) -> Account:
    with units.begin() as uow:
        return make_loan(uow.session, {DUE: 1000, DUE + timedelta(days=31): 1000}, **over)


def the_case(units: UnitsOfWork) -> Case:
    with units.database.reading() as session:
        return session.scalars(sa.select(Case)).one()


def test_an_episode_opens_at_once_and_its_case_when_the_grace_is_over(units: UnitsOfWork) -> None:
    made = loan(units, grace_days=3)
    for days in (1, 2, 3):
        assert night(units, DUE + timedelta(days=days))["opened"] == 0
        with units.database.reading() as session:
            assert session.scalars(sa.select(Episode.case_id)).one() is None
    assert night(units, DUE + timedelta(days=4))["opened"] == 1
    with units.database.reading() as session:
        assert session.scalars(sa.select(Episode.case_id).where(Episode.account_id == made.id)).one() is not None


def test_the_grace_that_a_source_told_holds_for_the_accounts_it_keeps(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        told = make_account(uow.session, dpd=3, grace_days=5, oldest_unpaid_due_on=date(2026, 2, 27))
        make_episode(uow.session, account_id=told.id)
    assert night(units, date(2026, 3, 2))["opened"] == 0
    assert night(units, date(2026, 3, 5))["opened"] == 1


def test_an_account_is_placed_with_the_house_when_its_case_opens_and_recalled_when_it_closes(
    units: UnitsOfWork,
) -> None:
    made = loan(units)
    night(units, DUE + timedelta(days=5))
    assert night(units, DUE + timedelta(days=6))["placed"] == 0
    pay(units, made, "P1", 1000, DUE + timedelta(days=6))
    night(units, DUE + timedelta(days=7))
    with units.database.reading() as session:
        placed = session.scalars(sa.select(Placement)).one()
        assert (placed.placed_with, placed.batch, placed.placed_on) == ("house", "2026-03", DUE + timedelta(days=5))
        assert (placed.placed_balance_amount, placed.placed_arrears_amount, placed.currency) == (200_000, 1000, "USD")
        assert placed.recalled_on == DUE + timedelta(days=7)
        event = session.scalars(sa.select(CaseEvent).where(CaseEvent.kind == EventKind.PLACEMENT_MADE)).one()
        assert event.payload == {"account_id": made.id, "batch": "2026-03", "balance_minor": 200_000,
                                 "arrears_minor": 1000}  # fmt: skip
    assert the_case(units).close_reason is CloseReason.CURED


def test_an_account_that_an_agency_has_is_not_placed_again(units: UnitsOfWork) -> None:
    made = loan(units)
    with units.begin() as uow:
        uow.session.add(Placement(account_id=made.id, placed_with="agency", batch="A", placed_on=DUE,
                                  placed_balance_amount=1, placed_arrears_amount=1, currency="USD"))  # fmt: skip
    assert night(units, DUE + timedelta(days=5))["placed"] == 0


def test_a_case_of_an_episode_that_never_was_says_so(units: UnitsOfWork) -> None:
    made = loan(units)
    night(units, DUE + timedelta(days=5))
    pay(units, made, "P1", 1000, DUE)
    night(units, DUE + timedelta(days=6))
    assert the_case(units).close_reason is CloseReason.RESTATED


def test_an_episode_that_a_reversal_opens_again_finds_a_case_of_its_own(units: UnitsOfWork) -> None:
    made = loan(units)
    night(units, DUE + timedelta(days=5))
    pay(units, made, "P1", 1000, DUE + timedelta(days=5))
    night(units, DUE + timedelta(days=6))
    reverse(units, made, "R1", "P1", 1000, DUE + timedelta(days=8))
    assert night(units, DUE + timedelta(days=8))["opened"] == 1
    with units.database.reading() as session:
        first, second = session.scalars(sa.select(Case).order_by(Case.id)).all()
        assert (first.closed_on, second.closed_on, second.dpd) == (DUE + timedelta(days=6), None, 8)
        assert session.scalars(sa.select(Episode.case_id)).one() == second.id


def test_two_accounts_of_a_customer_are_one_case(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        who = make_customer(uow.session).id
    loan(units, customer_id=who)
    loan(units, customer_id=who, grace_days=9)
    assert night(units, DUE + timedelta(days=5))["opened"] == 1
    assert the_case(units).arrears_amount == 1000
    assert night(units, DUE + timedelta(days=10))["placed"] == 1
    assert the_case(units).arrears_amount == 2000


@pytest.mark.parametrize(("family", "days"), [("instalment", 120), ("card", 180)])
def test_accounts_past_the_charge_off_of_their_product_are_listed(units: UnitsOfWork, family: str, days: int) -> None:
    made = loan(units, product_family=family)
    last = DUE + timedelta(days=days)
    for on, expected in ((last - timedelta(days=1), []), (last, [made.id]), (last + timedelta(days=1), [made.id])):
        night(units, on)
        with units.database.reading() as session:
            found = due_for_charge_off(session, as_of=on)
            assert [a.account_id for a in found] == expected
            assert {a.due_on for a in found} <= {last}


def test_charging_off_ends_the_episode_and_the_case(units: UnitsOfWork) -> None:
    made = loan(units)
    night(units, DUE + timedelta(days=5))
    with units.begin() as uow:
        account = uow.session.get_one(Account, made.id)
        account.status, account.charged_off_on = "charged_off", DUE + timedelta(days=6)
        account.valid_from = uow.now
    with units.begin() as uow:
        touch_account(uow, made.id, from_on=DUE + timedelta(days=6))
    night(units, DUE + timedelta(days=7))
    assert the_case(units).close_reason is CloseReason.CHARGED_OFF
    with units.database.reading() as session:
        assert session.scalars(sa.select(Episode.ended_on)).one() == DUE + timedelta(days=6)
        assert due_for_charge_off(session, as_of=DUE + timedelta(days=200)) == []
