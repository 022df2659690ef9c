"""Whole days between two dates, in the words of each database."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement


class days_between(FunctionElement[int]):  # noqa: N801 - reads as the SQL function that it is
    """``days_between(earlier, later)``: later - earlier in days, negative when the order is turned round."""

    type = sa.Integer()
    name = "days_between"
    inherit_cache = True


def _sides(element: Any, compiler: Any, **kw: Any) -> tuple[str, str]:
    earlier, later = (compiler.process(part, **kw) for part in element.clauses)
    return earlier, later


@compiles(days_between, "postgresql")
def _on_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    earlier, later = _sides(element, compiler, **kw)
    return f"(CAST({later} AS date) - CAST({earlier} AS date))"


@compiles(days_between, "sqlite")
def _on_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    # Julian days of two midnights: a whole difference, held as a float.
    earlier, later = _sides(element, compiler, **kw)
    return f"CAST(round(julianday({later}) - julianday({earlier})) AS INTEGER)"
