"""The gate's one verb."""

from datetime import UTC, datetime, timedelta

from collections_app.domain.gate.facts import Force, GateDecision, GateInput, RuleHit, Verdict
from collections_app.domain.gate.reading import Reading, UnreadableFacts
from collections_app.domain.gate.rules import RulePack, TimeRule

# A touch that no hour of the coming year would allow is not "later", it is "no".
_HORIZON = timedelta(days=366)
UNREADABLE = "GATE-FACTS"


def evaluate(facts: GateInput, pack: RulePack, now: datetime, *, law_only: bool = False) -> GateDecision:
    """Decide whether this touch may be made at ``now``; every rule of the pack must agree.

    ``law_only`` leaves out carrier terms and our own policy. Facts that do not hold together are refused.
    """
    if now.tzinfo is None:
        raise ValueError("the gate needs an aware instant")
    now = now.astimezone(UTC)
    try:
        reading = Reading(facts, now, pack.default_zones)
        shape = pack.shape(reading.proposal, reading.point, law_only=law_only)
        found = (hit for rule in shape.judging if (hit := rule.check(reading)) is not None)
        # What needs a new fact comes first: the first hit speaks for the decision wherever it is shown.
        hits = tuple(sorted(found, key=lambda hit: hit.verdict is not Verdict.DENY))
    except UnreadableFacts as error:
        hit = RuleHit(rule_id=UNREADABLE, force=Force.POLICY, message=str(error), verdict=Verdict.DENY)
        return GateDecision(verdict=Verdict.DENY, hits=(hit,), pack_version=pack.version)
    verdict, eligible = _judge(hits, shape.hours, reading)
    return GateDecision(
        verdict=verdict,
        hits=hits,
        next_eligible_at=eligible,
        required_content=tuple(dict.fromkeys(rule.content for rule in shape.disclosures if rule.is_due(reading))),
        local_times=reading.local_times(),
        pack_version=pack.version,
        counters=reading.counters,
    )


def _judge(hits: tuple[RuleHit, ...], hours: tuple[TimeRule, ...], reading: Reading) -> tuple[Verdict, datetime | None]:
    if not hits:
        return Verdict.ALLOW, None
    if any(hit.verdict is Verdict.DENY for hit in hits):
        return Verdict.DENY, None
    release = max(hit.release_at for hit in hits if hit.release_at is not None)
    eligible = _move_into(hours, reading, max(release, reading.now))
    return (Verdict.DENY, None) if eligible is None else (Verdict.DEFER, eligible)


def _move_into(hours: tuple[TimeRule, ...], reading: Reading, at: datetime) -> datetime | None:
    """Return the first instant from ``at`` on at which all hours agree, or None within the horizon."""
    limit = reading.now + _HORIZON
    while at <= limit:
        latest = at
        for rule in hours:
            opening = rule.next_allowed(reading, at)
            if opening is None:
                return None
            latest = max(latest, opening)
        if latest == at:
            return at
        at = latest
    return None
