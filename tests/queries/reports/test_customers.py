"""Accounts rolled up to their customers and default pulled down, worked by hand."""

from datetime import date

from collections_app.db.unit_of_work import UnitsOfWork
from tests.factories import make_account, make_customer, make_standing
from tests.queries.reports.asking import rows_of

ON = date(2026, 2, 1)


def test_the_worst_account_and_the_material_share_speak_for_the_customer(units: UnitsOfWork) -> None:
    # Ann: 100 at DPD 95, 300 at DPD 0. 25 % of 400 is in default: more than 20 %, so the 300 are pulled.
    #      worst M4 (95), material M4 (25 % > 20 %)
    # Bob: 10 at DPD 40, 190 at DPD 0. 5 % is late: worst M2 (40), material M0. Nothing is in default, nothing pulled.
    # Cid: 50 at DPD 95, 50 at DPD 120. In default both: nothing is left to pull. Worst M4 (120), material M4.
    with units.begin() as uow:
        for accounts in (((95, 100), (0, 300)), ((40, 10), (0, 190)), ((95, 50), (120, 50))):
            customer = make_customer(uow.session)
            for dpd, balance in accounts:
                account = make_account(uow.session, customer_id=customer.id)
                make_standing(uow.session, account_id=account.id, from_on=ON, dpd=dpd, balance_amount=balance)
    rows = {r["bucket"]: r for r in rows_of(units.database, "customers", as_of=ON)}
    names = ("accounts", "account_balance_minor", "customers", "customer_balance_minor", "customers_material")
    assert [[rows[b][n] for n in names] for b in ("M0", "M2", "M4")] == [
        [2, 490, 0, 0, 1],
        [1, 10, 1, 200, 0],
        [3, 200, 2, 500, 2],
    ]
    assert [(rows[b]["pulled"], rows[b]["pulled_balance_minor"]) for b in ("M0", "M2", "M4")] == [
        (1, 300), (0, 0), (0, 0)
    ]  # fmt: skip


def test_a_closed_account_does_not_speak_for_its_customer(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        customer = make_customer(uow.session)
        for dpd, status in ((200, "charged_off"), (3, "active")):
            account = make_account(uow.session, customer_id=customer.id)
            make_standing(uow.session, account_id=account.id, from_on=ON, dpd=dpd, status=status)
    rows = rows_of(units.database, "customers", as_of=ON)
    assert {r["bucket"]: r["customers"] for r in rows if r["customers"]} == {"M1": 1}


def test_a_balance_in_the_customers_favour_pulls_nothing(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        account = make_account(uow.session)
        make_standing(uow.session, account_id=account.id, from_on=ON, dpd=0, balance_amount=-500)
    assert sum(r["pulled"] for r in rows_of(units.database, "customers", as_of=ON)) == 0
