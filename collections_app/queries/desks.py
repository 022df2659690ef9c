"""Every agent's open work, and what a day's contact came to: one read each, for rooms that work in bulk."""

from datetime import date, datetime

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.tables import (
    Account,
    Assignment,
    Case,
    ContactAttempt,
    ContactPoint,
    Customer,
    Episode,
    Promise,
    QueueEntry,
)
from collections_app.domain.contact import AttemptStatus, Channel, PointKind

_PHONES = (PointKind.MOBILE, PointKind.LANDLINE, PointKind.VOIP, PointKind.UNKNOWN)


def open_work(session: Session, *, source: str) -> pl.DataFrame:
    """Return the assigned cases of a source's customers, each agent's best first, with one account.

    The account is the one that is longest overdue; ``last_call_on`` is the local date of the last call
    that an agent placed for the case.
    """
    last_call = (
        sa.select(ContactAttempt.case_id, sa.func.max(ContactAttempt.local_date).label("last_call_on"))
        .where(ContactAttempt.actor_kind == "agent", ContactAttempt.status != AttemptStatus.DENIED)
        .group_by(ContactAttempt.case_id)
        .subquery()
    )
    frame = bulk.read(
        session,
        sa.select(Assignment.agent_id, Assignment.case_id, Case.customer_id, Customer.customer_ref,
                  QueueEntry.priority, Case.cool_until_on, last_call.c.last_call_on,
                  Account.id.label("account_id"), Account.dpd, Account.arrears_amount)
        .join(Case, Case.id == Assignment.case_id)
        .join(Customer, Customer.id == Case.customer_id)
        .join(QueueEntry, sa.and_(QueueEntry.case_id == Case.id, QueueEntry.removed_on.is_(None)))
        .join(Episode, sa.and_(Episode.case_id == Case.id, Episode.ended_on.is_(None)))
        .join(Account, Account.id == Episode.account_id)
        .outerjoin(last_call, last_call.c.case_id == Case.id)
        .where(Assignment.to_at.is_(None), Case.closed_on.is_(None), Customer.source == source,
               Account.arrears_amount > 0),
        {"agent_id": pl.Int64, "case_id": pl.Int64, "customer_id": pl.Int64, "customer_ref": pl.String,
         "priority": pl.Float64, "cool_until_on": pl.Date, "last_call_on": pl.Date, "account_id": pl.Int64,
         "dpd": pl.Int64, "arrears_amount": pl.Int64},
    )  # fmt: skip
    by_account = frame.sort("case_id", "dpd", "account_id", descending=[False, True, False])
    one_account = by_account.unique("case_id", keep="first")
    return one_account.sort("agent_id", "priority", "case_id", descending=[False, True, False])


def phones(session: Session, *, source: str) -> pl.DataFrame:
    """Return the usable phones of a source's customers in open cases, best first."""
    return bulk.read(
        session,
        sa.select(ContactPoint.customer_id, ContactPoint.id.label("contact_point_id"), ContactPoint.value)
        .join(Customer, Customer.id == ContactPoint.customer_id)
        .join(Case, sa.and_(Case.customer_id == Customer.id, Case.closed_on.is_(None)))
        .where(Customer.source == source, ContactPoint.kind.in_(_PHONES), ContactPoint.quality == "ok",
               ContactPoint.owner == "debtor", ContactPoint.withdrawn_at.is_(None))
        .order_by(ContactPoint.customer_id, ContactPoint.rank, ContactPoint.id),
        {"customer_id": pl.Int64, "contact_point_id": pl.Int64, "value": pl.String},
    )  # fmt: skip


def touches(session: Session, *, source: str, from_at: datetime, to_at: datetime) -> pl.DataFrame:
    """Return what left the house in a span: channel, mode, status, outcome, and on which number."""
    columns = {"attempt_id": pl.Int64, "customer_ref": pl.String, "value": pl.String, "channel": pl.String,
               "mode": pl.String, "status": pl.String, "outcome": pl.String}  # fmt: skip
    words = ("channel", "mode", "status", "outcome")
    text = [sa.cast(getattr(ContactAttempt, c), sa.String).label(c) for c in words]
    return bulk.read(
        session,
        sa.select(ContactAttempt.id.label("attempt_id"), Customer.customer_ref, ContactPoint.value, *text)
        .join(Customer, Customer.id == ContactAttempt.customer_id)
        .join(ContactPoint, ContactPoint.id == ContactAttempt.contact_point_id)
        .where(Customer.source == source, ContactAttempt.dispatched_at >= from_at,
               ContactAttempt.dispatched_at < to_at)
        .order_by(ContactAttempt.id),
        columns,
    )  # fmt: skip


def promises_made(session: Session, *, source: str, on: date) -> pl.DataFrame:
    """Return the promises recorded on a business date."""
    return bulk.read(
        session,
        sa.select(Account.account_ref, Promise.amount, Promise.due_on)
        .join(Account, Account.id == Promise.account_id)
        .where(Account.source == source, Promise.created_on == on)
        .order_by(Promise.id),
        {"account_ref": pl.String, "amount": pl.Int64, "due_on": pl.Date},
    )


def conversations(session: Session, *, source: str, country: str, from_at: datetime) -> pl.DataFrame:
    """Return agents' conversations since an instant, newest first: what a recording can belong to."""
    a = ContactAttempt
    return bulk.read(
        session,
        sa.select(a.id.label("attempt_id"), a.case_id, Assignment.agent_id, a.collector_role, a.dispatched_at)
        .join(Customer, Customer.id == a.customer_id)
        .join(Assignment, sa.and_(Assignment.case_id == a.case_id, Assignment.to_at.is_(None)))
        .where(
            Customer.source == source,
            Customer.country == country,
            a.channel == Channel.VOICE,
            a.actor_kind == "agent",
            a.talk_seconds.is_not(None),
            a.dispatched_at >= from_at,
        )
        .order_by(a.id.desc()),
        {"attempt_id": pl.Int64, "case_id": pl.Int64, "agent_id": pl.Int64, "collector_role": pl.String,
         "dispatched_at": pl.Datetime("us", "UTC")},
    )  # fmt: skip
