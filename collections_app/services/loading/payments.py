"""Payments as booked: facts that are never edited. Their status may advance; a contradiction is refused.

What two files say of one payment does not depend on which came first: the later stage of
initiated < pending < failed < settled stands, and of two words on one stage that is not yet settled the one with
the later dates. A settled payment's figures are final; whoever means something else sends a reversal.
"""

from collections.abc import Sequence
from typing import Any

import polars as pl
import sqlalchemy as sa

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import Payment
from collections_app.intake.rows import LINE, Reject
from collections_app.services import ledger
from collections_app.services.loading.known import INSTANT, Counts, Load, completed, refused

_RANK = {"initiated": 0, "pending": 1, "failed": 2, "settled": 3}
_FINAL = ("account_id", "amount", "currency", "kind", "value_on", "reverses_ref")
_TOLD = {
    "amount": pl.Int64, "currency": pl.String, "kind": pl.String, "status": pl.String, "value_on": pl.Date,
    "initiated_at": INSTANT, "posted_at": INSTANT, "channel": pl.String, "reverses_ref": pl.String,
    "directed_to": pl.String,
}  # fmt: skip
# Of two words on one stage: the later one, by what both sides can see; the amount only so that one of them wins.
_ORDER = ("rank", "posted_at", "value_on", "initiated_at", "amount")
_CONTRADICTS = "contradicts what was booked; send a reversal"
_OTHER_CURRENCY = "is not the currency of the account"
_ELSEWHERE = "names a payment of another account"


def write(load: Load, frame: pl.DataFrame) -> Counts:
    """Write told payments. Refused are those of unknown accounts, in another currency than the account's, that take
    back what was paid on another account, and those that contradict what is settled."""
    told, unfit = load.of_accounts(completed(frame, _TOLD))
    told, unfit = _in_its_currency(load, told, unfit)
    told, unfit = _of_one_account(load, told, unfit)
    if told.is_empty():
        return Counts(rejects=tuple(unfit))
    told = told.with_columns(_rank("status").alias("rank"))
    load.known.copier.drain()
    both = told.join(_held(load, told), on="payment_ref", how="left", maintain_order="left")
    fresh = both.filter(pl.col("held_id").is_null())
    held = both.filter(pl.col("held_id").is_not_null())
    differs = pl.any_horizontal(*(pl.col(c).ne_missing(pl.col(f"held_{c}")) for c in _FINAL))
    settled = pl.col("held_status") == "settled"
    wrong = held.filter(settled & (pl.col("rank") == _RANK["settled"]) & differs)
    ahead = held.filter(~settled & _is_later(_ORDER))
    _add(load, fresh)
    _advance(load, ahead)
    moved = pl.concat([fresh.select(told.columns), ahead.select(told.columns)]).filter(pl.col("status") == "settled")
    if not moved.is_empty():
        # From its value date on; a reversal from that of the payment it takes back.
        booked = bulk.stage(load.session, "staged_moved", moved.select("payment_ref"))
        ledger.touch_payments(load.session, booked, source=load.source)
    return Counts(
        new=fresh.height,
        changed=ahead.height,
        unchanged=held.height - ahead.height - wrong.height,
        rejects=(*unfit, *refused(wrong["_line"], "payment_ref", _CONTRADICTS)),
    )


def _in_its_currency(load: Load, told: pl.DataFrame, unfit: list[Reject]) -> tuple[pl.DataFrame, list[Reject]]:
    """Refuse amounts of another currency: all money of an account is of one (domain brief §8.20)."""
    held = load.known.held_accounts(told["account_ref"].unique()).select("account_ref", held_currency="currency")
    told = told.join(held, on="account_ref", how="left", maintain_order="left")
    same = pl.col("currency") == pl.col("held_currency")
    other = told.filter(~same)[LINE]
    return told.filter(same).drop("held_currency"), [*unfit, *refused(other, "currency", _OTHER_CURRENCY)]


def _of_one_account(load: Load, told: pl.DataFrame, unfit: list[Reject]) -> tuple[pl.DataFrame, list[Reject]]:
    """Refuse reversals of what is known as another account's payment: they would take nothing back."""
    undoing = told.filter(pl.col("reverses_ref").is_not_null())
    if undoing.is_empty():
        return told, unfit
    payment = table_of(Payment)
    load.known.copier.drain()
    refs = undoing.select(payment_ref="reverses_ref").unique()
    staged = bulk.stage(load.session, "staged_undone", refs, index=("payment_ref",))
    booked = bulk.read(
        load.session,
        sa.select(payment.c.payment_ref, payment.c.account_id.label("paid_on"))
        .join(staged, staged.c.payment_ref == payment.c.payment_ref)
        .where(payment.c.source == load.source),
        {"payment_ref": pl.String, "paid_on": pl.Int64},
    )
    paid = pl.concat(
        [booked, told.select("payment_ref", paid_on="account_id").join(booked, on="payment_ref", how="anti")]
    )
    elsewhere = undoing.join(paid, left_on="reverses_ref", right_on="payment_ref").filter(
        pl.col("paid_on") != pl.col("account_id")
    )[LINE]
    kept = told.filter(~pl.col(LINE).is_in(elsewhere.implode()))
    return kept, [*unfit, *refused(elsewhere, "reverses_ref", _ELSEWHERE)]


def _rank(column: str) -> pl.Expr:
    return pl.col(column).replace_strict(_RANK, return_dtype=pl.Int64)


def _is_later(columns: Sequence[str]) -> pl.Expr:
    """Tell whether a row comes after the held one, column by column; nothing comes before anything."""
    later, equal = pl.lit(value=False), pl.lit(value=True)
    for name in columns:
        mine, theirs = pl.col(name), pl.col(f"held_{name}")
        above = mine.is_not_null() & (theirs.is_null() | (mine > theirs).fill_null(value=False))
        later |= equal & above
        equal &= mine.eq_missing(theirs)
    return later


def _held(load: Load, told: pl.DataFrame) -> pl.DataFrame:
    payment = table_of(Payment)
    staged = bulk.stage(load.session, "staged_ref", told.select("payment_ref"), index=("payment_ref",))
    plain = ("status", "initiated_at", "posted_at", *_FINAL)
    statement = (
        sa.select(
            payment.c.payment_ref, payment.c.id.label("held_id"), *(payment.c[c].label(f"held_{c}") for c in plain)
        )
        .join(staged, staged.c.payment_ref == payment.c.payment_ref)
        .where(payment.c.source == load.source)
    )
    types = {"held_id": pl.Int64, "held_account_id": pl.Int64, **{f"held_{c}": t for c, t in _TOLD.items()}}
    schema = {"payment_ref": pl.String, **{f"held_{c}": types[f"held_{c}"] for c in ("id", *plain)}}
    return bulk.read(load.session, statement, schema).with_columns(_rank("held_status").alias("held_rank"))


def _add(load: Load, fresh: pl.DataFrame) -> None:
    rows = fresh.select("payment_ref", "account_id", *_TOLD).with_columns(
        pl.lit(load.source).alias("source"), pl.lit(load.batch_id).alias("batch_id")
    )
    bulk.insert(load.session, table_of(Payment), rows.sort("payment_ref"))


def _advance(load: Load, ahead: pl.DataFrame) -> None:
    if ahead.is_empty():
        return
    payment = table_of(Payment)
    staged = bulk.stage(
        load.session, "staged_payment", ahead.select(pl.col("held_id").alias("id"), "account_id", *_TOLD), index=("id",)
    )
    values: dict[str, Any] = {c: staged.c[c] for c in ("account_id", *_TOLD)}
    values |= {"directed_to": bulk.as_json(load.session, staged.c.directed_to), "batch_id": load.batch_id}
    load.session.execute(sa.update(payment).where(payment.c.id == staged.c.id).values(values))
