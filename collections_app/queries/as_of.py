"""The one door to the past: what was true on a day, as far as it was known at an instant.

Valid time (``on``): the day that is asked about. System time (``known_at``): what had reached us by then;
None = everything we know now. Every read of history goes through here, so that a late correction or a
restatement after a reversal cannot leak into what was believed before it arrived (domain brief §8.0, §3.4).
"""

from datetime import date, datetime
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.dates import days_between
from collections_app.db.staged import within
from collections_app.db.tables import Account, AccountHistory, AccountStanding, ContactPoint, ContactPointHistory
from collections_app.queries.signals import answers_as_of

SPANS = {
    "account_id": pl.Int64, "from_on": pl.Date, "dpd": pl.Int64, "is_ageing": pl.Boolean,
    "arrears_amount": pl.Int64, "balance_amount": pl.Int64, "limit_amount": pl.Int64, "status": pl.String,
}  # fmt: skip
# The place of the present version in the order of writing: after everything that is past.
_LAST = sa.literal(2**62, sa.BigInteger())
_AMOUNTS = ("arrears_amount", "balance_amount", "limit_amount", "status")


def _known(standing: sa.Table, known_at: datetime | None) -> sa.ColumnElement[bool]:
    if known_at is None:
        return standing.c.known_until.is_(None)
    still = sa.or_(standing.c.known_until.is_(None), standing.c.known_until > known_at)
    return sa.and_(standing.c.known_from <= known_at, still)


def standings_as_of(on: date, known_at: datetime | None = None, *, among: sa.FromClause | None = None) -> sa.Subquery:
    """Return how every account stood on a day: ``account_id, from_on, dpd, arrears_amount, balance_amount,
    limit_amount, status``. An account of which nothing was known by then has no row. DPD is that of the day ``on``.
    ``among`` (``account_id``): of these accounts only, for who asks about few.
    """
    standing = table_of(AccountStanding)
    known = _known(standing, known_at)
    latest = (
        sa.select(standing.c.account_id, sa.func.max(standing.c.from_on).label("from_on"))
        .where(standing.c.from_on <= on, known)
        .group_by(standing.c.account_id)
    )
    if among is not None:
        latest = latest.join(among, among.c.account_id == standing.c.account_id)
    last = latest.subquery()
    grown = sa.case((standing.c.is_ageing, days_between(standing.c.from_on, sa.literal(on, sa.Date()))), else_=0)
    return (
        sa.select(
            standing.c.account_id, standing.c.from_on, (standing.c.dpd + grown).label("dpd"),
            *(standing.c[c] for c in _AMOUNTS),
        )
        .join(last, sa.and_(standing.c.account_id == last.c.account_id, standing.c.from_on == last.c.from_on))
        .where(known)
        .subquery()
    )  # fmt: skip


def stood_on_two_days(first: date, second: date, known_at: datetime | None = None) -> sa.Subquery:
    """Return how every account stood on two days, in one pass over the spans: ``account_id``, and ``dpd``,
    ``balance_amount``, ``status`` with the suffixes ``_1`` and ``_2`` (NULL = nothing was known by that day).
    """
    standing = table_of(AccountStanding)
    following = sa.func.lead(standing.c.from_on).over(partition_by=standing.c.account_id, order_by=standing.c.from_on)
    names = ("account_id", "from_on", "dpd", "is_ageing", "balance_amount", "status")
    span = (
        sa.select(*(standing.c[c] for c in names), following.label("next_on"))
        .where(standing.c.from_on <= second, _known(standing, known_at))
        .subquery()
    )
    last = span.c.next_on.is_(None)
    holds = {"1": sa.and_(span.c.from_on <= first, sa.or_(last, span.c.next_on > first)), "2": last}
    columns: list[sa.ColumnElement[Any]] = []
    for suffix, on in (("1", first), ("2", second)):
        grown = sa.case((span.c.is_ageing, days_between(span.c.from_on, sa.literal(on, sa.Date()))), else_=0)
        told = {"dpd": span.c.dpd + grown, "balance_amount": span.c.balance_amount, "status": span.c.status}
        # One span of an account holds on a day: max() picks it out of the two.
        columns += [sa.func.max(sa.case((holds[suffix], c))).label(f"{name}_{suffix}") for name, c in told.items()]
    return sa.select(span.c.account_id, *columns).where(sa.or_(*holds.values())).group_by(span.c.account_id).subquery()


def overdue_spans(threshold: int, *, until: date, known_at: datetime | None = None) -> sa.Subquery:
    """Return the spans in which DPD is at least ``threshold``: ``account_id, reached_day, left_day, balance_amount``.

    The days are whole days before ``until`` (0 = that day itself, 5 = five days earlier): DPD was at least
    ``threshold`` from ``reached_day`` on, while more than ``left_day`` days were left (NULL = it lasts).
    """
    standing = table_of(AccountStanding)
    day = sa.literal(until, sa.Date())
    following = sa.func.lead(standing.c.from_on).over(partition_by=standing.c.account_id, order_by=standing.c.from_on)
    names = ("account_id", "from_on", "dpd", "is_ageing", "balance_amount")
    span = (
        sa.select(*(standing.c[c] for c in names), following.label("next_on"))
        .where(standing.c.from_on <= until, _known(standing, known_at))
        .subquery()
    )
    # Below the threshold at its beginning, an ageing span reaches it as many days later as are missing.
    missing = sa.case((span.c.dpd < threshold, threshold - span.c.dpd), else_=0)
    late = (
        sa.select(
            span.c.account_id, (days_between(span.c.from_on, day) - missing).label("reached_day"),
            days_between(span.c.next_on, day).label("left_day"), span.c.balance_amount,
        )
        .where(sa.or_(span.c.dpd >= threshold, span.c.is_ageing))
        .subquery()
    )  # fmt: skip
    lasts = sa.or_(late.c.left_day.is_(None), late.c.reached_day > late.c.left_day)
    return sa.select(*late.c).where(late.c.reached_day >= 0, lasts).subquery()


def standing_spans(
    session: Session, wanted: sa.FromClause | None, *, until: date, known_at: datetime | None = None
) -> pl.DataFrame:
    """Return the spans (columns SPANS) that began by ``until``, in order, of the accounts in ``wanted.account_id``.

    A span lasts until the next one of its account begins; the last one lasts until ``until``. None = every account.
    """
    standing = table_of(AccountStanding)
    statement: sa.Select[Any] = sa.select(*(standing.c[c] for c in SPANS)).where(
        standing.c.from_on <= until, _known(standing, known_at)
    )
    if wanted is not None:
        statement = statement.join(wanted, wanted.c.account_id == standing.c.account_id)
        statement = statement.where(within(standing.c.account_id, wanted))
    return bulk.read(session, statement, SPANS).sort("account_id", "from_on")


def all_versions(session: Session, wanted: sa.FromClause, *, until: date) -> pl.DataFrame:
    """Return every version of the spans that began by ``until``: columns SPANS, ``known_from``, ``known_until``.

    For who asks about many days of belief at once; of one account and day at most one version holds at an instant.
    """
    standing = table_of(AccountStanding)
    schema = {**SPANS, "known_from": pl.Datetime("us", "UTC"), "known_until": pl.Datetime("us", "UTC")}
    statement: sa.Select[Any] = (
        sa.select(*(standing.c[c] for c in schema))
        .join(wanted, wanted.c.account_id == standing.c.account_id)
        .where(standing.c.from_on <= until)
    )
    return bulk.read(session, statement, schema).sort("account_id", "from_on", "known_from")


def on_days(spans: pl.DataFrame, days: list[date]) -> pl.DataFrame:
    """Return how the accounts stood on each of the days: the spans' columns with ``business_date`` for ``from_on``."""
    asked = (
        spans.select("account_id")
        .unique()
        .join(pl.DataFrame({"business_date": sorted(days)}, schema={"business_date": pl.Date}), how="cross")
        .sort("business_date")
    )
    found = asked.join_asof(
        spans.sort("from_on"),
        left_on="business_date",
        right_on="from_on",
        by="account_id",
        strategy="backward",
        check_sortedness=False,  # both sides are sorted just above; with a key polars cannot see it
    )
    return _projected(found.filter(pl.col("from_on").is_not_null()))


def edges(spans: pl.DataFrame, *, until: date) -> pl.DataFrame:
    """Return the accounts on the first and the last day of each span: between the two, DPD is a straight line."""
    last = pl.coalesce(
        pl.col("from_on").shift(-1).over("account_id", order_by="from_on") - pl.duration(days=1), pl.lit(until)
    ).cast(pl.Date)
    ends = spans.with_columns(business_date=last)
    both = pl.concat([spans.with_columns(business_date=pl.col("from_on")), ends])
    return _projected(both).unique(["account_id", "business_date"]).sort("account_id", "business_date")


def _projected(found: pl.DataFrame) -> pl.DataFrame:
    passed = (pl.col("business_date") - pl.col("from_on")).dt.total_days()
    return found.with_columns(dpd=pl.col("dpd") + pl.when(pl.col("is_ageing")).then(passed).otherwise(0)).select(
        "account_id", "business_date", "dpd", *_AMOUNTS
    )


def accounts_as_of(
    at: datetime, known_at: datetime | None = None, *, among: sa.FromClause | None = None
) -> sa.Subquery:
    """Return what sources told of accounts for an instant: ``account_id``, the columns of AccountTerms.

    One row per account: of everything recorded at or before ``known_at`` (None: of everything), the assertion with
    the latest ``valid_from`` <= ``at``; of two with the same, the one recorded later (a correction). An account of
    which nothing of that time was known then has no row. ``among`` (``account_id``): of these accounts only.
    """
    present, past = table_of(Account), table_of(AccountHistory)
    names = [c.key for c in past.columns if c.key not in ("id", "account_id")]
    return _asserted(
        sa.select(present.c.id.label("account_id"), *(present.c[n] for n in names), _LAST.label("place")),
        sa.select(past.c.account_id, *(past.c[n] for n in names), past.c.id.label("place")),
        key="account_id", at=at, known_at=known_at, among=among,
    )  # fmt: skip


def contact_points_as_of(
    at: datetime, known_at: datetime | None = None, *, among: sa.FromClause | None = None
) -> sa.Subquery:
    """Return what was said of contact points for an instant: ``contact_point_id, customer_id, kind, value, owner,
    quality, source, rank, valid_from, recorded_at, withdrawn_at``, by the rule of ``accounts_as_of``.

    A row with ``withdrawn_at`` says that the source had taken the point back: it was not to be used. A point whose
    beginning nobody told (``valid_from`` null) has always been so. ``among`` (``contact_point_id``): of these only.
    """
    present, past = table_of(ContactPoint), table_of(ContactPointHistory)
    names = [c.key for c in past.columns if c.key not in ("id", "contact_point_id")]
    said = _asserted(
        sa.select(present.c.id.label("contact_point_id"), *(present.c[n] for n in names), _LAST.label("place")),
        sa.select(past.c.contact_point_id, *(past.c[n] for n in names), past.c.id.label("place")),
        key="contact_point_id", at=at, known_at=known_at, among=among,
    )  # fmt: skip
    return (
        sa.select(said.c.contact_point_id, *(present.c[n] for n in ("customer_id", "kind", "value")),
                  *(said.c[n] for n in names))
        .join(present, present.c.id == said.c.contact_point_id)
        .subquery()
    )  # fmt: skip


def _asserted(
    present: sa.Select[Any],
    past: sa.Select[Any],
    *,
    key: str,
    at: datetime,
    known_at: datetime | None,
    among: sa.FromClause | None,
) -> sa.Subquery:
    """Choose of present and past versions the one that holds at an instant as known at another."""
    told = sa.union_all(present, past).subquery()
    since = [told.c.valid_from.is_(None), told.c.valid_from <= at]
    known = [told.c.recorded_at.is_(None), told.c.recorded_at <= known_at] if known_at is not None else [sa.true()]
    # Equal in both times (two files of one unit of work): the present version is the last word, else the later row.
    order = [told.c.valid_from.desc().nulls_last(), told.c.recorded_at.desc().nulls_last(), told.c.place.desc()]
    number = sa.func.row_number().over(partition_by=told.c[key], order_by=order)
    chosen = sa.select(told, number.label("number")).where(sa.or_(*since), sa.or_(*known))
    if among is not None:
        chosen = chosen.where(told.c[key].in_(sa.select(among.c[key])))
    ranked = chosen.subquery()
    return sa.select(*(c for c in ranked.c if c.key not in ("place", "number"))).where(ranked.c.number == 1).subquery()


def signals_as_of(on: date, known_on: date | None = None, *, among: sa.FromClause | None = None) -> sa.Subquery:
    """Return the vendors' answers in force on a day as received by ``known_on`` (None: by that day), one per
    question, in the columns of ``external_signal``; a corrected answer hides the one before it from the day on which
    it was received. Whether an answer still holds is said by ``queries.signals.answers_as_of``. ``among``
    (``customer_id``): of these customers only."""
    return answers_as_of(on, known_on=known_on, product=None, wanted=among)
