"""Promises: recorded once per account, superseded by a newer one. How they are judged: services/promise_verdicts."""

from datetime import date

import sqlalchemy as sa

from collections_app.db.tables import Account, Case, Episode, Promise
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.errors import Conflict, InvalidInput, NotFound
from collections_app.domain.events import EventKind
from collections_app.domain.permissions import Permission
from collections_app.domain.promises import (
    PromiseStatus,
    PromiseTerms,
    check_terms,
)
from strategies.parameters import casework as parameters


def record(
    uow: UnitOfWork,
    *,
    case_id: int,
    account_id: int,
    amount_minor: int,
    due_on: date,
    business_date: date,
    method: str = "transfer",
    made_by: str = "agent",
    attempt_id: int | None = None,
) -> Promise:
    """Record a promise on an account of a case; an open one on the same account is superseded."""
    uow.actor.require(Permission.CASE_WORK)
    session = uow.session
    case = session.get(Case, case_id, with_for_update=True)
    account = session.get(Account, account_id)
    if case is None or account is None or account.customer_id != case.customer_id:
        raise NotFound("there is no such account on this case")
    if case.closed_on is not None:
        raise Conflict("the case is closed; nothing is overdue any more")
    if not session.scalar(sa.select(sa.exists().where(Episode.account_id == account_id, Episode.ended_on.is_(None)))):
        raise InvalidInput("this account is not overdue")
    numbers = parameters("promise")
    terms = PromiseTerms(
        amount_minor, account.currency, due_on, method, numbers["grace_days"], numbers["tolerance_percent"]
    )
    check_terms(terms, arrears_minor=account.arrears_amount, as_of=business_date, longest_days=numbers["longest_days"])
    before = session.scalar(
        sa.select(Promise).where(Promise.account_id == account_id, Promise.status == PromiseStatus.OPEN)
    )
    if before is not None:
        before.status, before.settled_on = PromiseStatus.SUPERSEDED, business_date
        uow.record(case_id, EventKind.PROMISE_SUPERSEDED, {"promise_id": before.id})
        session.flush()  # frees the "one open promise" index before the next line takes it
    promise = Promise(
        account_id=account_id,
        case_id=case_id,
        attempt_id=attempt_id,
        amount=amount_minor,
        currency=account.currency,
        due_on=due_on,
        method=method,
        grace_days=terms.grace_days,
        tolerance_percent=terms.tolerance_percent,
        status=PromiseStatus.OPEN,
        made_by=made_by,
        created_at=uow.now,
        created_on=business_date,
        paid_amount=0,
        supersedes_id=before.id if before else None,
    )
    session.add(promise)
    session.flush()  # the event names the promise
    uow.record(
        case_id,
        EventKind.PROMISE_RECORDED,
        {
            "promise_id": promise.id,
            "amount_minor": amount_minor,
            "currency": account.currency,
            "due_on": due_on.isoformat(),
            "made_by": made_by,
        },
    )
    return promise
