"""Payments against instalments, for one account, straight from the definitions (domain brief §2.1).

Slow and obvious on purpose: this is what the set-based engine (collections_app/ledger) is proven equal to. For the
delinquency that follows from the lines see domain/standing.py.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from collections_app.domain.delinquency import Pause, days_past_due
from collections_app.domain.waterfalls import (
    Component,
    InstalmentKind,
    Product,
    Rule,
    Tier,
    Waterfall,
    tolerance_of,
)
from collections_app.domain.waterfalls import Sequence as Direction

CASH = frozenset({"payment", "writeoff_recovery"})
UNDOING = frozenset({"reversal", "chargeback"})
MOVING = CASH | {"waiver", "refund"}
SETTLED = "settled"


@dataclass(frozen=True)
class Instalment:
    """One due amount by component. ``payable_after``: the end of the cycle whose statement asks for it, or the day
    before the plan that agreed it; an earlier payment covered what was due then."""

    key: tuple[int, int]  # schedule_version, seq
    kind: InstalmentKind
    due_on: date | None
    dues: Mapping[Component, int]
    rate: int = 0
    payable_after: date | None = None

    @property
    def due_amount(self) -> int:
        """All components together."""
        return sum(self.dues.values())


@dataclass(frozen=True)
class Payment:
    """A booking as the lender sent it; ``ref`` orders the bookings of a day."""

    ref: str
    value_on: date
    amount: int
    kind: str = "payment"
    status: str = SETTLED
    reverses_ref: str | None = None


@dataclass(frozen=True)
class Account:
    """The facts of one account. None in its terms = as its product says."""

    product: Product
    currency: str
    instalments: Sequence[Instalment]
    payments: Sequence[Payment] = ()
    pauses: Sequence[Pause] = ()
    status: str = "active"
    status_since_on: date | None = None
    charged_off_on: date | None = None
    opened_on: date | None = None
    balance_amount: int = 0
    grace_days: int | None = None
    tolerance_amount: int | None = None
    tolerance_rate: int | None = None

    @property
    def waterfall(self) -> Waterfall:
        """An account with agreed instalments is paid by the waterfall of plans."""
        planned = any(i.kind is InstalmentKind.PLAN for i in self.instalments)
        return self.product.plan_waterfall if planned else self.product.waterfall

    def tolerance(self, instalment: Instalment) -> int:
        """Return what may be missing from an instalment without its being unpaid."""
        amount, rate = self.tolerance_amount, self.tolerance_rate
        return tolerance_of(
            instalment.due_amount,
            amount=self.product.tolerance_amounts.get(self.currency) if amount is None else amount,
            rate=self.product.tolerance_rate if rate is None else rate,
        )


@dataclass(frozen=True)
class Line:
    """A part of a payment on one component of one instalment. A refund's lines take back (``amount`` < 0)."""

    payment: Payment
    line: int
    key: tuple[int, int]
    component: Component
    amount: int
    rule: str


def effective_amounts(payments: Sequence[Payment], as_of: date) -> dict[str, int]:
    """Return what each booking moves as of a day, by its ref: nothing before its value date, nothing if it is not
    settled, and less by what a reversal or chargeback undoes, from its own value date on. A reversal by itself
    moves nothing; so does a transfer (it is not cash)."""
    known = {p.ref: p for p in payments if p.status == SETTLED and p.value_on <= as_of}
    amounts = {p.ref: p.amount if p.ref in known and p.kind in MOVING else 0 for p in payments}
    for undoing in known.values():
        if undoing.kind in UNDOING and undoing.reverses_ref in amounts:
            amounts[undoing.reverses_ref] -= undoing.amount
    return {ref: max(0, amount) for ref, amount in amounts.items()}


def order_of_cells(
    instalments: Sequence[Instalment], tiers: Sequence[Tier], rule: Rule, on: date
) -> Iterator[tuple[Instalment, Component]]:
    """Yield instalment and component in the order in which a payment of day ``on`` covers them."""
    for tier in tiers:
        members = [i for i in instalments if i.kind in tier.kinds]
        members.sort(key=lambda i: (-i.rate if tier.highest_rate_first else 0, i.due_on or date.max, i.key))
        fallen_due = []
        if rule.sequence is Direction.VERTICAL:
            fallen_due = [i for i in members if i.due_on is not None and i.due_on <= on]
        for component in rule.components:
            for instalment in fallen_due:
                yield instalment, component
        for instalment in members:
            if instalment not in fallen_due:
                for component in rule.components:
                    yield instalment, component


def unpaid_amount(instalment: Instalment, lines: Sequence[Line], component: Component | None = None) -> int:
    """Return what the lines leave of an instalment, or of one of its components."""
    due = instalment.due_amount if component is None else instalment.dues.get(component, 0)
    return due - sum(
        line.amount for line in lines if line.key == instalment.key and component in (None, line.component)
    )


def overdue(account: Account, lines: Sequence[Line], day: date) -> list[Instalment]:
    """Return the instalments that are past due on a day and unpaid by more than the tolerance, oldest first."""
    found = [
        i
        for i in account.instalments
        if i.kind is not InstalmentKind.BALANCE
        and i.due_on is not None
        and i.due_on < day
        and unpaid_amount(i, lines) > account.tolerance(i)
    ]
    return sorted(found, key=lambda i: i.due_on or date.max)


def _rule(account: Account, lines: Sequence[Line], day: date) -> Rule:
    """Return the rule by the DPD at the payment's value date, before it."""
    late = overdue(account, lines, day)
    dpd = days_past_due(late[0].due_on if late else None, day, pauses=account.pauses)
    return account.waterfall.rule_on(day, dpd=dpd)


def allocate(account: Account, as_of: date) -> tuple[list[Line], dict[str, int]]:
    """Return the lines of all bookings up to a day, and by booking's ref what no instalment took.

    For each booking: sum of its lines + unapplied = its effective amount. A waiver covers without being cash. A
    refund first takes what was left unapplied, then back what was covered last in the order of the waterfall.
    """
    amounts = effective_amounts(account.payments, as_of)
    lines: list[Line] = []
    unapplied = dict.fromkeys(amounts, 0)
    credit = 0
    distinct = {p.ref: p for p in account.payments}.values()
    for payment in sorted(distinct, key=lambda p: (p.value_on, p.ref)):
        left = amounts[payment.ref]
        if not left:
            continue
        rule = _rule(account, lines, payment.value_on)
        cells = list(order_of_cells(account.instalments, account.waterfall.tiers, rule, payment.value_on))
        own: list[Line] = []
        if payment.kind == "refund":
            from_credit = min(left, credit)
            credit -= from_credit
            left -= from_credit
            for instalment, component in reversed(cells):
                covered = instalment.dues.get(component, 0) - unpaid_amount(instalment, lines, component)
                back = min(left, covered)
                left -= back
                if back:
                    own.append(Line(payment, len(own) + 1, instalment.key, component, -back, f"refund:{rule.name}"))
            left += from_credit
        else:
            name = f"waiver:{rule.name}" if payment.kind == "waiver" else rule.name
            for instalment, component in cells:
                if instalment.kind is not InstalmentKind.SCHEDULED and (
                    instalment.payable_after is not None and payment.value_on <= instalment.payable_after
                ):
                    continue
                part = min(left, unpaid_amount(instalment, lines, component))
                left -= part
                if part:
                    own.append(Line(payment, len(own) + 1, instalment.key, component, part, name))
            credit += left if payment.kind in CASH else 0
        lines += own
        unapplied[payment.ref] = left
    return lines, unapplied
