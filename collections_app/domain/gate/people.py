"""Third persons: who may be asked what, and how often (stage 3)."""

from dataclasses import dataclass

from collections_app.domain.gate.consents import answers_inbound
from collections_app.domain.gate.facts import RuleHit, TouchResult
from collections_app.domain.gate.reading import OUTBOUND, Reading
from collections_app.domain.gate.rules import Rule


@dataclass(frozen=True, kw_only=True)
class NotLost(Rule):
    """A third person may be asked only once the loss of contact with the debtor is documented."""

    def check(self, reading: Reading) -> RuleHit | None:
        return None if reading.customer.is_lost else self.deny()


@dataclass(frozen=True, kw_only=True)
class SpokenBefore(Rule):
    """After so many touches with these results this person is left alone, unless they wrote first."""

    results: frozenset[TouchResult]
    limit: int

    def check(self, reading: Reading) -> RuleHit | None:
        count = sum(1 for t in reading.touches_of(OUTBOUND) if t.result in self.results)
        reading.counters[self.id] = count
        if count < self.limit or answers_inbound(reading):
            return None
        return self.deny(counter=count, limit=self.limit)
