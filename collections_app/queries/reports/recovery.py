"""Cash against what was placed or charged off: the denominator is fixed on the first day (domain brief §2.3)."""

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.dates import days_between
from collections_app.db.tables import Account, Payment, Placement
from collections_app.domain.metrics import CHARGED_OFF, SOLD, ratio
from collections_app.queries.as_of import standings_as_of
from collections_app.queries.reports.cash import SIGNED, is_cash, within
from collections_app.queries.reports.months import label, last_day, month_of
from collections_app.queries.reports.report import CURRENCY, Column, Row, Scope, Table, count, money, rate

WINDOWS = (30, 60, 90, 180)
_AFTER_LOSS = (90, 180, 360)
_KEY = (Placement.placed_with, Placement.batch, Placement.currency)
_BATCH = (
    Column("placed_with", "Placed with", "an agency, or the house itself"),
    Column("batch", "Batch", "placed together, measured together"),
    CURRENCY,
    count("placed", "Accounts", "accounts placed in this batch"),
)
_SAID = "All cash, net of reversals, valued after the day of placement and until recall; not attributed to anybody."


@dataclass(frozen=True)
class _Batch:
    """Placements made together, and their cash: to date and within each of WINDOWS."""

    key: tuple[str, str, str]
    placed: int
    balance: int
    arrears: int
    youngest_on: date
    cash: int
    cash_within: tuple[int, ...]

    def is_over(self, window: int, as_of: date) -> bool:
        """Tell whether a window has passed for every account of the batch."""
        return (as_of - self.youngest_on).days >= window


def _batches(session: Session, scope: Scope) -> list[_Batch]:
    """Return the batches placed by the date, in the order in which they began."""
    placed = (
        sa.select(
            *_KEY, sa.func.count(), sa.func.sum(Placement.placed_balance_amount),
            sa.func.sum(Placement.placed_arrears_amount), sa.func.max(Placement.placed_on),
        )
        .where(Placement.placed_on <= scope.as_of, *_of_source(scope))
        .group_by(*_KEY)
        .order_by(sa.func.min(Placement.placed_on), *_KEY)
    )  # fmt: skip
    since = days_between(Placement.placed_on, Payment.value_on)
    collected = (
        sa.select(*_KEY, sa.func.sum(SIGNED), *within(since, WINDOWS))
        .join(Payment, Payment.account_id == Placement.account_id)
        .where(
            *is_cash(scope), *_of_source(scope), Payment.value_on > Placement.placed_on,
            sa.or_(Placement.recalled_on.is_(None), Payment.value_on <= Placement.recalled_on),
        )
        .group_by(*_KEY)
    )  # fmt: skip
    cash = {tuple(row[:3]): [int(amount) for amount in row[3:]] for row in session.execute(collected)}
    nothing = [0] * (len(WINDOWS) + 1)
    return [
        _Batch(
            (placed_with, batch, currency), n, int(balance), int(arrears), youngest,
            cash.get((placed_with, batch, currency), nothing)[0],
            tuple(cash.get((placed_with, batch, currency), nothing)[1:]),
        )
        for placed_with, batch, currency, n, balance, arrears, youngest in session.execute(placed)
    ]  # fmt: skip


def _cured(session: Session, scope: Scope) -> dict[tuple[str, str, str], int]:
    """Return batch -> arrears placed of the accounts whose DPD is 0 on the date (amount cured)."""
    standing = standings_as_of(scope.as_of, scope.known_at)
    statement = (
        sa.select(*_KEY, sa.func.sum(Placement.placed_arrears_amount))
        .join(standing, standing.c.account_id == Placement.account_id)
        .where(Placement.placed_on <= scope.as_of, standing.c.dpd == 0, standing.c.status.not_in((CHARGED_OFF, SOLD)))
        .where(*_of_source(scope))
        .group_by(*_KEY)
    )
    return {(row[0], row[1], row[2]): int(row[3]) for row in session.execute(statement)}


def _of_source(scope: Scope) -> list[sa.ColumnElement[bool]]:
    if scope.source is None:
        return []
    return [Placement.account_id.in_(sa.select(Account.id).where(Account.source == scope.source))]


def recovery(session: Session, scope: Scope) -> Table:
    """Return what was recovered of each batch's arrears, in cash and by cure."""
    columns = (
        *_BATCH, money("placed_arrears", "Arrears placed", "overdue on these accounts when they were placed"),
        money("cash", "Cash to date", "all cash since placement, net of reversals"),
        rate("recovery", "Recovery to date", "cash to date / arrears placed"),
        money("cash_30", "Cash in 30 days", "all cash within 30 days of placement; empty while they last"),
        rate("recovery_30", "Recovery in 30 days", "cash within 30 days / arrears placed; empty while they last"),
        money("cured", "Amount cured", "arrears placed of the accounts whose DPD is 0 on the date; not cash"),
        rate("cured_share", "Share cured", "amount cured / arrears placed"),
    )  # fmt: skip
    rows: list[Row] = []
    amounts = _cured(session, scope)
    for b in _batches(session, scope):
        cured = amounts.get(b.key, 0)
        early = b.cash_within[0] if b.is_over(WINDOWS[0], scope.as_of) else None
        rows.append((
            *b.key, b.placed, b.arrears, b.cash, ratio(b.cash, b.arrears),
            early, None if early is None else ratio(early, b.arrears), cured, ratio(cured, b.arrears),
        ))  # fmt: skip
    return Table(columns, tuple(rows), (_SAID,))


def liquidation(session: Session, scope: Scope) -> Table:
    """Return the cumulative cash of each batch by days since placement."""
    columns = (
        *_BATCH, money("placed_balance", "Balance placed", "balance of these accounts when they were placed"),
        count("days", "Days", "days since placement"),
        money("cash", "Cash", "cumulative cash within these days; empty while they last"),
        rate("liquidation", "Liquidation", "cash / balance placed; empty while the days last"),
    )  # fmt: skip
    rows: list[Row] = []
    for b in _batches(session, scope):
        for window, cash in zip(WINDOWS, b.cash_within, strict=True):
            told = cash if b.is_over(window, scope.as_of) else None
            rows.append((*b.key, b.placed, b.balance, window, told, None if told is None else ratio(told, b.balance)))
    return Table(columns, tuple(rows), (_SAID, "A window counts once it is over for the batch's last account."))


def charge_off_recovery(session: Session, scope: Scope) -> Table:
    """Return the cash after charge-off by the month in which the accounts were charged off."""
    columns = (
        Column("vintage", "Charged off in", "month of charge-off"), CURRENCY,
        count("accounts", "Accounts", "accounts charged off in this month"),
        money("charged_off", "Charged off", "amount charged off"),
        money("cash", "Cash to date", "cash valued after charge-off, net of reversals"),
        rate("recovery", "To date", "cash to date / amount charged off"),
        *(rate(f"recovery_{w}", f"In {w} days", f"cash within {w} days / amount charged off; empty while they last")
          for w in _AFTER_LOSS),
    )  # fmt: skip
    gone = sa.and_(Account.charged_off_on <= scope.as_of, Account.charged_off_amount > 0)
    if scope.source:
        gone = sa.and_(gone, Account.source == scope.source)
    month = month_of(Account.charged_off_on).label("month")
    lost = sa.select(month, Account.currency, Account.charged_off_amount.label("amount")).where(gone).subquery()
    since = days_between(Account.charged_off_on, Payment.value_on)
    cash = (
        sa.select(month, Account.currency, since.label("days"), SIGNED.label("amount"))
        .join(Payment, Payment.account_id == Account.id)
        .where(gone, *is_cash(scope), Payment.value_on > Account.charged_off_on)
        .subquery()
    )
    by_window = [sa.func.sum(sa.case((cash.c.days <= w, cash.c.amount), else_=0)) for w in _AFTER_LOSS]
    collected = {
        (row[0], row[1]): [int(amount) for amount in row[2:]]
        for row in session.execute(
            sa.select(cash.c.month, cash.c.currency, sa.func.sum(cash.c.amount), *by_window)
            .group_by(cash.c.month, cash.c.currency)
        )
    }  # fmt: skip
    rows: list[Row] = []
    for number, currency, n, amount in session.execute(
        sa.select(lost.c.month, lost.c.currency, sa.func.count(), sa.func.sum(lost.c.amount))
        .group_by(lost.c.month, lost.c.currency)
        .order_by(lost.c.month, lost.c.currency)
    ):
        to_date, *parts = collected.get((number, currency), [0] * (1 + len(_AFTER_LOSS)))
        age = (scope.as_of - last_day(number)).days
        shares = (ratio(part, int(amount)) if age >= w else None for w, part in zip(_AFTER_LOSS, parts, strict=True))
        rows.append((label(number), currency, n, int(amount), to_date, ratio(to_date, int(amount)), *shares))
    return Table(columns, tuple(rows), ("A window counts once it is over for the month's last day.",))
