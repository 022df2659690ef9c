"""How a month moves accounts between buckets: roll rates (tracked), net flow (not tracked), roll to loss (§2.3)."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import Account
from collections_app.domain.delinquency import Band
from collections_app.domain.metrics import (
    ABSORBING,
    CHARGED_OFF,
    PAID_OFF,
    SOLD,
    last_month_ends,
    ratio,
    roll_to_loss,
)
from collections_app.queries.as_of import stood_on_two_days
from collections_app.queries.reports.report import CURRENCY, Column, Row, Scope, Table, count, money, rate
from strategies.parameters import bucket_bands

_LEAVING = (PAID_OFF, CHARGED_OFF, SOLD)
BUCKET_TABLE = Column("bucket_table", "Bucket table", "which dated table of day ranges names the buckets")
FROM = Column("from_bucket", "From", "bucket at the opening month end")
FROM_DPD = Column("from_dpd", "DPD", "days past due that this bucket means")


@dataclass
class Matrix:
    """What became of the accounts of one bucket table and currency between two month ends.

    ``n`` and ``balance``: (bucket at the opening, state at the end) -> accounts, and their opening balance.
    """

    bucket_table: str
    currency: str
    bands: tuple[Band, ...]
    # The table as it was at the end: buckets are dated, and a month may begin by one table and end by another.
    closing: tuple[Band, ...]
    n: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    balance: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))

    @property
    def buckets(self) -> list[str]:
        """Return the buckets, the best first."""
        return [band.code for band in self.bands]

    @property
    def states(self) -> list[str]:
        """Return every state that a bucket can lead to."""
        return [*dict.fromkeys((*self.buckets, *(band.code for band in self.closing))), *_LEAVING]

    def worse(self, index: int) -> list[str]:
        """Return the states that are worse than the bucket at an index."""
        return [b.code for b in self.closing if b.from_dpd > self.bands[index].from_dpd] + [CHARGED_OFF]

    def same(self, index: int) -> list[str]:
        """Return the states that are as bad as the bucket at an index."""
        return [b.code for b in self.closing if b.from_dpd == self.bands[index].from_dpd]

    def opening(self, bucket: str) -> tuple[int, int]:
        """Return how many accounts stood in a bucket at the opening, and their balance."""
        return sum(self.n[bucket, s] for s in self.states), sum(self.balance[bucket, s] for s in self.states)

    def moved(self, bucket: str, states: Sequence[str]) -> tuple[int, int]:
        """Return how many accounts (and what opening balance) went from a bucket into any of some states."""
        return sum(self.n[bucket, s] for s in states), sum(self.balance[bucket, s] for s in states)


def dpd_range(bands: Sequence[Band], index: int) -> str:
    """Write the days that a bucket means: ``31-60``. A bucket's name alone misleads (§2.2)."""
    start = bands[index].from_dpd
    if index + 1 == len(bands):
        return f"{start}+"
    end = bands[index + 1].from_dpd - 1
    return str(start) if end == start else f"{start}-{end}"


def _bands(session: Session, on: date) -> dict[str, tuple[Band, ...]]:
    """Return the bucket tables that accounts use, as they stood on a day."""
    return {name: bucket_bands(name, on) for name in session.scalars(sa.select(Account.bucket_table).distinct())}


def _state(stood: sa.Subquery, suffix: str, tables: dict[str, tuple[Band, ...]]) -> sa.ColumnElement[Any]:
    """Return the state of an account in SQL: what it was absorbed by, else the bucket of its DPD; NULL = not there."""
    dpd, status = stood.c[f"dpd_{suffix}"], stood.c[f"status_{suffix}"]
    absorbed = [(status == told, sa.literal(state)) for told, state in ABSORBING.items()]
    by_table = [
        (
            sa.and_(Account.bucket_table == name, status.is_not(None)),
            sa.case(*((dpd >= b.from_dpd, sa.literal(b.code)) for b in reversed(bands))),
        )
        for name, bands in tables.items()
    ]
    return sa.case(*absorbed, *by_table)


@dataclass(frozen=True)
class Move:
    """Accounts of one bucket table and currency that went from one state to another; None = not in the book."""

    bucket_table: str
    currency: str
    before: str | None
    after: str | None
    n: int
    balance_before: int
    balance_after: int


def _moves(session: Session, scope: Scope) -> list[Move]:
    """Return what became of every account between the two latest month ends."""
    start, end = last_month_ends(scope.as_of)
    opening, closing = _bands(session, start), _bands(session, end)
    if not opening:
        return []
    stood = stood_on_two_days(start, end, scope.known_at)
    states = sa.select(
        Account.bucket_table, Account.currency, _state(stood, "1", opening).label("before"),
        _state(stood, "2", closing).label("after"), stood.c.balance_amount_1, stood.c.balance_amount_2,
    ).join(stood, stood.c.account_id == Account.id)  # fmt: skip
    if scope.source:
        states = states.where(Account.source == scope.source)
    s = states.subquery()
    keys = (s.c.bucket_table, s.c.currency, s.c.before, s.c.after)
    sums = (sa.func.sum(sa.func.coalesce(s.c[f"balance_amount_{suffix}"], 0)) for suffix in ("1", "2"))
    found = session.execute(sa.select(*keys, sa.func.count(), *sums).group_by(*keys).order_by(*keys[:2]))
    return [
        Move(table, currency, before, after, int(n), int(balance_before), int(balance_after))
        for table, currency, before, after, n, balance_before, balance_after in found
    ]


def matrices(session: Session, scope: Scope) -> list[Matrix]:
    """Return the moves between the two latest month ends of every account that stood in a bucket at the first."""
    start, end = last_month_ends(scope.as_of)
    found: dict[tuple[str, str], Matrix] = {}
    for move in _moves(session, scope):
        if move.before is None or move.after is None or move.before in _LEAVING:
            continue
        table = move.bucket_table
        empty = Matrix(table, move.currency, bucket_bands(table, start), bucket_bands(table, end))
        matrix = found.setdefault((table, move.currency), empty)
        matrix.n[move.before, move.after] = move.n
        matrix.balance[move.before, move.after] = move.balance_before
    return list(found.values())


def _between(scope: Scope) -> str:
    start, end = last_month_ends(scope.as_of)
    return f"Between the month ends {start} and {end}."


def roll_rates(session: Session, scope: Scope) -> Table:
    """Return one row per opening bucket and state at the end; the shares of one opening bucket sum to 1."""
    columns = (
        BUCKET_TABLE, CURRENCY, FROM, FROM_DPD, Column("to_state", "To", "bucket or final state at the closing end"),
        count("n_from", "Accounts", "tracked accounts in the opening bucket"),
        count("n", "Moved", "of these, accounts in this state at the closing month end"),
        rate("share", "Share of accounts", "moved accounts / accounts in the opening bucket"),
        money("balance_from", "Opening balance", "balance of the opening bucket at the opening month end"),
        money("balance", "Of it", "opening balance of the accounts that moved to this state"),
        rate("share_balance", "Share of balance", "opening balance moved / opening balance of the bucket"),
    )  # fmt: skip
    rows: list[Row] = []
    for m in matrices(session, scope):
        for i, bucket in enumerate(m.buckets):
            n_from, balance_from = m.opening(bucket)
            for state in m.states if n_from else ():
                n, balance = m.n[bucket, state], m.balance[bucket, state]
                rows.append((
                    m.bucket_table, m.currency, bucket, dpd_range(m.bands, i), state,
                    n_from, n, ratio(n, n_from), balance_from, balance, ratio(balance, balance_from),
                ))  # fmt: skip
    return Table(columns, tuple(rows), (_between(scope),))


def roll_loss(session: Session, scope: Scope) -> Table:
    """Return each bucket's forward rate and the product of all forward rates from it into charge-off."""
    columns = (
        BUCKET_TABLE, CURRENCY, FROM, FROM_DPD, count("n_from", "Accounts", "tracked accounts in the bucket"),
        rate("forward", "Forward", "accounts that went to any worse bucket or were charged off / accounts"),
        rate("to_loss", "To loss", "product of the forward rates from this bucket into charge-off"),
        money("balance_from", "Opening balance", "balance of the bucket at the opening month end"),
        rate("forward_balance", "Forward, by balance", "the same, weighted by opening balance"),
        rate("to_loss_balance", "To loss, by balance", "product of the forward rates weighted by balance"),
    )  # fmt: skip
    rows: list[Row] = []
    for m in matrices(session, scope):
        opened = [m.opening(bucket) for bucket in m.buckets]
        worse = [m.moved(bucket, m.worse(i)) for i, bucket in enumerate(m.buckets)]
        by_n = [ratio(w[0], o[0]) for w, o in zip(worse, opened, strict=True)]
        by_balance = [ratio(w[1], o[1]) for w, o in zip(worse, opened, strict=True)]
        losses = zip(roll_to_loss(by_n), roll_to_loss(by_balance), strict=True)
        for i, (loss_n, loss_balance) in enumerate(losses):
            n, balance = opened[i]
            rows.append((m.bucket_table, m.currency, m.buckets[i], dpd_range(m.bands, i), n, by_n[i], loss_n,
                         balance, by_balance[i], loss_balance))  # fmt: skip
    return Table(columns, tuple(rows), (_between(scope), "Assumes that a month forgets the one before (Markov)."))


def net_flow(session: Session, scope: Scope) -> Table:
    """Return the balance of each bucket at the end over the balance of the next better one a month before."""
    columns = (
        BUCKET_TABLE, CURRENCY, FROM, FROM_DPD, Column("to_bucket", "To", "the next worse bucket"),
        count("n_from", "Accounts before", "accounts in the better bucket at the opening month end"),
        money("balance_from", "Balance before", "their balance then"),
        count("n_to", "Accounts after", "accounts in the worse bucket at the closing month end, whoever they are"),
        money("balance_to", "Balance after", "their balance then"),
        rate("net_flow", "Net flow", "balance after / balance before; it can exceed 1"),
    )  # fmt: skip
    before: dict[tuple[str, str, str | None], list[int]] = defaultdict(lambda: [0, 0])
    after: dict[tuple[str, str, str | None], list[int]] = defaultdict(lambda: [0, 0])
    for m in _moves(session, scope):
        for sums, state, balance in ((before, m.before, m.balance_before), (after, m.after, m.balance_after)):
            total = sums[m.bucket_table, m.currency, state]
            total[0], total[1] = total[0] + m.n, total[1] + balance
    rows: list[Row] = []
    for table, currency in sorted({key[:2] for key in (*before, *after)}):
        bands = bucket_bands(table, last_month_ends(scope.as_of)[1])
        for i, (here, there) in enumerate(pairwise(bands)):
            n, balance = before[table, currency, here.code]
            n_next, balance_next = after[table, currency, there.code]
            rows.append((table, currency, here.code, dpd_range(bands, i), there.code, n, balance, n_next,
                         balance_next, ratio(balance_next, balance)))  # fmt: skip
    said = "Net flow compares two sums; it does not follow accounts and is not a roll rate."
    return Table(columns, tuple(rows), (_between(scope), said))
