"""What must hold of the ledger at any time (domain brief §8.20), asked of the tables themselves.

Each invariant is one statement that selects what breaks it. They are written from the definitions, not from the code
that derives: where both are wrong in the same way only a person will see it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from collections_app.db.dates import days_between
from collections_app.db.tables import (
    Account,
    AccountStanding,
    Assignment,
    Case,
    DelinquencyPause,
    Episode,
    Instalment,
    LedgerTask,
    Payment,
    PaymentAllocation,
    PaymentPlan,
    Promise,
)
from collections_app.domain.allocation import CASH, MOVING, UNDOING
from collections_app.domain.cases import EpisodeEnd
from collections_app.domain.promises import PromiseStatus

LIVE = ("active", "legal", "forborne")
_DUES = ("cost", "fee", "penalty", "interest", "principal")


@dataclass(frozen=True)
class Invariant:
    """What holds, in a sentence, and the statement that selects what breaks it: an id and what it is an id of."""

    name: str
    holds: str
    of: str
    broken: Callable[[], sa.Select[Any]]


@dataclass(frozen=True)
class Finding:
    """How many rows break an invariant, with the first few ids."""

    name: str
    holds: str
    of: str
    count: int
    examples: tuple[int, ...]


def check(session: Session, *, examples: int = 5) -> list[Finding]:
    """Ask every invariant; a finding each, also where nothing breaks it. Who waits to be derived is left out."""
    found = []
    for rule in INVARIANTS:
        broken = rule.broken().subquery()
        count = session.scalar(sa.select(sa.func.count()).select_from(broken)) or 0
        ids = session.scalars(sa.select(broken.c.id).order_by(broken.c.id).limit(examples)).all() if count else ()
        found.append(Finding(rule.name, rule.holds, rule.of, count, tuple(ids)))
    return found


def _derived() -> sa.ColumnElement[bool]:
    """Hold for accounts that we derive ourselves and that do not wait to be derived again."""
    waits = sa.exists().where(LedgerTask.account_id == Account.id)
    return sa.and_(Account.basis == "schedule", ~waits)


def _undone() -> sa.ScalarSelect[Any]:
    back = aliased(Payment)
    return (
        sa.select(sa.func.coalesce(sa.func.sum(back.amount), 0))
        .where(
            back.account_id == Payment.account_id, back.reverses_ref == Payment.payment_ref,
            back.source == Payment.source, back.kind.in_(UNDOING), back.status == "settled",
        )
        .correlate(Payment)
        .scalar_subquery()
    )  # fmt: skip


def _effective() -> sa.ColumnElement[int]:
    """What is left of a payment after what took it back."""
    left = Payment.amount - _undone()
    return sa.case((left > 0, left), else_=0)


def _unbalanced_payments() -> sa.Select[Any]:
    lines = (
        sa.select(sa.func.coalesce(sa.func.sum(PaymentAllocation.amount), 0))
        .where(PaymentAllocation.payment_id == Payment.id)
        .correlate(Payment)
        .scalar_subquery()
    )
    counted = lines + sa.func.coalesce(Payment.unapplied_amount, 0)
    return (
        sa.select(Payment.id)
        .join(Account, Account.id == Payment.account_id)
        .where(
            _derived(), Payment.kind.in_(MOVING), Payment.status == "settled",
            Payment.value_on <= Account.as_of_on, counted != _effective(),
        )
    )  # fmt: skip


def _due() -> sa.ColumnElement[int]:
    return sum((getattr(Instalment, f"{c}_due_amount") for c in _DUES), start=sa.literal(0))


def _overdue() -> sa.Subquery:
    """Sum per account what is past due and unpaid over the tolerance."""
    return (
        sa.select(Instalment.account_id, sa.func.sum(_due() - Instalment.paid_amount).label("arrears"))
        .join(Account, sa.and_(Account.id == Instalment.account_id,
                               Account.schedule_version == Instalment.schedule_version))
        .where(Instalment.kind != "balance", Instalment.due_on < Account.as_of_on, Instalment.closed_on.is_(None))
        .group_by(Instalment.account_id)
        .subquery()
    )  # fmt: skip


def _live() -> sa.ColumnElement[bool]:
    return Account.status.in_((*LIVE, "charged_off"))


def _wrong_dpd() -> sa.Select[Any]:
    overdue = _overdue()
    paused = sa.exists().where(DelinquencyPause.account_id == Account.id)
    is_late = overdue.c.arrears.is_not(None)
    return (
        sa.select(Account.id)
        .outerjoin(overdue, overdue.c.account_id == Account.id)
        .where(_derived(), _live(), ~paused, is_late != (Account.dpd > 0))
    )


def _wrong_arrears() -> sa.Select[Any]:
    overdue = _overdue()
    return (
        sa.select(Account.id)
        .outerjoin(overdue, overdue.c.account_id == Account.id)
        .where(_derived(), _live(), Account.arrears_amount != sa.func.coalesce(overdue.c.arrears, 0))
    )


def _standing_differs() -> sa.Select[Any]:
    newest = (
        sa.select(AccountStanding.account_id, sa.func.max(AccountStanding.from_on).label("from_on"))
        .join(Account, Account.id == AccountStanding.account_id)
        .where(AccountStanding.known_until.is_(None), AccountStanding.from_on <= Account.as_of_on)
        .group_by(AccountStanding.account_id)
        .subquery()
    )
    grown = sa.case((AccountStanding.is_ageing, days_between(AccountStanding.from_on, Account.as_of_on)), else_=0)
    return (
        sa.select(Account.id)
        .join(newest, newest.c.account_id == Account.id)
        .join(AccountStanding, sa.and_(AccountStanding.account_id == newest.c.account_id,
                                       AccountStanding.from_on == newest.c.from_on,
                                       AccountStanding.known_until.is_(None)))
        .where(_derived(), sa.or_(AccountStanding.dpd + grown != Account.dpd,
                                  AccountStanding.arrears_amount != Account.arrears_amount))
    )  # fmt: skip


def _episode_differs() -> sa.Select[Any]:
    running = sa.exists().where(Episode.account_id == Account.id, Episode.ended_on.is_(None))
    return sa.select(Account.id).where(_derived(), Account.status.in_(LIVE), running != (Account.dpd > 0))


def _overlapping_episodes() -> sa.Select[Any]:
    other = aliased(Episode)

    def counts(episode: Any) -> sa.ColumnElement[bool]:
        return sa.or_(episode.end_reason.is_(None), episode.end_reason != EpisodeEnd.RESTATED)

    return (
        sa.select(Episode.id)
        .join(other, sa.and_(other.account_id == Episode.account_id, other.id > Episode.id))
        .where(
            counts(Episode), counts(other),
            sa.or_(Episode.ended_on.is_(None), Episode.ended_on > other.entry_on),
            sa.or_(other.ended_on.is_(None), other.ended_on > Episode.entry_on),
        )
    )  # fmt: skip


def _kept_without_cash() -> sa.Select[Any]:
    cash = (
        sa.select(sa.func.coalesce(sa.func.sum(_effective()), 0))
        .where(
            Payment.account_id == Promise.account_id, Payment.kind.in_(CASH), Payment.status == "settled",
            Payment.value_on >= Promise.created_on,
            days_between(Promise.due_on, Payment.value_on) <= Promise.grace_days,
        )
        .correlate(Promise)
        .scalar_subquery()
    )  # fmt: skip
    return sa.select(Promise.id).where(
        Promise.status == PromiseStatus.KEPT, ~Promise.is_stale,
        cash * 100 < Promise.amount * (100 - Promise.tolerance_percent),
    )  # fmt: skip


def _other_currency() -> sa.Select[Any]:
    wrong = [
        sa.select(table.account_id)
        .join(Account, Account.id == table.account_id)
        .where(table.currency != Account.currency)
        for table in (Payment, Promise, PaymentPlan)
    ]
    return sa.select(sa.union(*wrong).subquery().c.account_id.label("id"))


def _unequal_parts() -> sa.Select[Any]:
    parts = Account.principal_amount + Account.interest_amount + Account.fees_amount + Account.penalty_amount
    return sa.select(Account.id).where(parts.is_not(None), Account.balance_amount != parts)


def _case_differs() -> sa.Select[Any]:
    running = sa.exists().where(Episode.case_id == Case.id, Episode.ended_on.is_(None))
    return sa.select(Case.id).where(running != Case.closed_on.is_(None))


def _assigned_after_the_end() -> sa.Select[Any]:
    return (
        sa.select(Assignment.id)
        .join(Case, Case.id == Assignment.case_id)
        .where(Assignment.to_at.is_(None), Case.closed_on.is_not(None))
    )


INVARIANTS: tuple[Invariant, ...] = (
    Invariant("allocation", "the lines of a payment and what is unapplied make up what is left of it", "payment",
              _unbalanced_payments),
    Invariant("parts", "the parts of a balance make up the balance", "account", _unequal_parts),
    Invariant("dpd", "DPD is 0 if and only if nothing past due is unpaid over the tolerance", "account", _wrong_dpd),
    Invariant("arrears", "arrears are what is past due and unpaid", "account", _wrong_arrears),
    Invariant("standing", "the newest standing says what the account says", "account", _standing_differs),
    Invariant("episode", "an episode is open if and only if the account is past due", "account", _episode_differs),
    Invariant("overlap", "the episodes of an account do not overlap", "episode", _overlapping_episodes),
    Invariant("kept", "a kept promise has its cash, and nobody took it back", "promise", _kept_without_cash),
    Invariant("currency", "all money of an account is in its currency", "account", _other_currency),
    Invariant("case", "a case is open if and only if an episode in it is", "case", _case_differs),
    Invariant("assignment", "nobody works a closed case", "assignment", _assigned_after_the_end),
)  # fmt: skip
