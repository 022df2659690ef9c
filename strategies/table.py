"""Decision tables: rows with conditions and results, first hit wins, the hit is always named.

One evaluator serves one case and a whole book: the conditions compile to polars expressions, so a
million cases are decided column by column and a single case is a frame of one row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import polars as pl

OPERATORS = ("==", "!=", ">=", ">", "<=", "<")


class BookError(ValueError):
    """A book that cannot be used; the message names file and row."""


@dataclass(frozen=True)
class Row:
    """One rule: its conditions by fact, its result, the sentence that explains it, its examples."""

    id: str
    when: Mapping[str, Any]
    then: Mapping[str, Any]
    why: str
    examples: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class PriorityTerm:
    """One addend of a priority: weight x fact, or weight x log10(1 + fact)."""

    fact: str
    weight: float
    log10: bool = False


@dataclass(frozen=True)
class DecisionTable:
    """A table of one kind. ``facts`` maps each fact that may be used to its polars type."""

    kind: str
    rows: tuple[Row, ...]
    facts: Mapping[str, Any]
    results: Mapping[str, Any]
    priority: tuple[PriorityTerm, ...] = ()

    def evaluate(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Decide every row of ``frame``. Adds ``rule_id`` and the result columns, in the frame's order."""
        position = pl.lit(None, pl.Int64)
        for index in range(len(self.rows) - 1, -1, -1):
            position = pl.when(self._matches(self.rows[index])).then(pl.lit(index, pl.Int64)).otherwise(position)
        results = pl.DataFrame(
            {
                "_row": range(len(self.rows)),
                "rule_id": [row.id for row in self.rows],
                **{n: pl.Series([row.then.get(n) for row in self.rows], dtype=t) for n, t in self.results.items()},
            },
            schema_overrides={"_row": pl.Int64},
        )
        decided = frame.with_columns(position.alias("_row")).join(results, on="_row", how="left", maintain_order="left")
        if self.priority:
            decided = decided.with_columns((pl.col("base") + self._priority()).alias("priority"))
        return decided.drop("_row")

    def _matches(self, row: Row) -> pl.Expr:
        tests = [condition(fact, wanted) for fact, wanted in row.when.items()]
        return reduce(lambda a, b: a & b, tests, pl.lit(value=True))

    def _priority(self) -> pl.Expr:
        terms = []
        for term in self.priority:
            value = pl.col(term.fact).cast(pl.Float64).fill_null(0)
            terms.append(term.weight * ((value.clip(0) + 1).log10() if term.log10 else value))
        return pl.sum_horizontal(terms)


def condition(fact: str, wanted: Any) -> pl.Expr:
    """Compile one condition: a value, a list of values, null, or {">=": 31, "<": 61}. Never yields null."""
    column = pl.col(fact)
    if wanted is None:
        return column.is_null()
    if isinstance(wanted, Mapping):
        tests = [_compare(column, operator, value) for operator, value in wanted.items()]
        return reduce(lambda a, b: a & b, tests)
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        return column.is_in(list(wanted)).fill_null(value=False)
    return (column == wanted).fill_null(value=False)


def _compare(column: pl.Expr, operator: str, value: Any) -> pl.Expr:
    if operator == "!=" and value is None:
        return column.is_not_null()
    tests = {
        "==": column == value, "!=": column != value, ">=": column >= value, ">": column > value,
        "<=": column <= value, "<": column < value,
    }  # fmt: skip
    return tests[operator].fill_null(value=False)
