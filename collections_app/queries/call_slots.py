"""Calls by the hour at the customer's place: what the best-time model learns from, and what it is asked."""

from datetime import UTC, date, datetime, time
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.tables import Case, ContactAttempt, ContactPoint, Customer
from collections_app.domain.contact import Channel
from collections_app.domain.outcomes import Outcome

ANSWERED = (Outcome.RPC, Outcome.ANSWERED_UNVERIFIED, Outcome.THIRD_PARTY)
"""Somebody answered on a number of the customer's own."""
_INSTANT = pl.Datetime("us", "UTC")
_READ = {
    "customer_id": pl.Int64, "case_id": pl.Int64, "dispatched_at": _INSTANT, "settled_at": _INSTANT,
    "is_answered": pl.Boolean, "is_dead": pl.Boolean, "point_kind": pl.String, "zones": pl.String,
    "case_opened_on": pl.Date, "customer": pl.String, "country": pl.String, "language": pl.String,
    "source": pl.String, "arrears_amount": pl.Int64,
}  # fmt: skip


def calls(session: Session, *, since: date, until: date, source: str | None = None) -> pl.DataFrame:
    """Return the outbound calls made on days ``since <= day < until`` (UTC), one row each.

    Columns of models.slot_features.CALLS and, for reports, who was called. ``is_dead``: the number does not work, so
    that no hour would have been better; null ``is_answered``: nobody has settled yet what came of it.
    """
    settled = ContactAttempt.settled_at.is_not(None)
    columns: dict[str, Any] = {
        "is_answered": sa.case((settled, sa.func.coalesce(ContactAttempt.outcome.in_(ANSWERED), sa.false()))),
        "is_dead": sa.func.coalesce(ContactAttempt.outcome == Outcome.FAILED, sa.false()),
        "point_kind": sa.cast(ContactPoint.kind, sa.String(24)), "zones": sa.cast(Customer.zones, sa.Text),
        "case_opened_on": Case.opened_on, "customer": Customer.source + "|" + Customer.customer_ref,
        "country": Customer.country, "language": Customer.language, "source": Customer.source,
        "arrears_amount": Case.arrears_amount,
    }  # fmt: skip
    statement = (
        sa.select(*(columns[c].label(c) if c in columns else getattr(ContactAttempt, c) for c in _READ))
        .join(Customer, Customer.id == ContactAttempt.customer_id)
        .join(ContactPoint, ContactPoint.id == ContactAttempt.contact_point_id)
        .join(Case, Case.id == ContactAttempt.case_id)
        .where(
            ContactAttempt.channel == Channel.VOICE, ContactAttempt.direction == "outbound",
            ContactAttempt.dispatched_at >= datetime.combine(since, time.min, UTC),
            ContactAttempt.dispatched_at < datetime.combine(until, time.min, UTC),
        )
        .order_by(ContactAttempt.id)
    )  # fmt: skip
    if source is not None:
        statement = statement.where(Customer.source == source)
    found = bulk.read(session, statement, _READ)
    on = pl.col("dispatched_at").dt.date()
    return _with_local_time(found).with_columns(
        on=on, settled_on=pl.col("settled_at").dt.date(), days_in_case=(on - pl.col("case_opened_on")).dt.total_days()
    )


def _with_local_time(found: pl.DataFrame) -> pl.DataFrame:
    """Add ``local_hour`` and ``local_weekday`` by the customer's first zone; one conversion for all of a zone."""
    zoned = found.with_columns(zone=pl.col("zones").str.json_decode(pl.List(pl.String)).list.first())
    local = [pl.lit(None, pl.Int64).alias("local_hour"), pl.lit(None, pl.Int64).alias("local_weekday")]
    parts = [zoned.filter(pl.col("zone").is_null()).with_columns(local)]
    for (zone,), group in zoned.filter(pl.col("zone").is_not_null()).group_by("zone"):
        there = pl.col("dispatched_at").dt.convert_time_zone(str(zone))
        parts.append(
            group.with_columns(
                local_hour=there.dt.hour().cast(pl.Int64), local_weekday=there.dt.weekday().cast(pl.Int64)
            )
        )
    return pl.concat(parts).drop("zone", "zones")


def count_calls(session: Session, *, until: date) -> tuple[int, int]:
    """Count the settled calls to numbers that work, and of them those that somebody answered."""
    answered = sa.func.sum(sa.case((ContactAttempt.outcome.in_(ANSWERED), 1), else_=0))
    rows, events = session.execute(
        sa.select(sa.func.count(), answered).where(
            ContactAttempt.channel == Channel.VOICE, ContactAttempt.direction == "outbound",
            ContactAttempt.settled_at < datetime.combine(until, time.min, UTC),
            ContactAttempt.outcome != Outcome.FAILED,
        )
    ).one()  # fmt: skip
    return rows, events or 0
