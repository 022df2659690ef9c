"""The facts of the accounts that wait to be derived, with what is on record of them, a chunk at a time."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import Account, AccountHistory, DelinquencyPause, Instalment, LedgerTask, Payment
from collections_app.domain.allocation import UNDOING
from collections_app.ledger import frames
from collections_app.ledger.frames import Book

# From here on everything is derived again: no fact is older.
EVER = date(1900, 1, 1)
TASKS: frames.Schema = {"account_id": pl.Int64, "from_on": pl.Date}
_NOT_KEPT = ("account_id", "profile", "charge_off_due_on")
# What the ledger says of an account, as it stands in ``account``.
FIGURES: frames.Schema = {
    **{name: dtype for name, dtype in frames.DERIVED_ACCOUNTS.items() if name not in _NOT_KEPT},
    "bucket": pl.String,
    "as_of_on": pl.Date,
}
_INSTANT = pl.Datetime("us", "UTC")
TERMS: frames.Schema = {
    "account_id": pl.Int64, "from_on": pl.Date, "balance_amount": pl.Int64, "limit_amount": pl.Int64,
    "status": pl.String,
}  # fmt: skip
_TOLD = [name for name in frames.ACCOUNTS if name not in ("account_id", "status_since_on")]


@dataclass(frozen=True)
class Chunk:
    """Accounts that are derived together. Facts have the engine's columns and more:

    accounts: FIGURES, ``bucket_table``, ``schedule_since_on``; ``standings_from`` (standings before that day are left
    as they are) and ``lines_from`` (so are the allocations of payments valued before it). instalments:
    ``paid_amount``, ``closed_on``; payments: ``unapplied_amount``. terms (TERMS): what was told, by the day since
    when it is so, up to as_of. later: (account_id, from_on) of what is told of days after as_of.
    """

    accounts: pl.DataFrame
    instalments: pl.DataFrame
    payments: pl.DataFrame
    pauses: pl.DataFrame
    terms: pl.DataFrame
    later: pl.DataFrame
    staged: sa.Table

    @property
    def book(self) -> Book:
        """Return what the engine derives from."""
        return Book(
            accounts=frames.typed(self.accounts, frames.ACCOUNTS),
            instalments=self.instalments,
            payments=self.payments,
            pauses=self.pauses,
        )


def next_tasks(session: Session, *, after: int, size: int) -> pl.DataFrame:
    """Return the next tasks (TASKS) by account, locked: facts that arrive while they are worked leave a task anew."""
    task = table_of(LedgerTask)
    statement = (
        sa.select(task.c.account_id, task.c.from_on)
        .where(task.c.account_id > after)
        .order_by(task.c.account_id)
        .limit(size)
        .with_for_update()
    )
    return bulk.read(session, statement, TASKS)


def read_chunk(session: Session, waiting: sa.Table, *, as_of: date) -> Chunk:
    """Read the facts of staged tasks (TASKS); accounts that their source keeps (basis "source") are left out."""
    accounts = _accounts(session, waiting)
    ids = bulk.stage(session, "staged_own", accounts.select("account_id"), index=("account_id",))
    payments = _of_chunk(session, ids, Payment, {**frames.PAYMENTS, "unapplied_amount": pl.Int64}).with_columns(
        # Nearly every payment is taken whole: that needs no writing.
        pl.col("unapplied_amount").fill_null(0)
    )
    accounts = _cut(accounts, payments)
    staged = bulk.stage(session, "staged_chunk", accounts.select("account_id", "standings_from"), index=("account_id",))
    told = _told_terms(session, staged, as_of=as_of)
    terms = told.filter(pl.col("from_on") <= as_of)
    if terms.height < told.height:  # what was told of later days is not there yet
        accounts = _status_then(accounts, terms)
    ahead = payments.filter(pl.col("value_on") > as_of).select("account_id", from_on="value_on")
    return Chunk(
        accounts=accounts.join(_status_since(terms), on="account_id", how="left"),
        instalments=_instalments(session, staged),
        payments=payments,
        pauses=_of_chunk(session, staged, DelinquencyPause, frames.PAUSES),
        terms=terms,
        later=pl.concat([ahead, told.filter(pl.col("from_on") > as_of).select("account_id", "from_on")]),
        staged=staged,
    )


def _cut(accounts: pl.DataFrame, payments: pl.DataFrame) -> pl.DataFrame:
    """Turn ``from_on`` into ``standings_from`` and ``lines_from``."""
    # A reversal that was waiting for its value date counts from that of the payment which it takes back.
    waited = payments.filter(pl.col("kind").is_in(UNDOING)).join(
        accounts.select("account_id", "as_of_on"), on="account_id"
    )
    undone = (
        waited.filter(pl.col("value_on") > pl.col("as_of_on"))
        .select("account_id", payment_ref="reverses_ref")
        .join(payments.select("account_id", "payment_ref", "value_on"), on=["account_id", "payment_ref"])
        .group_by("account_id")
        .agg(undone_on=pl.col("value_on").min())
    )
    # A class is part of every derivation: without one the account is derived for the first time.
    since = (
        pl.when(pl.col("reg_class").is_null()).then(pl.lit(EVER)).otherwise(pl.min_horizontal("from_on", "undone_on"))
    )
    switched = pl.col("schedule_since_on").fill_null(pl.lit(EVER))
    return (
        accounts.join(undone, on="account_id", how="left")
        .with_columns(since=since, switched=switched)
        .with_columns(
            standings_from=pl.max_horizontal("since", "switched"),
            # Another schedule takes all payments anew.
            lines_from=pl.when((pl.col("switched") > pl.lit(EVER)) & (pl.col("since") <= pl.col("switched")))
            .then(pl.lit(EVER))
            .otherwise("since"),
        )
        .drop("from_on", "undone_on", "since", "switched")
    )


def _accounts(session: Session, waiting: sa.Table) -> pl.DataFrame:
    account = table_of(Account)
    more: frames.Schema = {**FIGURES, "bucket_table": pl.String, "schedule_since_on": pl.Date}
    schema = {"account_id": pl.Int64, "from_on": pl.Date, **{c: frames.ACCOUNTS[c] for c in _TOLD}, **more}
    statement = (
        sa.select(
            account.c.id.label("account_id"), waiting.c.from_on,
            *(_plain(account.c[name]) for name in (*_TOLD, *more)),
        )
        .join(waiting, waiting.c.account_id == account.c.id)
        .where(account.c.basis == "schedule")
    )  # fmt: skip
    return bulk.read(session, statement, schema)


def _plain(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Read a rate as the billionths in which it is stored."""
    return sa.type_coerce(column, sa.BigInteger()).label(column.key) if str(column.key).endswith("rate") else column


def _instalments(session: Session, staged: sa.Table) -> pl.DataFrame:
    instalment, account = table_of(Instalment), table_of(Account)
    schema = {**frames.INSTALMENTS, "paid_amount": pl.Int64, "closed_on": pl.Date}
    statement = (
        sa.select(*(_plain(instalment.c[name]) for name in schema))
        .join(staged, staged.c.account_id == instalment.c.account_id)
        .join(account, account.c.id == staged.c.account_id)
        .where(instalment.c.schedule_version == account.c.schedule_version)
    )
    return bulk.read(session, statement, schema)


def _of_chunk(session: Session, staged: sa.Table, entity: Any, schema: frames.Schema) -> pl.DataFrame:
    table = table_of(entity)
    columns = (table.c.id.label(name) if name == "payment_id" else table.c[name] for name in schema)
    statement = sa.select(*columns).join(staged, staged.c.account_id == table.c.account_id)
    return bulk.read(session, statement, schema)


def _told_terms(session: Session, staged: sa.Table, *, as_of: date) -> pl.DataFrame:
    """Return the balance, limit and status (TERMS) by the first day of each; the last word about a day holds.

    The first word about an account holds from ``as_of`` on at the latest: there is none before it.
    """
    schema = {**{n: t for n, t in TERMS.items() if n != "from_on"}, "valid_from": _INSTANT, "recorded_at": _INSTANT}
    told = []
    for entity, key in ((AccountHistory, "account_id"), (Account, "id")):
        table = table_of(entity)
        columns = (table.c[key].label("account_id") if n == "account_id" else table.c[n] for n in schema)
        told.append(bulk.read(session, sa.select(*columns).join(staged, staged.c.account_id == table.c[key]), schema))
    words = (
        pl.concat(told)
        .with_columns(from_on=pl.col("valid_from").dt.date())
        .sort("account_id", "valid_from", "recorded_at")
        .unique(["account_id", "from_on"], keep="last", maintain_order=True)
    )
    is_first = (pl.col("account_id") != pl.col("account_id").shift(1)).fill_null(value=True)
    at_latest = pl.when(is_first).then(pl.min_horizontal("from_on", pl.lit(as_of))).otherwise("from_on")
    return words.with_columns(from_on=at_latest).select(*TERMS)


def _status_then(accounts: pl.DataFrame, terms: pl.DataFrame) -> pl.DataFrame:
    """Put the status that the terms end with in the place of the present one."""
    then = terms.unique("account_id", keep="last", maintain_order=True).select("account_id", then="status")
    joined = accounts.join(then, on="account_id", how="left", maintain_order="left")
    return joined.with_columns(status=pl.coalesce("then", "status")).drop("then")


def _status_since(terms: pl.DataFrame) -> pl.DataFrame:
    """Return ``status_since_on``: the first day of the run of the present status."""
    status = pl.col("status")
    starts = (status != status.shift(1)).fill_null(value=True) | (
        pl.col("account_id") != pl.col("account_id").shift(1)
    ).fill_null(value=True)
    return terms.filter(starts).group_by("account_id").agg(status_since_on=pl.col("from_on").max())
