"""A lender's file, or a manifest of files, into the ledger: whole or not at all, twice is once."""

import time
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import FeedBatch, QuarantinedRow
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.errors import InvalidInput
from collections_app.domain.permissions import Permission
from collections_app.intake.feed import (
    ManifestFile,
    ParsedFile,
    check_against,
    parse_file,
    read_manifest,
)
from collections_app.intake.mapping import Mapping
from collections_app.intake.reading import LINE, Reject
from collections_app.services import ledger
from strategies.parameters import bucket_bands

# A batch with a larger share of refused rows is refused whole (domain brief §8.0).
REJECT_LIMIT = 0.005


@dataclass(frozen=True)
class ImportResult:
    """What an import did. ``dpd_mismatches``: accounts whose source counts other days past due than we do."""

    rows: int = 0
    accepted: int = 0
    quarantined: int = 0
    unchanged: int = 0
    accounts_new: int = 0
    accounts_updated: int = 0
    episodes_opened: int = 0
    episodes_cured: int = 0
    dpd_mismatches: int = 0
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as a plain dict."""
        return asdict(self)

    def plus(self, other: "ImportResult") -> "ImportResult":
        """Add two results."""
        mine, theirs = asdict(self), asdict(other)
        return ImportResult(**{k: mine[k] + theirs[k] for k in mine})


def import_file(
    uow: UnitOfWork, *, path: Path, mapping: Mapping, business_date: date, reject_limit: float = REJECT_LIMIT
) -> ImportResult:
    """Import a data file or a manifest.json for a business date. Raise InvalidInput and load nothing on refusal."""
    uow.actor.require(Permission.FEED_IMPORT)
    started = time.perf_counter()
    if path.name.endswith("manifest.json"):
        source, files = read_manifest(path, business_date)
        result = ImportResult()
        for promised in files:
            step = _import_one(
                uow, promised.path, mapping, business_date, source or mapping.source, reject_limit, promised
            )
            result = result.plus(step)
    else:
        result = _import_one(uow, path, mapping, business_date, mapping.source, reject_limit, None)
    return ImportResult(**{**asdict(result), "seconds": round(time.perf_counter() - started, 3)})


def _import_one(
    uow: UnitOfWork,
    path: Path,
    mapping: Mapping,
    business_date: date,
    source: str,
    reject_limit: float,
    promised: ManifestFile | None,
) -> ImportResult:
    parsed = parse_file(
        path,
        mapping,
        business_date,
        entity=promised.entity if promised else None,
        totals_of=promised.sums if promised else (),
    )
    if promised is not None:
        check_against(promised, parsed)
    before = uow.session.scalar(
        sa.select(FeedBatch).where(
            FeedBatch.source == source,
            FeedBatch.entity == parsed.entity,
            FeedBatch.sha256 == parsed.sha256,
            FeedBatch.business_date == business_date,
        )
    )
    if before is not None:
        return ImportResult(
            rows=before.rows,
            accepted=before.accepted,
            quarantined=before.quarantined,
            unchanged=before.accepted,
        )
    frames, rejects = _refuse_orphans(uow, parsed, source)
    refused = {r.line for r in rejects}
    if len(refused) > reject_limit * parsed.rows:
        raise InvalidInput(_explain(parsed, rejects, reject_limit), code="too_many_rejects")
    accepted = parsed.rows - len(refused)
    batch = FeedBatch(
        source=source,
        entity=parsed.entity,
        mapping=mapping.name,
        mapping_version=mapping.version,
        business_date=business_date,
        file_name=path.name,
        sha256=parsed.sha256,
        rows=parsed.rows,
        accepted=accepted,
        quarantined=len(refused),
        unchanged=0,
        imported_at=uow.now,
    )
    uow.session.add(batch)
    uow.session.flush()  # the rows below carry the batch's id
    _quarantine(uow, batch.id, rejects)
    result = _write(uow, frames, mapping, source, business_date, batch.id)
    unchanged = max(0, accepted - result.accounts_new - result.accounts_updated) if "accounts" in frames else 0
    batch.unchanged = unchanged
    return result.plus(ImportResult(rows=parsed.rows, accepted=accepted, quarantined=len(refused), unchanged=unchanged))


def _write(
    uow: UnitOfWork,
    frames: dict[str, pl.DataFrame],
    mapping: Mapping,
    source: str,
    business_date: date,
    batch_id: int,
) -> ImportResult:
    session = uow.session
    result = ImportResult()
    if "customers" in frames:
        ledger.write_customers(session, frames["customers"].drop(LINE), source=source)
    if "accounts" in frames:
        book = ledger.delinquency(
            frames["accounts"].drop(LINE), bands=bucket_bands(mapping.bucket_table), as_of=business_date
        )
        new, updated = ledger.write_accounts(
            session,
            book,
            source=source,
            bucket_table=mapping.bucket_table,
            business_date=business_date,
            batch_id=batch_id,
            now=uow.now,
        )
        opened, cured = ledger.refresh_episodes(session, business_date=business_date, source=source)
        wrong = book.filter(pl.col("dpd_source").is_not_null() & (pl.col("dpd_source") != pl.col("dpd"))).height
        result = ImportResult(
            accounts_new=new,
            accounts_updated=updated,
            episodes_opened=opened,
            episodes_cured=cured,
            dpd_mismatches=wrong,
        )
    if "contact_points" in frames:
        ledger.write_contact_points(session, frames["contact_points"].drop(LINE), source=source)
    if "cycles" in frames:
        ledger.write_cycles(session, frames["cycles"].drop(LINE), source=source)
    if "payments" in frames:
        ledger.write_payments(session, frames["payments"].drop(LINE), source=source, batch_id=batch_id)
    if "signals" in frames:
        ledger.write_signals(session, frames["signals"].drop(LINE), source=source, business_date=business_date)
    if "labels" in frames:
        ledger.write_labels(
            session, frames["labels"].drop(LINE), source=source, business_date=business_date, now=uow.now
        )
    return result


def _refuse_orphans(uow: UnitOfWork, parsed: ParsedFile, source: str) -> tuple[dict[str, pl.DataFrame], list[Reject]]:
    """Refuse rows that name a customer or account which neither this file nor the ledger knows."""
    rejects = list(parsed.rejects)
    frames = dict(parsed.frames)
    for name, frame in parsed.frames.items():
        column = "account_ref" if name in ("payments", "cycles", "labels") else "customer_ref"
        if name in ("customers",) or column.removesuffix("_ref") + "s" in parsed.frames or frame.is_empty():
            continue
        unknown = ledger.unknown_refs(uow.session, frame, source=source, column=column)
        if unknown:
            bad = pl.col(column).is_in(list(unknown))
            noun = column.removesuffix("_ref")
            rejects += [Reject(line, column, f"names an unknown {noun}") for line in frame.filter(bad)[LINE]]
            frames[name] = frame.filter(~bad)
    return frames, rejects


def _quarantine(uow: UnitOfWork, batch_id: int, rejects: list[Reject]) -> None:
    rows = [(batch_id, r.line, r.column[:128], r.reason[:300], r.value_digest) for r in rejects]
    schema = {
        "batch_id": pl.Int64,
        "line": pl.Int64,
        "column": pl.String,
        "reason": pl.String,
        "value_digest": pl.String,
    }
    bulk.insert(uow.session, table_of(QuarantinedRow), pl.DataFrame(rows, schema=schema, orient="row"))


def _explain(parsed: ParsedFile, rejects: list[Reject], limit: float) -> str:
    first = "; ".join(f"line {r.line}, column {r.column!r} {r.reason}" for r in rejects[:5])
    refused = len({r.line for r in rejects})
    more = f" and {len(rejects) - 5} more" if len(rejects) > 5 else ""
    return (
        f"{parsed.path}: {refused} of {parsed.rows} rows refused, more than {limit:.1%} allowed; "
        f"nothing was loaded. {first}{more}"
    )
