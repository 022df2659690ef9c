"""Planning a day's campaigns, and the agent's own dial."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.contact import AttemptStatus, CampaignStatus, PointKind, StopCode
from collections_app.domain.errors import Conflict, InvalidInput, NotAllowed, NotFound
from collections_app.domain.gate import Verdict
from collections_app.domain.outcomes import Outcome
from collections_app.domain.permissions import Actor, Role
from collections_app.queries.campaigns import get_campaign, list_campaigns
from collections_app.services import campaigns, contacting
from strategies.packs import DEFAULT_PACKS, PackLibrary, load_packs
from tests.conftest import FixedClock
from tests.factories import (
    NOW,
    TODAY,
    make_agent,
    make_assignment,
    make_attempt,
    make_case,
    make_customer,
    make_point,
)

REMINDER = {"step": "first_reminder", "channel": "sms", "mode": "message", "template": "payment_reminder"}
ROBOT = {"step": "robot_reminder", "channel": "voice", "mode": "ai_voice", "template": "reminder_call"}
NIGHT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # 03:00 in Chicago


@pytest.fixture(scope="module")
def packs() -> PackLibrary:
    return load_packs(DEFAULT_PACKS)


def _decide(session: Session, case: t.Case, result: dict[str, Any], *, on: date = TODAY) -> None:
    version = session.scalar(sa.select(t.StrategyVersion)) or t.StrategyVersion(
        name="test", digest="0" * 64, content={}, effective_from=on, published_at=NOW, published_by="test"
    )
    session.add(version)
    session.flush()
    session.add(
        t.Decision(
            case_id=case.id, kind="treatment", business_date=on, strategy_version_id=version.id,
            rule_id="T-1", result=result, facts={}, arm="champion", propensity=1.0, decided_at=NOW,
        )
    )  # fmt: skip
    session.flush()


def _treated(session: Session, result: dict[str, Any] = REMINDER, **over: Any) -> t.Case:
    """Make a case with a mobile and a treatment decision for today."""
    case = make_case(session, **over)
    make_point(session, customer_id=case.customer_id)
    _decide(session, case, result)
    return case


def _plan(units: UnitsOfWork, packs: PackLibrary, on: date = TODAY, **over: Any) -> dict[str, int]:
    with units.begin() as uow:
        return contacting.plan_campaigns(uow, business_date=on, packs=packs, **over)


def _attempts(units: UnitsOfWork) -> list[t.ContactAttempt]:
    with units.database.reading() as session:
        return list(session.scalars(sa.select(t.ContactAttempt).order_by(t.ContactAttempt.id)))


def test_an_automatic_step_becomes_a_running_campaign_with_one_planned_attempt_per_customer(
    units: UnitsOfWork, packs: PackLibrary
) -> None:
    with units.begin() as uow:
        cases = [_treated(uow.session) for _ in range(3)]
    assert _plan(units, packs)["planned"] == 3
    with units.database.reading() as session:
        campaign = list_campaigns(session, on=TODAY)[0]
        decisions = session.scalars(sa.select(t.GateDecision)).all()
    assert (campaign.name, campaign.status, campaign.total) == ("first_reminder", CampaignStatus.RUNNING, 3)
    assert campaign.template_id == "payment_reminder@1"
    assert {a.case_id for a in _attempts(units)} == {c.id for c in cases}
    assert {(d.phase, d.decision) for d in decisions} == {("plan", "ALLOW")}
    assert all(a.account_ids for a in _attempts(units))


def test_planning_twice_changes_nothing_and_a_case_added_later_joins(units: UnitsOfWork, packs: PackLibrary) -> None:
    with units.begin() as uow:
        _treated(uow.session)
    _plan(units, packs)
    again = _plan(units, packs)
    assert (again["planned"], len(_attempts(units))) == (0, 1)
    with units.begin() as uow:
        _treated(uow.session)
    assert (_plan(units, packs)["planned"], len(_attempts(units))) == (1, 2)


def test_a_plan_made_at_night_waits_for_the_customers_morning(
    units: UnitsOfWork, packs: PackLibrary, clock: FixedClock
) -> None:
    clock.now = NIGHT
    with units.begin() as uow:
        _treated(uow.session)
    _plan(units, packs)
    attempt = _attempts(units)[0]
    assert attempt.status is AttemptStatus.PLANNED
    assert attempt.scheduled_at == datetime(2026, 3, 2, 14, 0, tzinfo=UTC)  # 08:00 in Chicago


def test_a_release_after_the_day_is_a_deferral(units: UnitsOfWork, packs: PackLibrary) -> None:
    with units.begin() as uow:
        case = _treated(uow.session)
        an_hour_ago = NOW - timedelta(hours=1)
        make_attempt(uow.session, case_id=case.id, status=AttemptStatus.DELIVERED, outcome=Outcome.DELIVERED,
                     account_ids=[1], dispatched_at=an_hour_ago, scheduled_at=an_hour_ago)  # fmt: skip
    assert _plan(units, packs)["deferred"] == 1
    attempt = _attempts(units)[-1]
    assert attempt.status is AttemptStatus.DEFERRED
    assert attempt.scheduled_at > NOW


def test_a_denied_attempt_is_stored_with_its_rule(units: UnitsOfWork, packs: PackLibrary) -> None:
    with units.begin() as uow:
        case = _treated(uow.session)
        uow.session.add(
            t.StopFlag(
                customer_id=case.customer_id,
                code=StopCode.DECEASED,
                set_at=NOW - timedelta(days=1),
                set_by="x",
            )
        )
    assert _plan(units, packs)["denied"] == 1
    attempt = _attempts(units)[0]
    assert (attempt.status, attempt.error_code) == (AttemptStatus.DENIED, "HS-DECEASED")
    with units.database.reading() as session:
        held = get_campaign(session, attempt.campaign_id or 0).held_back
    assert [(h.rule_id, h.decision, h.attempts) for h in held] == [("HS-DECEASED", "DENY", 1)]


def test_the_best_point_is_the_debtors_own_working_mobile_of_the_first_rank(
    units: UnitsOfWork, packs: PackLibrary
) -> None:
    with units.begin() as uow:
        case = make_case(uow.session)
        make = lambda **over: make_point(uow.session, customer_id=case.customer_id, **over)  # noqa: E731
        make(rank=1, quality="disconnected")
        make(rank=1, owner="employer")
        make(rank=1, kind=PointKind.LANDLINE)
        make(rank=3)
        best = make(rank=2)
        _decide(uow.session, case, REMINDER)
    _plan(units, packs)
    assert [a.contact_point_id for a in _attempts(units)] == [best.id]


def test_a_customer_without_a_usable_point_is_counted_as_unreachable(units: UnitsOfWork, packs: PackLibrary) -> None:
    with units.begin() as uow:
        _decide(uow.session, make_case(uow.session), REMINDER)
    assert (_plan(units, packs)["unreachable"], _attempts(units)) == (1, [])


def test_steps_of_agents_and_waiting_make_no_campaign(units: UnitsOfWork, packs: PackLibrary) -> None:
    with units.begin() as uow:
        _treated(uow.session, {"step": "agent_call", "channel": "voice", "mode": "live_agent"})
        _treated(uow.session, {"step": "wait", "channel": None, "mode": None})
    assert _plan(units, packs)["campaigns"] == 0


def test_a_robot_step_plans_voice_attempts(units: UnitsOfWork, packs: PackLibrary) -> None:
    with units.begin() as uow:
        _treated(uow.session, ROBOT)
    _plan(units, packs)
    attempt = _attempts(units)[0]
    assert (attempt.channel, attempt.mode, attempt.actor_kind) == ("voice", "ai_voice", "robot")


def test_a_step_that_needs_a_person_waits_as_a_draft(units: UnitsOfWork, packs: PackLibrary) -> None:
    with units.begin() as uow:
        _treated(uow.session, REMINDER | {"start": "manual"})
    _plan(units, packs)
    with units.begin() as uow:
        campaign_id = list_campaigns(uow.session)[0].id
        assert list_campaigns(uow.session)[0].status is CampaignStatus.DRAFT
        assert campaigns.start(uow, campaign_id).status is CampaignStatus.RUNNING


def test_an_unknown_template_stops_the_plan_and_names_the_step(units: UnitsOfWork, packs: PackLibrary) -> None:
    with units.begin() as uow:
        _treated(uow.session, REMINDER | {"template": "nonsense"})
    with pytest.raises(InvalidInput, match=r"first_reminder.*nonsense"):
        _plan(units, packs)


def test_the_next_days_plan_ends_yesterdays_campaigns_and_cancels_what_they_did_not_send(
    units: UnitsOfWork, packs: PackLibrary
) -> None:
    with units.begin() as uow:
        _treated(uow.session)
    _plan(units, packs)
    assert _plan(units, packs, on=TODAY + timedelta(days=1))["closed"] == 1
    with units.database.reading() as session:
        assert list_campaigns(session)[0].status is CampaignStatus.DONE
    assert (_attempts(units)[0].status, _attempts(units)[0].error_code) == (
        AttemptStatus.CANCELLED,
        "day_ended",
    )


def test_a_plan_may_be_narrowed_to_some_cases(units: UnitsOfWork, packs: PackLibrary) -> None:
    with units.begin() as uow:
        wanted = _treated(uow.session)
        _treated(uow.session)
    assert _plan(units, packs, case_ids=[wanted.id])["planned"] == 1


def test_campaigns_move_only_along_their_life(units: UnitsOfWork, packs: PackLibrary) -> None:
    with units.begin() as uow:
        _treated(uow.session)
    _plan(units, packs)
    with units.begin() as uow:
        campaign_id = list_campaigns(uow.session)[0].id
        campaigns.pause(uow, campaign_id)
        with pytest.raises(Conflict, match="paused"):
            campaigns.pause(uow, campaign_id)
        campaigns.resume(uow, campaign_id)
        campaigns.stop(uow, campaign_id)
        with pytest.raises(Conflict):
            campaigns.resume(uow, campaign_id)
        with pytest.raises(NotFound):
            campaigns.start(uow, campaign_id + 1)
    assert _attempts(units)[0].status is AttemptStatus.CANCELLED


def test_an_agent_may_not_run_campaigns(units: UnitsOfWork, packs: PackLibrary) -> None:
    with (
        units.begin(Actor(1, "agent", Role.AGENT)) as uow,
        pytest.raises(NotAllowed),
    ):
        contacting.plan_campaigns(uow, business_date=TODAY, packs=packs)


def _assigned(units: UnitsOfWork) -> tuple[int, int, Actor]:
    """Make a case with a mobile, assigned to an agent; return case, point and the agent as actor."""
    with units.begin() as uow:
        case = make_case(uow.session)
        point = make_point(uow.session, customer_id=case.customer_id)
        agent = make_agent(uow.session)
        make_assignment(uow.session, case_id=case.id, agent_id=agent.id)
        return case.id, point.id, Actor(7, agent.name, Role.AGENT, agent_id=agent.id)


def test_an_allowed_call_is_reserved_with_its_gate_decision(units: UnitsOfWork, packs: PackLibrary) -> None:
    case_id, point_id, agent = _assigned(units)
    with units.begin(agent) as uow:
        attempt = contacting.start_agent_call(uow, case_id=case_id, contact_point_id=point_id, packs=packs)
    assert (attempt.status, attempt.mode, attempt.actor_ref) == (
        AttemptStatus.SENDING,
        "live_agent",
        agent.name,
    )
    assert attempt.local_date == TODAY
    with units.database.reading() as session:
        decision = session.scalars(sa.select(t.GateDecision)).one()
    assert (decision.attempt_id, decision.phase, decision.decision) == (attempt.id, "call", "ALLOW")


def test_a_refused_call_is_returned_and_its_evidence_survives(
    units: UnitsOfWork, packs: PackLibrary, clock: FixedClock
) -> None:
    case_id, point_id, agent = _assigned(units)
    clock.now = NIGHT
    with units.begin(agent) as uow:
        attempt = contacting.start_agent_call(uow, case_id=case_id, contact_point_id=point_id, packs=packs)
    assert (attempt.status, attempt.dispatched_at) == (AttemptStatus.DENIED, None)
    with units.database.reading() as session:
        decision = session.scalars(sa.select(t.GateDecision)).one()
        assert session.get_one(t.ContactAttempt, attempt.id).status is AttemptStatus.DENIED
    assert decision.decision == "DEFER"
    assert decision.hits[0]["message"]


def test_checking_a_call_reads_only_and_says_why_and_when(
    units: UnitsOfWork, packs: PackLibrary, clock: FixedClock
) -> None:
    case_id, point_id, _ = _assigned(units)
    with units.database.reading() as session:
        now = contacting.check_agent_calls(session, case_id=case_id, packs=packs, now=clock.now)
        night = contacting.check_agent_call(session, case_id=case_id, contact_point_id=point_id, packs=packs, now=NIGHT)
    assert {p: d.verdict for p, d in now.items()} == {point_id: Verdict.ALLOW}
    assert night.verdict is Verdict.DEFER
    assert night.next_eligible_at == datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
    assert _attempts(units) == []


def test_a_call_in_flight_counts_for_the_next_check(units: UnitsOfWork, packs: PackLibrary, clock: FixedClock) -> None:
    case_id, point_id, agent = _assigned(units)
    with units.begin(agent) as uow:
        contacting.start_agent_call(uow, case_id=case_id, contact_point_id=point_id, packs=packs)
    with units.database.reading() as session:
        again = contacting.check_agent_call(
            session, case_id=case_id, contact_point_id=point_id, packs=packs, now=clock.now
        )
    assert again.verdict is not Verdict.ALLOW


def test_an_agent_calls_only_for_cases_of_their_own_and_only_that_customers_phones(
    units: UnitsOfWork, packs: PackLibrary
) -> None:
    case_id, point_id, agent = _assigned(units)
    stranger = Actor(8, "other", Role.AGENT, agent_id=(agent.agent_id or 0) + 1)
    with units.begin(stranger) as uow, pytest.raises(NotFound, match="among yours"):
        contacting.start_agent_call(uow, case_id=case_id, contact_point_id=point_id, packs=packs)
    with units.begin() as uow:
        foreign = make_point(uow.session, customer_id=make_customer(uow.session).id)
    with units.begin(agent) as uow, pytest.raises(NotFound, match="no phone"):
        contacting.start_agent_call(uow, case_id=case_id, contact_point_id=foreign.id, packs=packs)
