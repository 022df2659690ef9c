"""Plots as geometry: numbers in, positions out. The templates draw them as SVG; no style, no script, no library.

Every plot is drawn at its natural size (a pixel is a pixel), so that its text stays readable on a phone, where its
box scrolls. What a plot shows stands in the table below it too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

_ROW_LABEL, _CELL_W, _CELL_H, _HEAD = 76, 66, 32, 26
_BAR_W, _BAR_H, _BAR_END, _LETTER = 340, 26, 150, 7
_LINE_W, _LINE_H, _LEFT, _RIGHT, _TOP, _BOTTOM = 680, 280, 48, 132, 12, 40
_LABEL_GAP = 14
LINES = 8
X = int | float


@dataclass(frozen=True)
class Mark:
    """A text at a place."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Cell:
    """One cell of a heat map; ``depth`` is the opacity of its colour, light enough for the number on it."""

    x: float
    y: float
    text: str
    depth: float
    hint: str


@dataclass(frozen=True)
class HeatMap:
    """Shares by row and column, with the number in each cell."""

    kind = "heat"
    title: str
    width: int
    height: int
    cell_width: int
    cell_height: int
    rows: tuple[Mark, ...]
    columns: tuple[Mark, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Bar:
    """One bar with its interval (``low`` and ``high`` are places; None = no interval) and what it stands on."""

    label: Mark
    end: Mark
    top: float
    width: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class BarPlot:
    """Rates as bars that lie, the first on top."""

    kind = "bars"
    title: str
    width: int
    height: int
    left: int
    bar_height: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Line:
    """One curve: its points as SVG writes them, its dots, its name at its end; ``depth`` rises with the series."""

    points: str
    dots: tuple[Cell, ...]
    label: Mark
    depth: float


@dataclass(frozen=True)
class LinePlot:
    """Rates as curves over a common axis."""

    kind = "lines"
    title: str
    width: int
    height: int
    left: int
    right: int
    bottom: int
    x_name: str
    ticks_x: tuple[Mark, ...]
    ticks_y: tuple[Mark, ...]
    lines: tuple[Line, ...]


Plot = HeatMap | BarPlot | LinePlot


def per_cent(value: float, step: float = 0.001) -> str:
    """Write a rate with as many decimals as its size needs."""
    return f"{value:.0%}" if step >= 0.01 else f"{value:.1%}" if step >= 0.001 else f"{value:.2%}"


def heat_map(
    title: str, rows: Sequence[str], columns: Sequence[str], shares: Mapping[tuple[str, str], tuple[float, int]]
) -> HeatMap:
    """Place the shares ((row, column) -> share and count) of a matrix; what is 0 keeps an empty cell."""
    cells = []
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            value, n = shares.get((row, column), (0.0, 0))
            cells.append(
                Cell(
                    _ROW_LABEL + j * _CELL_W, _HEAD + i * _CELL_H, per_cent(value) if n else "",
                    round(0.06 + 0.49 * min(value, 1.0), 3) if n else 0.0, f"{row} to {column}: {n:,}",
                )
            )  # fmt: skip
    return HeatMap(
        title, _ROW_LABEL + len(columns) * _CELL_W + 2, _HEAD + len(rows) * _CELL_H + 2, _CELL_W, _CELL_H,
        rows=tuple(Mark(_ROW_LABEL - 8, _HEAD + (i + 0.5) * _CELL_H, row) for i, row in enumerate(rows)),
        columns=tuple(Mark(_ROW_LABEL + (j + 0.5) * _CELL_W, _HEAD - 8, name) for j, name in enumerate(columns)),
        cells=tuple(cells),
    )  # fmt: skip


@dataclass(frozen=True)
class Rate:
    """One rate to draw, with its interval and the number that it stands on. ``value`` None = not known."""

    label: str
    value: float | None
    n: int
    low: float | None = None
    high: float | None = None


def bar_plot(title: str, rates: Sequence[Rate]) -> BarPlot:
    """Place rates as bars on one scale; a rate that is not known has a place and no bar."""
    top = _ceiling(max((max(r.value or 0.0, r.high or 0.0) for r in rates), default=0.0))[0]

    def place(value: float) -> float:
        return round(max(0.0, value) / top * _BAR_W, 1)

    bars = []
    left = 24 + _LETTER * max((len(rate.label) for rate in rates), default=0)
    for i, rate in enumerate(rates):
        middle = i * _BAR_H + _BAR_H / 2
        said = "not known" if rate.value is None else f"{per_cent(rate.value)} of {rate.n:,}"
        has_interval = rate.low is not None and rate.high is not None
        bars.append(
            Bar(
                Mark(left - 10, middle, rate.label),
                Mark(left + _BAR_W + 12, middle, said),
                i * _BAR_H + 5, place(rate.value or 0.0),
                left + place(rate.low or 0.0) if has_interval else None,
                left + place(rate.high or 0.0) if has_interval else None,
            )
        )  # fmt: skip
    width = left + _BAR_W + _BAR_END
    return BarPlot(title, width, len(rates) * _BAR_H + 4, left, _BAR_H - 10, tuple(bars))


def line_plot(
    title: str, x_name: str, series: Mapping[str, Sequence[tuple[X, float | None]]], names: Mapping[X, str]
) -> LinePlot:
    """Place curves; the last series is drawn strongest. ``names``: what is written at places of the x axis."""
    shown = dict(list(series.items())[-LINES:])
    points = {name: [(x, y) for x, y in curve if y is not None] for name, curve in shown.items()}
    values = [y for curve in points.values() for _, y in curve]
    top, step = _ceiling(max(values, default=0.0))
    low, high = (min(names, default=0), max(names, default=1))
    wide, tall = _LINE_W - _LEFT - _RIGHT, _LINE_H - _TOP - _BOTTOM

    def at(x: X, y: float) -> tuple[float, float]:
        across = (x - low) / (high - low) if high > low else 0.5
        return round(_LEFT + across * wide, 1), round(_TOP + (1 - y / top) * tall, 1)

    lines: list[Line] = []
    taken: list[float] = []
    drawn = [(name, curve) for name, curve in points.items() if curve]
    for i, (name, curve) in enumerate(drawn):
        dots = tuple(Cell(*at(x, y), "", 0.0, f"{name}, {names[x]}: {per_cent(y)}") for x, y in curve)
        place = Mark(dots[-1].x + 8, _free(dots[-1].y, taken), name)
        taken.append(place.y)
        path = " ".join(f"{dot.x},{dot.y}" for dot in dots)
        lines.append(Line(path, dots, place, round(0.45 + 0.55 * (i + 1) / len(drawn), 2)))
    every = max(1, ceil(len(names) / 8))
    ticks = list(names.items())[::every]
    return LinePlot(
        title, _LINE_W, _LINE_H, _LEFT, _LINE_W - _RIGHT, _LINE_H - _BOTTOM, x_name,
        ticks_x=tuple(Mark(at(x, 0)[0], _LINE_H - _BOTTOM + 18, text) for x, text in ticks),
        ticks_y=tuple(
            Mark(_LEFT - 8, at(low, k * step)[1], per_cent(k * step, step)) for k in range(round(top / step) + 1)
        ),
        lines=tuple(lines),
    )  # fmt: skip


def _free(y: float, taken: Sequence[float]) -> float:
    """Return the place nearest to y at which a name does not lie over another."""
    steps = sorted((k * _LABEL_GAP / 2 for k in range(-60, 61)), key=abs)
    free = (y + step for step in steps if all(abs(y + step - other) >= _LABEL_GAP for other in taken))
    return next((place for place in free if _TOP <= place <= _LINE_H - _BOTTOM), y)


def _ceiling(highest: float) -> tuple[float, float]:
    """Return a round top of the scale for the highest value, and the step between its lines."""
    if highest <= 0:
        return 1.0, 0.25
    size = 10.0 ** floor(log10(highest))
    step = next(size * part for part in (0.2, 0.25, 0.5, 1.0, 2.0, 2.5) if size * part * 4 >= highest - 1e-12)
    return step * ceil(highest / step - 1e-9), step
