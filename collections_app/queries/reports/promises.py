"""Promises kept, of those that have matured (domain brief §2.4, trap 18)."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.dates import days_between
from collections_app.db.tables import Account, Promise
from collections_app.domain.metrics import ratio, share
from collections_app.domain.promises import PromiseStatus
from collections_app.queries.reports.months import first_day, label, latest, month_of
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

MONTHS = 12
_KEPT, _PARTIAL, _BROKEN = PromiseStatus.KEPT, PromiseStatus.PARTIAL, PromiseStatus.BROKEN
_COLUMNS = (
    Column("due", "Due in", "month in which the promises were due"), CURRENCY,
    count("matured", "Matured", "judged promises whose due date and grace have passed"),
    count("kept", "Kept", "paid within the tolerance by due date and grace"),
    count("partial", "Partly kept", "half or more was paid, but not all"),
    count("broken", "Broken", "less than half was paid"),
    rate("kept_rate", "Kept rate", "kept / (kept + partial + broken)"),
    *interval("kept_rate"),
    money("promised", "Promised", "amount of the matured promises"),
    money("paid", "Paid of it", "the lesser of paid and promised, summed"),
    rate("kept_rate_amount", "Kept rate, by amount", "paid of it / promised"),
    count("waiting", "Not judged yet", "past due date and grace but still open: the judgement has not run"),
)  # fmt: skip


def kept(session: Session, scope: Scope) -> Table:
    """Return the kept rate by the month in which promises were due; open, cancelled and superseded ones are out."""
    promised, paid = Promise.amount, Promise.paid_amount
    matured = (
        sa.select(
            month_of(Promise.due_on).label("month"), Promise.currency,
            sa.cast(Promise.status, sa.String).label("status"), promised.label("promised"),
            sa.case((paid < promised, paid), else_=promised).label("paid"),
        )
        .where(
            Promise.status.in_((_KEPT, _PARTIAL, _BROKEN, PromiseStatus.OPEN)),
            days_between(Promise.due_on, sa.literal(scope.as_of, sa.Date())) > Promise.grace_days,
            Promise.due_on >= first_day(latest(scope.as_of, MONTHS)[0]),
        )
    )  # fmt: skip
    if scope.source:
        matured = matured.join(Account, Account.id == Promise.account_id).where(Account.source == scope.source)
    m = matured.subquery()
    numbers = [sa.func.sum(sa.case((m.c.status == s.value, 1), else_=0)) for s in (_KEPT, _PARTIAL, _BROKEN)]
    judged = m.c.status != PromiseStatus.OPEN.value
    amounts = [sa.func.sum(sa.case((judged, amount), else_=0)) for amount in (m.c.promised, m.c.paid)]
    rows: list[Row] = []
    found = session.execute(
        sa.select(m.c.month, m.c.currency, *numbers, *amounts, sa.func.count())
        .group_by(m.c.month, m.c.currency)
        .order_by(m.c.month, m.c.currency)
    )
    for month, currency, *figures in found:
        n_kept, partial, broken, total, met, everything = map(int, figures)
        n = n_kept + partial + broken
        rows.append((
            label(month), currency, n, n_kept, partial, broken, *spread(share(n_kept, n)), total, met,
            ratio(met, total), everything - n,
        ))  # fmt: skip
    return Table(_COLUMNS, tuple(rows))
