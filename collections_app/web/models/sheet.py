"""The model card as a sheet: the same on the page and on paper (``collections model report``)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from collections_app.domain.model_stages import Stage
from collections_app.queries.model_pages import Estimate, ModelFile, ModelLine, MoveLine
from collections_app.queries.reports.report import Column, Kind, Value
from collections_app.web.curves import CurvePlot
from collections_app.web.formatting import percent, whole, words
from collections_app.web.models.drawings import own_plots, training_plots, watch_plots
from collections_app.web.models.tables import FigureTable, tables_of
from collections_app.web.models.words import (
    ALGORITHMS,
    STAGE_MEANS,
    figure,
    limits_on,
    metric,
    of_hundred,
    purpose_of,
    within,
)

FIRST_ROWS = 20
"""Rows of a table that are shown unfolded."""

_FACTS = (
    ("Where it comes from", "provenance"), ("Recipe", "recipe"), ("Cross-validation", "cross_validation"),
    ("Scale of the points", "scaling"),
)  # fmt: skip
_ABBREVIATIONS = frozenset({"auc", "csi", "dpd", "ece", "iv", "ks", "mae", "psi", "rmse"})
_VERDICT_TONES = {
    "in order": "good", "breaks": "bad", "fair": "good", "inspect": "bad", "suspicious": "bad", "ok": "good",
    "watch": "care", "act": "bad", "stable": "good",
}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One cell; ``tone`` makes it a chip."""

    text: str
    is_number: bool = False
    tone: str = ""
    is_date: bool = False


@dataclass(frozen=True)
class ShownTable:
    """A table ready to be read: the first rows, the rest to be unfolded, and what a gap means."""

    name: str
    title: str
    definition: str
    columns: tuple[Column, ...]
    numbers: tuple[bool, ...]
    first: tuple[tuple[Cell, ...], ...]
    rest: tuple[tuple[Cell, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class FeatureBins:
    """One feature cut into bins. A bar lies left of the middle where the bin is riskier (WoE below 0)."""

    name: str
    said: str
    rows: tuple["BinRow", ...]


@dataclass(frozen=True)
class BinRow:
    """One bin; ``bar_from`` and ``bar_wide`` place its bar on a width of 100."""

    label: str
    rows: str
    rate: str
    woe: str
    bar_from: float
    bar_wide: float


@dataclass(frozen=True)
class Headline:
    """A figure that is read first."""

    label: str
    meaning: str
    value: str
    small: str


@dataclass(frozen=True)
class ModelSheet:
    """models/_sheet.html. ``tables`` are by section; ``inspected``: the move in which a person answered the alarms."""

    line: ModelLine
    title: str
    purpose: str
    does: str
    stage_means: str
    headline: tuple[Headline, ...]
    learnt: tuple[str, ...]
    alarms: tuple[str, ...]
    inspected: MoveLine | None
    warnings: tuple[str, ...]
    plots: tuple[CurvePlot, ...]
    own_plots: tuple[CurvePlot, ...]
    watch_plots: tuple[CurvePlot, ...]
    tables: Mapping[str, ShownTable]
    bins: tuple[FeatureBins, ...]
    facts: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    moves: tuple[MoveLine, ...]
    today: date
    zone: ZoneInfo


def model_sheet(file: ModelFile, *, today: date, zone: ZoneInfo) -> ModelSheet:
    """Arrange one version."""
    limits, line, card = limits_on(today), file.line, file.card
    tables = tables_of(file, limits)
    return ModelSheet(
        line=line,
        title=line.title or words(line.name),
        purpose=purpose_of(line.purpose).title,
        does=_does(line, card),
        stage_means=STAGE_MEANS[line.stage],
        headline=tuple(_headlines(file)),
        learnt=tuple(_learnt(card)),
        alarms=tuple(card.get("alarms") or ()),
        inspected=next((m for m in file.moves if m.to_stage == Stage.CHAMPION and m.note), None),
        warnings=tuple(card.get("warnings") or ()),
        plots=training_plots(tables),
        own_plots=own_plots(tables),
        watch_plots=watch_plots(tables, limits),
        tables={name: shown(t) for name, t in tables.items()},
        bins=tuple(_bins(tables)),
        facts=tuple(_facts(card)),
        moves=file.moves,
        today=today,
        zone=zone,
    )


def shown(table: FigureTable) -> ShownTable:
    """Write a table as text."""
    rows = tuple(tuple(_cell(c, v) for c, v in zip(table.table.columns, r, strict=True)) for r in table.table.rows)
    numbers = tuple(c.kind not in (Kind.TEXT, Kind.DATE) for c in table.table.columns)
    return ShownTable(table.name, table.title, table.definition, table.table.columns, numbers,
                      rows[:FIRST_ROWS], rows[FIRST_ROWS:], table.note)  # fmt: skip


def _cell(column: Column, value: Value) -> Cell:
    if column.kind is Kind.DATE:
        return Cell(value.isoformat() if isinstance(value, date) else "", is_date=True)
    if column.kind is Kind.TEXT:
        text = str(value or "")
        said = metric(text)[0] if column.name == "metric" else text
        return Cell(said, tone=_VERDICT_TONES.get(text, "plain") if column.name == "verdict" and text else "")
    number = float(value) if isinstance(value, int | float) else None
    if column.kind is Kind.RATE:
        return Cell(percent(number, 1), is_number=True)
    if column.kind is Kind.COUNT:
        return Cell(whole(None if number is None else int(number)), is_number=True)
    return Cell(_decimal(number), is_number=True)


def _decimal(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.{1 if abs(value) >= 100 else 3}f}"


def _does(line: ModelLine, card: Mapping[str, Any]) -> str:
    people = (card.get("provenance") or {}).get("population") or "accounts"
    kind = ALGORITHMS.get(line.algorithm, words(line.algorithm).lower())
    return (
        f"How likely it is that {people} {within(line.event, line.horizon_days)}: {kind}. "
        "A higher score is always better for the lender."
    )


def _headlines(file: ModelFile) -> Iterator[Headline]:
    """Yield the figures of the test rows, then the latest PSI."""
    for estimate in file.line.estimates:
        label, meaning = metric(estimate.name)
        yield Headline(label, f"{meaning}; on test rows", figure(estimate.name, estimate.value), _spread(estimate))
    if file.line.scored_on:
        label, meaning = metric("psi")
        yield Headline(label, meaning, figure("psi", file.line.psi), f"on {file.line.scored_on.isoformat()}")


def _spread(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{figure(estimate.name, estimate.low)} to {figure(estimate.name, estimate.high)}"


def _learnt(card: Mapping[str, Any]) -> Iterator[str]:
    sample, test, origin = (card.get(key) or {} for key in ("sample", "test", "provenance"))
    if "rows" in sample:
        people = f" of {whole(sample['customers'])} customers" if "customers" in sample else ""
        learnt = f"{whole(sample.get('train_rows', sample['rows']))} rows"
        events = sample.get("train_events", sample.get("events"))
        share = f" ({whole(events)} with the event)" if events is not None else ""
        yield f"Built on {whole(sample['rows'])} rows{people}; learnt from {learnt}{share}."
    if "rows" in test:
        hits = f" ({whole(test['events'])} with the event)" if "events" in test else ""
        yield f"Measured on {whole(test['rows'])} test rows{hits} that it never saw, touched once."
    if origin.get("observed_from"):
        yield f"Observations of {origin['observed_from']} to {origin.get('observed_to', 'unknown')}."
    if origin.get("observed"):
        yield f"Observed at: {origin['observed']}."
    if origin.get("split"):
        yield f"Split: {origin['split']}."
    events, rows = sample.get("events"), sample.get("rows")
    if events and rows:
        yield f"{of_hundred(events / rows)} of 100 have the event."


def _bins(tables: Mapping[str, FigureTable]) -> Iterator[FeatureBins]:
    if "bins" not in tables:
        return
    information = {r["feature"]: r for r in tables["features"].records()}
    groups: dict[str, list[dict[str, Any]]] = {}
    for record in tables["bins"].records():
        groups.setdefault(record["feature"], []).append(record)
    for name, rows in groups.items():
        widest = max([abs(r["woe"] or 0.0) for r in rows] + [1e-9])
        iv = information.get(name, {}).get("iv")
        yield FeatureBins(name, f"{len(rows)} bins" + ("" if iv is None else f", IV {iv:.3f}"),
                          tuple(_bin(r, widest) for r in rows))  # fmt: skip


def _bin(record: Mapping[str, Any], widest: float) -> BinRow:
    woe = record["woe"] or 0.0
    wide = round(abs(woe) / widest * 50, 1)
    return BinRow(record["bin"], whole(record["rows"]), percent(record["rate"], 1), _decimal(record["woe"]),
                  50.0 if woe >= 0 else 50.0 - wide, wide)  # fmt: skip


def _facts(card: Mapping[str, Any]) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    """Yield what the card says of its making, in pairs: provenance, recipe, cross-validation, scale."""
    for title, key in _FACTS:
        pairs = tuple((_named(name), _said(value)) for name, value in (card.get(key) or {}).items())
        if pairs:
            yield title, pairs


def _named(name: str, *, is_first: bool = True) -> str:
    """Return the name of a fact in words; abbreviations keep their capitals."""
    said = words(name) if is_first else words(name).lower()
    return " ".join(word.upper() if word.lower() in _ABBREVIATIONS else word for word in said.split())


def _said(value: Any) -> str:
    if isinstance(value, Mapping | list | tuple) and not value:
        return "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{_named(k, is_first=False)} {_said(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(_said(v) for v in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
