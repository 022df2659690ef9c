"""Promises to pay: terms, and the judgement by payments (domain brief §2.4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from fractions import Fraction

from collections_app.domain.errors import InvalidInput


class PromiseStatus(StrEnum):
    """States of a promise; all but OPEN are final until a reversal re-judges them."""

    OPEN = "open"
    KEPT = "kept"
    PARTIAL = "partial"
    BROKEN = "broken"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


# Judged by cash; judged again when that cash changes.
JUDGED = (PromiseStatus.KEPT, PromiseStatus.PARTIAL, PromiseStatus.BROKEN)


@dataclass(frozen=True)
class PromiseTerms:
    """What was promised. ``tolerance_percent`` is the shortfall that still counts as kept."""

    amount_minor: int
    currency: str
    due_on: date
    method: str = "transfer"
    grace_days: int = 2
    tolerance_percent: int = 5


@dataclass(frozen=True)
class Cash:
    """Money that arrived and was not consumed by an earlier promise; ``initiated_at`` where the lender tells it."""

    amount_minor: int
    value_on: date
    initiated_at: datetime | None = None


@dataclass(frozen=True)
class Made:
    """A promise on an account: its terms and when it was made, by the product's day and as an instant."""

    terms: PromiseTerms
    created_on: date
    created_at: datetime

    @property
    def last_day(self) -> date:
        """The last day whose cash counts: the promised one and its grace."""
        return self.terms.due_on + timedelta(days=self.terms.grace_days)

    def counts(self, cash: Cash) -> bool:
        """Tell whether money can help it: what was on its way before the promise was made never does (§2.4)."""
        if cash.value_on == self.created_on and cash.initiated_at is not None:
            return cash.initiated_at >= self.created_at
        return self.created_on <= cash.value_on <= self.last_day


@dataclass(frozen=True)
class Judgement:
    """The verdict and the cash that it counted."""

    status: PromiseStatus
    paid_minor: int


def check_terms(terms: PromiseTerms, *, arrears_minor: int, as_of: date, longest_days: int) -> None:
    """Refuse terms that nobody should record: nothing, more than is owed, in the past, too far away."""
    if terms.amount_minor <= 0:
        raise InvalidInput("the promised amount must be more than zero")
    if terms.amount_minor > arrears_minor:
        raise InvalidInput("the promised amount is more than what is overdue")
    if terms.due_on < as_of:
        raise InvalidInput("the promised date lies in the past")
    if terms.due_on > as_of + timedelta(days=longest_days):
        raise InvalidInput(f"the promised date is more than {longest_days} days away")


def judge(promise: Made, cash: Sequence[Cash], *, as_of: date) -> Judgement:
    """Judge a promise by the cash valued from its creation to its due date plus grace (domain brief §2.4).

    Kept as soon as the cash reaches (1 - tolerance) of the amount; broken or partial (half or more
    paid) only after the grace period has passed. Cash before the creation never counts.
    """
    terms = promise.terms
    paid = sum(c.amount_minor for c in cash if c.value_on <= as_of and promise.counts(c))
    if paid >= terms.amount_minor * (1 - Fraction(terms.tolerance_percent, 100)):
        return Judgement(PromiseStatus.KEPT, paid)
    if as_of <= promise.last_day:
        return Judgement(PromiseStatus.OPEN, paid)
    return Judgement(PromiseStatus.PARTIAL if 2 * paid >= terms.amount_minor else PromiseStatus.BROKEN, paid)


def judge_in_order(promises: Sequence[Made], cash: Sequence[Cash], *, as_of: date) -> list[Judgement]:
    """Judge the promises of one account, in due order: money that one of them counted helps no later one."""
    pool = sorted(cash, key=lambda c: c.value_on)
    verdicts = []
    for promise in promises:
        verdict = judge(promise, pool, as_of=as_of)
        verdicts.append(verdict)
        left = min(verdict.paid_minor, promise.terms.amount_minor)
        for i, c in enumerate(pool):
            if left and c.value_on <= as_of and promise.counts(c):
                used = min(left, c.amount_minor)
                left -= used
                pool[i] = Cash(c.amount_minor - used, c.value_on, c.initiated_at)
    return verdicts
