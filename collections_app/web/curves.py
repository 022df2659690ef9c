"""Curves over two numbered axes as geometry: the small plots of the model pages.

Like ``web.plots``: numbers in, positions out, drawn at natural size, no style and no script. These are narrow
enough for a phone (340 px), so that nothing scrolls there and three stand in a row at a desk.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil, floor, log10

from collections_app.web.plots import Mark

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 340, 236, 44, 82, 10, 44
_LABEL_GAP = 14
_NAMED, _LONG = 4, 11
"""Beyond so many curves, or letters of a name, names stand in a legend."""
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
Point = tuple[float, float]


def _number(value: float, step: float) -> str:
    return f"{value + 0.0:,.{_decimals(step)}f}"


def _per_cent(value: float, step: float) -> str:
    return f"{value:.{_decimals(step * 100)}%}"


def _decimals(step: float) -> int:
    """Return how many decimals tell multiples of a step apart without rounding them."""
    return next((n for n in range(4) if abs(step * 10**n - round(step * 10**n)) < 1e-6 and step * 10**n >= 1 - 1e-6), 4)


def _day(value: float, _step: float) -> str:
    on = date.fromordinal(round(value))
    return f"{on.day} {on:%b}"


FORMS: dict[str, Callable[[float, float], str]] = {"number": _number, "percent": _per_cent, "day": _day}


@dataclass(frozen=True)
class Axis:
    """One axis: its name, how its values are written (a key of FORMS), and ends that it must reach."""

    name: str
    form: str = "number"
    low: float | None = None
    high: float | None = None
    steps: int = 5


@dataclass(frozen=True)
class Curve:
    """One series. ``style``: line, dots, both, area (filled), or guide (a thin line to read the others by).

    ``spread`` gives each point the ends of its interval.
    """

    name: str
    points: Sequence[Point]
    style: str = "line"
    spread: Sequence[tuple[float | None, float | None]] = ()


@dataclass(frozen=True)
class Dot:
    """A point with what it says on hover."""

    x: float
    y: float
    hint: str


@dataclass(frozen=True)
class Whisker:
    """The interval of a point, as places."""

    x: float
    low: float
    high: float


@dataclass(frozen=True)
class DrawnCurve:
    """A curve as SVG writes it; ``rank`` counts the curves that are no guides from 1: each has its own stroke."""

    points: str
    style: str
    rank: int
    dots: tuple[Dot, ...]
    whiskers: tuple[Whisker, ...]
    label: Mark


@dataclass(frozen=True)
class Key:
    """One line of the legend, for names too long to stand at the end of their curves."""

    name: str
    style: str
    rank: int


@dataclass(frozen=True)
class CurvePlot:
    """Curves on their axes. ``table`` names the table in which every figure of it stands."""

    kind = "curves"
    title: str
    definition: str
    table: str
    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    x_name: str
    y_name: str
    ticks_x: tuple[Mark, ...]
    ticks_y: tuple[Mark, ...]
    curves: tuple[DrawnCurve, ...]
    legend: tuple[Key, ...]


def curve_plot(title: str, definition: str, table: str, *, x: Axis, y: Axis, curves: Sequence[Curve]) -> CurvePlot:
    """Place curves on two axes that hold them all; a curve without points is left out."""
    shown = [c for c in curves if c.points]
    has_legend = len(shown) > _NAMED or any(len(c.name) > _LONG for c in shown)
    across = _scale([p[0] for c in shown for p in c.points], x)
    ends = [e for c in shown for pair in c.spread for e in pair if e is not None]
    up = _scale([p[1] for c in shown for p in c.points] + ends, y)
    wide, tall = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def at(point: Point) -> Point:
        return (
            round(_LEFT + (point[0] - across[0]) / (across[1] - across[0]) * wide, 1),
            round(_TOP + (1 - (point[1] - up[0]) / (up[1] - up[0])) * tall, 1),
        )

    drawn: list[DrawnCurve] = []
    taken: list[float] = []
    rank = 0
    for curve in shown:
        rank += curve.style != "guide"
        places = [at(p) for p in curve.points]
        end = places[-1]
        name = "" if has_legend else curve.name
        label = Mark(end[0] + 6, _free(end[1], taken) if name else end[1], name)
        taken += [label.y] if name else []
        drawn.append(
            DrawnCurve(
                " ".join(f"{px},{py}" for px, py in places), curve.style, rank,
                _dots(curve, places, x, y, (across[2], up[2])), _whiskers(curve, at), label,
            )
        )  # fmt: skip
    return CurvePlot(
        title, definition, table, _WIDTH, _HEIGHT, _LEFT, _WIDTH - _RIGHT, _TOP, _HEIGHT - _BOTTOM, x.name, y.name,
        ticks_x=tuple(Mark(at((t, up[0]))[0], _HEIGHT - _BOTTOM + 16, FORMS[x.form](t, across[2]))
                      for t in _ticks(*across)),
        ticks_y=tuple(Mark(_LEFT - 6, at((across[0], t))[1], FORMS[y.form](t, up[2])) for t in _ticks(*up)),
        curves=tuple(drawn),
        legend=tuple(Key(c.name, d.style, d.rank) for c, d in zip(shown, drawn, strict=True)) if has_legend else (),
    )  # fmt: skip


def _dots(
    curve: Curve, places: Sequence[Point], x: Axis, y: Axis, steps: tuple[float, float]
) -> tuple[Dot, ...]:  # fmt: skip
    if curve.style not in ("dots", "both"):
        return ()
    return tuple(
        Dot(px, py, f"{y.name} {FORMS[y.form](vy, steps[1] / 10)} at {x.name} {FORMS[x.form](vx, steps[0] / 10)}")
        for (px, py), (vx, vy) in zip(places, curve.points, strict=True)
    )


def _whiskers(curve: Curve, at: Callable[[Point], Point]) -> tuple[Whisker, ...]:
    return tuple(
        Whisker(at((px, low))[0], at((px, low))[1], at((px, high))[1])
        for (px, _), (low, high) in zip(curve.points, curve.spread, strict=False)
        if low is not None and high is not None
    )


def _scale(values: Sequence[float], axis: Axis) -> tuple[float, float, float]:
    """Return the axis' ends and the step between its ticks, all round numbers; one value gets room around it."""
    low = min([*values, *([] if axis.low is None else [axis.low])], default=0.0)
    high = max([*values, *([] if axis.high is None else [axis.high])], default=1.0)
    if high - low <= 1e-12:
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / axis.steps
    size = 10.0 ** floor(log10(rough))
    step = next(size * part for part in _STEPS if size * part >= rough - 1e-12)
    if axis.form == "day":
        step = float(max(1, round(step)))
        return float(low), float(high), step
    return floor(low / step + 1e-9) * step, ceil(high / step - 1e-9) * step, step


def _ticks(low: float, high: float, step: float) -> list[float]:
    return [low + k * step for k in range(int((high - low) / step + 1e-6) + 1)]


def _free(y: float, taken: Sequence[float]) -> float:
    """Return the place nearest to y at which a name does not lie over another."""
    steps = sorted((k * _LABEL_GAP / 2 for k in range(-60, 61)), key=abs)
    free = (y + step for step in steps if all(abs(y + step - other) >= _LABEL_GAP for other in taken))
    return next((place for place in free if _TOP <= place <= _HEIGHT - _BOTTOM), y)
