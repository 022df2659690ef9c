"""What is derived of accounts, instalments and payments, written back where it differs from what is on record."""

from collections.abc import Mapping
from datetime import date

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.base import Base, table_of
from collections_app.db.tables import Account, Instalment, Payment, PaymentAllocation
from collections_app.domain.delinquency import bucket_of
from collections_app.ledger import frames
from collections_app.services.derivation.facts import FIGURES, Chunk
from strategies.parameters import bucket_bands

_LINES: frames.Schema = {n: t for n, t in frames.DERIVED_ALLOCATIONS.items() if n != "account_id"}


def write_accounts(session: Session, chunk: Chunk, derived: pl.DataFrame, *, as_of: date) -> int:
    """Write the figures (FIGURES) of accounts; return how many changed. The source's own words are left alone."""
    ahead = chunk.later.group_by("account_id").agg(ahead_on=pl.col("from_on").min())
    figures = (
        derived.join(chunk.accounts.select("account_id", "bucket_table"), on="account_id")
        .join(ahead, on="account_id", how="left")
        .with_columns(as_of_on=pl.lit(as_of), next_change_on=pl.min_horizontal("next_change_on", "ahead_on"))
    )
    figures = figures.join(_buckets(figures, as_of=as_of), on=["bucket_table", "dpd"], how="left")
    return _update(session, Account, figures, chunk.accounts, keys={"account_id": "id"}, values=tuple(FIGURES)).height


def _buckets(figures: pl.DataFrame, *, as_of: date) -> pl.DataFrame:
    """Return the bucket of each distinct bucket table and DPD: the one rule is asked once for each."""
    distinct = figures.select("bucket_table", "dpd").unique()
    codes = [bucket_of(dpd, bucket_bands(table, as_of)) for table, dpd in distinct.iter_rows()]
    return distinct.with_columns(bucket=pl.Series(codes, dtype=pl.String))


def write_instalments(session: Session, chunk: Chunk, derived: pl.DataFrame) -> int:
    """Write what is covered of instalments and since when; return how many changed."""
    keys = {name: name for name in ("account_id", "schedule_version", "seq")}
    return _update(
        session, Instalment, derived, chunk.instalments, keys=keys, values=("paid_amount", "closed_on")
    ).height


def write_payments(session: Session, chunk: Chunk, derived: pl.DataFrame, lines: pl.DataFrame) -> int:
    """Write the lines of payments that are laid out in another way than before; return of how many."""
    moved = _update(session, Payment, derived, chunk.payments, keys={"payment_id": "id"}, values=("unapplied_amount",))
    late = _perhaps_relaid(chunk, moved, lines)
    if late.is_empty():
        return 0
    wanted = lines.select(*_LINES).join(late, on="payment_id", how="semi")
    table = table_of(PaymentAllocation)
    asked = bulk.stage(session, "staged_late", late, index=("payment_id",))
    on_record = bulk.read(
        session, sa.select(*(table.c[c] for c in _LINES)).join(asked, asked.c.payment_id == table.c.payment_id), _LINES
    )
    every = list(_LINES)
    gone = on_record.join(wanted, on=every, how="anti").select("payment_id")
    changed = pl.concat([gone, wanted.join(on_record, on=every, how="anti").select("payment_id")]).unique()
    if changed.is_empty():
        return 0
    held = changed.join(on_record, on="payment_id", how="semi")
    if not held.is_empty():
        staged = bulk.stage(session, "staged_relaid", held, index=("payment_id",))
        session.execute(sa.delete(table).where(table.c.payment_id.in_(sa.select(staged.c.payment_id))))
    bulk.insert(session, table, wanted.join(changed, on="payment_id", how="semi").sort("payment_id", "line"))
    return changed.height


def _perhaps_relaid(chunk: Chunk, moved: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Return the payments whose lines may differ from those on record, by ``payment_id``.

    What is valued before ``lines_from`` lies on the oldest dues as before; only what it paid in advance, on dues that
    come later or have no date, can have come to lie elsewhere.
    """
    since = chunk.accounts.select("account_id", "lines_from")
    valued = chunk.payments.join(since, on="account_id").filter(pl.col("value_on") >= pl.col("lines_from"))
    dues = chunk.instalments.select("account_id", "schedule_version", "due_on", instalment_seq="seq")
    ahead = (
        lines.join(dues, on=["account_id", "schedule_version", "instalment_seq"])
        .join(since, on="account_id")
        .filter(pl.col("due_on").is_null() | (pl.col("due_on") >= pl.col("lines_from")))
    )
    return pl.concat([frame.select("payment_id") for frame in (valued, moved, ahead)]).unique()


def _update(
    session: Session,
    entity: type[Base],
    derived: pl.DataFrame,
    on_record: pl.DataFrame,
    *,
    keys: Mapping[str, str],
    values: tuple[str, ...],
) -> pl.DataFrame:
    """Update the rows of a table whose derived values differ from those on record; return their keys.

    ``keys``: column of the frame -> column of the table.
    """
    before = on_record.select(*keys, *(pl.col(c).alias(f"{c}_before") for c in values))
    differs = pl.any_horizontal(*(pl.col(c).ne_missing(pl.col(f"{c}_before")) for c in values))
    changed = derived.join(before, on=list(keys)).filter(differs).select(*keys, *values)
    if changed.is_empty():
        return changed
    table = table_of(entity)
    staged = bulk.stage(session, "staged_derived", changed.sort(list(keys)))
    here = sa.and_(*(table.c[column] == staged.c[name] for name, column in keys.items()))
    session.execute(sa.update(table).where(here).values({c: staged.c[c] for c in values}))
    return changed
