"""What happened around episodes, each fact with the instant at which it was known."""

from datetime import date, datetime
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from collections_app.db import bulk
from collections_app.db.tables import (
    Account,
    Case,
    ContactAttempt,
    Customer,
    Episode,
    Finding,
    Promise,
    Recording,
    Review,
    StopFlag,
)
from collections_app.domain.cases import EpisodeEnd
from collections_app.domain.contact import Channel, Mode, StopCode
from collections_app.domain.outcomes import OUTCOMES, Disposition, Outcome
from collections_app.domain.promises import PromiseStatus
from collections_app.queries.as_of import edges, standing_spans

Rows = sa.Select[*tuple[Any, ...]]

_INSTANT = pl.Datetime("us", "UTC")


def is_counted(as_of: date) -> sa.ColumnElement[bool]:
    """Tell whether an episode counts in figures as of a day: not if it was shown by then never to have been."""
    return sa.or_(Episode.ended_on.is_(None), Episode.ended_on > as_of, Episode.end_reason != EpisodeEnd.RESTATED)


def _of(statement: Rows, key: InstrumentedAttribute[int], among: sa.FromClause | None) -> Rows:
    """Keep the rows of the accounts in ``among`` (``account_id``); None = all."""
    return statement if among is None else statement.where(key.in_(sa.select(among.c.account_id)))


def episodes(session: Session, *, as_of: date, among: sa.FromClause | None = None) -> pl.DataFrame:
    """Return the episodes entered by ``as_of``; an end that came later is not told."""
    known_end = Episode.ended_on <= as_of
    statement = (
        sa.select(
            Episode.id.label("episode_id"), Episode.account_id, Account.customer_id, Account.source,
            Customer.customer_ref, Account.account_ref, Episode.entry_on,
            sa.case((known_end, Episode.ended_on)).label("ended_on"),
            sa.case((known_end, sa.cast(Episode.end_reason, sa.String(32)))).label("end_reason"),
        )
        .join(Account, Account.id == Episode.account_id)
        .join(Customer, Customer.id == Account.customer_id)
        .where(Episode.entry_on <= as_of, is_counted(as_of))
    )  # fmt: skip
    schema = {"episode_id": pl.Int64, "account_id": pl.Int64, "customer_id": pl.Int64, "source": pl.String,
              "customer_ref": pl.String, "account_ref": pl.String, "entry_on": pl.Date, "ended_on": pl.Date,
              "end_reason": pl.String}  # fmt: skip
    return bulk.read(session, _of(statement, Episode.account_id, among), schema)


def snapshots(session: Session, *, as_of: date, among: sa.FromClause | None = None) -> pl.DataFrame:
    """Return the DPD of every account that was past due, on the days between which it grew evenly, until ``as_of``."""
    spans = standing_spans(session, among, until=as_of)
    return edges(spans, until=as_of).filter(pl.col("dpd") >= 1).select("account_id", "business_date", "dpd")


def attempts(session: Session, *, until: datetime, among: sa.FromClause | None = None) -> pl.DataFrame:
    """Return outbound attempts dispatched by ``until``; an outcome settled later is not told."""
    settled = ContactAttempt.settled_at <= until
    connecting = [o for o, rule in OUTCOMES.items() if rule.connects]

    def told(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
        return sa.func.coalesce(sa.and_(settled, condition), sa.false())

    statement = sa.select(
        ContactAttempt.customer_id, ContactAttempt.dispatched_at.label("on"),
        sa.case((settled, ContactAttempt.settled_at), else_=ContactAttempt.dispatched_at).label("known_at"),
        told(ContactAttempt.outcome.in_(connecting)).label("is_connect"),
        told(ContactAttempt.outcome == Outcome.RPC).label("is_rpc"),
        told(ContactAttempt.disposition == Disposition.HARDSHIP).label("is_hardship"),
        (ContactAttempt.mode == Mode.LIVE_AGENT).label("is_agent"),
        (ContactAttempt.channel == Channel.VOICE).label("is_call"),
    ).where(ContactAttempt.dispatched_at <= until, ContactAttempt.direction == "outbound")  # fmt: skip
    if among is not None:
        owners = sa.select(Account.customer_id).join(among, among.c.account_id == Account.id)
        statement = statement.where(ContactAttempt.customer_id.in_(owners))
    flags = ("is_connect", "is_rpc", "is_hardship", "is_agent", "is_call")
    return _dated(session, statement, {"customer_id": pl.Int64, **dict.fromkeys(flags, pl.Boolean)})


def promises(session: Session, *, until: datetime, as_of: date, among: sa.FromClause | None = None) -> pl.DataFrame:
    """Return promises made by ``until``; a judgement of a later day is not told."""
    final = (PromiseStatus.KEPT, PromiseStatus.PARTIAL, PromiseStatus.BROKEN)
    judged = sa.and_(Promise.status.in_(final), Promise.settled_on <= as_of)
    statement = sa.select(
        Promise.account_id, Promise.created_on, Promise.created_at,
        sa.case((judged, Promise.settled_on)).label("judged_on"),
        sa.func.coalesce(judged, sa.false()).label("is_judged"),
        sa.func.coalesce(sa.and_(judged, Promise.status == PromiseStatus.KEPT), sa.false()).label("is_kept"),
    ).where(Promise.created_at <= until, Promise.created_on <= as_of)  # fmt: skip
    schema = {"account_id": pl.Int64, "created_on": pl.Date, "created_at": _INSTANT, "judged_on": pl.Date,
              "is_judged": pl.Boolean, "is_kept": pl.Boolean}  # fmt: skip
    return bulk.read(session, _of(statement, Promise.account_id, among), schema)


def complaints(session: Session, *, until: datetime) -> pl.DataFrame:
    """Return the complaints of customers by ``until``, as the stop that each one sets."""
    statement = sa.select(StopFlag.customer_id, StopFlag.set_at.label("on"), StopFlag.set_at.label("known_at")).where(
        StopFlag.code == StopCode.COMPLAINT, StopFlag.set_at <= until
    )
    return _dated(session, statement, {"customer_id": pl.Int64})


def confirmed_findings(session: Session, *, until: datetime) -> pl.DataFrame:
    """Return breaches that a reviewer had confirmed by ``until``, on the day of the call."""
    customer = sa.func.coalesce(ContactAttempt.customer_id, Case.customer_id)
    statement = (
        sa.select(
            customer.label("customer_id"), Recording.started_at.label("on"),
            Review.created_at.label("known_at"), Finding.item_code,
        )
        .join(Finding, Finding.id == Review.finding_id)
        .join(Recording, Recording.id == Review.recording_id)
        .outerjoin(ContactAttempt, ContactAttempt.id == Recording.attempt_id)
        .outerjoin(Case, Case.id == Recording.case_id)
        .where(Review.verdict == "confirmed", Review.created_at <= until, customer.is_not(None))
    )  # fmt: skip
    return _dated(session, statement, {"customer_id": pl.Int64, "item_code": pl.String})


def _dated(session: Session, statement: sa.Select[*tuple[Any, ...]], schema: dict[str, Any]) -> pl.DataFrame:
    """Read facts with ``on`` (their day, UTC) and ``known_at``."""
    frame = bulk.read(session, statement, {"on": _INSTANT, "known_at": _INSTANT, **schema})
    return frame.with_columns(pl.col("on").dt.date())
