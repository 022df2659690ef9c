"""How many calls the law still leaves to an agent: the gate's own counters beside their limits."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from collections_app.db.tables import Case
from collections_app.domain.contact import Channel, Mode
from collections_app.domain.gate import GateDecision
from collections_app.domain.gate.counters import Count
from collections_app.queries.contact_history import Ask, gate_input
from collections_app.services.contacting import check_agent_calls
from strategies.packs import PackLibrary


@dataclass(frozen=True)
class Allowance:
    """One counter of one phone: what was used of what a rule allows in ``days`` local dates."""

    rule_id: str
    rule: str
    used: int
    limit: int
    days: int

    @property
    def left(self) -> int:
        """Return how many are left, never below zero."""
        return max(0, self.limit - self.used)


@dataclass(frozen=True)
class CallOption:
    """The gate's word on calling one phone now, and what is left of each allowance, the tightest first."""

    decision: GateDecision
    allowances: tuple[Allowance, ...]


def call_options(session: Session, *, case_id: int, packs: PackLibrary, now: datetime) -> dict[int, CallOption]:
    """Return for every phone of a case's customer whether an agent may call it now, and what is left."""
    decisions = check_agent_calls(session, case_id=case_id, packs=packs, now=now)
    if not decisions:
        return {}
    customer_id = session.get_one(Case, case_id).customer_id
    # The pack depends on the person and the collector, not on the phone: any phone selects it.
    ask = Ask(customer_id, next(iter(decisions)), Channel.VOICE, Mode.LIVE_AGENT)
    pack = packs.select(gate_input(session, ask, now=now), now.date())
    counts: dict[str, Count] = {}
    for rule in pack.rules:
        if isinstance(rule, Count) and (rule.id not in counts or rule.limit < counts[rule.id].limit):
            counts[rule.id] = rule
    return {point_id: CallOption(decision, _allowances(decision, counts)) for point_id, decision in decisions.items()}


def _allowances(decision: GateDecision, counts: dict[str, Count]) -> tuple[Allowance, ...]:
    found = [
        Allowance(rule_id, counts[rule_id].message, used, counts[rule_id].limit, counts[rule_id].days)
        for rule_id, used in decision.counters.items()
        if rule_id in counts
    ]
    return tuple(sorted(found, key=lambda a: (a.left, a.days)))
