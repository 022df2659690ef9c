"""Episodes to cases: one open case per customer, holding every account of theirs that may be collected."""

from datetime import date
from typing import Any

import polars as pl
import sqlalchemy as sa

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import Account, Assignment, Case, Episode, Placement, QueueEntry
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.cases import CaseStage, CloseReason, EpisodeEnd
from collections_app.domain.events import EventKind
from collections_app.services.case_events import record_many
from strategies.parameters import casework as parameters

# The ends of a case's episodes, the gravest first, and why the case is then closed.
_CLOSED_BY = {
    EpisodeEnd.CHARGED_OFF: CloseReason.CHARGED_OFF,
    EpisodeEnd.SOLD: CloseReason.CHARGED_OFF,
    EpisodeEnd.PAID_OFF: CloseReason.PAID_OFF,
    EpisodeEnd.CURED: CloseReason.CURED,
    EpisodeEnd.MODIFIED: CloseReason.CURED,
}
# An account of a case that no agency has is placed with ourselves.
HOUSE = "house"


def refresh(uow: UnitOfWork, *, business_date: date) -> dict[str, int]:
    """Open, refresh and close cases so that they agree with the episodes. Set-based and repeatable.

    Call it when the ledger has been brought to the day (services/ledger.refresh).
    """
    opened = _open(uow, business_date)
    _link_episodes(uow, business_date)
    moved = _refresh_figures(uow)
    placed = _place(uow, business_date)
    closed = _close(uow, business_date)
    return {"opened": opened, "stages_moved": moved, "placed": placed, "closed": closed}


def _may_be_collected(business_date: date) -> sa.ColumnElement[bool]:
    """Tell whether collection of an overdue account may start: its days of grace are over (domain brief §2.1)."""
    account = table_of(Account)
    return sa.case(
        (account.c.basis == "schedule", account.c.collect_from_on <= business_date),
        else_=account.c.dpd > sa.func.coalesce(account.c.grace_days, 0),
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
        .where(episode.c.ended_on.is_(None), _may_be_collected(business_date), ~has_case)
        .group_by(account.c.customer_id)
    )
    names = ["customer_id", "opened_on", "stage", "dpd", "arrears_amount", "balance_amount", "currency"]
    last = uow.session.scalar(sa.select(sa.func.coalesce(sa.func.max(case.c.id), 0))) or 0
    count = bulk.affected(uow.session, sa.insert(case).from_select(names, new))
    record_many(uow, sa.select(case.c.id, _empty(uow)).where(case.c.id > last), EventKind.CASE_OPENED)
    return count


def _link_episodes(uow: UnitOfWork, business_date: date) -> None:
    case, episode, account = table_of(Case), table_of(Episode), table_of(Account)
    uow.session.execute(
        sa.update(episode)
        .where(
            episode.c.case_id.is_(None), episode.c.ended_on.is_(None), account.c.id == episode.c.account_id,
            _may_be_collected(business_date), case.c.customer_id == account.c.customer_id, case.c.closed_on.is_(None),
        )
        .values(case_id=case.c.id)
    )  # fmt: skip


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
    record_many(
        uow, sa.select(case.c.id, sa.type_coerce(moved_to, sa.Text())).where(*moving), EventKind.CASE_STAGE_MOVED
    )
    return bulk.affected(uow.session, sa.update(case).where(*moving).values(stage=stage))


def _place(uow: UnitOfWork, business_date: date) -> int:
    """Place accounts that came into a case with the house: what they owe now is what recovery is measured by."""
    placement, episode, account = table_of(Placement), table_of(Episode), table_of(Account)
    somewhere = sa.exists().where(placement.c.account_id == account.c.id, placement.c.recalled_on.is_(None))
    schema = {"case_id": pl.Int64, "account_id": pl.Int64, "placed_balance_amount": pl.Int64,
              "placed_arrears_amount": pl.Int64, "currency": pl.String}  # fmt: skip
    # Read before written: an insert that asks for each row whether it is there reads its own rows again and again.
    waiting = bulk.read(
        uow.session,
        sa.select(
            episode.c.case_id, account.c.id.label("account_id"),
            account.c.balance_amount.label("placed_balance_amount"),
            account.c.arrears_amount.label("placed_arrears_amount"), account.c.currency,
        )
        .join_from(episode, account)
        .where(episode.c.ended_on.is_(None), episode.c.case_id.is_not(None), ~somewhere),
        schema,
    )  # fmt: skip
    if waiting.is_empty():
        return 0
    batch = f"{business_date:%Y-%m}"
    rows = waiting.drop("case_id").with_columns(
        pl.lit(HOUSE).alias("placed_with"), pl.lit(batch).alias("batch"), pl.lit(business_date).alias("placed_on")
    )
    bulk.insert(uow.session, placement, rows.sort("account_id"))
    staged = bulk.stage(uow.session, "staged_placed", waiting)
    told = bulk.json_object(
        uow.session,
        account_id=staged.c.account_id,
        batch=sa.literal(batch),
        balance_minor=staged.c.placed_balance_amount,
        arrears_minor=staged.c.placed_arrears_amount,
    )
    record_many(uow, sa.select(staged.c.case_id, sa.type_coerce(told, sa.Text())), EventKind.PLACEMENT_MADE)
    return waiting.height


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
    record_many(uow, sa.select(staged.c.case_id, _empty(uow)), EventKind.CASE_CLOSED)
    uow.session.execute(
        sa.update(case)
        .where(case.c.id.in_(closing))
        .values(closed_on=business_date, stage=CaseStage.CLOSED, close_reason=_close_reason())
    )
    _recall(uow, closing, business_date)
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


def _close_reason() -> sa.ColumnElement[Any]:
    """Say why a case is closed: by the gravest end of its episodes; restated if it should never have been opened."""
    case, episode = table_of(Case), table_of(Episode)

    def has(reason: EpisodeEnd) -> sa.ColumnElement[bool]:
        return sa.exists().where(episode.c.case_id == case.c.id, episode.c.end_reason == reason)

    return sa.case(
        *((has(end), sa.literal(reason.value)) for end, reason in _CLOSED_BY.items()),
        else_=sa.literal(CloseReason.RESTATED.value),
    )


def _recall(uow: UnitOfWork, closing: sa.Select[Any], business_date: date) -> None:
    placement, episode = table_of(Placement), table_of(Episode)
    theirs = sa.select(episode.c.account_id).where(episode.c.case_id.in_(closing))
    still = sa.exists().where(episode.c.account_id == placement.c.account_id, episode.c.ended_on.is_(None))
    uow.session.execute(
        sa.update(placement)
        .where(
            placement.c.placed_with == HOUSE,
            placement.c.recalled_on.is_(None),
            placement.c.account_id.in_(theirs),
            ~still,
        )
        .values(recalled_on=business_date)
    )
