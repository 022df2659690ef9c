"""Labels of weeks of calling, of promises and of placements."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import (
    Account,
    AccountStanding,
    Case,
    ContactAttempt,
    Episode,
    FeedBatch,
    Payment,
    Placement,
    Promise,
    TrainingLabel,
)
from collections_app.domain.contact import Channel
from collections_app.domain.outcomes import Outcome
from collections_app.domain.promises import JUDGED, PromiseStatus
from collections_app.queries.feature_frames import CASH_SIGN
from models import labels, labels_contact

_GIVE_UP_DAYS = 400
_CATCH_UP_WEEKS = 26
_AGAIN_DAYS = 14
"""Weeks that ended this lately are looked at again: an attempt may be settled late."""
_OWN_ANSWERS = (Outcome.RPC, Outcome.ANSWERED_UNVERIFIED, Outcome.THIRD_PARTY)


def weeks(session: Session, business_date: date) -> pl.DataFrame:
    """Label the weeks in which open cases were called (``rpc_7d, lost_7d``), observed on Monday."""
    label = table_of(TrainingLabel)
    this = business_date - timedelta(days=business_date.weekday())
    since = this - timedelta(weeks=_CATCH_UP_WEEKS)
    done = set(
        session.scalars(
            sa.select(label.c.observed_on).distinct().where(label.c.label == labels.RPC_7D,
                                                            label.c.observed_on >= since)
        )
    )  # fmt: skip
    again = business_date - timedelta(days=_AGAIN_DAYS)
    mondays = [since + timedelta(weeks=n) for n in range(_CATCH_UP_WEEKS)]
    wanted = [m for m in mondays if m not in done or m + timedelta(days=labels.CONTACT_DAYS) > again]
    calls = _calls(session, since=wanted[0] - timedelta(days=labels.REACHED_DAYS), until=this)
    called = labels_contact.weeks_of(calls).filter(pl.col("observed_on").is_in(wanted))
    return labels_contact.contacted(_open_then(session, called), calls, as_of=business_date)


def _calls(session: Session, *, since: date, until: date) -> pl.DataFrame:
    attempt = table_of(ContactAttempt)
    statement = sa.select(
        attempt.c.case_id, attempt.c.dispatched_at.label("on"), attempt.c.settled_at.is_not(None).label("is_settled"),
        sa.func.coalesce(attempt.c.outcome == Outcome.RPC, sa.false()).label("is_rpc"),
        sa.func.coalesce(attempt.c.outcome.in_(_OWN_ANSWERS), sa.false()).label("is_answered"),
    ).where(
        attempt.c.channel == Channel.VOICE, attempt.c.direction == "outbound",
        attempt.c.dispatched_at >= datetime.combine(since, time.min, UTC),
        attempt.c.dispatched_at < datetime.combine(until, time.min, UTC),
    )  # fmt: skip
    schema = {**labels_contact.CALLS, "on": pl.Datetime("us", "UTC")}
    return bulk.read(session, statement, schema).with_columns(pl.col("on").dt.date())


def _open_then(session: Session, called: pl.DataFrame) -> pl.DataFrame:
    """Return the weeks that began with the case open; the account that has been overdue longest speaks for it."""
    case, episode = table_of(Case), table_of(Episode)
    asked = bulk.stage(session, "staged_week", called, index=("case_id",))
    monday = asked.c.observed_on
    statement = (
        sa.select(asked.c.case_id, monday, episode.c.account_id, episode.c.id.label("episode_id"), episode.c.entry_on)
        .join(case, case.c.id == asked.c.case_id)
        .join(episode, episode.c.case_id == case.c.id)
        .where(
            case.c.opened_on <= monday, episode.c.entry_on <= monday,
            sa.or_(episode.c.ended_on.is_(None), episode.c.ended_on > monday),
        )
    )  # fmt: skip
    schema = {"case_id": pl.Int64, "observed_on": pl.Date, "account_id": pl.Int64, "episode_id": pl.Int64,
              "entry_on": pl.Date}  # fmt: skip
    return (
        bulk.read(session, statement, schema)
        .sort("entry_on", "account_id")
        .unique(["case_id", "observed_on"], keep="first", maintain_order=True)
    )


def _not_labelled(name: str, account: sa.ColumnElement[int], on: sa.ColumnElement[date]) -> sa.ColumnElement[bool]:
    label = table_of(TrainingLabel)
    return ~sa.exists().where(label.c.label == name, label.c.account_id == account, label.c.observed_on == on)


def promises(session: Session, business_date: date) -> pl.DataFrame:
    """Label the promises that have been judged (``promise_kept``); superseded and cancelled ones tell nothing."""
    promise = table_of(Promise)
    columns = {"is_kept": promise.c.status == PromiseStatus.KEPT}
    statement = sa.select(
        *(columns[c].label(c) if c in columns else promise.c[c] for c in labels_contact.PROMISES)
    ).where(
        promise.c.status.in_(JUDGED), ~promise.c.is_stale,
        promise.c.settled_on > business_date - timedelta(days=_GIVE_UP_DAYS),
        _not_labelled(labels.PROMISE_KEPT, promise.c.account_id, promise.c.created_on),
    )  # fmt: skip
    made = bulk.read(session, statement.order_by(promise.c.id), labels_contact.PROMISES)
    last = made.unique(["account_id", "created_on"], keep="last", maintain_order=True)
    return labels_contact.promise_verdicts(last, as_of=business_date)


def placements(session: Session, business_date: date) -> pl.DataFrame:
    """Label the placements whose 90 days and posting lag have passed (``recovered_90d``)."""
    placement, standing = table_of(Placement), table_of(AccountStanding)
    over = business_date - timedelta(days=labels.RECOVERY_DAYS + labels.POSTING_LAG_DAYS)
    sold = (
        sa.select(sa.func.min(standing.c.from_on))
        .where(
            standing.c.account_id == placement.c.account_id, standing.c.known_until.is_(None),
            standing.c.status == "sold",
        )
        .scalar_subquery()
    )  # fmt: skip
    # The case in which the account was worked then, for the arm of the strategy.
    case = (
        sa.select(sa.func.max(Episode.case_id))
        .where(
            Episode.account_id == placement.c.account_id, Episode.entry_on <= placement.c.placed_on,
            sa.or_(Episode.ended_on.is_(None), Episode.ended_on > placement.c.placed_on),
        )
        .scalar_subquery()
    )  # fmt: skip
    columns: list[Any] = [
        placement.c.account_id, case.label("case_id"), placement.c.placed_on,
        placement.c.placed_arrears_amount.label("arrears"), Account.source, sold.label("sold_on"),
    ]  # fmt: skip
    statement = (
        sa.select(*columns)
        .join(Account, Account.id == placement.c.account_id)
        .where(
            placement.c.placed_on <= over,
            placement.c.placed_on > business_date - timedelta(days=_GIVE_UP_DAYS),
            _not_labelled(labels.RECOVERED_90D, placement.c.account_id, placement.c.placed_on),
        )
    )
    schema = {c: labels_contact.PLACEMENTS[c] for c in labels_contact.PLACEMENTS if c != "heard_until"}
    order = [c.key for c in columns]
    told = {**schema, "source": pl.String}
    placed = bulk.read(session, statement, {c: told[c] for c in order})
    known = placed.unique(["account_id", "placed_on"], keep="last").join(_heard(session), on="source", how="left")
    return labels_contact.recovered(known, _cash(session, placed), as_of=business_date)


def _heard(session: Session) -> pl.DataFrame:
    """Return until when each source that tells of payments told us anything: ``source, heard_until``."""
    paying = sa.select(Payment.source).where(Payment.batch_id.is_not(None)).distinct()
    statement = (
        sa.select(FeedBatch.source, sa.func.max(FeedBatch.business_date).label("heard_until"))
        .where(FeedBatch.source.in_(paying))
        .group_by(FeedBatch.source)
    )
    return bulk.read(session, statement, {"source": pl.String, "heard_until": pl.Date})


def _cash(session: Session, placed: pl.DataFrame) -> pl.DataFrame:
    accounts = bulk.stage(session, "staged_placed", placed.select("account_id").unique(), index=("account_id",))
    statement = (
        sa.select(
            Payment.account_id, Payment.value_on,
            (sa.case(CASH_SIGN, value=Payment.kind) * Payment.amount).label("amount"),
        )
        .join(accounts, accounts.c.account_id == Payment.account_id)
        .where(Payment.kind.in_(CASH_SIGN), Payment.status == "settled")
    )  # fmt: skip
    return bulk.read(session, statement, labels_contact.CASH)
