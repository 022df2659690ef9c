"""Raw frames for models, point in time: the one road from tables to features, for training and scoring.

Only history is read (snapshots, cycles, payments, attempts), never a column that tomorrow's feed
overwrites. What was not known at the end of the observation day's intake is not here.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import (
    Account,
    AccountCycle,
    ContactAttempt,
    Customer,
    Episode,
    FeedBatch,
    Payment,
    Promise,
    TrainingLabel,
)
from collections_app.domain.multi_lending import KeyType
from collections_app.domain.outcomes import OUTCOMES, Disposition, Outcome
from collections_app.domain.promises import PromiseStatus
from collections_app.queries.as_of import on_days, standing_spans
from collections_app.queries.signals import answers_as_of
from models.months import DAYS_PER_MONTH
from models.schema import FRAMES, SIGNAL_FIELDS, RawFrames

Rows = sa.Select[*tuple[Any, ...]]

_YEAR = timedelta(days=366)
_SLOTS = 13

# Cash by kind; a reversal takes it away again. Waivers and transfers are not money that arrived.
_SIGN = {"payment": 1, "writeoff_recovery": 1, "reversal": -1, "chargeback": -1, "refund": -1}

LABELLED = {
    "account_id": pl.Int64, "account_ref": pl.String, "customer": pl.String, "observed_on": pl.Date,
    "horizon_days": pl.Int64, "outcome": pl.Int64,
}  # fmt: skip


def raw_frames(session: Session, *, account_ids: Sequence[int], as_of: date) -> RawFrames:
    """Read everything that ``build_features`` needs of these accounts, as known at ``as_of``."""
    wanted = bulk.stage(session, "feature_account", bulk.frame_of_ids("account_id", account_ids), index=("account_id",))
    midnight = datetime.combine(as_of, time.min, tzinfo=UTC)
    return RawFrames(
        accounts=_read(session, "accounts", _accounts(wanted, as_of)),
        snapshots=_snapshots(session, wanted, as_of),
        cycles=_read(session, "cycles", _cycles(wanted, as_of)),
        payments=_read(session, "payments", _payments(wanted, as_of)),
        signals=_signals(session, wanted, as_of),
        attempts=_attempts(session, wanted, midnight),
        promises=_read(session, "promises", _promises(wanted, as_of)),
        episodes=_read(session, "episodes", _episodes(wanted, as_of)),
    )


def _read(session: Session, name: str, statement: Rows) -> pl.DataFrame:
    return bulk.read(session, statement, FRAMES[name])


def _accounts(wanted: sa.Table, as_of: date) -> Rows:
    told = sa.select(FeedBatch.id).where(FeedBatch.business_date <= as_of)
    paying = sa.select(Payment.source).where(Payment.batch_id.in_(told)).distinct()
    return sa.select(
        Account.id.label("account_id"), Account.customer_id, Account.opened_on,
        Account.source.in_(paying).label("has_payment_feed"),
    ).join(wanted, wanted.c.account_id == Account.id)  # fmt: skip


def _snapshots(session: Session, wanted: sa.Table, as_of: date) -> pl.DataFrame:
    """Read how the accounts stood at the end of each 30-day month: all that the monthly states look at."""
    ends = [as_of - timedelta(days=k * DAYS_PER_MONTH) for k in range(_SLOTS)]
    return on_days(standing_spans(session, wanted, until=as_of), ends).select(*FRAMES["snapshots"])


def _cycles(wanted: sa.Table, as_of: date) -> Rows:
    table = table_of(AccountCycle)
    return (
        sa.select(*(table.c[c] for c in FRAMES["cycles"]))
        .join(wanted, wanted.c.account_id == table.c.account_id)
        .where(table.c.cycle_end_on <= as_of, table.c.cycle_end_on > as_of - _YEAR)
    )


def _payments(wanted: sa.Table, as_of: date) -> Rows:
    sign = sa.case(_SIGN, value=Payment.kind)
    return (
        sa.select(
            Payment.account_id, Payment.value_on, FeedBatch.business_date.label("known_on"),
            (sign * Payment.amount).label("amount"),
        )
        .join(wanted, wanted.c.account_id == Payment.account_id)
        .join(FeedBatch, FeedBatch.id == Payment.batch_id)
        .where(
            Payment.kind.in_(_SIGN), Payment.status == "settled", Payment.value_on < as_of,
            Payment.value_on >= as_of - _YEAR, FeedBatch.business_date <= as_of,
        )
    )  # fmt: skip


def _signals(session: Session, wanted: sa.Table, as_of: date) -> pl.DataFrame:
    """Read the answers in force by identity number: counts by mobile overlap with them and are never mixed in."""
    owners = sa.select(Account.customer_id).join(wanted, wanted.c.account_id == Account.id).distinct().subquery()
    answers = answers_as_of(as_of, key=KeyType.ID, wanted=owners)
    plain = ("customer_id", "provider", "snapshot_on", "received_on", "hit_status")
    # As text: a vendor that sends something else than a number told us nothing.
    counts = [answers.c.fields[name].as_string().label(name) for name in SIGNAL_FIELDS]
    statement = sa.select(*(answers.c[c] for c in plain), *counts)
    schema = {c: FRAMES["signals"][c] for c in plain} | dict.fromkeys(SIGNAL_FIELDS, pl.String)
    return bulk.read(session, statement, schema).with_columns(pl.col(SIGNAL_FIELDS).cast(pl.Float64, strict=False))


def _attempts(session: Session, wanted: sa.Table, midnight: datetime) -> pl.DataFrame:
    """Read what was dispatched before the day; an outcome counts only if it was settled by then."""
    owners = sa.select(Account.customer_id).join(wanted, wanted.c.account_id == Account.id)
    settled = ContactAttempt.settled_at < midnight
    connecting = [o for o, rule in OUTCOMES.items() if rule.connects]

    def told(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
        return sa.func.coalesce(sa.and_(settled, condition), sa.false())

    statement = sa.select(
        ContactAttempt.customer_id, ContactAttempt.dispatched_at.label("at_on"),
        told(ContactAttempt.outcome.in_(connecting)).label("is_connect"),
        told(ContactAttempt.outcome == Outcome.RPC).label("is_rpc"),
        told(ContactAttempt.disposition == Disposition.REFUSED).label("is_refusal"),
    ).where(
        ContactAttempt.customer_id.in_(owners), ContactAttempt.dispatched_at < midnight,
        ContactAttempt.dispatched_at >= midnight - _YEAR,
    )  # fmt: skip
    instants = {**FRAMES["attempts"], "at_on": pl.Datetime("us", "UTC")}
    return bulk.read(session, statement, instants).with_columns(pl.col("at_on").dt.date())


def _promises(wanted: sa.Table, as_of: date) -> Rows:
    judged = (PromiseStatus.KEPT, PromiseStatus.PARTIAL, PromiseStatus.BROKEN)
    return (
        sa.select(
            Promise.account_id, Promise.settled_on, (Promise.status == PromiseStatus.KEPT).label("is_kept"),
            (Promise.status != PromiseStatus.KEPT).label("is_broken"),
        )
        .join(wanted, wanted.c.account_id == Promise.account_id)
        .where(Promise.status.in_(judged), Promise.settled_on < as_of, Promise.settled_on >= as_of - _YEAR)
    )  # fmt: skip


def _episodes(wanted: sa.Table, as_of: date) -> Rows:
    return (
        sa.select(Episode.account_id, Episode.ended_on, Episode.max_dpd)
        .join(wanted, wanted.c.account_id == Episode.account_id)
        .where(Episode.ended_on < as_of)
    )


def matured_labels(session: Session, *, label: str, source: str | None, until: date) -> pl.DataFrame:
    """Return the labels that have matured by ``until``, with account, customer and observation date."""
    customer = (Customer.source + "|" + Customer.customer_ref).label("customer")
    statement = (
        sa.select(
            TrainingLabel.account_id, Account.account_ref, customer, TrainingLabel.observed_on,
            TrainingLabel.horizon_days, TrainingLabel.outcome,
        )
        .join(Account, Account.id == TrainingLabel.account_id)
        .join(Customer, Customer.id == Account.customer_id)
        .where(TrainingLabel.label == label, TrainingLabel.matured_on <= until)
        .order_by(TrainingLabel.observed_on, TrainingLabel.account_id)
    )  # fmt: skip
    if source is not None:
        statement = statement.where(Account.source == source)
    return bulk.read(session, statement, LABELLED)
