"""Raw frames for models, point in time: the one road from tables to features, for training and scoring.

Only history is read (snapshots, cycles, payments, attempts), never a column that tomorrow's feed
overwrites. What was not known at the end of the observation day's intake is not here.

``raw_frames`` reads many accounts as of one day (scoring). ``frames_at`` reads observations of many days at once
(training): every fact is moved by as many days as its observation lies before one common day, so that one call
of ``build_features`` sees each observation as it was on its own day.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.staged import within
from collections_app.db.tables import (
    Account,
    AccountCycle,
    ContactAttempt,
    Episode,
    ExternalSignal,
    FeedBatch,
    Payment,
    Promise,
)
from collections_app.domain.cases import EpisodeEnd
from collections_app.domain.multi_lending import PRODUCT, KeyType
from collections_app.domain.outcomes import OUTCOMES, Disposition, Outcome
from collections_app.domain.promises import PromiseStatus
from collections_app.queries.as_of import SPANS, all_versions, on_days, standing_spans
from collections_app.queries.behaviour_frames import behaviour_frames
from collections_app.queries.signals import answers_as_of, newest_answers
from models.feature_list import MONTHS
from models.months import DAYS_PER_MONTH
from models.schema import FRAMES, SIGNAL_FIELDS, RawFrames
from strategies.signals import lending_rules

Rows = sa.Select[*tuple[Any, ...]]

_YEAR = timedelta(days=366)
_LARGEST_COUNT = 1e6
_INSTANT = pl.Datetime("us", "UTC")

CASH_SIGN = {"payment": 1, "writeoff_recovery": 1, "reversal": -1, "chargeback": -1, "refund": -1}
"""Cash by kind; a reversal takes it away again. Waivers and transfers are not money that arrived."""


def raw_frames(
    session: Session, *, account_ids: Sequence[int], as_of: date, also: Collection[str] = (),
    paying: pl.DataFrame | None = None,
) -> RawFrames:  # fmt: skip
    """Read everything that ``build_features`` needs of these accounts, as known at ``as_of``.

    ``also`` names frames that only some models read (``feature_list.frames_of``); the others stay empty. ``paying``
    is what ``paying_sources`` says, for who reads a book in chunks and need not ask it every time.
    """
    wanted = bulk.stage(session, "feature_account", bulk.frame_of_ids("account_id", account_ids), index=("account_id",))
    since = as_of - _YEAR
    accounts = _accounts(session, wanted, paying)
    owners = _owners(session, accounts)
    return RawFrames(
        accounts=accounts.with_columns(_has_feed(pl.lit(as_of))).select(*FRAMES["accounts"]),
        snapshots=_month_ends(standing_spans(session, wanted, until=as_of), as_of),
        cycles=_read(session, "cycles", _cycles(wanted, since, as_of)),
        payments=_read(session, "payments", _payments(wanted, since, as_of)),
        signals=_answers(session, _in_force(owners, as_of)),
        attempts=_attempts(session, owners, since, as_of),
        promises=_read(session, "promises", _promises(wanted, since, as_of)),
        episodes=_read(session, "episodes", _episodes(wanted, as_of)),
        **behaviour_frames(session, _today(account_ids, as_of), also),
    )


def frames_at(session: Session, observations: pl.DataFrame, *, also: Collection[str] = ()) -> tuple[RawFrames, date]:
    """Read RawFrames of observations (``row, account_id, observed_on``), each as known on its own day.

    In the frames ``account_id`` and ``customer_id`` hold the row, and days are counted towards the day that is
    returned with them: ``build_features(frames, day)`` gives the features of each row as of its ``observed_on``.
    """
    anchor, since = _ends(observations)
    accounts = bulk.stage(session, "feature_account", observations.select("account_id").unique(), index=("account_id",))
    known = _accounts(session, accounts)
    owners = _owners(session, known)
    asked = observations.select("row", "account_id", "observed_on", move=pl.lit(anchor) - pl.col("observed_on")).join(
        known, on="account_id", maintain_order="left"
    )

    def moved(facts: pl.DataFrame, name: str, key: str = "account_id") -> pl.DataFrame:
        rows = asked.select("row", key, "move").join(facts, on=key)
        days = [c for c, dtype in FRAMES[name].items() if dtype == pl.Date]
        return rows.with_columns(pl.col("row").alias(key), *(pl.col(c) + pl.col("move") for c in days)).select(
            *FRAMES[name]
        )

    told = asked.with_columns(_has_feed(pl.col("observed_on")), customer_id=pl.col("row"), account_id=pl.col("row"),
                              opened_on=pl.col("opened_on") + pl.col("move"))  # fmt: skip
    return RawFrames(
        accounts=told.select(*FRAMES["accounts"]),
        snapshots=_month_ends(_believed(session, accounts, asked, until=anchor), anchor),
        cycles=moved(_read(session, "cycles", _cycles(accounts, since, anchor)), "cycles"),
        payments=moved(_read(session, "payments", _payments(accounts, since, anchor)), "payments"),
        signals=moved(_answers(session, _ever_given(owners, since, anchor)), "signals", "customer_id"),
        attempts=moved(_attempts(session, owners, since, anchor), "attempts", "customer_id"),
        promises=moved(_read(session, "promises", _promises(accounts, since, anchor)), "promises"),
        episodes=moved(_read(session, "episodes", _episodes(accounts, anchor)), "episodes"),
        **behaviour_frames(session, asked.select("row", "account_id", "observed_on", "move"), also),
    ), anchor


def _today(account_ids: Sequence[int], as_of: date) -> pl.DataFrame:
    """Return the observations of one day: nothing needs to be moved."""
    return bulk.frame_of_ids("account_id", account_ids).with_columns(
        row=pl.col("account_id"), observed_on=pl.lit(as_of, pl.Date), move=pl.lit(timedelta(0), pl.Duration("us"))
    )


def _ends(observations: pl.DataFrame) -> tuple[date, date]:
    """Return the last day of observation, and the first day of which anything can matter."""
    first, last = observations["observed_on"].min(), observations["observed_on"].max()
    assert isinstance(first, date)
    assert isinstance(last, date)
    return last, first - _YEAR


def _read(session: Session, name: str, statement: Rows) -> pl.DataFrame:
    return bulk.read(session, statement, FRAMES[name])


def paying_sources(session: Session) -> pl.DataFrame:
    """Return ``source, paying_since``: the day on which each source told of a payment for the first time."""
    return bulk.read(
        session,
        sa.select(Payment.source, sa.func.min(FeedBatch.business_date).label("paying_since"))
        .join(FeedBatch, FeedBatch.id == Payment.batch_id)
        .group_by(Payment.source),
        {"source": pl.String, "paying_since": pl.Date},
    )


def _accounts(session: Session, wanted: sa.Table, paying: pl.DataFrame | None = None) -> pl.DataFrame:
    """Read the accounts, with the day on which their source told of a payment for the first time."""
    schema = {"account_id": pl.Int64, "customer_id": pl.Int64, "opened_on": pl.Date, "source": pl.String}
    statement = (
        sa.select(Account.id.label("account_id"), Account.customer_id, Account.opened_on, Account.source)
        .join(wanted, wanted.c.account_id == Account.id)
        .where(within(table_of(Account).c.id, wanted))
    )
    since = paying_sources(session) if paying is None else paying
    return bulk.read(session, statement, schema).join(since, on="source", how="left")


def _has_feed(day: pl.Expr) -> pl.Expr:
    return (pl.col("paying_since") <= day).fill_null(value=False).alias("has_payment_feed")


def _month_ends(spans: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Return how the accounts stood at the end of each 30-day month: all that the monthly states look at."""
    ends = [as_of - timedelta(days=k * DAYS_PER_MONTH) for k in range(MONTHS + 1)]
    return on_days(spans, ends).select(*FRAMES["snapshots"])


def _believed(session: Session, wanted: sa.Table, asked: pl.DataFrame, *, until: date) -> pl.DataFrame:
    """Return the spans as they were believed at the end of each observation's own day (domain brief §3.4 (7)).

    An account whose history was loaded later has no belief of that day: what is known now stands in.
    """
    spans = all_versions(session, wanted, until=until).join(
        asked.select("account_id", "row", "observed_on", "move"), on="account_id"
    )
    evening = pl.col("observed_on").cast(pl.Datetime("us")).dt.offset_by("1d").dt.replace_time_zone("UTC")
    by_then = pl.col("known_from") < evening
    then = by_then & (pl.col("known_until").is_null() | (pl.col("known_until") >= evening))
    return (
        spans.filter(pl.col("from_on") <= pl.col("observed_on"))
        .filter(pl.when(by_then.any().over("row")).then(then).otherwise(pl.col("known_until").is_null()))
        .with_columns(account_id=pl.col("row"), from_on=pl.col("from_on") + pl.col("move"))
        .select(*SPANS)
    )


def _cycles(wanted: sa.Table, since: date, until: date) -> Rows:
    table = table_of(AccountCycle)
    return (
        sa.select(*(table.c[c] for c in FRAMES["cycles"]))
        .join(wanted, wanted.c.account_id == table.c.account_id)
        .where(within(table.c.account_id, wanted), table.c.cycle_end_on <= until, table.c.cycle_end_on > since)
    )


def _payments(wanted: sa.Table, since: date, until: date) -> Rows:
    sign = sa.case(CASH_SIGN, value=Payment.kind)
    return (
        sa.select(
            Payment.account_id, Payment.value_on, FeedBatch.business_date.label("known_on"),
            (sign * Payment.amount).label("amount"),
        )
        .join(wanted, wanted.c.account_id == Payment.account_id)
        .join(FeedBatch, FeedBatch.id == Payment.batch_id)
        .where(
            within(table_of(Payment).c.account_id, wanted), Payment.kind.in_(CASH_SIGN),
            Payment.status == "settled", Payment.value_on < until,
            Payment.value_on >= since, FeedBatch.business_date <= until,
        )
    )  # fmt: skip


def _owners(session: Session, accounts: pl.DataFrame) -> sa.Table:
    return bulk.stage(session, "feature_owner", accounts.select("customer_id").unique(), index=("customer_id",))


def _in_force(owners: sa.Table, as_of: date) -> sa.FromClause:
    """Return the one answer of each customer that counts on a day.

    By identity number: counts by mobile overlap with those and are never mixed in.
    """
    return newest_answers(answers_as_of(as_of, key=KeyType.ID, wanted=owners))


def _ever_given(owners: sa.Table, since: date, until: date) -> sa.FromClause:
    """Return every version of every answer that can have counted on some day."""
    answer = table_of(ExternalSignal)
    return (
        sa.select(answer)
        .where(
            answer.c.customer_id.in_(sa.select(owners.c.customer_id)), answer.c.product == PRODUCT,
            answer.c.key_type == KeyType.ID.value, answer.c.snapshot_on > since, answer.c.received_on <= until,
        )
        .subquery()
    )  # fmt: skip


def _answers(session: Session, answers: sa.FromClause) -> pl.DataFrame:
    plain = ("customer_id", "provider", "snapshot_on", "received_on", "hit_status", "expires_on")
    # As text: a vendor that sends something else than a number told us nothing.
    counts = [answers.c.fields[name].as_string().label(name) for name in SIGNAL_FIELDS]
    schema = {c: FRAMES["signals"].get(c, pl.Date) for c in plain} | dict.fromkeys(SIGNAL_FIELDS, pl.String)
    found = bulk.read(session, sa.select(*(answers.c[c] for c in plain), *counts), schema)
    days = found["snapshot_on"].unique().to_list()
    rules = [(day, rule.lifetime_days, rule.longest_lifetime_days) for day in days for rule in (lending_rules(day),)]
    names = {"snapshot_on": pl.Date, "usual": pl.Int64, "longest": pl.Int64}
    lifetimes = pl.DataFrame(rules, schema=names, orient="row")
    last_day = {c: pl.col("snapshot_on") + pl.duration(days=pl.col(c) - 1) for c in ("usual", "longest")}
    stated = pl.coalesce(pl.col("expires_on").dt.offset_by("-1d"), last_day["usual"])
    return (
        found.join(lifetimes, on="snapshot_on", how="left")
        .with_columns(
            *(_told_number(name) for name in SIGNAL_FIELDS),
            usable_until=pl.min_horizontal(stated, last_day["longest"]),
        )
        .select(*FRAMES["signals"])
    )


def _told_number(name: str) -> pl.Expr:
    """Read a count; what cannot be one (text, infinite, below zero, beyond any count) tells nothing.

    One such value must not keep a whole book from being scored.
    """
    number = pl.col(name).cast(pl.Float64, strict=False)
    return pl.when(number.is_between(0, _LARGEST_COUNT)).then(number).alias(name)


def _attempts(session: Session, owners: sa.Table, since: date, until: date) -> pl.DataFrame:
    """Read what was dispatched before a day, with what came of it and when that was settled."""
    connecting = [o for o, rule in OUTCOMES.items() if rule.connects]
    dead = [o for o, rule in OUTCOMES.items() if rule.retires_point]

    def told(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
        return sa.func.coalesce(condition, sa.false())

    statement = sa.select(
        ContactAttempt.customer_id, ContactAttempt.dispatched_at.label("at_on"),
        ContactAttempt.settled_at.label("settled_on"),
        told(ContactAttempt.outcome.in_(connecting)).label("is_connect"),
        told(ContactAttempt.outcome == Outcome.RPC).label("is_rpc"),
        told(ContactAttempt.disposition == Disposition.REFUSED).label("is_refusal"),
        told(ContactAttempt.outcome.in_(dead)).label("is_dead_end"),
    ).where(
        ContactAttempt.customer_id.in_(sa.select(owners.c.customer_id)),
        within(table_of(ContactAttempt).c.customer_id, owners),
        ContactAttempt.dispatched_at < datetime.combine(until, time.min, tzinfo=UTC),
        ContactAttempt.dispatched_at >= datetime.combine(since, time.min, tzinfo=UTC),
    )  # fmt: skip
    instants = {**FRAMES["attempts"], "at_on": _INSTANT, "settled_on": _INSTANT}
    return bulk.read(session, statement, instants).with_columns(pl.col("at_on", "settled_on").dt.date())


def _promises(wanted: sa.Table, since: date, until: date) -> Rows:
    judged = (PromiseStatus.KEPT, PromiseStatus.PARTIAL, PromiseStatus.BROKEN)
    return (
        sa.select(
            Promise.account_id, Promise.settled_on, (Promise.status == PromiseStatus.KEPT).label("is_kept"),
            (Promise.status != PromiseStatus.KEPT).label("is_broken"),
        )
        .join(wanted, wanted.c.account_id == Promise.account_id)
        .where(within(table_of(Promise).c.account_id, wanted), Promise.status.in_(judged))
        .where(Promise.settled_on < until, Promise.settled_on >= since)
    )  # fmt: skip


def _episodes(wanted: sa.Table, until: date) -> Rows:
    """Read the episodes that were over; one that was shown never to have been is none."""
    was = sa.or_(Episode.end_reason.is_(None), Episode.end_reason != EpisodeEnd.RESTATED)
    return (
        sa.select(
            Episode.account_id, Episode.entry_on, Episode.ended_on, Episode.max_dpd,
            (Episode.end_reason == EpisodeEnd.CURED).label("is_cured"),
        )
        .join(wanted, wanted.c.account_id == Episode.account_id)
        .where(within(table_of(Episode).c.account_id, wanted), Episode.ended_on < until, was)
    )  # fmt: skip
