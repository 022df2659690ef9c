"""Reports arranged for reading: the plot that answers the question, then every figure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Any

from collections_app.domain.metrics import ratio
from collections_app.domain.money import Money
from collections_app.queries.reports.registry import REPORTS
from collections_app.queries.reports.report import Column, Kind, Report, Value
from collections_app.web.formatting import amount, percent, whole
from collections_app.web.plots import Plot, Rate, bar_plot, heat_map, line_plot

FAMILIES = {
    "roll_rates": "How the book moves", "vintage": "Cohorts", "customers": "Customers", "cures": "Entry and cure",
    "recovery": "Cash", "contact": "Contact", "promises": "Promises", "reconciliation": "Feeds",
}  # fmt: skip
_PLOTS_EACH = 4
_Record = dict[str, Value]


@dataclass(frozen=True)
class Drawing:
    """How a report is drawn. ``by``: columns whose values are labels. ``apart``: a plot for each of their values.

    ``shape``: heat, lines, bars (of a rate), or parts (bars of a count's share in the sum of all).
    """

    shape: str
    value: str
    by: tuple[str, ...]
    n: str = ""
    x: str = ""
    only: Mapping[str, Value] = field(default_factory=dict)
    apart: tuple[str, ...] = ()
    from_zero: bool = False


_MATRIX, _MONEY = ("bucket_table", "currency"), ("currency",)
DRAWINGS: Mapping[str, tuple[Drawing, ...]] = {
    "roll-rates": (
        Drawing("heat", "share", ("from_bucket", "to_state"), n="n", apart=_MATRIX),
        Drawing("heat", "share_balance", ("from_bucket", "to_state"), n="n", apart=_MATRIX),
    ),
    "net-flow": (Drawing("bars", "net_flow", ("from_bucket", "to_bucket"), n="n_from", apart=_MATRIX),),
    "roll-to-loss": (Drawing("bars", "to_loss", ("from_bucket", "from_dpd"), n="n_from", apart=_MATRIX),),
    "vintage": (
        Drawing("lines", "current", ("cohort",), x="mob", apart=_MONEY),
        Drawing("lines", "ever", ("cohort",), x="mob", apart=_MONEY),
    ),
    "first-payment-default": (
        Drawing("bars", "missed_rate", ("cohort", "payment"), n="accounts", only={"days": 30}),
    ),
    "customers": (
        Drawing("parts", "accounts", ("bucket", "from_dpd"), apart=_MATRIX),
        Drawing("parts", "customers", ("bucket", "from_dpd"), apart=_MATRIX),
    ),
    "entry-rate": (Drawing("lines", "entry_rate", ("currency",), x="due_on"),),
    "cure-rate": (Drawing("bars", "cure_rate", ("entered",), n="episodes", only={"days": 30}),),
    "partial-cure": (Drawing("bars", "partial_rate", ("from_bucket", "from_dpd"), n="n_from", apart=_MATRIX),),
    "self-cure": (Drawing("bars", "self_cure_rate", ("entered", "reading"), n="episodes", only={"days": 10}),),
    "re-default": (Drawing("bars", "redefault_rate", ("cured",), n="cures", only={"dpd": 1, "days": 30}),),
    "recovery": (Drawing("bars", "recovery", ("placed_with", "batch"), n="placed", apart=_MONEY),),
    "liquidation": (
        Drawing("lines", "liquidation", ("placed_with", "batch"), x="days", apart=_MONEY, from_zero=True),
    ),
    "charge-off-recovery": (Drawing("bars", "recovery", ("vintage",), n="accounts", apart=_MONEY),),
    "contact": (
        Drawing("bars", "rpc_per_attempt", ("month",), n="attempts", only={"channel": "voice"}),
        Drawing("bars", "coverage", ("month",), n="queued", only={"channel": "all"}),
    ),
    "reachability": (Drawing("lines", "reachability", (), x="day"),),
    "promises": (Drawing("bars", "kept_rate", ("due",), n="matured", apart=_MONEY),),
    "reconciliation": (Drawing("bars", "mismatch_rate", ("source",), n="compared", only={"entity": "all"}),),
    "quarantine": (Drawing("bars", "quarantine_rate", ("source",), n="rows", only={"entity": "all"}),),
}  # fmt: skip


@dataclass(frozen=True)
class ReportLine:
    """One report in the list."""

    name: str
    title: str
    chinese: str
    definition: str


@dataclass(frozen=True)
class ReportsPage:
    """reports/index.html. Reports by family, in the order of the registry."""

    families: tuple[tuple[str, tuple[ReportLine, ...]], ...]


@dataclass(frozen=True)
class Figure:
    """One cell of the table."""

    text: str
    is_number: bool


@dataclass(frozen=True)
class ReportPage:
    """reports/show.html."""

    name: str
    title: str
    chinese: str
    definition: str
    trap: str
    notes: tuple[str, ...]
    as_of: date
    latest_on: date
    source: str | None
    sources: tuple[str, ...]
    plots: tuple[Plot, ...]
    columns: tuple[Column, ...]
    rows: tuple[tuple[Figure, ...], ...]


def reports_page() -> ReportsPage:
    """Arrange the list of reports."""
    lines = ((m.family, ReportLine(name, m.title, m.chinese, m.definition)) for name, m in REPORTS.items())
    return ReportsPage(
        tuple((FAMILIES[family], tuple(line for _, line in group)) for family, group in groupby(lines, lambda f: f[0]))
    )


def report_page(report: Report, *, latest_on: date, sources: tuple[str, ...]) -> ReportPage:
    """Arrange one report."""
    return ReportPage(
        name=report.name,
        title=report.title,
        chinese=REPORTS[report.name].chinese,
        definition=report.definition,
        trap=report.trap,
        notes=report.notes,
        as_of=report.scope.as_of,
        latest_on=latest_on,
        source=report.scope.source,
        sources=sources,
        plots=tuple(_plots(report)),
        columns=report.columns,
        rows=tuple(tuple(_figure(r, c) for c in report.columns) for r in report.records()),
    )


def _figure(record: _Record, column: Column) -> Figure:
    value: Any = record[column.name]
    if column.kind is Kind.MONEY:
        return Figure("–" if value is None else amount(Money(value, str(record["currency"]))), is_number=True)
    if column.kind is Kind.RATE:
        return Figure(percent(value, 1), is_number=True)
    if column.kind is Kind.MEAN:
        return Figure("–" if value is None else f"{value:.2f}", is_number=True)
    if column.kind is Kind.COUNT:
        return Figure(whole(value), is_number=True)
    text = value.isoformat() if isinstance(value, date) else str(value or "")
    return Figure(text.replace("_", " ") if column.name in ("to_state", "verdict") else text, is_number=False)


def _plots(report: Report) -> Iterator[Plot]:
    """Draw a report: each of its drawings, apart for currencies and bucket tables, at most a few of each."""
    columns = {column.name: column for column in report.columns}
    for drawing in DRAWINGS[report.name]:
        records = [r for r in report.records() if all(r[c] == value for c, value in drawing.only.items())]
        groups: dict[str, list[_Record]] = {}
        for record in records:
            groups.setdefault(", ".join(str(record[c]) for c in drawing.apart), []).append(record)
        only = ", ".join(_only(columns[c], value) for c, value in drawing.only.items() if value != "all")
        for name, group in list(groups.items())[:_PLOTS_EACH]:
            said = ", ".join(part for part in (only, name) if part)
            title = f"{columns[drawing.value].label} ({said})" if said else columns[drawing.value].label
            yield _SHAPES[drawing.shape](drawing, title, columns, group)


def _only(column: Column, value: Value) -> str:
    return f"{column.label.lower()} {value}" if column.kind is Kind.COUNT else str(value)


def _heat(drawing: Drawing, title: str, columns: Mapping[str, Column], records: list[_Record]) -> Plot:
    row, column = drawing.by
    shares: dict[tuple[str, str], tuple[float, int]] = {}
    for r in records:
        shares[str(r[row]), _state(r[column])] = (_number(r[drawing.value]) or 0.0, int(_number(r[drawing.n]) or 0))
    rows, states = dict.fromkeys(key[0] for key in shares), dict.fromkeys(key[1] for key in shares)
    return heat_map(title, list(rows), list(states), shares)


def _bars(drawing: Drawing, title: str, columns: Mapping[str, Column], records: list[_Record]) -> Plot:
    rates = [
        Rate(
            " · ".join(str(r[c]) for c in drawing.by), _number(r[drawing.value]), int(_number(r[drawing.n]) or 0),
            _number(r.get(f"{drawing.value}_low")), _number(r.get(f"{drawing.value}_high")),
        )
        for r in records
    ]  # fmt: skip
    return bar_plot(title, rates)


def _parts(drawing: Drawing, title: str, columns: Mapping[str, Column], records: list[_Record]) -> Plot:
    numbers = [int(_number(r[drawing.value]) or 0) for r in records]
    total = sum(numbers)
    labels = (" · ".join(str(r[c]) for c in drawing.by) for r in records)
    return bar_plot(title, [Rate(said, ratio(n, total), total) for said, n in zip(labels, numbers, strict=True)])


def _lines(drawing: Drawing, title: str, columns: Mapping[str, Column], records: list[_Record]) -> Plot:
    series: dict[str, list[tuple[int, float | None]]] = {}
    names: dict[int, str] = {0: "0"} if drawing.from_zero else {}
    for r in records:
        x = r[drawing.x]
        place = x.toordinal() if isinstance(x, date) else int(str(x))
        names[place] = f"{x.day} {x:%b}" if isinstance(x, date) else str(x)
        label = " · ".join(str(r[c]) for c in drawing.by)
        curve = series.setdefault(label, [(0, 0.0)] if drawing.from_zero else [])
        curve.append((place, _number(r[drawing.value])))
    return line_plot(title, columns[drawing.x].label, series, dict(sorted(names.items())))


_SHAPES = {"heat": _heat, "bars": _bars, "parts": _parts, "lines": _lines}


def _number(value: Value) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _state(value: Value) -> str:
    return str(value).replace("_", " ")
