"""Payment plans: instalment plans, deferrals, settlements; who may grant what (domain brief §8.12).

A plan says on which days which amounts are paid. Cash judges it, as it judges a promise: terms are paid in the
order of their dates, and a term that is not paid a few days after its date is missed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise

from collections_app.domain.calendars import add_months
from collections_app.domain.errors import InvalidInput
from collections_app.domain.money import Money
from collections_app.domain.promises import Cash


class PlanKind(StrEnum):
    """What is arranged."""

    INSTALMENT = "instalment"
    REDUCED = "reduced"
    TOKEN = "token"  # noqa: S105 - a token payment, not a password
    DEFERRAL = "deferral"
    SETTLEMENT = "settlement"


class PlanStatus(StrEnum):
    """The life of a plan; PROPOSED waits for an approval."""

    PROPOSED = "proposed"
    REJECTED = "rejected"
    ACTIVE = "active"
    COMPLETED = "completed"
    BROKEN = "broken"
    CANCELLED = "cancelled"


class Every(StrEnum):
    """How far apart the terms of a plan are."""

    WEEK = "week"
    TWO_WEEKS = "two_weeks"
    MONTH = "month"


class Authority(StrEnum):
    """Who may grant a plan, from the least to the most."""

    AGENT = "agent"
    SUPERVISOR = "supervisor"


@dataclass(frozen=True)
class Term:
    """One payment that is agreed."""

    due_on: date
    amount_minor: int


@dataclass(frozen=True)
class Waiver:
    """What is given up, in minor units, by component; ``fees`` holds fees, costs and penalty interest."""

    principal: int = 0
    interest: int = 0
    fees: int = 0

    @property
    def total(self) -> int:
        """Return everything that is given up."""
        return self.principal + self.interest + self.fees


@dataclass(frozen=True)
class Affordability:
    """What comes in and goes out in a month, in minor units, and what was seen as evidence of it."""

    income_minor: int
    expense_minor: int
    evidence: str = ""

    @property
    def disposable_minor(self) -> int:
        """Return what is left in a month; less than nothing is possible."""
        return self.income_minor - self.expense_minor


@dataclass(frozen=True)
class Debt:
    """What is owed when a plan is made, in minor units of ``currency``; a component that is not told is None."""

    currency: str
    balance_minor: int
    arrears_minor: int
    principal_minor: int | None = None
    interest_minor: int | None = None
    fees_minor: int | None = None


@dataclass(frozen=True)
class Proposal:
    """A plan as it is asked for. A deferral has no terms: nothing is due from ``starts_on`` to ``ends_on``."""

    kind: PlanKind
    currency: str
    terms: tuple[Term, ...]
    starts_on: date
    ends_on: date
    waiver: Waiver = field(default_factory=Waiver)
    affordability: Affordability | None = None

    @property
    def total_minor(self) -> int:
        """Return what the customer pays under the plan."""
        return sum(term.amount_minor for term in self.terms)

    @property
    def months(self) -> int:
        """Return the months that it runs, a begun one counted whole."""
        whole = (self.ends_on.year - self.starts_on.year) * 12 + self.ends_on.month - self.starts_on.month
        return whole + (add_months(self.starts_on, whole) < self.ends_on)

    @property
    def heaviest_month_minor(self) -> int:
        """Return the most that falls due in one calendar month."""
        months: dict[tuple[int, int], int] = {}
        for term in self.terms:
            month = (term.due_on.year, term.due_on.month)
            months[month] = months.get(month, 0) + term.amount_minor
        return max(months.values(), default=0)


@dataclass(frozen=True)
class Limit:
    """What a level may grant of a kind: months, percent of the balance and of principal, total per currency."""

    months: int
    waived_percent: int
    waived_principal_percent: int
    total: Mapping[str, int]


@dataclass(frozen=True)
class LevelLimits:
    """One level of authority with its limits by kind; a kind that is missing may not be granted."""

    level: Authority
    kinds: Mapping[PlanKind, Limit]


@dataclass(frozen=True)
class AuthorityNeeded:
    """The lowest level that may grant it, and why the levels below may not."""

    level: Authority
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class BreachRule:
    """When a plan breaks: so many terms missed, each judged so many days after its date."""

    grace_days: int
    tolerance_percent: int
    missed_terms: int


@dataclass(frozen=True)
class PlanJudgement:
    """The verdict of the cash; ``paid_minor`` is by term, in their order."""

    status: PlanStatus
    paid_minor: tuple[int, ...]
    missed: int


def equal_terms(total_minor: int, count: int, first_due_on: date, every: Every = Every.MONTH) -> tuple[Term, ...]:
    """Split an amount into equal terms, exact: what does not divide goes into the first terms, a minor unit each."""
    if count < 1 or total_minor < count:
        raise InvalidInput("the amount does not make that many terms")
    share, rest = divmod(total_minor, count)
    return tuple(Term(_nth(first_due_on, n, every), share + (n < rest)) for n in range(count))


def _nth(first: date, n: int, every: Every) -> date:
    if every is Every.MONTH:
        return add_months(first, n)
    return first + timedelta(weeks=n * (2 if every is Every.TWO_WEEKS else 1))


def split_waiver(waived_minor: int, debt: Debt) -> Waiver:
    """Give up fees first, then interest, then principal; what is not told by component counts as principal."""
    fees = min(waived_minor, debt.fees_minor or 0)
    interest = min(waived_minor - fees, debt.interest_minor or 0)
    return Waiver(principal=waived_minor - fees - interest, interest=interest, fees=fees)


def check(proposal: Proposal, debt: Debt, *, as_of: date, most_terms: int) -> None:
    """Refuse what nobody should record: no terms, unordered dates, sums that do not meet, a start in the past.

    A settlement and what it gives up make exactly the balance. The other kinds pay at most the balance.
    """
    if proposal.currency != debt.currency:
        raise InvalidInput(f"the account is kept in {debt.currency}")
    if proposal.kind is PlanKind.DEFERRAL:
        if proposal.terms or proposal.waiver.total:
            raise InvalidInput("a deferral has a last day and no terms")
        if not as_of <= proposal.starts_on < proposal.ends_on:
            raise InvalidInput("the last day of the deferral lies before its start")
        return
    _check_terms(proposal.terms, as_of=as_of, most_terms=most_terms)
    if proposal.ends_on != proposal.terms[-1].due_on:
        raise InvalidInput("a plan ends with its last term")
    paid = Money(proposal.total_minor, debt.currency)
    owed = Money(debt.balance_minor, debt.currency)
    if proposal.kind is PlanKind.SETTLEMENT:
        if min(proposal.waiver.principal, proposal.waiver.interest, proposal.waiver.fees) < 0 or not (
            proposal.waiver.total
        ):
            raise InvalidInput("the settlement amount must be less than the balance: a settlement gives something up")
        if proposal.total_minor + proposal.waiver.total != debt.balance_minor:
            raise InvalidInput(f"the settlement amount and what is waived must make the balance of {owed}")
    elif proposal.waiver.total:
        raise InvalidInput("only a settlement waives anything")
    elif proposal.total_minor > debt.balance_minor:
        raise InvalidInput(f"the amount of the plan, {paid}, is more than the balance of {owed}")


def _check_terms(terms: Sequence[Term], *, as_of: date, most_terms: int) -> None:
    if not terms:
        raise InvalidInput("a plan needs at least one term")
    if len(terms) > most_terms:
        raise InvalidInput(f"a plan has {most_terms} terms at most")
    if any(term.amount_minor <= 0 for term in terms):
        raise InvalidInput("the amount of every term must be more than zero")
    if terms[0].due_on < as_of:
        raise InvalidInput("the first date lies in the past")
    if any(later.due_on <= earlier.due_on for earlier, later in pairwise(terms)):
        raise InvalidInput("the dates of the terms must increase")


def required_authority(proposal: Proposal, debt: Debt, levels: Sequence[LevelLimits]) -> AuthorityNeeded:
    """Return the lowest level that may grant the plan, with what the levels below it lack.

    A plan above the disposable income is beyond the first level, whatever its size. InvalidInput when no level
    suffices: then the creditor must decide.
    """
    reasons: tuple[str, ...] = ()
    for position, limits in enumerate(levels):
        lacking = list(_lacking(proposal, debt, limits))
        if position == 0 and (strain := _strain(proposal)):
            lacking.append(strain)
        if not lacking:
            return AuthorityNeeded(limits.level, reasons)
        reasons = tuple(lacking)
    raise InvalidInput(f"nobody in the house may grant this, the creditor must: {'; '.join(reasons)}")


def _strain(proposal: Proposal) -> str:
    known = proposal.affordability
    if known is None or proposal.heaviest_month_minor <= known.disposable_minor:
        return ""
    asked = Money(proposal.heaviest_month_minor, proposal.currency)
    return f"{asked} in a month is more than the {Money(known.disposable_minor, proposal.currency)} that is left"


def _lacking(proposal: Proposal, debt: Debt, limits: LevelLimits) -> list[str]:
    who, limit = f"the {limits.level}'s limit", limits.kinds.get(proposal.kind)
    if limit is None:
        return [f"the {limits.level} may not grant a {proposal.kind}"]
    lacking = []
    if proposal.months > limit.months:
        lacking.append(f"{proposal.months} months; {who} is {limit.months}")
    most = limit.total.get(proposal.currency)
    if most is None:
        lacking.append(f"no limit is set for {proposal.currency}")
    elif proposal.total_minor > most:
        lacking.append(f"{Money(proposal.total_minor, proposal.currency)}; {who} is {Money(most, proposal.currency)}")
    principal = debt.balance_minor if debt.principal_minor is None else debt.principal_minor
    shares = (
        ("of the balance waived", proposal.waiver.total, debt.balance_minor, limit.waived_percent),
        ("of principal waived", proposal.waiver.principal, principal, limit.waived_principal_percent),
    )
    for what, waived, whole, percent in shares:
        share = Fraction(100 * waived, whole) if whole > 0 else Fraction(100 if waived else 0)
        if share > percent:
            lacking.append(f"{float(share):.1f}% {what}; {who} is {percent}%")
    return lacking


def judge(
    terms: Sequence[Term], cash: Sequence[Cash], *, starts_on: date, as_of: date, rule: BreachRule
) -> PlanJudgement:
    """Judge the terms of a plan by the cash valued from its start up to ``as_of``.

    Completed when everything came, or when the last term has been judged and the plan is not broken. Broken when
    ``missed_terms`` terms were short, on the last day of their grace, of what was due until then.
    """
    counted = [c for c in cash if starts_on <= c.value_on <= as_of]
    came, due, missed = sum(c.amount_minor for c in counted), 0, 0
    paid = []
    for term in terms:
        paid.append(min(max(came - due, 0), term.amount_minor))
        due += term.amount_minor
        last_day = term.due_on + timedelta(days=rule.grace_days)
        in_time = sum(c.amount_minor for c in counted if c.value_on <= last_day)
        missed += last_day < as_of and 100 * in_time < due * (100 - rule.tolerance_percent)
    is_over = terms[-1].due_on + timedelta(days=rule.grace_days) < as_of
    if missed >= rule.missed_terms:
        status = PlanStatus.BROKEN
    elif came >= due or is_over:
        status = PlanStatus.COMPLETED
    else:
        status = PlanStatus.ACTIVE
    return PlanJudgement(status, tuple(paid), missed)
