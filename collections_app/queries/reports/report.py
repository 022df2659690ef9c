"""What a report is: a definition, named columns, rows; and how it is written for machines."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from collections_app.domain.metrics import Share

Value = str | int | float | date | None
Row = tuple[Value, ...]


class Kind(StrEnum):
    """What a column holds; money is whole minor units of the row's ``currency``."""

    TEXT = "text"
    DATE = "date"
    COUNT = "count"
    MONEY = "money"
    RATE = "rate"
    MEAN = "mean"


@dataclass(frozen=True)
class Column:
    """One column: its stable name, its heading, and what exactly it counts."""

    name: str
    label: str
    meaning: str
    kind: Kind = Kind.TEXT


def count(name: str, label: str, meaning: str) -> Column:
    """Describe a column of whole numbers."""
    return Column(name, label, meaning, Kind.COUNT)


def money(name: str, label: str, meaning: str) -> Column:
    """Describe a column of amounts in minor units; its name ends in ``_minor``."""
    return Column(f"{name}_minor", label, meaning, Kind.MONEY)


def rate(name: str, label: str, meaning: str) -> Column:
    """Describe a column of rates: a fraction, empty where the denominator is 0."""
    return Column(name, label, meaning, Kind.RATE)


def mean(name: str, label: str, meaning: str) -> Column:
    """Describe a column of so many of these for each of those: a number, not a share."""
    return Column(name, label, meaning, Kind.MEAN)


def interval(name: str) -> tuple[Column, Column]:
    """Describe the two ends of a rate's 95 % interval (Wilson)."""
    return (
        rate(f"{name}_low", "from", "lower end of the 95 % interval (Wilson)"),
        rate(f"{name}_high", "to", "upper end of the 95 % interval (Wilson)"),
    )


CURRENCY = Column("currency", "Currency", "amounts of different currencies are never added")


def spread(found: Share) -> tuple[float | None, float | None, float | None]:
    """Return a share as three values of a row."""
    return found.value, found.low, found.high


@dataclass(frozen=True)
class Scope:
    """What a report speaks of: the state on ``as_of`` as known at ``known_at`` (None = now), one source or all."""

    as_of: date
    known_at: datetime | None = None
    source: str | None = None


@dataclass(frozen=True)
class Table:
    """What a family's function returns: columns, rows, and notes on how to read them."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """One report, ready to be printed, drawn or sent."""

    name: str
    title: str
    definition: str
    trap: str
    scope: Scope
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    def records(self) -> Iterator[dict[str, Value]]:
        """Yield the rows as dicts by column name."""
        names = [column.name for column in self.columns]
        for row in self.rows:
            yield dict(zip(names, row, strict=True))


def as_json(report: Report) -> str:
    """Write a report as JSON: its definition, dates, columns with their meaning, and rows by name."""
    scope = report.scope
    known: dict[str, Any] = {
        "name": report.name,
        "title": report.title,
        "definition": report.definition,
        "as_of": scope.as_of.isoformat(),
        "known_at": scope.known_at.isoformat() if scope.known_at else None,
        "source": scope.source,
        "columns": [asdict(column) for column in report.columns],
        "rows": list(report.records()),
        "notes": report.notes,
    }
    return json.dumps(known, default=str, ensure_ascii=False, indent=1)


def as_csv(report: Report | Table) -> str:
    """Write the rows as CSV (RFC 4180) under the columns' names; an unknown rate is an empty field.

    A text that a spreadsheet would take for a formula (the lenders' names are theirs) begins with an apostrophe.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(column.name for column in report.columns)
    writer.writerows([_no_formula(value) for value in row] for row in report.rows)
    return text.getvalue()


def _no_formula(value: Value) -> Value:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
