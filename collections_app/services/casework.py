"""Episodes to cases: one open case per customer, holding every account of theirs in an episode."""

from datetime import date
from typing import Any

import sqlalchemy as sa

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import Account, Assignment, Case, CaseEvent, Episode, QueueEntry
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.cases import CaseStage, CloseReason, EpisodeEnd
from collections_app.domain.events import EventKind
from collections_app.services import ledger
from strategies.parameters import casework as parameters

_CLOSED_BY = {
    EpisodeEnd.CHARGED_OFF: CloseReason.CHARGED_OFF,
    EpisodeEnd.SOLD: CloseReason.CHARGED_OFF,
    EpisodeEnd.PAID_OFF: CloseReason.PAID_OFF,
}


def refresh(uow: UnitOfWork, *, business_date: date) -> dict[str, int]:
    """Open, refresh and close cases so that they agree with the episodes. Set-based and repeatable."""
    aged = ledger.age_accounts(uow.session, business_date=business_date)
    opened = _open(uow, business_date)
    _link_episodes(uow)
    moved = _refresh_figures(uow)
    closed = _close(uow, business_date)
    return {"aged": aged, "opened": opened, "stages_moved": moved, "closed": closed}


def _record_many(uow: UnitOfWork, select: sa.Select[Any], kind: EventKind) -> None:
    """Append one event per (case_id, payload-as-json) row of a select."""
    table = table_of(CaseEvent)
    picked = select.subquery()
    case_id, payload = picked.c
    uow.session.execute(
        sa.insert(table).from_select(
            ["case_id", "payload", "kind", "at", "actor"],
            sa.select(
                case_id,
                payload,
                sa.literal(kind.value),
                sa.literal(uow.now, table.c.at.type),
                sa.literal(uow.actor.name),
            ),
        )
    )


def _empty(uow: UnitOfWork) -> sa.ColumnElement[Any]:
    return bulk.as_json(uow.session, sa.literal("{}"))


def _open(uow: UnitOfWork, business_date: date) -> int:
    case, episode, account = table_of(Case), table_of(Episode), table_of(Account)
    has_case = sa.exists().where(case.c.customer_id == account.c.customer_id, case.c.closed_on.is_(None))
    new = (
        sa.select(
            account.c.customer_id,
            sa.literal(business_date, sa.Date()),
            sa.literal(CaseStage.EARLY.value),
            sa.func.max(account.c.dpd),
            sa.func.sum(account.c.arrears_amount),
            sa.func.sum(account.c.balance_amount),
            sa.func.max(account.c.currency),
        )
        .join_from(episode, account)
        .where(episode.c.ended_on.is_(None), ~has_case)
        .group_by(account.c.customer_id)
    )
    names = ["customer_id", "opened_on", "stage", "dpd", "arrears_amount", "balance_amount", "currency"]
    last = uow.session.scalar(sa.select(sa.func.coalesce(sa.func.max(case.c.id), 0))) or 0
    count = bulk.affected(uow.session, sa.insert(case).from_select(names, new))
    _record_many(uow, sa.select(case.c.id, _empty(uow)).where(case.c.id > last), EventKind.CASE_OPENED)
    return count


def _link_episodes(uow: UnitOfWork) -> None:
    case, episode, account = table_of(Case), table_of(Episode), table_of(Account)
    owner = (
        sa.select(case.c.id)
        .join(account, account.c.customer_id == case.c.customer_id)
        .where(account.c.id == episode.c.account_id, case.c.closed_on.is_(None))
        .scalar_subquery()
    )
    uow.session.execute(
        sa.update(episode).where(episode.c.case_id.is_(None), episode.c.ended_on.is_(None)).values(case_id=owner)
    )


def _refresh_figures(uow: UnitOfWork) -> int:
    """Bring DPD, amounts and stage of open cases up to date; return how many moved to another stage."""
    case, episode, account = table_of(Case), table_of(Episode), table_of(Account)
    figures = (
        sa.select(
            episode.c.case_id,
            sa.func.max(account.c.dpd).label("dpd"),
            sa.func.sum(account.c.arrears_amount).label("arrears"),
            sa.func.sum(account.c.balance_amount).label("balance"),
        )
        .join_from(episode, account)
        .where(episode.c.ended_on.is_(None), episode.c.case_id.is_not(None))
        .group_by(episode.c.case_id)
        .subquery()
    )
    uow.session.execute(
        sa.update(case)
        .where(
            case.c.id == figures.c.case_id,
            case.c.closed_on.is_(None),
            sa.or_(
                case.c.dpd != figures.c.dpd,
                case.c.arrears_amount != figures.c.arrears,
                case.c.balance_amount != figures.c.balance,
            ),
        )
        .values(dpd=figures.c.dpd, arrears_amount=figures.c.arrears, balance_amount=figures.c.balance)
    )
    thresholds = sorted(parameters("stages").items(), key=lambda item: -item[1])
    by_dpd = sa.case(*((case.c.dpd >= start, sa.literal(name)) for name, start in thresholds), else_=case.c.stage)
    stage = sa.cast(by_dpd, sa.String(32))
    moving = (case.c.closed_on.is_(None), sa.cast(case.c.stage, sa.String(32)) != stage)
    moved_to = bulk.json_object(uow.session, to=stage)
    _record_many(
        uow, sa.select(case.c.id, sa.type_coerce(moved_to, sa.Text())).where(*moving), EventKind.CASE_STAGE_MOVED
    )
    return bulk.affected(uow.session, sa.update(case).where(*moving).values(stage=stage))


def _close(uow: UnitOfWork, business_date: date) -> int:
    """Close cases whose last episode has ended; release their queue place and assignment."""
    case, episode = table_of(Case), table_of(Episode)
    still = sa.exists().where(episode.c.case_id == case.c.id, episode.c.ended_on.is_(None))
    done = sa.select(case.c.id).where(case.c.closed_on.is_(None), ~still)
    ids = list(uow.session.scalars(done))
    if not ids:
        return 0
    staged = bulk.stage(uow.session, "staged_closing", bulk.frame_of_ids("case_id", ids))
    closing = sa.select(staged.c.case_id)
    _record_many(uow, sa.select(staged.c.case_id, _empty(uow)), EventKind.CASE_CLOSED)
    ended = sa.select(sa.func.max(episode.c.end_reason)).where(episode.c.case_id == case.c.id).scalar_subquery()
    reason = sa.cast(ended, sa.String(32))
    uow.session.execute(
        sa.update(case)
        .where(case.c.id.in_(closing))
        .values(
            closed_on=business_date,
            stage=CaseStage.CLOSED,
            close_reason=sa.case(
                *((reason == k.value, sa.literal(v.value)) for k, v in _CLOSED_BY.items()),
                else_=sa.literal(CloseReason.CURED.value),
            ),
        )
    )
    entry, assignment = table_of(QueueEntry), table_of(Assignment)
    uow.session.execute(
        sa.update(entry)
        .where(entry.c.case_id.in_(closing), entry.c.removed_on.is_(None))
        .values(removed_on=business_date)
    )
    uow.session.execute(
        sa.update(assignment)
        .where(assignment.c.case_id.in_(closing), assignment.c.to_at.is_(None))
        .values(to_at=uow.now, released_reason="case_closed")
    )
    return len(ids)
