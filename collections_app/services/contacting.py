"""Strategy proposes, the gate disposes: the day's contact plan, and the agent's own dial.

Planning is a pre-filter over a whole book; the word that counts is spoken again at dispatch, under a
lock on the customer. What the gate refuses is stored like what it allows.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import (
    Assignment,
    Campaign,
    Case,
    ContactAttempt,
    ContactPoint,
    Customer,
    Decision,
)
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.contact import AttemptStatus, CampaignStatus, Channel, Mode, PointKind, Purpose
from collections_app.domain.errors import Conflict, InvalidInput, NotFound
from collections_app.domain.gate import GateDecision, GateInput, Verdict, evaluate
from collections_app.domain.permissions import Permission, Role
from collections_app.queries import worklist
from collections_app.queries.contact_history import Ask, best_points, gate_inputs
from collections_app.services import gate_log
from collections_app.services.campaigns import cancel_unsent
from strategies.packs import PackLibrary
from strategies.templates import TemplateError, TemplateLibrary, default_templates

_AUTOMATIC = (Mode.MESSAGE, Mode.AI_VOICE, Mode.PRERECORDED)
_CALLABLE = (
    PointKind.MOBILE, PointKind.LANDLINE, PointKind.VOIP, PointKind.WORK_PHONE, PointKind.UNKNOWN,
)  # fmt: skip
_CHUNK = 5_000  # customers evaluated at once: bounds memory, not correctness


@dataclass(frozen=True)
class _Step:
    """A treatment step that machines carry out, as its decisions name it."""

    name: str
    channel: Channel
    mode: Mode
    template_id: str
    purpose: Purpose
    needs_person: bool


def judge(facts: GateInput, packs: PackLibrary, now: datetime) -> GateDecision:
    """Ask the gate, under the packs that the facts select."""
    return evaluate(facts, packs.select(facts, now.date()), now)


def local_date(now: datetime, zones: Sequence[str]) -> date:
    """Return the customer's calendar date; the first zone speaks, UTC if none is known."""
    return now.astimezone(ZoneInfo(zones[0]) if zones else UTC).date()


def plan_campaigns(
    uow: UnitOfWork,
    *,
    business_date: date,
    packs: PackLibrary,
    templates: TemplateLibrary | None = None,
    case_ids: Collection[int] | None = None,
) -> dict[str, int]:
    """Turn the day's automatic treatment steps into campaigns of gated attempts; safe to run again.

    Yesterday's campaigns end here: what they did not send is cancelled, for its decision is stale.
    ``case_ids`` narrows the plan to cases whose treatment changed during the day.
    """
    uow.actor.require(Permission.CAMPAIGN_RUN)
    library = templates if templates is not None else default_templates()
    stats: Counter[str] = Counter(campaigns=0, planned=0, deferred=0, denied=0, unreachable=0)
    stats["closed"] = _close_before(uow, business_date)
    for step, audience in _audiences(uow.session, business_date, library, case_ids).items():
        campaign = _campaign_for(uow, step, business_date)
        stats["campaigns"] += 1
        for chunk in _chunks(audience):
            stats.update(_plan_chunk(uow, campaign, chunk, purpose=step.purpose, packs=packs))
    return dict(stats)


def check_agent_calls(session: Session, *, case_id: int, packs: PackLibrary, now: datetime) -> dict[int, GateDecision]:
    """Return, for every phone of the case's customer, whether an agent may call it now and why not."""
    case = _case(session, case_id)
    points = session.scalars(
        sa.select(ContactPoint.id)
        .where(
            ContactPoint.customer_id == case.customer_id,
            ContactPoint.kind.in_(_CALLABLE),
            ContactPoint.withdrawn_at.is_(None),
        )
        .order_by(ContactPoint.rank, ContactPoint.id)
    ).all()
    asks = [_agent_ask(case.customer_id, point_id) for point_id in points]
    facts = gate_inputs(session, asks, now=now)
    return {point_id: judge(fact, packs, now) for point_id, fact in zip(points, facts, strict=True)}


def check_agent_call(
    session: Session, *, case_id: int, contact_point_id: int, packs: PackLibrary, now: datetime
) -> GateDecision:
    """Tell whether an agent may call this phone now; reads only, reserves nothing."""
    case = _case(session, case_id)
    _own_point(session, case, contact_point_id)
    facts = gate_inputs(session, [_agent_ask(case.customer_id, contact_point_id)], now=now)[0]
    return judge(facts, packs, now)


def start_agent_call(uow: UnitOfWork, *, case_id: int, contact_point_id: int, packs: PackLibrary) -> ContactAttempt:
    """Reserve an agent's call: SENDING if the gate allows it now, else DENIED with its evidence.

    A refusal is returned, not raised: raising would roll back the record of it. The caller looks at
    ``status`` and shows ``error_code``, which holds the rule; the sentence is in the gate decision.
    """
    return start_agent_calls(uow, [(case_id, contact_point_id)], packs=packs)[0]


def start_agent_calls(uow: UnitOfWork, calls: Sequence[tuple[int, int]], *, packs: PackLibrary) -> list[ContactAttempt]:
    """Reserve an agent's calls of (case, phone), each of another customer, with one reading of the facts."""
    uow.actor.require(Permission.CASE_WORK)
    cases = _own_cases(uow, calls)
    customers = [case.customer_id for case in cases]
    if len(set(customers)) < len(customers):
        raise InvalidInput("a customer is called once at a time")
    # The lock makes counters true: a second dialler waits here until our reservation is visible.
    uow.session.execute(
        sa.select(Customer.id).where(Customer.id.in_(customers)).order_by(Customer.id).with_for_update(key_share=True)
    )
    asks = [_agent_ask(c, point_id) for c, (_, point_id) in zip(customers, calls, strict=True)]
    judged = [(facts, judge(facts, packs, uow.now)) for facts in gate_inputs(uow.session, asks, now=uow.now)]
    attempts = [
        _agent_attempt(uow, case, point_id, facts, decision)
        for case, (_, point_id), (facts, decision) in zip(cases, calls, judged, strict=True)
    ]
    uow.session.add_all(attempts)
    uow.session.flush()  # the decisions refer to the attempts' ids
    words = [(attempt.id, decision) for attempt, (_, decision) in zip(attempts, judged, strict=True)]
    gate_log.store(uow.session, words, phase=gate_log.Phase.CALL, now=uow.now)
    return attempts


def _own_cases(uow: UnitOfWork, calls: Sequence[tuple[int, int]]) -> list[Case]:
    """Return the open cases of the calls; to an agent, a case of another agent does not exist."""
    wanted = {case_id for case_id, _ in calls}
    cases = {c.id: c for c in uow.session.scalars(sa.select(Case).where(Case.id.in_(wanted)))}
    points = {p for _, p in calls}
    found_points = uow.session.scalars(sa.select(ContactPoint).where(ContactPoint.id.in_(points)))
    phones = {point.id: point for point in found_points}
    resting = set(uow.session.scalars(sa.select(Case.id).where(Case.id.in_(wanted), worklist.on_hold(uow.now.date()))))
    owners: dict[int, int] = {}
    if uow.actor.role is Role.AGENT:
        held = sa.select(Assignment.case_id, Assignment.agent_id).where(
            Assignment.case_id.in_(wanted), Assignment.to_at.is_(None)
        )
        owners = {row.case_id: row.agent_id for row in uow.session.execute(held)}
    found = []
    for case_id, point_id in calls:
        case, point = cases.get(case_id), phones.get(point_id)
        if case is None or case.closed_on is not None:
            raise NotFound(f"there is no open case {case_id}")
        if uow.actor.role is Role.AGENT and (case_id not in owners or owners[case_id] != uow.actor.agent_id):
            raise NotFound(f"there is no case {case_id} among yours")
        if case_id in resting:
            raise Conflict("the case is on hold; a supervisor can release it")
        _check_phone(case, point, point_id)
        found.append(case)
    return found


def _agent_attempt(
    uow: UnitOfWork, case: Case, point_id: int, facts: GateInput, decision: GateDecision
) -> ContactAttempt:
    is_allowed = decision.verdict is Verdict.ALLOW
    return ContactAttempt(
        **_attempt_values(facts, case_id=case.id, customer_id=case.customer_id, point_id=point_id),
        actor_kind="agent",
        actor_ref=uow.actor.name,
        status=AttemptStatus.SENDING if is_allowed else AttemptStatus.DENIED,
        scheduled_at=uow.now,
        claim=uow.actor.name if is_allowed else None,
        dispatched_at=uow.now if is_allowed else None,
        settled_at=None if is_allowed else uow.now,
        local_date=local_date(uow.now, facts.customer.zones),
        error_code=None if is_allowed else rule_of(decision),
    )


def _close_before(uow: UnitOfWork, business_date: date) -> int:
    stale = uow.session.scalars(
        sa.select(Campaign).where(
            Campaign.business_date < business_date,
            Campaign.status.in_((CampaignStatus.DRAFT, CampaignStatus.RUNNING, CampaignStatus.PAUSED)),
        )
    ).all()
    for campaign in stale:
        campaign.status = CampaignStatus.DONE
        campaign.ended_at = uow.now
    if stale:
        cancel_unsent(uow, [c.id for c in stale], reason="day_ended")
    return len(stale)


def _audiences(
    session: Session, business_date: date, library: TemplateLibrary, case_ids: Collection[int] | None
) -> dict[_Step, list[tuple[int, int]]]:
    """Return (case, customer) pairs by step, from the day's treatment decisions."""
    statement = (
        sa.select(Decision.result, Case.id, Case.customer_id)
        .join(Case, Case.id == Decision.case_id)
        .where(
            Decision.kind == "treatment",
            Decision.business_date == business_date,
            Decision.result["mode"].as_string().in_([m.value for m in _AUTOMATIC]),
            Case.closed_on.is_(None),
        )
        .order_by(Case.id)
    )
    if case_ids is not None:
        statement = statement.where(Case.id.in_(case_ids))
    audiences: dict[_Step, list[tuple[int, int]]] = defaultdict(list)
    known: dict[str, _Step] = {}
    for result, case_id, customer_id in session.execute(statement):
        step = known.get(result["step"])
        if step is None:
            step = known[result["step"]] = _step(result, library)
        audiences[step].append((case_id, customer_id))
    return dict(audiences)


def _step(result: dict[str, Any], library: TemplateLibrary) -> _Step:
    channel, mode = Channel(result["channel"]), Mode(result["mode"])
    template_id, purpose, by_person = str(result["template"]), Purpose.COLLECTION, False
    if channel is Channel.SMS:
        try:
            template = library.get(template_id)
        except TemplateError as error:
            raise InvalidInput(f"treatment step {result['step']}: {error}") from error
        template_id, purpose, by_person = template.reference, template.purpose, template.needs_person
    return _Step(
        name=result["step"],
        channel=channel,
        mode=mode,
        template_id=template_id,
        purpose=purpose,
        needs_person=by_person or result.get("start") == "manual",
    )


def _campaign_for(uow: UnitOfWork, step: _Step, business_date: date) -> Campaign:
    found = uow.session.scalar(
        sa.select(Campaign).where(Campaign.name == step.name, Campaign.business_date == business_date)
    )
    if found is not None:
        return found
    campaign = Campaign(
        name=step.name,
        business_date=business_date,
        channel=step.channel,
        mode=step.mode,
        step=step.name,
        template_id=step.template_id,
        status=CampaignStatus.DRAFT if step.needs_person else CampaignStatus.RUNNING,
        created_by=uow.actor.name,
        created_at=uow.now,
        started_at=None if step.needs_person else uow.now,
    )
    uow.session.add(campaign)
    uow.session.flush()  # attempts are inserted in bulk and need its id
    return campaign


def _plan_chunk(
    uow: UnitOfWork,
    campaign: Campaign,
    audience: Sequence[tuple[int, int]],
    *,
    purpose: Purpose,
    packs: PackLibrary,
) -> Counter[str]:
    """Gate a part of the audience and store its attempts with their decisions, in bulk."""
    planned_before = set(
        uow.session.scalars(sa.select(ContactAttempt.customer_id).where(ContactAttempt.campaign_id == campaign.id))
    )
    fresh = [(case_id, c) for case_id, c in audience if c not in planned_before]
    points = best_points(uow.session, {c for _, c in fresh}, campaign.channel)
    reachable = [(case_id, c) for case_id, c in fresh if c in points]
    asks = [Ask(c, points[c], campaign.channel, campaign.mode, purpose) for _, c in reachable]
    stats: Counter[str] = Counter(unreachable=len(fresh) - len(reachable))
    rows: list[dict[str, Any]] = []
    decisions: dict[int, GateDecision] = {}
    facts_of = gate_inputs(uow.session, asks, now=uow.now)
    for (case_id, customer_id), facts in zip(reachable, facts_of, strict=True):
        decision = decisions[customer_id] = judge(facts, packs, uow.now)
        status, at = _placed(decision, now=uow.now, business_date=campaign.business_date)
        stats[status.value] += 1
        rows.append(
            _attempt_values(facts, case_id=case_id, customer_id=customer_id, point_id=points[customer_id])
            | {
                "campaign_id": campaign.id,
                "actor_kind": "system" if campaign.channel is not Channel.VOICE else "robot",
                "actor_ref": campaign.name,
                "status": status,
                "scheduled_at": at,
                "settled_at": uow.now if status is AttemptStatus.DENIED else None,
                "error_code": rule_of(decision) if status is AttemptStatus.DENIED else None,
                "template_id": campaign.template_id,
            }
        )
    if rows:
        uow.session.execute(sa.insert(ContactAttempt), rows)
        ids = uow.session.execute(
            sa.select(ContactAttempt.id, ContactAttempt.customer_id).where(
                ContactAttempt.campaign_id == campaign.id, ContactAttempt.customer_id.in_(decisions)
            )
        )
        gate_log.store(uow.session, [(i, decisions[c]) for i, c in ids], phase=gate_log.Phase.PLAN, now=uow.now)
    return stats


def _placed(decision: GateDecision, *, now: datetime, business_date: date) -> tuple[AttemptStatus, datetime]:
    """Place an attempt in time by the gate's word.

    A release within the business date (the customer's morning, seen from an early plan) is a plan
    for that hour; a later one is a deferral. A deferral without an hour cannot be scheduled: denied.
    """
    release = decision.next_eligible_at
    if decision.verdict is Verdict.ALLOW:
        return AttemptStatus.PLANNED, now
    if decision.verdict is Verdict.DENY or release is None:
        return AttemptStatus.DENIED, now
    if release.astimezone(UTC).date() <= business_date:
        return AttemptStatus.PLANNED, release
    return AttemptStatus.DEFERRED, release


def _attempt_values(facts: GateInput, *, case_id: int, customer_id: int, point_id: int) -> dict[str, Any]:
    return {
        "case_id": case_id,
        "customer_id": customer_id,
        "contact_point_id": point_id,
        "account_ids": [int(d) for d in facts.proposal.debts],
        "channel": facts.proposal.channel,
        "mode": facts.proposal.mode,
        "purpose": facts.proposal.purpose,
        "direction": "outbound",
        "collector_role": facts.actor_role.value,
    }


def rule_of(decision: GateDecision) -> str:
    """Return the id of the rule that speaks for a refusal."""
    return decision.hits[0].rule_id if decision.hits else decision.verdict.value


def _agent_ask(customer_id: int, point_id: int) -> Ask:
    return Ask(customer_id, point_id, Channel.VOICE, Mode.LIVE_AGENT)


def _case(session: Session, case_id: int) -> Case:
    case = session.get(Case, case_id)
    if case is None or case.closed_on is not None:
        raise NotFound(f"there is no open case {case_id}")
    return case


def _own_point(session: Session, case: Case, point_id: int) -> None:
    _check_phone(case, session.get(ContactPoint, point_id), point_id)


def _check_phone(case: Case, point: ContactPoint | None, point_id: int) -> None:
    if point is None or point.customer_id != case.customer_id or point.kind not in _CALLABLE:
        raise NotFound(f"case {case.id} has no phone {point_id}")


def _chunks(audience: Sequence[tuple[int, int]]) -> Iterator[Sequence[tuple[int, int]]]:
    for start in range(0, len(audience), _CHUNK):
        yield audience[start : start + _CHUNK]
