"""Standings as derived and told, restated where they differ from what is on record."""

from datetime import datetime

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import AccountStanding
from collections_app.services.derivation.facts import Chunk

_KEY = ("account_id", "from_on")
_STATE = ("dpd", "is_ageing", "arrears_amount", "balance_amount", "limit_amount", "status")
_SCHEMA = {
    "account_id": pl.Int64, "from_on": pl.Date, "dpd": pl.Int64, "is_ageing": pl.Boolean,
    "arrears_amount": pl.Int64, "balance_amount": pl.Int64, "limit_amount": pl.Int64, "status": pl.String,
}  # fmt: skip
# Final states: before an account was told to be in one, it was not.
_FINAL = ("closed", "settled", "sold", "charged_off")


def spans(derived: pl.DataFrame, terms: pl.DataFrame) -> pl.DataFrame:
    """Return the spans of accounts: derived change points (DERIVED_STANDINGS) with what was told of each day (TERMS).

    Two neighbours never say the same. Before the first word about an account its balance and limit are taken to be
    those of that word; before the first derived day nothing was due.
    """
    told = _from_first(terms, derived).select("account_id", "from_on", *(c for c in _STATE if c in terms.columns))
    quiet = (
        told.group_by("account_id").agg(pl.col("from_on").min()).join(
            derived.group_by("account_id").agg(first=pl.col("from_on").min()), on="account_id"
        )
        .filter(pl.col("from_on") < pl.col("first"))
        .select("account_id", "from_on", dpd=pl.lit(0, pl.Int64), is_ageing=pl.lit(value=False),
                arrears_amount=pl.lit(0, pl.Int64))
    )  # fmt: skip
    known = pl.concat([derived, quiet]).with_columns(base_on=pl.col("from_on"))
    merged = (
        known.join(told.with_columns(is_told=True), on=list(_KEY), how="full", coalesce=True)
        .sort(*_KEY)
        # Each account begins with a row that has both sides, so that nothing is carried over from another one.
        .with_columns(pl.col("base_on", "dpd", "is_ageing", "arrears_amount").forward_fill())
        .with_columns(
            # A limit may be told to be none: what is carried on is the row, not each value.
            pl.int_range(pl.len()).alias("row")
        )
    )
    merged = merged.with_columns(source=pl.when(pl.col("is_told")).then("row").forward_fill()).with_columns(
        *(pl.col(c).gather(pl.col("source")) for c in ("balance_amount", "limit_amount", "status"))
    )
    passed = (pl.col("from_on") - pl.col("base_on")).dt.total_days()
    grown = merged.with_columns(dpd=pl.col("dpd") + pl.when("is_ageing").then(passed).otherwise(0))
    return grown.filter(~_says_the_same()).select(*_SCHEMA)


def _from_first(terms: pl.DataFrame, derived: pl.DataFrame) -> pl.DataFrame:
    """Carry the first word about each account back to its first derived day."""
    first = terms.sort("account_id", "from_on").unique("account_id", keep="first", maintain_order=True)
    begins = derived.group_by("account_id").agg(begins_on=pl.col("from_on").min())
    before = (
        first.join(begins, on="account_id")
        .filter(pl.col("begins_on") < pl.col("from_on"))
        .with_columns(
            from_on=pl.col("begins_on"),
            status=pl.when(pl.col("status").is_in(_FINAL)).then(pl.lit("active")).otherwise("status"),
        )
    )
    return pl.concat([before.select(terms.columns), terms])


def _says_the_same() -> pl.Expr:
    """Tell whether a span only continues the one before it."""
    passed = (pl.col("from_on") - pl.col("from_on").shift(1)).dt.total_days()
    grown = pl.col("dpd").shift(1) + pl.when(pl.col("is_ageing").shift(1)).then(passed).otherwise(0)
    same = [pl.col(c).eq_missing(pl.col(c).shift(1)) for c in ("account_id", *_STATE) if c != "dpd"]
    return pl.all_horizontal(*same, pl.col("dpd").eq_missing(grown))


def restate(session: Session, chunk: Chunk, derived: pl.DataFrame, *, now: datetime) -> int:
    """Make the record say what is derived, from each account's ``standings_from`` on; return how many spans are news.

    A span that no longer holds is closed, never edited: what was believed until ``now`` can still be read.
    """
    since = chunk.accounts.select("account_id", cut_on="standings_from")
    before = _on_record(session, chunk).join(since, on="account_id")
    on_record = before.filter(pl.col("from_on") >= pl.col("cut_on")).select(*_SCHEMA)
    every = spans(derived, chunk.terms).join(since, on="account_id")
    wanted = pl.concat(
        [_at_the_cut(every, before), every.filter(pl.col("from_on") > pl.col("cut_on")).select(*_SCHEMA)]
    )
    both = list(_SCHEMA)
    gone = on_record.join(wanted, on=both, how="anti", nulls_equal=True).select(*_KEY)
    news = wanted.join(on_record, on=both, how="anti", nulls_equal=True)
    if not gone.is_empty():
        _close(session, gone, now=now)
    if not news.is_empty():
        rows = news.sort(*_KEY).with_columns(pl.lit(now, pl.Datetime("us", "UTC")).alias("known_from"))
        bulk.insert(session, table_of(AccountStanding), rows)
    return news.height


def _on_record(session: Session, chunk: Chunk) -> pl.DataFrame:
    """Return the spans from ``standings_from`` on and the one that holds when it begins."""
    standing, earlier = table_of(AccountStanding), table_of(AccountStanding).alias("earlier")
    cut = chunk.staged.c.standings_from
    last = (
        sa.select(sa.func.max(earlier.c.from_on))
        .where(
            earlier.c.account_id == chunk.staged.c.account_id,
            earlier.c.known_until.is_(None),
            earlier.c.from_on < cut,
        )
        .scalar_subquery()
    )
    statement = (
        sa.select(*(standing.c[c] for c in _SCHEMA))
        .join(chunk.staged, chunk.staged.c.account_id == standing.c.account_id)
        .where(standing.c.known_until.is_(None), standing.c.from_on >= sa.func.coalesce(last, cut))
    )
    return bulk.read(session, statement, _SCHEMA)


def _at_the_cut(every: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """Return the spans that begin at the cut because there the account stands in another way than on record.

    What lies before the cut is left as it was believed (another schedule, other terms): it need not lead there.
    """
    derived = _projected(every.filter(pl.col("from_on") <= pl.col("cut_on")))
    held = _projected(before.filter(pl.col("from_on") < pl.col("cut_on")))
    return derived.join(held, on=list(_SCHEMA), how="anti", nulls_equal=True)


def _projected(spans_until: pl.DataFrame) -> pl.DataFrame:
    """Return the last span of each account as it stands at the cut, beginning there."""
    passed = (pl.col("cut_on") - pl.col("from_on")).dt.total_days()
    return (
        spans_until.sort("account_id", "from_on")
        .unique("account_id", keep="last", maintain_order=True)
        .with_columns(dpd=pl.col("dpd") + pl.when("is_ageing").then(passed).otherwise(0), from_on=pl.col("cut_on"))
        .select(*_SCHEMA)
    )


def _close(session: Session, gone: pl.DataFrame, *, now: datetime) -> None:
    standing = table_of(AccountStanding)
    staged = bulk.stage(session, "staged_gone", gone, index=_KEY)
    here = sa.and_(
        standing.c.account_id == staged.c.account_id,
        standing.c.from_on == staged.c.from_on,
        standing.c.known_until.is_(None),
    )
    # Written within this very instant: nobody can have read it, so it is taken away.
    session.execute(
        sa.delete(standing).where(standing.c.known_from >= now, sa.exists(sa.select(1).select_from(staged).where(here)))
    )
    session.execute(sa.update(standing).where(here).values(known_until=now))
