"""The next step of every case today, by the treatment table of the book."""

from datetime import date

import polars as pl

from collections_app.db.unit_of_work import UnitOfWork
from collections_app.services.deciding import decide
from strategies.book import StrategyBook


def plan(uow: UnitOfWork, *, business_date: date, book: StrategyBook) -> dict[str, int]:
    """Decide and store today's step of each open case; campaigns are planned from these decisions."""
    decided = decide(uow, business_date=business_date, book=book, table=book.treatment)
    if decided.is_empty():
        return {"cases": 0}
    steps = decided.group_by("step").agg(pl.len().alias("n")).sort("step")
    return {"cases": decided.height, **dict(steps.iter_rows())}
