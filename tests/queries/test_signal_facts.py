"""What strategies learn of outside signals: the answer in force, its status, the gravest list."""

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from sqlalchemy.orm import Session

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.queries.facts import case_facts
from tests.factories import NOW, TODAY, make_case


def back(days: int) -> date:
    return TODAY - timedelta(days=days)


def answer(session: Session, customer_id: int, days: int, status: str = "hit", **over: Any) -> None:
    values: dict[str, Any] = {
        "provider": "bureau", "snapshot_on": back(days), "received_on": back(days), "hit_status": status,
        "purpose_code": "post_loan", "consent_ref": "K1",
        "fields": {"ml_id_all_orgs_12m": days} if status == "hit" else {},
    }  # fmt: skip
    session.add(t.ExternalSignal(customer_id=customer_id, **(values | over)))


def facts(session: Session) -> dict[str, Any]:
    session.flush()
    frame: pl.DataFrame = case_facts(session, as_of=TODAY, now=NOW, salt="s", shares={"champion": 1.0})
    return frame.select("ml_hit_status", "ml_orgs_12m", "worst_list_severity").to_dicts()[0]


@pytest.mark.parametrize(("status", "orgs"), [("hit", 4), ("no_hit", None), ("error", None), ("not_queried", None)])
def test_the_status_is_a_fact_and_only_a_hit_counts(units: UnitsOfWork, status: str, orgs: int | None) -> None:
    with units.begin() as uow:
        answer(uow.session, make_case(uow.session).customer_id, 4, status)
        assert facts(uow.session) == {"ml_hit_status": status, "ml_orgs_12m": orgs, "worst_list_severity": None}


def test_nobody_asked_is_a_status_too(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        make_case(uow.session)
        assert facts(uow.session)["ml_hit_status"] == "not_queried"


def test_the_newest_answer_in_force_by_identity_number_speaks(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        customer = make_case(uow.session).customer_id
        answer(uow.session, customer, 9)
        answer(uow.session, customer, 5)
        answer(uow.session, customer, 3, "error")
        answer(uow.session, customer, 2, expires_on=TODAY)
        answer(uow.session, customer, 1, key_type="mobile")
        answer(uow.session, customer, 1, received_on=back(-1))
        answer(uow.session, customer, 1, product="enquiries")
        assert facts(uow.session) == {"ml_hit_status": "hit", "ml_orgs_12m": 5, "worst_list_severity": None}


def test_a_later_no_hit_speaks_instead_of_an_earlier_hit(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        customer = make_case(uow.session).customer_id
        answer(uow.session, customer, 9)
        answer(uow.session, customer, 5, "no_hit")
        assert facts(uow.session) == {"ml_hit_status": "no_hit", "ml_orgs_12m": None, "worst_list_severity": None}


def test_the_gravest_confirmed_hit_on_a_list_is_a_fact(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        customer = make_case(uow.session).customer_id
        for number, (code, severity, confirmed) in enumerate(
            [("overdue", 2, True), ("bad", 3, True), ("fraud", 5, False)]
        ):
            uow.session.add(
                t.ListHit(customer_id=customer, provider="b", hit_ref=f"H{number}", list_code=code, severity=severity,
                          event_on=back(9), received_on=back(5), is_confirmed=confirmed)
            )  # fmt: skip
        assert facts(uow.session)["worst_list_severity"] == 3
