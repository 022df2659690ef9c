"""One valid row each: ``make_x(session, **overrides)`` adds, flushes and returns it."""

from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy.orm import Session

from collections_app.db import tables as t
from collections_app.domain.cases import CaseStage
from collections_app.domain.contact import AttemptStatus, Channel, Mode, PointKind, Purpose
from collections_app.domain.permissions import Role

TODAY = date(2026, 3, 2)
NOW = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
_number = count(1)


def _add(session: Session, row: Any) -> Any:
    session.add(row)
    session.flush()
    return row


def make_customer(session: Session, **over: Any) -> t.Customer:
    n = next(_number)
    values: dict[str, Any] = {
        "source": "test",
        "customer_ref": f"C{n}",
        "full_name": f"Pat Example {n}",
        "party_type": "person",
        "language": "en-US",
        "country": "US",
        "regions": ["US-TX"],
        "zones": ["America/Chicago"],
        "preferences": [],
    }
    return _add(session, t.Customer(**(values | over)))


def make_point(session: Session, **over: Any) -> t.ContactPoint:
    n = next(_number)
    customer_id = over.pop("customer_id", None) or make_customer(session).id
    consent = over.pop("consent", "prior_express")
    values: dict[str, Any] = {
        "kind": PointKind.MOBILE,
        "value": f"+1512555{n:04d}",
        "owner": "debtor",
        "quality": "ok",
        "source": "application",
        "rank": 1,
    }
    point = _add(session, t.ContactPoint(customer_id=customer_id, **(values | over)))
    if consent:
        _add(
            session,
            t.Consent(
                contact_point_id=point.id,
                kind=consent,
                given_to="creditor",
                captured_at=NOW - timedelta(days=20),
            ),
        )
    return point


def make_account(session: Session, **over: Any) -> t.Account:
    n = next(_number)
    customer_id = over.pop("customer_id", None) or make_customer(session).id
    values: dict[str, Any] = {
        "source": "test",
        "account_ref": f"A{n}",
        "creditor": "Example Bank",
        "collector_role": "first_party",
        "product_family": "card",
        "currency": "USD",
        "opened_on": date(2024, 1, 1),
        "limit_amount": 500_000,
        "balance_amount": 200_000,
        "arrears_amount": 25_000,
        "minimum_due_amount": 12_500,
        "oldest_unpaid_due_on": TODAY - timedelta(days=12),
        "dpd": 12,
        "dpd_source": 12,
        "bucket": "M1",
        "bucket_table": "cn",
        "status": "active",
        "as_of_on": TODAY,
        "valid_from": NOW,
        "recorded_at": NOW,
        "row_hash": 0,
    }
    return _add(session, t.Account(customer_id=customer_id, **(values | over)))


def make_standing(session: Session, *, account_id: int, from_on: date, dpd: int, **over: Any) -> t.AccountStanding:
    """Make a span that holds from a day on; it does not age unless ``is_ageing`` says so."""
    values: dict[str, Any] = {
        "known_from": NOW - timedelta(days=1000),
        "is_ageing": False,
        "arrears_amount": 25_000,
        "balance_amount": 200_000,
        "limit_amount": 400_000,
        "status": "active",
    }
    return _add(session, t.AccountStanding(account_id=account_id, from_on=from_on, dpd=dpd, **(values | over)))


def make_episode(session: Session, **over: Any) -> t.Episode:
    account_id = over.pop("account_id", None) or make_account(session).id
    values: dict[str, Any] = {
        "entry_on": TODAY - timedelta(days=11),
        "entry_dpd": 1,
        "entry_arrears_amount": 25_000,
        "max_dpd": 12,
    }
    return _add(session, t.Episode(account_id=account_id, **(values | over)))


def make_case(session: Session, **over: Any) -> t.Case:
    """Make a case whole: customer, account, open episode. ``account=None`` makes a bare case."""
    account = over.pop("account", True)
    customer_id = over.pop("customer_id", None) or make_customer(session).id
    values: dict[str, Any] = {
        "opened_on": TODAY - timedelta(days=11),
        "stage": CaseStage.EARLY,
        "dpd": 12,
        "arrears_amount": 25_000,
        "balance_amount": 200_000,
        "currency": "USD",
    }
    case = _add(session, t.Case(customer_id=customer_id, **(values | over)))
    if account:
        made = make_account(session, customer_id=customer_id, dpd=case.dpd, arrears_amount=case.arrears_amount)
        make_episode(session, account_id=made.id, case_id=case.id)
    return case


def make_agent(session: Session, **over: Any) -> t.Agent:
    n = next(_number)
    values: dict[str, Any] = {
        "name": f"Agent {n}",
        "team": "early",
        "skills": ["card", "instalment"],
        "languages": ["en"],
        "capacity_cases": 50,
    }
    return _add(session, t.Agent(**(values | over)))


def make_user(session: Session, **over: Any) -> t.User:
    n = next(_number)
    values: dict[str, Any] = {
        "username": f"user{n}",
        "display_name": f"User {n}",
        "password_hash": "!",
        "role": Role.AGENT,
        "agent_id": None,
    }
    return _add(session, t.User(**(values | over)))


def make_attempt(session: Session, **over: Any) -> t.ContactAttempt:
    """Make a planned SMS attempt; ``case_id`` and ``contact_point_id`` may be given, else are made."""
    case_id = over.pop("case_id", None) or make_case(session).id
    case = session.get_one(t.Case, case_id)
    point_id = over.pop("contact_point_id", None) or make_point(session, customer_id=case.customer_id).id
    values: dict[str, Any] = {
        "customer_id": case.customer_id,
        "account_ids": [],
        "channel": Channel.SMS,
        "mode": Mode.MESSAGE,
        "purpose": Purpose.COLLECTION,
        "actor_kind": "system",
        "actor_ref": "test",
        "collector_role": "first_party",
        "status": AttemptStatus.PLANNED,
        "scheduled_at": NOW,
    }
    return _add(session, t.ContactAttempt(case_id=case_id, contact_point_id=point_id, **(values | over)))


def make_assignment(session: Session, **over: Any) -> t.Assignment:
    case_id = over.pop("case_id", None) or make_case(session).id
    agent_id = over.pop("agent_id", None) or make_agent(session).id
    values: dict[str, Any] = {"from_at": NOW - timedelta(days=1), "reason": "new"}
    return _add(session, t.Assignment(case_id=case_id, agent_id=agent_id, **(values | over)))
