"""The plots of a model, drawn from its tables."""

from collections.abc import Iterator, Mapping
from datetime import date

from collections_app.web.curves import Axis, Curve, CurvePlot, curve_plot
from collections_app.web.models.tables import FigureTable
from collections_app.web.models.words import Limits, is_share, metric

_DIAGONAL = ((0.0, 0.0), (1.0, 1.0))
_SHARE = "percent"
_MANY = 60
"""Points beyond which dots would cover their line."""
Tables = Mapping[str, FigureTable]


def training_plots(tables: Tables) -> tuple[CurvePlot, ...]:
    """Draw how good the model was when it was trained."""
    makers = {"calibration": _calibration, "gains": _gains, "roc": _roc, "histogram": _histogram}
    return tuple(make(tables[name]) for name, make in makers.items() if name in tables)


def own_plots(tables: Tables) -> tuple[CurvePlot, ...]:
    """Draw the curves that only this kind of model has."""
    return tuple(_own(t) for name, t in tables.items() if name.startswith("curve-"))


def watch_plots(tables: Tables, limits: Limits) -> tuple[CurvePlot, ...]:
    """Draw how the model does since: PSI by day, then each figure of the matured cohorts."""
    found = [_psi(tables["runs"], limits)] if _has_psi(tables) else []
    return (*found, *(_monthly(tables["monthly"]) if "monthly" in tables else ()))


def _has_psi(tables: Tables) -> bool:
    return "runs" in tables and any(r["psi"] is not None for r in tables["runs"].records())


def _calibration(t: FigureTable) -> CurvePlot:
    rows = list(t.records())
    top = max(max(r["p"], r["observed"]) for r in rows)
    seen = Curve("happened", [(r["p"], r["observed"]) for r in rows], "dots", [(r["low"], r["high"]) for r in rows])
    return curve_plot(
        t.title, "Each point is a tenth of the test rows with its 95 % interval; on the line, what was told happened.",
        t.name, x=Axis("chance told", _SHARE, low=0.0), y=Axis("share with the event", _SHARE, low=0.0),
        curves=[Curve("as told", [(0.0, 0.0), (top, top)], "guide"), seen],
    )  # fmt: skip


def _gains(t: FigureTable) -> CurvePlot:
    points = [(0.0, 0.0), *((r["share"], r["captured"]) for r in t.records())]
    return curve_plot(
        t.title, t.definition, t.name, x=Axis("share worked", _SHARE, 0.0, 1.0),
        y=Axis("events caught", _SHARE, 0.0, 1.0),
        curves=[Curve("at random", _DIAGONAL, "guide"), Curve("by model", points, "both")],
    )  # fmt: skip


def _roc(t: FigureTable) -> CurvePlot:
    rows = list(t.records())
    widest = max(rows, key=lambda r: abs(r["gap"]))
    gap = [(widest["without"], widest["without"]), (widest["without"], widest["with"])]
    return curve_plot(
        t.title, f"{t.definition} The upright line is the KS, {abs(widest['gap']):.1%} on these points.", t.name,
        x=Axis("without the event", _SHARE, 0.0, 1.0), y=Axis("with the event", _SHARE, 0.0, 1.0),
        curves=[Curve("at random", _DIAGONAL, "guide"), Curve("by model", [(r["without"], r["with"]) for r in rows]),
                Curve("KS", gap)],
    )  # fmt: skip


def _histogram(t: FigureTable) -> CurvePlot:
    rows = list(t.records())

    def steps(name: str) -> list[tuple[float, float]]:
        inside = [p for r in rows for p in ((r["from"], r[name]), (r["to"], r[name]))]
        return [(rows[0]["from"], 0.0), *inside, (rows[-1]["to"], 0.0)]

    return curve_plot(
        t.title, f"{t.definition} Filled: without; line: with. The less they overlap, the better.", t.name,
        x=Axis("score", steps=4), y=Axis("share of its kind", _SHARE, low=0.0),
        curves=[Curve("without", steps("goods"), "area"), Curve("with event", steps("bads"))],
    )  # fmt: skip


def _psi(t: FigureTable, limits: Limits) -> CurvePlot:
    points = [(float(r["day"].toordinal()), r["psi"]) for r in t.records() if r["psi"] is not None]
    first, last = points[0][0], points[-1][0]
    lines = [
        Curve(said, [(first, at), (last, at)], "guide")
        for said, at in (("watch", limits.psi_watch), ("act", limits.psi_act))
    ]
    return curve_plot(
        "PSI of the scores", f"{metric('psi')[1].capitalize()}. One point a day.", t.name,
        x=Axis(f"business date, {_years(first, last)}", "day", steps=3), y=Axis("PSI", low=0.0, high=0.3),
        curves=[*lines, Curve("PSI", points, "both" if len(points) <= _MANY else "line")],
    )  # fmt: skip


def _monthly(t: FigureTable) -> Iterator[CurvePlot]:
    over_all = [r for r in t.records() if r["segment"] == "all" and r["value"] is not None]
    for name in dict.fromkeys(r["metric"] for r in over_all):
        rows = [r for r in over_all if r["metric"] == name]
        title, meaning = metric(name)
        years = _years(_place(rows[0]["day"]), _place(rows[-1]["day"]))
        curve = Curve("", [(_place(r["day"]), r["value"]) for r in rows], "both", [(r["low"], r["high"]) for r in rows])
        yield curve_plot(
            f"{title} of matured cohorts", f"{meaning.capitalize()}. With its 95 % interval.", t.name,
            x=Axis(f"as of, {years}", "day", steps=3), y=Axis(title, _SHARE if is_share(name) else "number"),
            curves=[curve],
        )  # fmt: skip


def _years(first: float, last: float) -> str:
    """Name the years of an axis, whose marks say day and month alone."""
    start, end = (date.fromordinal(round(at)).year for at in (first, last))
    return str(start) if start == end else f"{start} to {end}"


def _place(on: date) -> float:
    return float(on.toordinal())


def _own(t: FigureTable) -> CurvePlot:
    series: dict[str, list[tuple[float, float]]] = {}
    for r in t.records():
        series.setdefault(r["series"], []).append((r["x"], r["y"]))
    _, x, y = t.table.columns
    return curve_plot(
        t.title, t.definition, t.name, x=Axis(x.label), y=Axis(y.label),
        curves=[Curve(name, points) for name, points in series.items()],
    )  # fmt: skip
