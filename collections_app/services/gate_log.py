"""Write down the gate's word: every evaluated attempt keeps its evidence, denials included."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import tables
from collections_app.domain.gate import GateDecision, RuleHit


class Phase(StrEnum):
    """When the gate spoke: planning is a pre-filter, the word at dispatch counts."""

    PLAN = "plan"
    DISPATCH = "dispatch"
    CALL = "call"


def store(session: Session, words: Iterable[tuple[int, GateDecision]], *, phase: Phase, now: datetime) -> None:
    """Store the decisions of many attempts, given as (attempt id, decision), in one statement."""
    rows = [_row(attempt_id, decision, phase=phase, now=now) for attempt_id, decision in words]
    if rows:
        session.execute(sa.insert(tables.GateDecision), rows)


def reason(decision: GateDecision) -> str:
    """Return the rule's own sentence for people; the first hit speaks for all."""
    return decision.hits[0].message if decision.hits else ""


def _row(attempt_id: int, decision: GateDecision, *, phase: Phase, now: datetime) -> dict[str, Any]:
    return {
        "attempt_id": attempt_id,
        "phase": phase.value,
        "decision": decision.verdict.value,
        "hits": [_hit(hit) for hit in decision.hits],
        "next_eligible_at": decision.next_eligible_at,
        "required_content": list(decision.required_content),
        "local_times": dict(decision.local_times),
        "counters": dict(decision.counters),
        "pack_version": decision.pack_version,
        "decided_at": now,
    }


def _hit(hit: RuleHit) -> dict[str, Any]:
    return {
        "rule_id": hit.rule_id,
        "force": hit.force,
        "message": hit.message,
        "verdict": hit.verdict.value,
        "counter": hit.counter,
        "limit": hit.limit,
        "clock": hit.clock,
        "release_at": None if hit.release_at is None else hit.release_at.isoformat(),
    }
