"""Facts through a strategy table to stored decisions: what queueing and treatment share."""

from datetime import date
from typing import Any

import polars as pl
import sqlalchemy as sa

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import Decision, StrategyVersion
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.queries.facts import case_facts
from strategies.book import StrategyBook
from strategies.table import DecisionTable


def register_book(uow: UnitOfWork, book: StrategyBook) -> int:
    """Keep the whole book under its digest, so that a decision can be explained years later; return its id."""
    known = uow.session.scalar(sa.select(StrategyVersion.id).where(StrategyVersion.digest == book.digest))
    if known is not None:
        return known
    version = StrategyVersion(
        name=book.name,
        digest=book.digest,
        content=dict(book.content),
        effective_from=book.effective_from,
        published_at=uow.now,
        published_by=uow.actor.name,
    )
    uow.session.add(version)
    uow.session.flush()  # decisions refer to the version's id
    return version.id


def decide(uow: UnitOfWork, *, business_date: date, book: StrategyBook, table: DecisionTable) -> pl.DataFrame:
    """Decide every open case by one table and store the decisions; return facts, results and ``decision_id``.

    Repeatable: a second run of the day replaces the day's decisions only where the result changed.
    """
    version_id = register_book(uow, book)
    facts = case_facts(uow.session, as_of=business_date, now=uow.now, salt=book.salt, shares=dict(book.arms))
    decided = table.evaluate(facts)
    if decided.is_empty():
        return decided.with_columns(pl.lit(None, pl.Int64).alias("decision_id"))
    results = [*table.results, *(("priority",) if table.priority else ())]
    rows = decided.select(
        "case_id",
        "rule_id",
        "arm",
        "propensity",
        pl.struct(results).struct.json_encode().alias("result"),
        _known(
            pl.struct(pl.col(list(table.facts)).exclude("as_of"), pl.col("as_of").cast(pl.String)).struct.json_encode()
        ).alias("facts"),
    )
    staged = bulk.stage(uow.session, "staged_decision", rows, index=("case_id",))
    target = table_of(Decision)
    columns: dict[str, Any] = {c: staged.c[c] for c in ("case_id", "rule_id", "arm", "propensity")}
    columns |= {c: bulk.as_json(uow.session, staged.c[c]) for c in ("result", "facts")}
    columns |= {
        "kind": sa.literal(table.kind),
        "business_date": sa.literal(business_date, sa.Date()),
        "strategy_version_id": sa.literal(version_id),
        "decided_at": sa.literal(uow.now, target.c.decided_at.type),
    }
    bulk.upsert(
        uow.session,
        target,
        staged,
        keys=("case_id", "kind", "business_date"),
        columns=columns,
        update=("rule_id", "result", "facts", "strategy_version_id", "decided_at"),
    )
    ids = bulk.read(
        uow.session,
        sa.select(target.c.case_id, target.c.id).where(
            target.c.kind == table.kind, target.c.business_date == business_date
        ),
        {"case_id": pl.Int64, "id": pl.Int64},
    ).rename({"id": "decision_id"})
    return decided.join(ids, on="case_id", how="left", maintain_order="left")


def _known(facts: pl.Expr) -> pl.Expr:
    """Leave unknown facts out of the stored text: an absent fact is an unknown one, and half of them are."""
    return facts.str.replace_all(r'"\w+":null,', "").str.replace(r',"\w+":null\}$', "}")
