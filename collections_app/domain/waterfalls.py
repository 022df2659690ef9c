"""Which debt a payment covers first: components, tiers and dated orders (domain brief §2.1). Figures are data."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

NANO = 1_000_000_000  # rates are whole billionths, so that a share of an amount is exact


class Component(StrEnum):
    """What an instalment consists of."""

    COST = "cost"
    FEE = "fee"
    PENALTY = "penalty"
    INTEREST = "interest"
    PRINCIPAL = "principal"


class InstalmentKind(StrEnum):
    """A loan's instalment, a card's minimum payment of a cycle, a part of a card's balance, an agreed payment.

    A BALANCE row holds a part of the balance at one rate; it is never past due.
    """

    SCHEDULED = "scheduled"
    MINIMUM = "minimum"
    BALANCE = "balance"
    PLAN = "plan"


class Sequence(StrEnum):
    """HORIZONTAL: each instalment as a whole, oldest first. VERTICAL: over all instalments that have fallen due
    one component after the other, then those still to come, oldest first."""

    HORIZONTAL = "horizontal"
    VERTICAL = "vertical"


class DueRoll(StrEnum):
    """Where a due date goes that falls on a day without business."""

    NONE = "none"
    FOLLOWING = "following"
    PRECEDING = "preceding"


@dataclass(frozen=True)
class Tier:
    """Kinds of instalments paid before the next tier's, oldest due first or highest rate first."""

    kinds: tuple[InstalmentKind, ...]
    highest_rate_first: bool = False


@dataclass(frozen=True)
class Rule:
    """One order of components, for accounts from ``from_dpd`` days past due on. ``name`` goes on each line."""

    name: str
    from_dpd: int
    sequence: Sequence
    components: tuple[Component, ...]


@dataclass(frozen=True)
class Waterfall:
    """Tiers, and the rules by the date from which they hold; rules of one date are sorted by ``from_dpd``."""

    name: str
    tiers: tuple[Tier, ...]
    versions: tuple[tuple[date, tuple[Rule, ...]], ...]

    def rules_on(self, day: date) -> tuple[Rule, ...]:
        """Return the rules in force on a day; before the first version, the first."""
        return [rules for start, rules in self.versions if start <= day or start == self.versions[0][0]][-1]

    def rule_on(self, day: date, *, dpd: int) -> Rule:
        """Return the rule for a payment of this value date on an account that had ``dpd`` before it."""
        return [rule for rule in self.rules_on(day) if rule.from_dpd <= dpd][-1]


@dataclass(frozen=True)
class Product:
    """What a product's accounts have in common unless they tell otherwise (strategies/parameters/products.yaml).

    Amounts are minor units by currency; rates are billionths. ``tolerance_rate`` None = no relative tolerance.
    """

    name: str
    waterfall: Waterfall
    plan_waterfall: Waterfall
    tolerance_amounts: Mapping[str, int]
    tolerance_rate: int | None
    grace_days: int
    due_roll: DueRoll
    bucket_table: str
    regulatory_table: str
    materiality_amounts: Mapping[str, int]
    materiality_rate: int
    charge_off_dpd: int | None


def share_of(amount: int, rate: int) -> int:
    """Return ``rate`` billionths of an amount, rounded down; a negative amount counts as nothing."""
    return max(0, amount) * rate // NANO


def tolerance_of(due_amount: int, *, amount: int | None, rate: int | None) -> int:
    """Return what may be missing from an instalment without its being unpaid: the lower of both limits (§2.1)."""
    limits = [limit for limit in (amount, None if rate is None else share_of(due_amount, rate)) if limit is not None]
    return min(limits, default=0)
