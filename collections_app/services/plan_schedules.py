"""What a plan does to an account's schedule: a version of its own, or a pause with later due dates; and back again.

A plan that does not start the account afresh leaves the schedule alone: days past due go on counting by the
contract, and the plan's terms are judged by the cash.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import Account, DelinquencyPause, Instalment, Payment, PaymentAllocation, PaymentPlan
from collections_app.db.tables import PlanTerm as TermRow
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.errors import InvalidInput
from collections_app.domain.plans import PlanKind, Term
from collections_app.domain.restructuring import COMPONENTS, Due, defer, rearrange
from collections_app.services.ledger_tasks import touch_account

# Lenders number their versions from 0; ours begin here, so that a later delivery never meets one of them.
_OWN_VERSIONS_FROM = 1_000_000


def apply(uow: UnitOfWork, plan: PaymentPlan, account: Account, *, business_date: date) -> None:
    """Set an approved plan to work on the ledger."""
    if plan.kind is PlanKind.DEFERRAL:
        # Today has counted already: days past due stand still from tomorrow on.
        uow.session.add(
            DelinquencyPause(
                account_id=account.id,
                from_on=business_date + timedelta(days=1),
                until_on=plan.ends_on,
                reason=_reason(plan),
                set_by=uow.actor.name,
                set_at=uow.now,
            )
        )
        _move_due_dates(uow, plan, account, business_date)
    elif plan.re_ages:
        _start_afresh(uow, plan, account, business_date)
    else:
        return
    touch_account(uow, account.id, from_on=business_date)


def undo(uow: UnitOfWork, plan: PaymentPlan, account: Account, *, business_date: date) -> None:
    """Let the contract hold again: its schedule, unless the lender has sent a newer one, and its clock."""
    pauses = uow.session.scalars(
        sa.select(DelinquencyPause).where(
            DelinquencyPause.account_id == account.id,
            DelinquencyPause.reason == _reason(plan),
            DelinquencyPause.until_on >= business_date,
        )
    ).all()
    for pause in pauses:
        if pause.from_on >= business_date:
            uow.session.delete(pause)
        else:
            pause.until_on, pause.ended_by = business_date - timedelta(days=1), uow.actor.name
    moved_back = plan.plan_version is not None and account.schedule_version == plan.plan_version
    if moved_back and plan.contract_version is not None:
        account.schedule_version, account.schedule_since_on = plan.contract_version, business_date
    if pauses or moved_back:
        touch_account(uow, account.id, from_on=business_date)


def _reason(plan: PaymentPlan) -> str:
    return f"plan {plan.id}"


def _move_due_dates(uow: UnitOfWork, plan: PaymentPlan, account: Account, business_date: date) -> None:
    rows = _in_force(uow.session, account)
    dated = [row for row in rows if row.due_on is not None]
    if not dated:
        return  # the lender keeps the due dates: the pause alone holds
    months = (plan.ends_on.year - business_date.year) * 12 + plan.ends_on.month - business_date.month
    moved = {d.seq: d for d in defer(_dues(uow.session, account, dated), from_on=business_date, months=max(months, 1))}
    version = _next_version(uow.session, account)
    for row in rows:
        uow.session.add(_copy(row, version, due_on=moved[row.seq].due_on if row.due_on else None))
    _take_over(plan, account, version, business_date)


def _start_afresh(uow: UnitOfWork, plan: PaymentPlan, account: Account, business_date: date) -> None:
    session = uow.session
    rows = _in_force(session, account)
    dated = [row for row in rows if row.due_on is not None]
    if not dated:
        raise InvalidInput("this account has no schedule that a plan could take over")
    terms = [
        Term(t.due_on, t.amount)
        for t in session.scalars(sa.select(TermRow).where(TermRow.plan_id == plan.id).order_by(TermRow.seq))
    ]
    left, made = rearrange(_dues(session, account, dated), terms, as_of=business_date)
    version, contract = _next_version(session, account), {d.seq: d for d in left}
    for row in rows:
        new = _copy(row, version, due_on=row.due_on)
        for component in COMPONENTS:
            if row.seq in contract:
                setattr(new, f"{component}_due_amount", contract[row.seq].due[component])
        session.add(new)
    session.add_all(_plan_row(account.id, version, due, before_on=business_date - timedelta(days=1)) for due in made)
    _take_over(plan, account, version, business_date)


def _take_over(plan: PaymentPlan, account: Account, version: int, business_date: date) -> None:
    plan.plan_version, plan.contract_version = version, account.schedule_version
    account.schedule_version, account.schedule_since_on = version, business_date


def _in_force(session: Session, account: Account) -> Sequence[Instalment]:
    return session.scalars(
        sa.select(Instalment)
        .where(Instalment.account_id == account.id, Instalment.schedule_version == account.schedule_version)
        .order_by(Instalment.seq)
    ).all()


def _next_version(session: Session, account: Account) -> int:
    latest = session.scalar(
        sa.select(sa.func.max(Instalment.schedule_version)).where(Instalment.account_id == account.id)
    )
    return max(latest or 0, _OWN_VERSIONS_FROM - 1) + 1


def _dues(session: Session, account: Account, rows: Iterable[Instalment]) -> list[Due]:
    """Return the instalments with what payments covered of each component."""
    # A refund takes back what a payment had covered.
    signed = sa.case(
        (PaymentAllocation.rule.startswith("refund:"), -PaymentAllocation.amount), else_=PaymentAllocation.amount
    )
    paid: dict[int, dict[str, int]] = defaultdict(dict)
    for seq, component, amount in session.execute(
        sa.select(PaymentAllocation.instalment_seq, PaymentAllocation.component, sa.func.sum(signed))
        .join(Payment, Payment.id == PaymentAllocation.payment_id)
        .where(Payment.account_id == account.id, PaymentAllocation.schedule_version == account.schedule_version)
        .group_by(PaymentAllocation.instalment_seq, PaymentAllocation.component)
    ):
        paid[seq][component] = int(amount)
    return [_due(row, row.due_on, paid[row.seq]) for row in rows if row.due_on is not None]


def _due(row: Instalment, due_on: date, lines: dict[str, int]) -> Due:
    dues = {c: getattr(row, f"{c}_due_amount") for c in COMPONENTS}
    if sum(lines.values()) == row.paid_amount:
        return Due(row.seq, due_on, dues, lines)
    # Older payments keep the lines of the version that they paid: what was covered is laid out in the usual order.
    paid, left = {}, row.paid_amount
    for component in COMPONENTS:
        paid[component] = min(left, dues[component])
        left -= paid[component]
    return Due(row.seq, due_on, dues, paid)


_COPIED = ("kind", "cycle_start_on", "cycle_end_on", "contract_due_on", "rate",
           *(f"{c}_due_amount" for c in COMPONENTS))  # fmt: skip


def _copy(row: Instalment, version: int, *, due_on: date | None) -> Instalment:
    return Instalment(
        account_id=row.account_id,
        schedule_version=version,
        seq=row.seq,
        due_on=due_on,
        **{name: getattr(row, name) for name in _COPIED},
    )


def _plan_row(account_id: int, version: int, due: Due, *, before_on: date) -> Instalment:
    """Make an instalment of the plan; only payments after the day before it began can cover it."""
    return Instalment(
        account_id=account_id,
        schedule_version=version,
        seq=due.seq,
        kind="plan",
        cycle_end_on=before_on,
        contract_due_on=due.due_on,
        due_on=due.due_on,
        **{f"{component}_due_amount": amount for component, amount in due.due.items()},
    )
