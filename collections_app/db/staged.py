"""What a query may know of a staged table beside its rows; apart from ``db.bulk``, which brings polars."""

from typing import Any

import sqlalchemy as sa


def within(column: sa.ColumnElement[Any], staged: sa.FromClause) -> sa.ColumnElement[bool]:
    """Limit a column to the range of the ids that were staged by ``bulk.stage`` (of another table: to nothing).

    Adds nothing to a join on these ids. But a server that is told the range reads that part of a large table by its
    index; without it a book that is read in twenty chunks is read twenty times from end to end.
    """
    known = staged.info.get("range") if isinstance(staged, sa.Table) else None
    return sa.true() if known is None else column.between(*known)
