"""Accounts of which nothing is past due: those that the B-cards watch."""

from datetime import date, timedelta

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.tables import Account
from collections_app.queries.as_of import standings_as_of


def not_overdue(session: Session, on: date, *, least_days_on_book: int = 0) -> pl.DataFrame:
    """Return ``account_id`` of the active accounts of which nothing was past due on a day, in order."""
    standing = standings_as_of(on)
    statement = (
        sa.select(standing.c.account_id)
        .join(Account, Account.id == standing.c.account_id)
        .where(standing.c.dpd == 0, standing.c.status == "active")
    )
    if least_days_on_book:
        statement = statement.where(Account.opened_on <= on - timedelta(days=least_days_on_book))
    return bulk.read(session, statement, {"account_id": pl.Int64}).sort("account_id")
