"""A lender's file, or a manifest of files, into the ledger: whole or not at all, twice is once."""

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.dates import days_between
from collections_app.db.tables import Account, AccountStanding, Episode, FeedBatch, Instalment, Payment, QuarantinedRow
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.errors import InvalidInput
from collections_app.domain.permissions import Permission
from collections_app.intake.entities import ENTITIES
from collections_app.intake.feed import Chunk, FeedFile, ManifestFile, check_against, open_file, read_manifest
from collections_app.intake.mapping import Mapping
from collections_app.intake.rows import Reject
from collections_app.services import ledger
from collections_app.services.loading import Counts, Known, Load, accounts, finish, prepare_frame, warm, write_frame
from collections_app.services.loading.episodes import OPEN

# A batch with a larger share of refused rows is refused whole (domain brief §8.0).
REJECT_LIMIT = 0.005
# Reasons that a refusal names; the others are counted.
_TOLD_REASONS = 5
# Chunks that wait ready while one is written: a large step of writing must not stop the reading.
_READ_AHEAD = 3
# Batches that may tell of accounts: their own file, or one that makes several entities.
_ACCOUNT_FILES = ("accounts", "flat")
# First loads into these tables check their references once for all rows.
_FIRST_LOADS: dict[str, tuple[type[Any], ...]] = {
    "accounts": (Account, AccountStanding, Episode),
    "instalments": (Instalment,),
    "payments": (Payment,),
}


@dataclass(frozen=True)
class ImportResult:
    """What an import did, in rows. ``late``: rows that corrected an earlier time; ``absent``: open accounts that a
    full file did not name; ``dpd_mismatches``: of ``dpd_compared`` accounts those whose source counts other days."""

    rows: int = 0
    accepted: int = 0
    quarantined: int = 0
    unchanged: int = 0
    late: int = 0
    absent: int = 0
    accounts_new: int = 0
    accounts_updated: int = 0
    episodes_opened: int = 0
    episodes_cured: int = 0
    dpd_compared: int = 0
    dpd_mismatches: int = 0
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as a plain dict."""
        return asdict(self)

    def plus(self, other: "ImportResult") -> "ImportResult":
        """Add two results."""
        mine, theirs = asdict(self), asdict(other)
        return ImportResult(**{k: mine[k] + theirs[k] for k in mine})


@dataclass
class Reading:
    """A file on its way in: what was written of it and what was refused."""

    counts: Counts = field(default_factory=Counts)
    accounts: Counts = field(default_factory=Counts)
    rejects: list[Reject] = field(default_factory=list)
    refused: int = 0


@dataclass(frozen=True)
class Imported:
    """A file that was read to its end; ``batch`` None: it had been imported before."""

    batch: FeedBatch | None
    result: ImportResult
    rejects: list[Reject]


@dataclass(frozen=True)
class Delivery:
    """Who delivers, for which day, by which mapping; what part of the rows may be refused."""

    source: str
    mapping: Mapping
    business_date: date
    reject_limit: float
    corrects_id: int | None = None


def import_file(
    uow: UnitOfWork, *, path: Path, mapping: Mapping, business_date: date, reject_limit: float = REJECT_LIMIT
) -> ImportResult:
    """Import a data file or a manifest (.json) for a business date. Raise InvalidInput and load nothing on refusal.

    All files of a manifest are one transaction, the caller's: killed at any moment it leaves nothing, and the same
    call again does the whole. What was imported already (by digest) is skipped. Imports of one source queue.
    """
    uow.actor.require(Permission.FEED_IMPORT)
    started = time.perf_counter()
    if path.suffix == ".json":
        manifest = read_manifest(path, business_date)
        delivery = Delivery(manifest.source or mapping.source, mapping, business_date, reject_limit)
        result = _import_all(uow, delivery, manifest.files)
    else:
        delivery = Delivery(mapping.source, mapping, business_date, reject_limit)
        result = _import_all(uow, delivery, (path,))
    return ImportResult(**{**asdict(result), "seconds": round(time.perf_counter() - started, 3)})


def _import_all(uow: UnitOfWork, delivery: Delivery, files: tuple[ManifestFile | Path, ...]) -> ImportResult:
    uow.queue_up(f"intake {delivery.source}")
    known = Known(uow.session, delivery.source)
    result = ImportResult()
    with whole_or_nothing(uow), known.copier:
        last: FeedBatch | None = None
        skipped = False
        for promised in files:
            done = import_one(uow, delivery, known, promised)
            result = result.plus(done.result)
            skipped |= done.batch is None
            if done.batch is not None:
                quarantine(uow, done.batch.id, done.rejects)
                last = done.batch if done.batch.entity in _ACCOUNT_FILES else last
        # Who is absent can be told only by a delivery that was read whole.
        if last is not None and last.mode == "full" and not skipped:
            load = Load(uow, known, delivery.mapping, delivery.business_date, last.id)
            last.absent = accounts.absent(load)
            result = result.plus(ImportResult(absent=last.absent))
    if last is not None:
        ledger.catch_up(uow.session, business_date=delivery.business_date, source=delivery.source)
    return result


def reconcile(uow: UnitOfWork, *, business_date: date) -> dict[str, int]:
    """Compare what each source that delivered for a day counts as days past due with the derived ledger (§8.0).

    To be called once the ledger stands at that day. Every open account counts of which the source ever told a count.
    One that a delta has not named since is as it was: its count has grown by the days that went by. The figures are
    written on the source's last batch of the day and stand on no other batch of that day. A file that came late is
    not compared: the ledger stands at a later day than it counts for.
    """
    uow.actor.require(Permission.FEED_IMPORT)
    if (ledger.stands_at(uow.session) or business_date) > business_date:
        return {"compared": 0, "mismatches": 0}
    batch, account = table_of(FeedBatch), table_of(Account)
    of_day = (batch.c.business_date == business_date, batch.c.entity.in_(_ACCOUNT_FILES))
    last = sa.select(sa.func.max(batch.c.id)).where(*of_day).group_by(batch.c.source)
    compared = mismatches = 0
    for row in uow.session.scalars(sa.select(FeedBatch).where(FeedBatch.id.in_(last))).all():
        of_source = (*of_day, batch.c.source == row.source)
        uow.session.execute(
            sa.update(batch).where(*of_source, batch.c.id != row.id).values(dpd_compared=0, dpd_mismatches=0)
        )
        grown: sa.ColumnElement[int] = account.c.dpd_source
        if row.mode == "delta":
            first = sa.select(sa.func.min(batch.c.imported_at)).where(*of_source).scalar_subquery()
            since = days_between(sa.func.date(account.c.valid_from), sa.literal(business_date, sa.Date()))
            grown = sa.case(
                (sa.and_(grown > 0, account.c.recorded_at < first, since > 0), grown + since),
                else_=grown,
            )
        counted = sa.select(sa.func.count()).where(
            account.c.source == row.source, account.c.dpd_source.is_not(None), account.c.status.in_(OPEN)
        )
        row.dpd_compared = uow.session.scalar(counted) or 0
        row.dpd_mismatches = uow.session.scalar(counted.where(account.c.dpd != grown)) or 0
        compared, mismatches = compared + row.dpd_compared, mismatches + row.dpd_mismatches
    return {"compared": compared, "mismatches": mismatches}


@contextmanager
def whole_or_nothing(uow: UnitOfWork) -> Iterator[None]:
    """Take everything back at an error, so that a caller who catches it cannot commit half of a delivery."""
    try:
        yield
    except BaseException:
        uow.session.rollback()
        raise


def import_one(
    uow: UnitOfWork, delivery: Delivery, known: Known, what: ManifestFile | Path, *, entity: str | None = None
) -> Imported:
    """Read one file to its end and write it. The refused rows are the caller's to keep."""
    promised = what if isinstance(what, ManifestFile) else None
    path = what.path if isinstance(what, ManifestFile) else what
    file = open_file(
        path,
        delivery.mapping,
        delivery.business_date,
        entity=promised.entity if promised else entity,
        totals_of=promised.sums if promised else (),
    )
    if promised and file.sha256 != promised.sha256:
        check_against(promised, file)
    before = _imported_before(uow, delivery, file)
    if before is not None:
        told = ImportResult(
            rows=before.rows, accepted=before.accepted, quarantined=before.quarantined, unchanged=before.accepted
        )
        return Imported(None, told, [])
    mode = promised.mode if promised else "full" if "_full" in path.name and not delivery.corrects_id else "delta"
    batch = _open_batch(uow, delivery, file, mode)
    known.next_file()
    rows = promised.rows if promised else 0
    load = Load(uow, known, delivery.mapping, delivery.business_date, batch.id, mode, rows)
    read = _write(load, file, delivery.reject_limit, promised)
    if promised:
        check_against(promised, file, amount_columns=file.amount_columns)
    if read.refused > delivery.reject_limit * file.rows:
        raise InvalidInput(_explain(file, read, delivery.reject_limit), code="too_many_rejects")
    known.copier.drain()
    batch.rows, batch.accepted, batch.quarantined = file.rows, file.rows - read.refused, read.refused
    batch.unchanged = read.counts.unchanged
    batch.dpd_compared, batch.dpd_mismatches = read.counts.dpd_compared, read.counts.dpd_mismatches
    result = ImportResult(
        rows=batch.rows,
        accepted=batch.accepted,
        quarantined=batch.quarantined,
        unchanged=batch.unchanged,
        late=read.counts.late,
        accounts_new=read.accounts.new,
        accounts_updated=read.accounts.changed,
        episodes_opened=read.accounts.episodes_opened,
        episodes_cured=read.accounts.episodes_cured,
        dpd_compared=batch.dpd_compared,
        dpd_mismatches=batch.dpd_mismatches,
    )
    return Imported(batch, result, read.rejects)


def _imported_before(uow: UnitOfWork, delivery: Delivery, file: FeedFile) -> FeedBatch | None:
    return uow.session.scalar(
        sa.select(FeedBatch).where(
            FeedBatch.source == delivery.source,
            FeedBatch.entity == file.entity,
            FeedBatch.sha256 == file.sha256,
            FeedBatch.business_date == delivery.business_date,
        )
    )


def _open_batch(uow: UnitOfWork, delivery: Delivery, file: FeedFile, mode: str) -> FeedBatch:
    batch = FeedBatch(
        source=delivery.source,
        entity=file.entity,
        mapping=delivery.mapping.name,
        mapping_version=delivery.mapping.version,
        mode=mode,
        business_date=delivery.business_date,
        file_name=file.path.name,
        sha256=file.sha256,
        rows=0,
        accepted=0,
        quarantined=0,
        unchanged=0,
        corrects_id=delivery.corrects_id,
        imported_at=uow.now,
    )
    uow.session.add(batch)
    uow.session.flush()  # the rows below carry the batch's id
    return batch


def _write(load: Load, file: FeedFile, limit: float, promised: ManifestFile | None) -> Reading:
    read = Reading()
    with ExitStack() as stack:
        chunks = _ahead(file.chunks(), load.mapping, load.business_date, stack)
        warm(load, file.entity)
        tables = [table_of(t) for t in _FIRST_LOADS.get(file.entity, ())]
        if tables and not load.session.scalar(sa.select(sa.exists(sa.select(sa.literal(1)).select_from(tables[0])))):
            # New accounts come by reference and are looked up by none; of the others what came before is looked up.
            stack.enter_context(load.known.copier.first_load(*tables, indexes=file.entity == "accounts"))
        for chunk in chunks:
            _write_chunk(load, chunk, read)
            if promised and read.refused > limit * promised.rows:
                # It will be refused whole: the rest is read for its count and reasons only.
                for rest in chunks:
                    read.refused += rest.refused_rows
                break
        left = finish(load)
        read.refused += len({r.line for r in left.rejects})
        read.rejects += left.rejects
        read.counts, read.accounts = read.counts.plus(left), read.accounts.plus(left)
        load.known.copier.drain()
    return read


def _ahead(chunks: Iterator[Chunk], mapping: Mapping, business_date: date, stack: ExitStack) -> Iterator[Chunk]:
    """Return chunks, the next ones read, typed and hashed by a second thread while one is written."""

    def take() -> Chunk | None:
        chunk = next(chunks, None)
        if chunk is None:
            return None
        frames = {
            name: prepare_frame(name, frame, mapping=mapping, business_date=business_date)
            for name, frame in chunk.frames.items()
        }
        return replace(chunk, frames=frames)

    reader = stack.enter_context(ThreadPoolExecutor(max_workers=1))
    # Begun at once, not when the first chunk is asked for.
    coming = deque(reader.submit(take) for _ in range(_READ_AHEAD))

    def taken() -> Iterator[Chunk]:
        while (chunk := coming.popleft().result()) is not None:
            coming.append(reader.submit(take))
            yield chunk

    return taken()


def _write_chunk(load: Load, chunk: Chunk, read: Reading) -> None:
    rejects = list(chunk.rejects)
    for entity in (e for e in ENTITIES if e in chunk.frames):
        counts = write_frame(load, entity, chunk.frames[entity])
        rejects += counts.rejects
        read.counts = read.counts.plus(counts)
        if entity == "accounts":
            read.accounts = read.accounts.plus(counts)
    read.refused += len({r.line for r in rejects})
    read.rejects += rejects


def quarantine(uow: UnitOfWork, batch_id: int, rejects: list[Reject]) -> None:
    """Keep refused rows: where and why, the value itself as a digest only."""
    rows = [(batch_id, r.line, r.column[:128], r.reason[:300], r.value_digest) for r in rejects]
    schema = {
        "batch_id": pl.Int64,
        "line": pl.Int64,
        "column": pl.String,
        "reason": pl.String,
        "value_digest": pl.String,
    }
    bulk.insert(uow.session, table_of(QuarantinedRow), pl.DataFrame(rows, schema=schema, orient="row"))


def _explain(file: FeedFile, read: Reading, limit: float) -> str:
    told = sorted(read.rejects, key=lambda r: (r.line, r.column))[:_TOLD_REASONS]
    first = "; ".join(f"line {r.line}, column {r.column!r} {r.reason}" for r in told)
    more = f" and {len(read.rejects) - len(told)} more" if len(read.rejects) > len(told) else ""
    return (
        f"{file.path}: {read.refused} of {file.rows} rows refused, more than {limit:.1%} allowed; "
        f"nothing was loaded. {first}{more}"
    )
