"""The gate: the last word before every touch, of anybody, by any channel (domain brief §1).

``evaluate`` is a function of facts, a rule pack and an instant. It reads no clock and no database.
Facts and answers are in ``facts``, what a rule is in ``rules``; the rules themselves are in ``stops``,
``consents``, ``people``, ``hours``, ``counters`` and ``content``. Numbers come from the rule packs.
"""

from collections_app.domain.gate.evaluate import evaluate
from collections_app.domain.gate.facts import (
    ConsentFact,
    ContactProposal,
    CustomerFacts,
    DebtFacts,
    Force,
    GateDecision,
    GateInput,
    OptOutFact,
    PointFacts,
    Preference,
    RuleHit,
    StopFact,
    Touch,
    TouchResult,
    Verdict,
)
from collections_app.domain.gate.rules import RulePack

__all__ = [
    "ConsentFact",
    "ContactProposal",
    "CustomerFacts",
    "DebtFacts",
    "Force",
    "GateDecision",
    "GateInput",
    "OptOutFact",
    "PointFacts",
    "Preference",
    "RuleHit",
    "RulePack",
    "StopFact",
    "Touch",
    "TouchResult",
    "Verdict",
    "evaluate",
]
