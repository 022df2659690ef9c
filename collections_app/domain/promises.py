"""Promises to pay: terms, and the judgement by payments (domain brief §2.4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
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
    """Money that arrived and was not consumed by an earlier promise."""

    amount_minor: int
    value_on: date


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


def judge(terms: PromiseTerms, cash: Sequence[Cash], *, created_on: date, as_of: date) -> Judgement:
    """Judge a promise by the cash valued from its creation to its due date plus grace.

    Kept as soon as the cash reaches (1 - tolerance) of the amount; broken or partial (half or more
    paid) only after the grace period has passed. Cash before the creation never counts.
    """
    last_day = terms.due_on + timedelta(days=terms.grace_days)
    paid = sum(c.amount_minor for c in cash if created_on <= c.value_on <= min(last_day, as_of))
    if paid >= terms.amount_minor * (1 - Fraction(terms.tolerance_percent, 100)):
        return Judgement(PromiseStatus.KEPT, paid)
    if as_of <= last_day:
        return Judgement(PromiseStatus.OPEN, paid)
    return Judgement(PromiseStatus.PARTIAL if 2 * paid >= terms.amount_minor else PromiseStatus.BROKEN, paid)
