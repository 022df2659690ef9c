"""Accounts by difference: only what is new or changed reaches the database; what was told before stays readable.

The held references with their hashes are read once; each told row is then new (copied straight into its table),
changed (the version it replaces goes to ``account_history``), late (it speaks of an earlier time than what is held:
it goes to ``account_history`` itself) or unchanged (nothing is sent).
"""

from collections.abc import Iterable
from datetime import date
from typing import Any

import polars as pl
import sqlalchemy as sa

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import Account, AccountHistory, AccountStanding, Customer
from collections_app.intake.mapping import Mapping
from collections_app.queries.as_of import SPANS, standings_as_of
from collections_app.services import ledger, standings
from collections_app.services.loading import episodes
from collections_app.services.loading.known import INSTANT, Counts, Load, completed, refused, since
from collections_app.services.loading.terms import TERMS, row_hash, stood

_VERSION = (*TERMS, "valid_from", "recorded_at", "row_hash")
_HELD = ("account_id", "row_hash", "valid_from", "basis", "status", "dpd", "as_of_on", "schedule_version", "currency")
_CONVERTED = "is not the currency of the account so far; a debt in another currency is another account"
# Changed rows that are written in one step.
_AT_ONCE = 30_000
_OF_VERSION = ("valid_from", "recorded_at", "customer_id")
_STATE = ("dpd", "is_ageing", "arrears_amount", "balance_amount", "limit_amount", "status")
_OWN = ("oldest_unpaid_due_on", "dpd", "bucket", "arrears_amount", "is_ageing")


def prepare(mapping: Mapping, business_date: date, frame: pl.DataFrame) -> pl.DataFrame:
    """Complete told accounts: every told column, since when it is so, the hash, and how the account stands by them.

    Needs no database, so that it can be done for the next rows while these are written.
    """
    told = completed(since(frame, business_date), TERMS)
    if mapping.profile:
        told = told.with_columns(pl.col("profile").fill_null(mapping.profile))
    told = told.with_columns(row_hash(told))
    return stood(told, bucket_table=mapping.bucket_table, as_of=business_date)


def write(load: Load, frame: pl.DataFrame) -> Counts:
    """Write told accounts (columns of intake entity ``accounts`` and ``_line``); return what was new or changed."""
    told = frame if "row_hash" in frame.columns else prepare(load.mapping, load.business_date, frame)
    if load.mode == "full":
        load.known.named.append(told["account_ref"])
    named = load.known.held_accounts(told["account_ref"])
    if named.is_empty():
        fresh, held, converted = told, None, told["_line"].clear()
    else:
        both = told.join(named.select("account_ref", *(pl.col(c).alias(f"held_{c}") for c in _HELD)),
                         on="account_ref", how="left", maintain_order="left")  # fmt: skip
        fresh = both.filter(pl.col("held_account_id").is_null())
        held = both.filter(pl.col("held_account_id").is_not_null())
        # All money of an account is of one currency (domain brief §8.20): what was due and paid stays in the old one.
        other = pl.col("currency") != pl.col("held_currency")
        converted, held = held.filter(other)["_line"], held.filter(~other)
    owned, orphans = load.of_customers(fresh)
    rejects = (*orphans, *refused(converted, "currency", _CONVERTED))
    counts = Counts(new=owned.height, rejects=rejects).plus(_add(load, owned)).plus(_compared(load, told, held))
    return counts if held is None or held.is_empty() else counts.plus(_again(load, held))


def _add(load: Load, fresh: pl.DataFrame) -> Counts:
    """Copy accounts that are new straight into their table, each with its first standing and episode."""
    if fresh.is_empty():
        return Counts()
    # In order of the key, so that the index grows at its end.
    fresh = fresh.sort("account_ref")
    account = table_of(Account)
    ids = load.known.take_ids(account, fresh.height, expected=load.rows)
    fresh = fresh.with_columns(ids.alias("account_id"))
    written = {"id": "account_id", **{c: c for c in ("account_ref", "customer_id", *TERMS, *_OWN)}}
    row = fresh.select(
        *(pl.col(name).alias(column) for column, name in written.items()),
        pl.col("valid_from"),
        pl.lit(load.now, INSTANT).alias("recorded_at"),
        pl.col("row_hash"),
        pl.lit(load.source).alias("source"),
        pl.lit(load.mapping.bucket_table).alias("bucket_table"),
        pl.lit(load.business_date).alias("as_of_on"),
    )
    # Columns in which nothing is told need not travel.
    load.known.copier.add(account, row.select(c.name for c in row.iter_columns() if c.null_count() < row.height))
    load.known.copier.add(
        table_of(AccountStanding),
        fresh.select(
            "account_id",
            pl.lit(load.business_date).alias("from_on"),
            pl.lit(load.now, INSTANT).alias("known_from"),
            pl.lit(load.batch_id).alias("batch_id"),
            *_STATE,
        ),
    )
    load.known.add_accounts(
        fresh.with_columns(
            pl.lit("source").alias("basis"), pl.lit(load.business_date).alias("as_of_on"),
            pl.lit(0).alias("schedule_version"),
        )
    )  # fmt: skip
    return episodes.begin(load, fresh)


def _again(load: Load, held: pl.DataFrame) -> Counts:
    """Write what differs of accounts that are held already."""
    same = pl.col("row_hash") == pl.col("held_row_hash")
    late = pl.col("valid_from") < pl.col("held_valid_from")
    earlier, changed = held.filter(late), held.filter(~late & ~same)
    retold = held.filter(~late & same & _is_news(load))
    if not earlier.is_empty():
        load.known.copier.drain()
    added = _add_late(load, earlier)
    waiting = pl.concat([changed.with_columns(pl.lit(value=True).alias("is_version")),
                         retold.with_columns(pl.lit(value=False).alias("is_version"))])  # fmt: skip
    _derive_again(load, pl.concat([waiting.drop("is_version"), earlier]))
    if not waiting.is_empty():
        load.known.pending.append(waiting)
    counts = Counts(unchanged=held.height - added - changed.height, late=added)
    return counts.plus(finish(load, at_least=_AT_ONCE))


def finish(load: Load, *, at_least: int = 1) -> Counts:
    """Write the changed rows that wait, if they are so many: in few steps, since each looks at the whole table."""
    if sum(frame.height for frame in load.known.pending) < at_least:
        return Counts()
    news = pl.concat(load.known.pending)
    load.known.pending.clear()
    load.known.copier.drain()
    news, orphans = load.of_customers(news)
    load.known.changed_in_place()
    changed = int(news["is_version"].sum())
    return Counts(changed=changed, rejects=tuple(orphans)).plus(_replace(load, news))


def _is_news(load: Load) -> pl.Expr:
    """Tell whether the same words as before say something else by now.

    A bare count that stands still does: days went by and it did not grow. So does a due date that has come by, and
    one of an account that does not age by itself.
    """
    bare = pl.col("due_source_on").is_null() & (pl.col("dpd_source") > 0)
    falls_due = (pl.col("dpd") >= 1) & (pl.col("held_dpd") == 0)
    alone = (pl.col("status") != "active") & pl.col("status").is_in(episodes.OPEN)
    moved = pl.col("dpd") != pl.col("held_dpd")
    later = pl.col("held_as_of_on") < pl.lit(load.business_date)
    return later & (pl.col("held_basis") == "source") & (bare | falls_due | (alone & moved))


def _staged(load: Load, frame: pl.DataFrame, *more: str) -> sa.Table:
    picked = frame.select(pl.col("held_account_id").alias("account_id"), *TERMS, "valid_from", "row_hash", *more)
    return bulk.stage(load.session, "staged_account", picked, index=("account_id",))


def _terms(load: Load, staged: sa.Table) -> dict[str, Any]:
    columns: dict[str, Any] = {c: staged.c[c] for c in (*TERMS, "valid_from", "row_hash")}
    columns["itemization"] = bulk.as_json(load.session, staged.c.itemization)
    columns["recorded_at"] = sa.literal(load.now, table_of(Account).c.recorded_at.type)
    return columns


def _add_late(load: Load, earlier: pl.DataFrame) -> int:
    """Keep what is told of an earlier time beside what is held; the same word twice is one row."""
    if earlier.is_empty():
        return 0
    history = table_of(AccountHistory)
    staged = _staged(load, earlier)
    known = sa.exists().where(
        history.c.account_id == staged.c.account_id,
        history.c.valid_from == staged.c.valid_from,
        history.c.row_hash == staged.c.row_hash,
    )
    columns = {"account_id": staged.c.account_id, **_terms(load, staged)}
    return bulk.affected(
        load.session,
        sa.insert(history).from_select(
            list(columns), sa.select(*(e.label(n) for n, e in columns.items())).select_from(staged).where(~known)
        ),
    )


def _replace(load: Load, news: pl.DataFrame) -> Counts:
    """Put new versions in place of the held ones, which go to history; write how the accounts then stand."""
    session, account, history = load.session, table_of(Account), table_of(AccountHistory)
    staged = _staged(load, news, *_OWN, "customer_id", "is_version")
    old = {"account_id": account.c.id, **{c: account.c[c] for c in _VERSION}}
    versions = sa.select(*(e.label(n) for n, e in old.items())).join(staged, staged.c.account_id == account.c.id)
    session.execute(sa.insert(history).from_select(list(old), versions.where(staged.c.is_version)))
    # One statement, one new row version: what only stands differently keeps the version it was told with.
    told = {**_terms(load, staged), "customer_id": staged.c.customer_id}
    told |= {c: sa.case((staged.c.is_version, told[c]), else_=account.c[c]) for c in _OF_VERSION}
    own: dict[str, Any] = {c: staged.c[c] for c in _OWN}
    own |= {"as_of_on": sa.literal(load.business_date, sa.Date()), "bucket_table": load.mapping.bucket_table}
    own = {c: sa.case((account.c.basis == "source", e), else_=account.c[c]) for c, e in own.items()}
    session.execute(sa.update(account).where(account.c.id == staged.c.account_id).values(told | own))
    _stand(load, staged)
    return episodes.follow(load, staged)


def _stand(load: Load, staged: sa.Table) -> None:
    """Write a new standing of staged accounts where more than time has passed since the last one."""
    account, before = table_of(Account), standings_as_of(load.business_date, among=staged)
    told = ("dpd", "arrears_amount", "balance_amount", "limit_amount", "status")
    now = (
        sa.select(
            account.c.id.label("account_id"),
            sa.literal(load.business_date, sa.Date()).label("from_on"),
            *(account.c[c] for c in (*told, "is_ageing")),
        )
        .join(staged, staged.c.account_id == account.c.id)
        .where(account.c.basis == "source")
    )
    # Compared here, not in SQL: a planner that guesses few rows would loop over the standings.
    key = ("account_id", *told)
    held = bulk.read(load.session, sa.select(*(before.c[c] for c in key)), {c: SPANS[c] for c in key})
    schema = {c: SPANS[c] for c in ("account_id", "from_on", *told, "is_ageing")}
    news = bulk.read(load.session, now, schema).join(held, on=key, how="anti", nulls_equal=True)
    spans = bulk.stage(load.session, "staged_standing", news, index=("account_id",))
    standings.write(load.session, spans, now=load.now, batch_id=load.batch_id)


def _derive_again(load: Load, told: pl.DataFrame) -> None:
    """With a schedule DPD are ours: other terms, balances or statuses wait to be derived from since when they hold."""
    scheduled = told.filter(pl.col("held_basis") == "schedule")
    if scheduled.is_empty():
        return
    since = scheduled.select(
        pl.col("held_account_id").alias("account_id"), pl.col("valid_from").dt.date().alias("from_on")
    )
    ledger.touch(load.session, bulk.stage(load.session, "staged_touch", since))


def _compared(load: Load, told: pl.DataFrame, held: pl.DataFrame | None) -> Counts:
    """Reconcile the source's own days past due with ours (tolerance: none). Those of schedules are derived later."""
    counted = told.filter(pl.col("dpd_source").is_not_null())
    if held is not None:
        scheduled = held.filter(pl.col("held_basis") == "schedule")
        counted = counted.join(scheduled.select("account_ref"), on="account_ref", how="anti")
    wrong = counted.filter(pl.col("dpd_source") != pl.col("dpd")).height
    return Counts(dpd_compared=counted.height, dpd_mismatches=wrong)


def absent(load: Load) -> int:
    """Return how many open accounts of the source no full file of this import named; cure them if the mapping says so.

    Cured: nothing is overdue any more as of the business date, told by the source's silence (domain brief §8.0).
    """
    named = pl.concat(load.known.named) if load.known.named else pl.Series("account_ref", [], pl.String)
    missing = load.known.accounts.filter(pl.col("status").is_in(episodes.OPEN)).join(
        named.to_frame("account_ref"), on="account_ref", how="anti"
    )
    load.known.named.clear()
    if load.mapping.absent == "cured" and not missing.is_empty():
        _cure(load, missing["account_id"])
    return missing.height


def _cure(load: Load, account_ids: Iterable[int]) -> None:
    load.known.copier.drain()
    account, customer = table_of(Account), table_of(Customer)
    wanted = bulk.stage(load.session, "staged_absent", bulk.frame_of_ids("account_id", list(account_ids)))
    overdue = sa.or_(
        account.c.arrears_source_amount > 0, account.c.dpd_source > 0, account.c.due_source_on.is_not(None)
    )
    terms: dict[str, Any] = {c: account.c[c] for c in TERMS}
    terms |= {c: sa.type_coerce(account.c[c], sa.BigInteger()) for c in TERMS if c.endswith("_rate")}
    terms["itemization"] = sa.cast(account.c.itemization, sa.Text())
    statement = (
        sa.select(account.c.account_ref, customer.c.customer_ref, *(e.label(n) for n, e in terms.items()))
        .join(wanted, wanted.c.account_id == account.c.id)
        .join(customer, customer.c.id == account.c.customer_id)
        .where(overdue)
    )
    frame = bulk.read(load.session, statement, {"account_ref": pl.String, "customer_ref": pl.String, **TERMS})
    cured = frame.with_columns(
        pl.lit(None, pl.Date).alias("due_source_on"),
        pl.when(pl.col("dpd_source").is_not_null()).then(0).cast(pl.Int64).alias("dpd_source"),
        pl.lit(0, pl.Int64).alias("arrears_source_amount"),
        pl.int_range(pl.len(), dtype=pl.Int64).alias("_line"),
    )
    if not cured.is_empty():
        write(load, cured)
        finish(load)
