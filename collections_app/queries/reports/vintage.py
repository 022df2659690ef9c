"""How cohorts of one origination month turn out: vintage curves, and the first payments that were missed (§2.3)."""

from collections import defaultdict
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.dates import days_between
from collections_app.db.tables import Account, Instalment
from collections_app.domain.metrics import ratio, share
from collections_app.queries.as_of import overdue_spans
from collections_app.queries.reports.months import first_day, label, last_day, latest, month_of, number_of
from collections_app.queries.reports.report import (
    CURRENCY,
    Column,
    Row,
    Scope,
    Table,
    count,
    interval,
    money,
    rate,
    spread,
)

BAD_DPD = 30
COHORTS = 18
MISSED_FOR = (1, 7, 30)
_FIRST = {1: "FPD", 2: "SPD", 3: "TPD"}
_COHORT = Column("cohort", "Originated in", "month in which the accounts were opened")
_Curve = dict[tuple[int, str, int], int]


def vintage(session: Session, scope: Scope) -> Table:
    """Return the bad balance of each cohort at each of its month ends, now and ever, over what was disbursed."""
    columns = (
        _COHORT, CURRENCY, count("accounts", "Accounts", "accounts of the cohort with a limit or principal told"),
        money("disbursed", "Disbursed", "their limit or principal"),
        count("mob", "Months on book", "month ends since the end of the origination month"),
        money("bad", f"DPD ≥ {BAD_DPD}", f"balance at this month end of accounts with DPD of {BAD_DPD} or more"),
        rate("current", "Current rate", f"balance with DPD of {BAD_DPD} or more / disbursed"),
        money("ever_bad", "Ever", f"balance with which accounts first reached DPD {BAD_DPD}, by this month end"),
        rate("ever", "Ever rate", "ever / disbursed: this curve never falls"),
    )  # fmt: skip
    cohorts = latest(scope.as_of, COHORTS)
    opened = [
        Account.opened_on >= first_day(cohorts[0]), Account.opened_on <= scope.as_of, Account.limit_amount > 0,
        *([Account.source == scope.source] if scope.source else []),
    ]  # fmt: skip
    bad, fresh = _current(session, scope, opened, cohorts), _ever(session, scope, opened)
    by_cohort = (
        sa.select(month_of(Account.opened_on).label("cohort"), Account.currency, Account.limit_amount.label("amount"))
        .where(*opened)
        .subquery()
    )
    keys = (by_cohort.c.cohort, by_cohort.c.currency)
    rows: list[Row] = []
    for cohort, currency, n, disbursed in session.execute(
        sa.select(*keys, sa.func.count(), sa.func.sum(by_cohort.c.amount)).group_by(*keys).order_by(*keys)
    ):
        total, ever = int(disbursed), 0
        for mob in range(cohorts[-1] - cohort + 1):
            ever += fresh[cohort, currency, mob]
            over = last_day(cohort + mob) <= scope.as_of
            now = bad[cohort, currency, mob]
            told = (now, ratio(now, total), ever, ratio(ever, total)) if over else (None, None, None, None)
            rows.append((label(cohort), currency, n, total, mob, *told))
    said = (f"Cohorts of the last {COHORTS} months. A month that is not over is empty.",
            "Accounts without an opening date, or without a limit or principal, are left out.")  # fmt: skip
    return Table(columns, tuple(rows), said)


def _current(session: Session, scope: Scope, opened: list[Any], months: range) -> _Curve:
    """Return (cohort, currency, months on book) -> balance with DPD of BAD_DPD or more at that month end."""
    spans = overdue_spans(BAD_DPD, until=scope.as_of, known_at=scope.known_at)
    over = [m for m in months if last_day(m) <= scope.as_of]
    end = sa.union_all(
        *(
            sa.select(sa.literal(m).label("month"), sa.literal((scope.as_of - last_day(m)).days).label("day"))
            for m in over
        )
    ).subquery()
    stood = (
        sa.select(month_of(Account.opened_on).label("cohort"), Account.currency, end.c.month, spans.c.balance_amount)
        .join(spans, spans.c.account_id == Account.id)
        .join(
            end,
            sa.and_(spans.c.reached_day >= end.c.day, sa.or_(spans.c.left_day.is_(None), spans.c.left_day < end.c.day)),
        )
        .where(*opened)
        .subquery()
    )
    keys = (stood.c.cohort, stood.c.currency, stood.c.month)
    found: _Curve = defaultdict(int)
    for cohort, currency, month, amount in session.execute(
        sa.select(*keys, sa.func.sum(stood.c.balance_amount)).group_by(*keys)
    ):
        found[cohort, currency, month - cohort] = int(amount)
    return found


def _ever(session: Session, scope: Scope, opened: list[Any]) -> _Curve:
    """Return (cohort, currency, months on book) -> balance of accounts that reached BAD_DPD first in that month."""
    spans = overdue_spans(BAD_DPD, until=scope.as_of, known_at=scope.known_at)
    nth = sa.func.row_number().over(partition_by=spans.c.account_id, order_by=spans.c.reached_day.desc())
    ranked = sa.select(*spans.c, nth.label("nth")).subquery()
    reached = (
        sa.select(month_of(Account.opened_on).label("cohort"), Account.currency, ranked.c.reached_day.label("day"),
                  ranked.c.balance_amount)
        .join(ranked, ranked.c.account_id == Account.id)
        .where(ranked.c.nth == 1, *opened)
        .subquery()
    )  # fmt: skip
    keys = (reached.c.cohort, reached.c.currency, reached.c.day)
    found: _Curve = defaultdict(int)
    for cohort, currency, day, amount in session.execute(
        sa.select(*keys, sa.func.sum(reached.c.balance_amount)).group_by(*keys)
    ):
        month = number_of(scope.as_of - timedelta(days=day))
        found[cohort, currency, max(0, month - cohort)] += int(amount)
    return found


def first_payment_default(session: Session, scope: Scope) -> Table:
    """Return for the first three instalments of each cohort the share still unpaid x days after the due date."""
    columns = (
        _COHORT, Column("payment", "Payment", "FPD, SPD, TPD: the first, second, third instalment"),
        count("days", "Days", "days after the due date"),
        count("accounts", "Accounts", "accounts whose instalment has been due for so many days"),
        count("missed", "Missed", "of these, accounts that had not paid it by then"),
        rate("missed_rate", "Missed rate", "missed / accounts"), *interval("missed_rate"),
    )  # fmt: skip
    lowest = sa.func.min(Instalment.schedule_version).over(partition_by=Instalment.account_id)
    day = sa.literal(scope.as_of, sa.Date())
    first = (
        sa.select(
            month_of(Account.opened_on).label("cohort"), Instalment.seq, Instalment.schedule_version.label("version"),
            lowest.label("original"), days_between(Instalment.due_on, day).label("age"),
            days_between(Instalment.due_on, Instalment.closed_on).label("paid_after"),
        )
        .join(Account, Account.id == Instalment.account_id)
        .where(
            Instalment.seq.in_(_FIRST), Instalment.kind == "scheduled", Instalment.due_on < scope.as_of,
            Account.opened_on >= first_day(latest(scope.as_of, COHORTS)[0]),
        )
    )  # fmt: skip
    if scope.source:
        first = first.where(Account.source == scope.source)
    f = first.subquery()
    unpaid = [sa.or_(f.c.paid_after.is_(None), f.c.paid_after > days) for days in MISSED_FOR]
    sums = []
    for days, is_unpaid in zip(MISSED_FOR, unpaid, strict=True):
        sums += [sa.func.sum(sa.case((f.c.age >= days, 1), else_=0)),
                 sa.func.sum(sa.case((sa.and_(f.c.age >= days, is_unpaid), 1), else_=0))]  # fmt: skip
    keys = (f.c.cohort, f.c.seq)
    rows: list[Row] = []
    for cohort, seq, *counts in session.execute(
        sa.select(*keys, *sums).where(f.c.version == f.c.original).group_by(*keys).order_by(*keys)
    ):
        for days, n, missed in zip(MISSED_FOR, counts[::2], counts[1::2], strict=True):
            rows.append((label(cohort), _FIRST[seq], days, int(n), int(missed), *spread(share(int(missed), int(n)))))
    said = "By the schedule as it was first written; accounts without a schedule or an opening date are left out."
    return Table(columns, tuple(rows), (said,))
