"""Cash as reports count it: settled, net of what was taken back, by value date (domain brief §8.4)."""

from typing import Any

import sqlalchemy as sa

from collections_app.db.tables import FeedBatch, Payment
from collections_app.domain.metrics import CASH_SIGN
from collections_app.queries.reports.report import Scope

SIGNED = sa.case(CASH_SIGN, value=Payment.kind) * Payment.amount


def is_cash(scope: Scope) -> list[sa.ColumnElement[bool]]:
    """Return the conditions under which a payment counts by a date, as far as it was known."""
    conditions: list[sa.ColumnElement[bool]] = [
        Payment.kind.in_(CASH_SIGN),
        Payment.status == "settled",
        Payment.value_on <= scope.as_of,
    ]
    if scope.known_at is not None:
        known = sa.select(FeedBatch.id).where(FeedBatch.imported_at <= scope.known_at)
        conditions.append(Payment.batch_id.in_(known))
    return conditions


def within(days: sa.ColumnElement[int], windows: tuple[int, ...]) -> list[sa.ColumnElement[Any]]:
    """Return one sum of cash per window: valued on day 1 to the window's last day after the origin."""
    return [
        sa.func.coalesce(sa.func.sum(sa.case((days <= window, SIGNED), else_=0)), 0).label(f"cash_{window}")
        for window in windows
    ]
