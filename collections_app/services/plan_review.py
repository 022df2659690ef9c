"""Every plan judged by the cash of the day: kept on, completed, broken, or open again when cash was taken back.

Set-based and repeatable. Completing a settlement books the waiver of what it gives up, so that the ledger balances;
breaking a plan lets the contract's schedule hold again.
"""

from datetime import date
from typing import Any

import polars as pl
import sqlalchemy as sa

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import Account, CaseEvent, Instalment, Payment, PaymentPlan, PlanTerm
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.events import EventKind
from collections_app.domain.plans import PlanKind, PlanStatus
from collections_app.ledger.plan_verdicts import CASH, TERMS, verdicts
from collections_app.services import ledger

_BACK = ("reversal", "chargeback")
_EVENTS = {
    PlanStatus.ACTIVE: EventKind.PLAN_REOPENED,
    PlanStatus.BROKEN: EventKind.PLAN_BROKEN,
    PlanStatus.COMPLETED: EventKind.PLAN_COMPLETED,
}
_plan, _term, _account = table_of(PaymentPlan), table_of(PlanTerm), table_of(Account)
_payment, _instalment = table_of(Payment), table_of(Instalment)


def review(uow: UnitOfWork, *, business_date: date) -> dict[str, int]:
    """Judge active plans, and completed ones on accounts with a reversal, by cash valued before the day.

    Runs after the ledger is refreshed: the waiver of a settlement covers what the schedule then leaves unpaid.
    """
    judged = _judge(uow, business_date)
    if judged is None:
        return {"plans": 0}
    changed = sa.select(judged.c.plan_id).where(judged.c.was != judged.c.status)
    counts = uow.session.execute(
        sa.select(judged.c.status, sa.func.count())
        .where(judged.c.plan_id.in_(changed))
        .group_by(judged.c.status)
        .order_by(judged.c.status)
    ).all()
    _tell(uow, judged)
    _book_waivers(uow, judged, business_date)
    _take_waivers_back(uow, judged)
    _restore_contracts(uow, judged, business_date)
    _touch(uow, judged, business_date)
    is_over = judged.c.status != PlanStatus.ACTIVE.value
    uow.session.execute(
        sa.update(_plan)
        .where(_plan.c.id == judged.c.plan_id, judged.c.was != judged.c.status)
        .values(status=judged.c.status, ended_on=sa.case((is_over, sa.literal(business_date, sa.Date()))))
    )
    total = uow.session.scalar(sa.select(sa.func.count()).select_from(judged)) or 0
    return {"plans": total, **{str(status): int(n) for status, n in counts}}


def _judge(uow: UnitOfWork, business_date: date) -> sa.Table | None:
    """Stage plan_id, account_id, was and status of every plan looked at; bring the terms' paid amounts up to date."""
    session = uow.session
    wanted = _wanted()
    terms = bulk.read(
        session,
        sa.select(
            _plan.c.id.label("plan_id"), _plan.c.account_id, _plan.c.starts_on,
            *(_plan.c.breach[name].as_integer().label(name)
              for name in ("grace_days", "tolerance_percent", "missed_terms")),
            _term.c.seq, _term.c.due_on, _term.c.amount,
        ).join(_term, _term.c.plan_id == _plan.c.id).where(wanted),
        TERMS,
    )  # fmt: skip
    status, paid = verdicts(terms, _cash(uow, wanted, business_date), as_of=business_date)
    over = bulk.read(
        session,
        sa.select(_plan.c.id.label("plan_id")).where(
            _plan.c.kind == PlanKind.DEFERRAL,
            _plan.c.status == PlanStatus.ACTIVE,
            _plan.c.ends_on < business_date,
        ),
        {"plan_id": pl.Int64},
    ).with_columns(status=pl.lit(PlanStatus.COMPLETED.value))
    known = bulk.read(
        session,
        sa.select(
            _plan.c.id.label("plan_id"), _plan.c.account_id, sa.cast(_plan.c.status, sa.String).label("was")
        ).where(wanted),
        {"plan_id": pl.Int64, "account_id": pl.Int64, "was": pl.String},
    )
    rows = pl.concat([status, over]).join(known, on="plan_id")
    if rows.is_empty():
        return None
    staged_terms = bulk.stage(session, "staged_plan_term", paid, index=("plan_id", "seq"))
    session.execute(
        sa.update(_term)
        .where(
            _term.c.plan_id == staged_terms.c.plan_id,
            _term.c.seq == staged_terms.c.seq,
            _term.c.paid_amount != staged_terms.c.paid_amount,
        )
        .values(paid_amount=staged_terms.c.paid_amount)
    )
    return bulk.stage(session, "staged_plan", _one_open_each(rows), index=("plan_id",))


def _wanted() -> sa.ColumnElement[bool]:
    back = sa.exists().where(
        _payment.c.account_id == _plan.c.account_id,
        _payment.c.kind.in_(_BACK),
        _payment.c.value_on >= _plan.c.starts_on,
    )
    return sa.or_(_plan.c.status == PlanStatus.ACTIVE, sa.and_(_plan.c.status == PlanStatus.COMPLETED, back))


def _cash(uow: UnitOfWork, wanted: sa.ColumnElement[bool], business_date: date) -> pl.DataFrame:
    """Return settled cash on the plans' accounts, each payment less what was taken back of it."""
    back = (
        sa.select(_payment.c.source, _payment.c.reverses_ref, sa.func.sum(_payment.c.amount).label("amount"))
        .where(_payment.c.kind.in_(_BACK), _payment.c.status == "settled", _payment.c.reverses_ref.is_not(None))
        .group_by(_payment.c.source, _payment.c.reverses_ref)
        .subquery()
    )
    left = _payment.c.amount - sa.func.coalesce(back.c.amount, 0)
    return bulk.read(
        uow.session,
        sa.select(_payment.c.account_id, _payment.c.value_on, left.label("amount"))
        .outerjoin(back, sa.and_(back.c.source == _payment.c.source, back.c.reverses_ref == _payment.c.payment_ref))
        .where(
            _payment.c.account_id.in_(sa.select(_plan.c.account_id).where(wanted)),
            _payment.c.kind.in_(("payment", "writeoff_recovery")),
            _payment.c.status == "settled",
            _payment.c.value_on < business_date,
            left > 0,
        ),
        CASH,
    )


def _one_open_each(rows: pl.DataFrame) -> pl.DataFrame:
    """Let a plan open again only where no other is open on the account; else it counts as broken."""
    reopens = (pl.col("was") == "completed") & (pl.col("status") == "active")
    open_now = (pl.col("was") == "active").any().over("account_id") | (
        reopens & (pl.col("plan_id") < pl.col("plan_id").filter(reopens).max().over("account_id"))
    )
    return rows.with_columns(status=pl.when(reopens & open_now).then(pl.lit("broken")).otherwise("status")).sort(
        "plan_id"
    )


def _tell(uow: UnitOfWork, judged: sa.Table) -> None:
    event = table_of(CaseEvent)
    payload = bulk.json_object(
        uow.session,
        plan_id=_plan.c.id,
        plan=sa.cast(_plan.c.kind, sa.String),
        amount_minor=_plan.c.total_amount,
        currency=_plan.c.currency,
    )
    kind = sa.case(*((judged.c.status == status.value, sa.literal(kind.value)) for status, kind in _EVENTS.items()))
    uow.session.execute(
        sa.insert(event).from_select(
            ["case_id", "kind", "payload", "at", "actor"],
            sa.select(
                _plan.c.case_id, kind, payload,
                sa.literal(uow.now, event.c.at.type), sa.literal(uow.actor.name),
            )
            .join(judged, judged.c.plan_id == _plan.c.id)
            .where(judged.c.was != judged.c.status, _plan.c.case_id.is_not(None)),
        )
    )  # fmt: skip


def _book_waivers(uow: UnitOfWork, judged: sa.Table, business_date: date) -> None:
    """Book what completed settlements give up by component, and whatever else the schedule still holds."""
    agreed = _plan.c.waived_principal_amount + _plan.c.waived_interest_amount + _plan.c.waived_fees_amount
    due = sum(_instalment.c[f"{c}_due_amount"] for c in ("cost", "fee", "penalty", "interest", "principal"))
    unpaid = (
        sa.select(sa.func.coalesce(sa.func.sum(due - _instalment.c.paid_amount), 0))
        .where(
            _instalment.c.account_id == _account.c.id,
            _instalment.c.schedule_version == _account.c.schedule_version,
            _instalment.c.due_on.is_not(None),
            due > _instalment.c.paid_amount,
        )
        .scalar_subquery()
    )
    parts: dict[str, sa.ColumnElement[Any]] = {
        "fees": _plan.c.waived_fees_amount,
        "interest": _plan.c.waived_interest_amount,
        "principal": _plan.c.waived_principal_amount,
        "rest": unpaid - agreed,
    }
    for component, amount in parts.items():
        ref = sa.literal("plan:") + sa.cast(_plan.c.id, sa.String) + f":{component}:{business_date.isoformat()}"
        uow.session.execute(
            sa.insert(_payment).from_select(
                ["source", "payment_ref", "account_id", "amount", "currency", "kind", "status", "value_on",
                 "posted_at", "directed_to"],
                sa.select(
                    _account.c.source, ref, _account.c.id, amount, _plan.c.currency, sa.literal("waiver"),
                    sa.literal("settled"), sa.literal(business_date, sa.Date()),
                    sa.literal(uow.now, _payment.c.posted_at.type),
                    bulk.json_object(uow.session, plan_id=_plan.c.id, component=sa.literal(component, sa.Text())),
                )
                .join(_account, _account.c.id == _plan.c.account_id)
                .join(judged, judged.c.plan_id == _plan.c.id)
                .where(
                    _plan.c.kind == PlanKind.SETTLEMENT, judged.c.was == "active",
                    judged.c.status == "completed", amount > 0,
                ),
            )
        )  # fmt: skip


def _take_waivers_back(uow: UnitOfWork, judged: sa.Table) -> None:
    """Reverse the waivers of settlements whose cash was taken back, with their own value date."""
    waiver, back = _payment.alias("waiver"), _payment.alias("back")
    columns = ["source", "payment_ref", "account_id", "amount", "currency", "kind", "status", "value_on", "posted_at",
               "reverses_ref"]  # fmt: skip
    uow.session.execute(
        sa.insert(_payment).from_select(
            columns,
            sa.select(
                waiver.c.source, waiver.c.payment_ref + ":back", waiver.c.account_id, waiver.c.amount,
                waiver.c.currency, sa.literal("reversal"), sa.literal("settled"), waiver.c.value_on,
                sa.literal(uow.now, _payment.c.posted_at.type), waiver.c.payment_ref,
            )
            .join_from(judged, waiver, waiver.c.account_id == judged.c.account_id)
            .where(
                judged.c.was == "completed", judged.c.status != "completed", waiver.c.kind == "waiver",
                waiver.c.payment_ref.startswith(sa.literal("plan:") + sa.cast(judged.c.plan_id, sa.String) + ":"),
                ~sa.exists().where(back.c.source == waiver.c.source, back.c.reverses_ref == waiver.c.payment_ref),
            ),
        )
    )  # fmt: skip


def _restore_contracts(uow: UnitOfWork, judged: sa.Table, business_date: date) -> None:
    """Let the contract's schedule hold again where a plan broke, unless the lender has sent a newer one."""
    uow.session.execute(
        sa.update(_account)
        .where(
            _account.c.id == _plan.c.account_id,
            _plan.c.id == judged.c.plan_id,
            judged.c.was != "broken",
            judged.c.status == "broken",
            _account.c.schedule_version == _plan.c.plan_version,
        )
        .values(schedule_version=_plan.c.contract_version, schedule_since_on=business_date)
    )


def _touch(uow: UnitOfWork, judged: sa.Table, business_date: date) -> None:
    """Ask for the accounts to be derived again; a waiver that was taken back counts from its own day."""
    today = sa.literal(business_date, sa.Date())
    earliest = sa.case((judged.c.was == "completed", sa.func.coalesce(_plan.c.ended_on, today)), else_=today)
    changed = (
        sa.select(_plan.c.account_id, earliest.label("from_on"))
        .join(judged, judged.c.plan_id == _plan.c.id)
        .where(judged.c.was != judged.c.status)
        .subquery()
    )
    ledger.touch(uow.session, changed)
