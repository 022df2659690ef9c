"""Promises: recorded once per account, superseded by a newer one, judged by payments alone."""

from collections import defaultdict
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from collections_app.db.tables import Account, Case, Episode, Payment, Promise
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.errors import Conflict, InvalidInput, NotFound
from collections_app.domain.events import EventKind
from collections_app.domain.permissions import Permission
from collections_app.domain.promises import Cash, PromiseStatus, PromiseTerms, check_terms, judge
from strategies.parameters import casework as parameters

# Kinds of payment that are cash (domain brief §8.4); reversals take theirs away again.
CASH = ("payment", "writeoff_recovery")


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


def settle(uow: UnitOfWork, *, business_date: date) -> dict[str, int]:
    """Judge open promises by the cash valued before ``business_date``; re-judge kept ones that a reversal undid.

    A payment is consumed once: promises of an account are judged in order of their due date.
    """
    session = uow.session
    # Kept promises are looked at again where their cash may be asked for twice, or was taken back.
    touched = sa.union(
        sa.select(Promise.account_id).where(Promise.status == PromiseStatus.OPEN),
        sa.select(Payment.account_id).where(Payment.kind.in_(("reversal", "chargeback"))),
    )
    promises = list(
        session.scalars(
            sa.select(Promise)
            .where(Promise.status.in_((PromiseStatus.OPEN, PromiseStatus.KEPT)), Promise.account_id.in_(touched))
            .order_by(Promise.account_id, Promise.due_on, Promise.id)
        )
    )
    cash = _cash(uow, {p.account_id for p in promises}, business_date)
    counts: dict[str, int] = defaultdict(int)
    for promise in promises:
        pool = cash[promise.account_id]
        terms = PromiseTerms(
            promise.amount,
            promise.currency,
            promise.due_on,
            promise.method,
            promise.grace_days,
            promise.tolerance_percent,
        )
        verdict = judge(terms, pool, created_on=promise.created_on, as_of=business_date)
        if verdict.status is PromiseStatus.KEPT:
            _consume(pool, promise.amount, promise.created_on)
        if verdict.status is promise.status:
            promise.paid_amount = verdict.paid_minor
            continue
        promise.status, promise.paid_amount = verdict.status, verdict.paid_minor
        promise.settled_on = None if verdict.status is PromiseStatus.OPEN else business_date
        counts[verdict.status.value] += 1
        uow.record(
            promise.case_id,
            EventKind.PROMISE_JUDGED,
            {
                "promise_id": promise.id,
                "status": verdict.status.value,
                "paid_minor": verdict.paid_minor,
            },
        )
    return {"judged": sum(counts.values()), **counts}


def _cash(uow: UnitOfWork, account_ids: set[int], before: date) -> dict[int, list[Cash]]:
    """Return settled cash per account up to the day before, without payments that were reversed."""
    pools: dict[int, list[Cash]] = defaultdict(list)
    if not account_ids:
        return pools
    back = aliased(Payment)
    # The few reversals as one list: asking for each payment whether one names it costs a scan each.
    taken_back = sa.select(back.source, back.reverses_ref).where(
        back.kind.in_(("reversal", "chargeback")), back.reverses_ref.is_not(None)
    )
    open_accounts = sa.select(Promise.account_id).where(Promise.status.in_((PromiseStatus.OPEN, PromiseStatus.KEPT)))
    rows: Any = uow.session.execute(
        sa.select(Payment.account_id, Payment.amount, Payment.value_on)
        .where(
            Payment.account_id.in_(open_accounts),
            Payment.kind.in_(CASH),
            Payment.status == "settled",
            Payment.value_on < before,
            sa.tuple_(Payment.source, Payment.payment_ref).not_in(taken_back),
        )
        .order_by(Payment.value_on, Payment.id)
    )
    for account_id, amount, value_on in rows:
        if account_id in account_ids:
            pools[account_id].append(Cash(amount, value_on))
    return pools


def _consume(pool: list[Cash], amount: int, since: date) -> None:
    """Take the promised amount out of the pool, oldest cash first."""
    left = amount
    for i, cash in enumerate(pool):
        if cash.value_on < since or left <= 0:
            continue
        used = min(left, cash.amount_minor)
        left -= used
        pool[i] = Cash(cash.amount_minor - used, cash.value_on)
