"""Who is responsible for which case: kept where it is right, released where it is not, filled by the allocator."""

from datetime import date, timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import (
    Agent,
    Assignment,
    Case,
    CaseEvent,
    ContactAttempt,
    Decision,
    Promise,
    QueueEntry,
    User,
)
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.events import EventKind
from collections_app.domain.outcomes import Outcome
from collections_app.domain.promises import PromiseStatus
from strategies.allocation.balanced import AgentCapacity, CaseToAssign
from strategies.allocation.balanced import assign as allocate

# A conversation this recent keeps the case with the agent who had it (domain brief §4).
CONTINUITY_DAYS = 14


def assign(uow: UnitOfWork, *, business_date: date) -> dict[str, int]:
    """Release cases that agents should no longer hold and assign those that wait. Repeatable."""
    released = _release(uow, business_date)
    waiting = _waiting(uow, business_date)
    agents = _agents(uow)
    results = allocate(waiting, agents)
    given = [(r.case_id, r.agent_id, r.reason) for r in results if r.agent_id is not None]
    _store(uow, given)
    return {
        "waiting": len(waiting),
        "assigned": len(given),
        "released": released,
        "unassigned": len(results) - len(given),
    }


def _release(uow: UnitOfWork, business_date: date) -> int:
    """End assignments of cases whose queue agents do not work, unless a promise is open: its owner keeps it."""
    session = uow.session
    works = Decision.result["works"].as_string()
    stays = sa.exists().where(
        QueueEntry.case_id == Assignment.case_id,
        QueueEntry.removed_on.is_(None),
        Decision.id == QueueEntry.decision_id,
        works == "agent",
    )
    promised = sa.exists().where(Promise.case_id == Assignment.case_id, Promise.status == PromiseStatus.OPEN)
    gone = sa.exists().where(Agent.id == Assignment.agent_id, Agent.is_active.is_(False))
    leaving = sa.or_(sa.and_(~stays, ~promised), gone)
    return bulk.affected(
        session,
        sa.update(table_of(Assignment))
        .where(Assignment.to_at.is_(None), leaving)
        .values(to_at=uow.now, released_reason=sa.case((gone, "agent_left"), else_="queue_changed")),
    )


def _waiting(uow: UnitOfWork, business_date: date) -> list[CaseToAssign]:
    spoke = (
        sa.select(
            ContactAttempt.case_id,
            User.agent_id,
            sa.func.row_number()
            .over(partition_by=ContactAttempt.case_id, order_by=ContactAttempt.id.desc())
            .label("n"),
        )
        .join(User, User.username == ContactAttempt.actor_ref)
        .where(
            ContactAttempt.actor_kind == "agent",
            ContactAttempt.outcome == Outcome.RPC,
            ContactAttempt.local_date >= business_date - timedelta(days=CONTINUITY_DAYS),
        )
        .subquery()
    )
    held = sa.exists().where(Assignment.case_id == QueueEntry.case_id, Assignment.to_at.is_(None))
    rows: Any = uow.session.execute(
        sa.select(QueueEntry.case_id, Decision.facts, spoke.c.agent_id)
        .join(Decision, Decision.id == QueueEntry.decision_id)
        .join(Case, Case.id == QueueEntry.case_id)
        .outerjoin(spoke, sa.and_(spoke.c.case_id == QueueEntry.case_id, spoke.c.n == 1))
        .where(
            QueueEntry.removed_on.is_(None),
            Case.closed_on.is_(None),
            ~held,
            Decision.result["works"].as_string() == "agent",
        )
        .order_by(QueueEntry.priority.desc(), QueueEntry.case_id)
    )
    return [
        CaseToAssign(
            case_id=case_id,
            skill=facts["product_family"],
            language=facts["language"].split("-")[0],
            expected_value=facts["arrears_minor"] * (1 - (facts.get("p_event", 0.5))),
            owner=owner,
        )
        for case_id, facts, owner in rows
    ]


def _agents(uow: UnitOfWork) -> list[AgentCapacity]:
    load = (
        sa.select(Assignment.agent_id, sa.func.count().label("n"))
        .where(Assignment.to_at.is_(None))
        .group_by(Assignment.agent_id)
        .subquery()
    )
    rows = uow.session.execute(
        sa.select(Agent, sa.func.coalesce(load.c.n, 0))
        .outerjoin(load, load.c.agent_id == Agent.id)
        .where(Agent.is_active)
        .order_by(Agent.id)
    )
    return [AgentCapacity(a.id, frozenset(a.skills), frozenset(a.languages), a.capacity_cases, n) for a, n in rows]


def _store(uow: UnitOfWork, given: list[tuple[int, int, str]]) -> None:
    if not given:
        return
    session = uow.session
    frame = pl.DataFrame(given, schema={"case_id": pl.Int64, "agent_id": pl.Int64, "reason": pl.String}, orient="row")
    staged = bulk.stage(session, "staged_assignment", frame)
    target, event = table_of(Assignment), table_of(CaseEvent)
    session.execute(
        sa.insert(target).from_select(
            ["case_id", "agent_id", "reason", "from_at"],
            sa.select(
                staged.c.case_id,
                staged.c.agent_id,
                staged.c.reason,
                sa.literal(uow.now, target.c.from_at.type),
            ),
        )
    )
    payload = bulk.json_object(session, agent_id=staged.c.agent_id, reason=staged.c.reason)
    session.execute(
        sa.insert(event).from_select(
            ["case_id", "kind", "at", "actor", "payload"],
            sa.select(
                staged.c.case_id,
                sa.literal(EventKind.ASSIGNMENT_STARTED.value),
                sa.literal(uow.now, event.c.at.type),
                sa.literal(uow.actor.name),
                payload,
            ),
        )
    )
