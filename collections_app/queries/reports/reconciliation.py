"""How far sources and ourselves agree, and what was refused: the published figures of a batch (domain brief §8.0)."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import FeedBatch
from collections_app.domain.metrics import ratio
from collections_app.queries.reports.report import Column, Kind, Row, Scope, Table, count, rate

DAYS = 31
TOLERANCE = 0.001
_BATCH = (
    Column("source", "Source", "the system that sent the batch"),
    Column("business_date", "Day", "the day that the batch speaks for", Kind.DATE),
    Column("entity", "Entity", "what the rows are"),
    Column("file_name", "File", "empty in the line of a source's sum"),
)


def _batches(scope: Scope) -> list[sa.ColumnElement[bool]]:
    conditions = [FeedBatch.business_date <= scope.as_of, FeedBatch.business_date > scope.as_of - timedelta(days=DAYS)]
    if scope.known_at is not None:
        conditions.append(FeedBatch.imported_at <= scope.known_at)
    if scope.source:
        conditions.append(FeedBatch.source == scope.source)
    return conditions


def _by_batch(
    session: Session, scope: Scope, *, whole: Any, part: Any, needs: sa.ColumnElement[bool]
) -> list[tuple[Any, ...]]:
    """Return (source, day, entity, file, whole, part): each source's sum first, then its batches, newest first."""
    where = (*_batches(scope), needs)
    sums = session.execute(
        sa.select(FeedBatch.source, sa.func.sum(whole), sa.func.sum(part))
        .where(*where)
        .group_by(FeedBatch.source)
        .order_by(FeedBatch.source)
    ).all()
    batches = session.execute(
        sa.select(FeedBatch.source, FeedBatch.business_date, FeedBatch.entity, FeedBatch.file_name, whole, part)
        .where(*where)
        .order_by(FeedBatch.source, FeedBatch.business_date.desc(), FeedBatch.id.desc())
    ).all()
    found: list[tuple[Any, ...]] = []
    for source, n, hits in sums:
        found.append((source, None, "all", None, int(n), int(hits)))
        found += [tuple(row) for row in batches if row[0] == source]
    return found


def mismatches(session: Session, scope: Scope) -> Table:
    """Return the DPD mismatch rate of each source over the last days, and of each of its batches."""
    columns = (
        *_BATCH, count("compared", "Compared", "accounts whose source counts days past due itself"),
        count("mismatches", "Differ", "accounts where it counts other days than we do"),
        rate("mismatch_rate", "Mismatch rate", "differ / compared; tolerance 0.1 %"),
        Column("verdict", "Verdict", "within the tolerance or above it"),
    )  # fmt: skip
    found = _by_batch(
        session, scope, whole=FeedBatch.dpd_compared, part=FeedBatch.dpd_mismatches, needs=FeedBatch.dpd_compared > 0
    )
    rows: list[Row] = [
        (*row, value := ratio(row[5], row[4]), "above" if (value or 0) > TOLERANCE else "within") for row in found
    ]
    return Table(columns, tuple(rows), (f"Batches of the last {DAYS} days.",))


def quarantine(session: Session, scope: Scope) -> Table:
    """Return the share of refused rows of each source over the last days, and of each of its batches."""
    columns = (
        *_BATCH, count("rows", "Rows", "rows received"), count("quarantined", "Refused", "rows quarantined"),
        rate("quarantine_rate", "Refused rate", "refused / received"),
    )  # fmt: skip
    found = _by_batch(session, scope, whole=FeedBatch.rows, part=FeedBatch.quarantined, needs=FeedBatch.rows > 0)
    return Table(columns, tuple((*row, ratio(row[5], row[4])) for row in found), (f"Batches of the last {DAYS} days.",))
