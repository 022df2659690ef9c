"""Hard stops, the state of the debt, and the quality of the number (stages 1 and 3)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from collections_app.domain.contact import StopCode
from collections_app.domain.gate.facts import DebtFacts, RuleHit
from collections_app.domain.gate.reading import Reading
from collections_app.domain.gate.rules import Rule


@dataclass(frozen=True, kw_only=True)
class StopFlag(Rule):
    """A flag on the customer, or on one of the proposed debts, holds."""

    code: StopCode

    def check(self, reading: Reading) -> RuleHit | None:
        debts = reading.proposal.debts
        for flag in reading.customer.stop_flags:
            if (
                flag.code is self.code
                and flag.from_at <= reading.now
                and (flag.until is None or reading.now < flag.until)
                and (flag.debt is None or not debts or flag.debt in debts)
            ):
                return self.deny()
        return None


class DebtFact(StrEnum):
    """A state of a debt under which it is not collected, or not in this way."""

    MORATORIUM = "moratorium"
    DISPUTED = "disputed"
    DISPUTED_IN_VALIDATION = "disputed_in_validation"
    SETTLED = "settled"
    TIME_BARRED = "time_barred"


def _in_validation(debt: DebtFacts, reading: Reading) -> bool:
    """An unknown end of the validation period means that it still runs."""
    return debt.validation_ends is None or any(
        reading.now.astimezone(zone).date() <= debt.validation_ends for zone in reading.zones
    )


def _in_moratorium(until: datetime | None, reading: Reading) -> bool:
    return until is not None and reading.now < until


DEBT_FACTS: dict[DebtFact, Callable[[DebtFacts, Reading], bool]] = {
    DebtFact.MORATORIUM: lambda debt, reading: _in_moratorium(debt.moratorium_until, reading),
    DebtFact.DISPUTED: lambda debt, _: debt.is_disputed,
    DebtFact.DISPUTED_IN_VALIDATION: lambda debt, reading: debt.is_disputed and _in_validation(debt, reading),
    DebtFact.SETTLED: lambda debt, _: debt.arrears_minor <= 0 or debt.has_pending_payment,
    DebtFact.TIME_BARRED: lambda debt, _: debt.is_time_barred,
}


@dataclass(frozen=True, kw_only=True)
class DebtState(Rule):
    """One of the proposed debts is in a state that forbids the touch."""

    fact: DebtFact

    def check(self, reading: Reading) -> RuleHit | None:
        holds = DEBT_FACTS[self.fact]
        wanted = reading.proposal.debts
        for debt in reading.facts.debts:
            if (not wanted or debt.id in wanted) and holds(debt, reading):
                return self.deny()
        return None


@dataclass(frozen=True, kw_only=True)
class PointQuality(Rule):
    """The contact point is known to be dead or somebody else's."""

    qualities: frozenset[str]

    def check(self, reading: Reading) -> RuleHit | None:
        return self.deny() if reading.point.quality in self.qualities else None


@dataclass(frozen=True, kw_only=True)
class Employer(Rule):
    """The employer does not allow contact at work (the scope names the work points)."""

    def check(self, reading: Reading) -> RuleHit | None:
        return self.deny() if reading.customer.employer_forbids else None
