"""Placements with agencies: fixed denominators, told once; only the recall is told later."""

from typing import Any

import polars as pl
import sqlalchemy as sa

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import Account, Placement
from collections_app.services.loading.known import Counts, Load, completed, refused

HOUSE = "house"
_TOLD = {
    "placed_with": pl.String, "batch": pl.String, "placed_on": pl.Date, "recall_due_on": pl.Date,
    "recalled_on": pl.Date, "placed_balance_amount": pl.Int64, "placed_arrears_amount": pl.Int64,
    "currency": pl.String,
}  # fmt: skip
_FIXED = ("placed_on", "placed_balance_amount", "placed_arrears_amount")
_KEY = ["account_id", "placed_with", "batch"]


def write(load: Load, frame: pl.DataFrame) -> Counts:
    """Write told placements (key: account, placed_with, batch).

    What was placed is the denominator of recovery (domain brief §2.3) and never changes: other amounts are refused.
    An account that the house works is recalled from there on the day it is placed; one that another agency holds
    must be recalled first.
    """
    told, orphans = load.of_accounts(completed(frame, _TOLD))
    if told.is_empty():
        return Counts(rejects=tuple(orphans))
    load.known.copier.drain()
    held = _held(load, told)
    both = told.join(held.rename({c: f"held_{c}" for c in held.columns if c not in _KEY}), on=_KEY, how="left",
                     maintain_order="left")  # fmt: skip
    again = both.filter(pl.col("held_id").is_not_null())
    wrong = again.filter(pl.any_horizontal(*(pl.col(c) != pl.col(f"held_{c}") for c in _FIXED)))
    again = again.join(wrong.select("_line"), on="_line", how="anti")
    recalled = again.filter(
        pl.any_horizontal(
            pl.col(c).is_not_null() & pl.col(c).ne_missing(pl.col(f"held_{c}"))
            for c in ("recalled_on", "recall_due_on")
        )
    )
    _recall(load, recalled.select(pl.col("held_id").alias("id"), "recalled_on", "recall_due_on"))
    fresh = both.filter(pl.col("held_id").is_null()).select(told.columns)
    fresh, taken = _without_taken(load, fresh)
    _add(load, fresh)
    return Counts(
        new=fresh.height,
        changed=recalled.height,
        unchanged=again.height - recalled.height,
        rejects=(
            *orphans,
            *refused(wrong["_line"], "placed_balance_amount", "differs from what was placed, which is fixed"),
            *refused(taken["_line"], "placed_with", "is placed with another agency; send its recalled_on first"),
        ),
    )


def _held(load: Load, told: pl.DataFrame) -> pl.DataFrame:
    table = table_of(Placement)
    staged = bulk.stage(load.session, "staged_id", told.select("account_id").unique(), index=("account_id",))
    names = ("placed_with", "batch", "placed_on", "recall_due_on", "recalled_on", "placed_balance_amount",
             "placed_arrears_amount")  # fmt: skip
    statement = sa.select(table.c.id, table.c.account_id, *(table.c[c] for c in names)).join(
        staged, staged.c.account_id == table.c.account_id
    )
    schema = {"id": pl.Int64, "account_id": pl.Int64, **{c: _TOLD[c] for c in names}}
    return bulk.read(load.session, statement, schema)


def _recall(load: Load, rows: pl.DataFrame) -> None:
    if rows.is_empty():
        return
    table = table_of(Placement)
    staged = bulk.stage(load.session, "staged_recall", rows, index=("id",))
    load.session.execute(
        sa.update(table)
        .where(table.c.id == staged.c.id)
        .values({c: sa.func.coalesce(staged.c[c], table.c[c]) for c in ("recalled_on", "recall_due_on")})
    )


def _without_taken(load: Load, fresh: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Recall what the house holds of newly placed accounts; part those that somebody else holds."""
    if fresh.is_empty():
        return fresh, fresh
    is_open = pl.col("recalled_on").is_null()
    twice = fresh.filter(is_open & ~pl.struct("account_id", "recalled_on").is_first_distinct())
    fresh = fresh.join(twice.select("_line"), on="_line", how="anti")
    held = _held(load, fresh).filter(pl.col("recalled_on").is_null())
    elsewhere = held.filter(pl.col("placed_with") != HOUSE)
    taken = fresh.filter(is_open).join(elsewhere.select("account_id").unique(), on="account_id", how="semi")
    fresh = fresh.join(taken.select("_line"), on="_line", how="anti")
    ours = held.filter(pl.col("placed_with") == HOUSE).select("id", "account_id")
    recalls = ours.join(fresh.filter(is_open).select("account_id", "placed_on"), on="account_id", how="inner")
    _recall(load, recalls.select("id", pl.col("placed_on").alias("recalled_on"),
                                 pl.lit(None, pl.Date).alias("recall_due_on")))  # fmt: skip
    return fresh, pl.concat([twice, taken])


def _add(load: Load, fresh: pl.DataFrame) -> None:
    if fresh.is_empty():
        return
    account = table_of(Account)
    staged = bulk.stage(load.session, "staged_placement", fresh.select("account_id", *_TOLD), index=("account_id",))
    columns: dict[str, Any] = {c: staged.c[c] for c in ("account_id", *_TOLD)}
    columns["currency"] = sa.func.coalesce(staged.c.currency, account.c.currency)
    rows = sa.select(*(e.label(n) for n, e in columns.items())).join(account, account.c.id == staged.c.account_id)
    load.session.execute(sa.insert(table_of(Placement)).from_select(list(columns), rows))
