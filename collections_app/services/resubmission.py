"""Refused rows out for correction, and back in: each row says which refused line it corrects."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import FeedBatch, QuarantinedRow
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.errors import InvalidInput, NotFound
from collections_app.domain.permissions import Permission
from collections_app.intake.mapping import Mapping
from collections_app.intake.reading import open_rows
from collections_app.intake.refused import X_LINE, write_refused
from collections_app.intake.rows import LINE, RawChunk
from collections_app.services import ledger
from collections_app.services.intake import (
    Delivery,
    Imported,
    ImportResult,
    import_one,
    quarantine,
    whole_or_nothing,
)
from collections_app.services.loading import Known


def export(session: Session, *, batch_id: int, original: Path, out: Path, mapping: Mapping) -> int:
    """Write the rows of a batch that still wait, as they lie in the original file, with line and reason.

    Returns how many. Raise InvalidInput when the file is not the one that was imported, NotFound when there is no
    such batch.
    """
    batch = _batch(session, batch_id)
    rows = open_rows(original, delimiter=mapping.delimiter, encoding=mapping.encoding)
    if rows.sha256 != batch.sha256:
        raise InvalidInput(f"{original}: not the file of batch {batch_id} ({batch.file_name}); its digest differs")
    return write_refused(original, out, _waiting(session, batch_id), mapping=mapping)


def resubmit(uow: UnitOfWork, *, batch_id: int, path: Path, mapping: Mapping) -> ImportResult:
    """Import corrected rows of a batch: accepted ones resolve the lines they name, others wait for their new reason.

    Each row must carry ``x_line`` of a line of the batch that still waits. Raise InvalidInput, with nothing loaded,
    when a row does not, or when none is accepted; NotFound when there is no such batch.
    """
    uow.actor.require(Permission.FEED_IMPORT)
    session = uow.session
    batch = _batch(session, batch_id)
    uow.queue_up(f"intake {batch.source}")
    lines = _named_lines(path, mapping, waiting=_waiting(session, batch_id), batch_id=batch_id)
    delivery = Delivery(batch.source, mapping, batch.business_date, reject_limit=1.0, corrects_id=batch.id)
    with whole_or_nothing(uow):
        new, done = _import(uow, delivery, path, entity=None if batch.entity == "flat" else batch.entity)
    refused = {reject.line for reject in done.rejects}
    _resolve(session, batch_id, [x for line, x in lines.items() if line not in refused], by=new.id)
    # What was refused again waits where it waited, for its newest reason.
    again = [lines[line] for line in refused]
    session.execute(sa.delete(QuarantinedRow).where(_of_lines(batch_id, again)))
    quarantine(uow, batch_id, [replace(reject, line=lines[reject.line]) for reject in done.rejects])
    ledger.catch_up(session, business_date=batch.business_date, source=batch.source)
    return done.result


def _import(uow: UnitOfWork, delivery: Delivery, path: Path, *, entity: str | None) -> tuple[FeedBatch, Imported]:
    known = Known(uow.session, delivery.source)
    with known.copier:
        done = import_one(uow, delivery, known, path, entity=entity)
    if done.batch is None:
        raise InvalidInput(f"{path}: this file was imported already")
    if done.result.accepted == 0:
        first = min(done.rejects, key=lambda r: (r.line, r.column))
        raise InvalidInput(
            f"{path}: none of {done.result.rows} rows is accepted; nothing was loaded. "
            f"line {first.line}, column {first.column!r} {first.reason}",
            code="too_many_rejects",
        )
    return done.batch, done


def _batch(session: Session, batch_id: int) -> FeedBatch:
    batch = session.get(FeedBatch, batch_id)
    if batch is None:
        raise NotFound(f"there is no batch {batch_id}")
    return batch


def _waiting(session: Session, batch_id: int) -> dict[int, str]:
    """Return the lines of a batch that wait for correction, in order, with their reasons in one sentence."""
    rows = session.execute(
        sa.select(QuarantinedRow.line, QuarantinedRow.column, QuarantinedRow.reason)
        .where(QuarantinedRow.batch_id == batch_id, QuarantinedRow.resolved_by_id.is_(None))
        .order_by(QuarantinedRow.line, QuarantinedRow.id)
    )
    reasons: dict[int, list[str]] = {}
    for line, column, reason in rows:
        reasons.setdefault(line, []).append(f"{column} {reason}")
    return {line: "; ".join(found) for line, found in reasons.items()}


def _named_lines(path: Path, mapping: Mapping, *, waiting: Collection[int], batch_id: int) -> dict[int, int]:
    """Return for each line of a corrected file the line that it corrects."""
    rows = open_rows(path, delimiter=mapping.delimiter, encoding=mapping.encoding)
    if X_LINE not in rows.header:
        raise InvalidInput(f"{path}: line 1: column {X_LINE!r} is missing; it names the line that a row corrects")
    named: dict[int, int] = {}
    seen: set[int] = set()
    for line, text in _texts(rows.chunks(frozenset())):
        if not text.isdecimal():
            raise InvalidInput(f"{path}: line {line}: {X_LINE} is not a line number")
        if int(text) not in waiting:
            raise InvalidInput(f"{path}: line {line}: line {text} of batch {batch_id} does not wait for correction")
        if int(text) in seen:
            raise InvalidInput(f"{path}: line {line}: line {text} is corrected twice")
        seen.add(int(text))
        named[line] = int(text)
    return named


def _texts(chunks: Iterator[RawChunk]) -> Iterator[tuple[int, str]]:
    for chunk in chunks:
        told = pl.col(X_LINE).cast(pl.String).fill_null("").str.strip_chars()
        yield from chunk.frame.select(LINE, told).iter_rows()


def _of_lines(batch_id: int, lines: Collection[int]) -> sa.ColumnElement[bool]:
    return sa.and_(
        QuarantinedRow.batch_id == batch_id, QuarantinedRow.resolved_by_id.is_(None), QuarantinedRow.line.in_(lines)
    )


def _resolve(session: Session, batch_id: int, lines: Collection[int], *, by: int) -> None:
    session.execute(sa.update(QuarantinedRow).where(_of_lines(batch_id, lines)).values(resolved_by_id=by))
