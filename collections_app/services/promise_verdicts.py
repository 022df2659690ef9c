"""Promises judged by payments alone, and judged again when those change (domain brief §2.4)."""

from collections import defaultdict
from datetime import date
from itertools import groupby
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import Payment, Promise
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.allocation import CASH, SETTLED, UNDOING
from collections_app.domain.events import EventKind
from collections_app.domain.promises import JUDGED, Cash, Made, PromiseStatus, PromiseTerms, judge_in_order
from collections_app.services.case_events import record_many

_INSTANT = pl.Datetime("us", "UTC")
_TERMS = ("amount_minor", "currency", "due_on", "method", "grace_days", "tolerance_percent")
_STORED = {"amount_minor": "amount"}
_MADE = {
    "id": pl.Int64, "account_id": pl.Int64, "case_id": pl.Int64, "amount_minor": pl.Int64, "currency": pl.String,
    "due_on": pl.Date, "method": pl.String, "grace_days": pl.Int64, "tolerance_percent": pl.Int64, "was": pl.String,
    "created_on": pl.Date, "created_at": _INSTANT, "paid_amount": pl.Int64,
}  # fmt: skip


def settle(uow: UnitOfWork, *, business_date: date) -> dict[str, int]:
    """Judge promises by the cash valued before ``business_date``; return how many came to each verdict.

    Looked at are accounts with an open promise, and those whose cash changed since their promises were judged: a
    reversal can break what was kept, a payment that comes late can keep what was broken. One that would be open
    again beside a newer one is superseded by that.
    """
    session, promise = uow.session, table_of(Promise)
    wanted = sa.select(promise.c.account_id).where(sa.or_(promise.c.status == PromiseStatus.OPEN, promise.c.is_stale))
    made = _made(session, wanted)
    if made.is_empty():
        return {"judged": 0}
    accounts = bulk.stage(session, "staged_promised", made.select("account_id").unique(), index=("account_id",))
    verdicts = _verdicts(made, _cash(session, accounts, business_date), business_date)
    moved = verdicts.filter(pl.col("status") != pl.col("was"))
    _write(uow, verdicts, business_date)
    session.execute(
        sa.update(promise)
        .where(promise.c.is_stale, promise.c.account_id.in_(sa.select(accounts.c.account_id)))
        .values(is_stale=False)
    )
    counts = {str(status): int(n) for status, n in moved.group_by("status").len().sort("status").iter_rows()}
    again = moved.filter(pl.col("was") != PromiseStatus.OPEN.value).height
    return {"judged": moved.height, "judged_again": again, **counts}


def _made(session: Session, accounts: sa.Select[Any]) -> pl.DataFrame:
    """Return the open and the judged promises (columns _MADE) of some accounts in due order."""
    promise = table_of(Promise)
    columns = (
        sa.cast(promise.c.status, sa.String(32)).label("was")
        if name == "was"
        else promise.c[_STORED.get(name, name)].label(name)
        for name in _MADE
    )
    statement = sa.select(*columns).where(
        promise.c.status.in_((PromiseStatus.OPEN, *JUDGED)), promise.c.account_id.in_(accounts)
    )
    return bulk.read(session, statement, _MADE).sort("account_id", "due_on", "id")


def _cash(session: Session, accounts: sa.Table, before: date) -> dict[int, list[Cash]]:
    """Return what is left of settled cash up to the day before, by account, after what was taken back of it."""
    payment = table_of(Payment)
    schema = {"account_id": pl.Int64, "source": pl.String, "payment_ref": pl.String, "kind": pl.String,
              "amount": pl.Int64, "value_on": pl.Date, "reverses_ref": pl.String, "initiated_at": _INSTANT}  # fmt: skip
    booked = bulk.read(
        session,
        sa.select(*(payment.c[c] for c in schema))
        .join(accounts, accounts.c.account_id == payment.c.account_id)
        .where(payment.c.status == SETTLED, payment.c.value_on < before),
        schema,
    )
    undone = (
        booked.filter(pl.col("kind").is_in(UNDOING))
        .group_by("source", payment_ref="reverses_ref")
        .agg(pl.col("amount").sum().alias("undone"))
    )
    cash = (
        booked.filter(pl.col("kind").is_in(CASH))
        .join(undone, on=["source", "payment_ref"], how="left")
        .with_columns(pl.col("amount") - pl.col("undone").fill_null(0))
        .filter(pl.col("amount") > 0)
        .sort("account_id", "value_on", "payment_ref")
    )
    pools: dict[int, list[Cash]] = defaultdict(list)
    for account_id, *money in cash.select("account_id", "amount", "value_on", "initiated_at").iter_rows():
        pools[account_id].append(Cash(*money))
    return pools


def _verdicts(made: pl.DataFrame, cash: dict[int, list[Cash]], as_of: date) -> pl.DataFrame:
    """Return ``made`` with ``status``, ``paid`` and ``successor_id`` (the newer promise that supersedes a row)."""
    statuses: list[str] = []
    paid: list[int] = []
    successors: list[int | None] = []
    for account_id, rows in groupby(made.iter_rows(named=True), key=lambda row: row["account_id"]):
        mine = list(rows)
        promises = [
            Made(PromiseTerms(**{name: row[name] for name in _TERMS}), row["created_on"], row["created_at"])
            for row in mine
        ]
        verdicts = judge_in_order(promises, cash[account_id], as_of=as_of)
        newest_open = max(
            (r["id"] for r, v in zip(mine, verdicts, strict=True) if v.status is PromiseStatus.OPEN), default=None
        )
        for row, verdict in zip(mine, verdicts, strict=True):
            is_old = verdict.status is PromiseStatus.OPEN and row["id"] != newest_open
            statuses.append(PromiseStatus.SUPERSEDED.value if is_old else verdict.status.value)
            paid.append(verdict.paid_minor)
            successors.append(newest_open if is_old else None)
    return made.with_columns(
        pl.Series("status", statuses, dtype=pl.String),
        pl.Series("paid", paid, dtype=pl.Int64),
        pl.Series("successor_id", successors, dtype=pl.Int64),
    )


def _write(uow: UnitOfWork, verdicts: pl.DataFrame, business_date: date) -> None:
    session, promise = uow.session, table_of(Promise)
    changed = verdicts.filter((pl.col("status") != pl.col("was")) | (pl.col("paid") != pl.col("paid_amount")))
    # One open promise an account: others end before one is open again.
    for is_open in (False, True):
        part = changed.filter((pl.col("status") == PromiseStatus.OPEN.value) == is_open)
        if part.is_empty():
            continue
        staged = bulk.stage(
            session, "staged_verdict", part.select("id", "case_id", "status", "paid", "was"), index=("id",)
        )
        settled_on = sa.case(
            (staged.c.status == staged.c.was, promise.c.settled_on), else_=None if is_open else business_date
        )
        session.execute(
            sa.update(promise)
            .where(promise.c.id == staged.c.id)
            .values(status=staged.c.status, paid_amount=staged.c.paid, settled_on=settled_on)
        )
        told = bulk.json_object(
            session, promise_id=staged.c.id, status=staged.c.status, was=staged.c.was, paid_minor=staged.c.paid
        )
        moved = sa.select(staged.c.case_id, sa.type_coerce(told, sa.Text())).where(staged.c.status != staged.c.was)
        record_many(uow, moved, EventKind.PROMISE_JUDGED)
    chained = changed.filter(pl.col("successor_id").is_not_null()).select("id", "successor_id")
    if not chained.is_empty():
        staged = bulk.stage(session, "staged_chain", chained)
        session.execute(
            sa.update(promise)
            .where(promise.c.id == staged.c.successor_id, promise.c.supersedes_id.is_(None))
            .values(supersedes_id=staged.c.id)
        )
