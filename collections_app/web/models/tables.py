"""Every figure of a model as a named table: what the plots draw, the page shows and the CSV sends.

The card's tables are those of the model's training (test rows unless said); they are read from the card's JSON
alone, so that a web process needs no model. A figure that a card does not hold is an empty field, never a zero.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from collections_app.queries.model_pages import FigureLine, ModelFile
from collections_app.queries.reports.report import Column, Kind, Row, Table, count, mean, rate
from collections_app.web.models.words import Limits, metric

_STRENGTH = ((0.02, "none"), (0.1, "weak"), (0.3, "medium"), (0.5, "strong"))
_DIRECTIONS = {"1": "more is riskier", "-1": "more is safer", "0": "as the data say", "riskier": "more is riskier",
               "safer": "more is safer", "free": "as the data say"}  # fmt: skip
_URGENCY = {"act": 0, "watch": 1, "ok": 2, "few": 3, "none": 4}
_SAID = {"few": "too few rows", "none": ""}
SEGMENT_ROWS = 200
"""Test rows below which a part is not measured: that of models/figures.py, which a web process does not load."""
_LOW, _HIGH = "lower end of the 95 % interval", "upper end of the 95 % interval"
_ROWS, _EVENTS = count("rows", "Rows", "test rows"), count("events", "Events", "of these, with the event")
_SEGMENT = Column("segment", "Segment", "the part of the rows it speaks of")


@dataclass(frozen=True)
class FigureTable:
    """One table with its name (that of its CSV), its title, what it says, and what its gaps mean."""

    name: str
    title: str
    definition: str
    table: Table
    note: str = ""

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield the rows as dicts by column name."""
        for row in self.table.rows:
            yield dict(zip((c.name for c in self.table.columns), row, strict=True))


def tables_of(file: ModelFile, limits: Limits) -> dict[str, FigureTable]:
    """Return the tables of a model that have rows, by name, in the order of the page."""
    built = [FigureTable(name, title, said, make(file)) for name, title, said, make in _TABLES]
    fairness = FigureTable("fairness", "Fairness", "Who lands in the favourable bands, by group, on test rows.",
                           _fairness(file, limits))  # fmt: skip
    segments = FigureTable("segments", "Segments", "The same model on parts of the test rows.", _segments(file),
                           _unmeasured(file))  # fmt: skip
    built.insert([t.name for t in built].index("reasons"), segments)
    return {t.name: t for t in [*built, fairness, *_others(file)] if t.table.rows}


def _figures(file: ModelFile, name: str) -> Any:
    return file.card.get("figures", {}).get(name) or ()


def _calibration(file: ModelFile) -> Table:
    columns = (
        rate("p", "Told", "mean chance told to the rows of the bin"),
        rate("observed", "Happened", "share of the bin with the event"),
        rate("low", "from", _LOW), rate("high", "to", _HIGH), _ROWS,
    )  # fmt: skip
    return _table(columns, _figures(file, "calibration"))


def _gains(file: ModelFile) -> Table:
    columns = (
        rate("share", "Worked", "share of the rows, those the model ranks first"),
        rate("captured", "Events caught", "share of all events among them"),
        mean("lift", "Lift", "events caught against a random choice of as many"), _ROWS, _EVENTS,
    )  # fmt: skip
    return _table(columns, _figures(file, "gains"))


def _roc(file: ModelFile) -> Table:
    columns = (
        rate("without", "Without the event", "cumulative share of rows without the event, riskiest first"),
        rate("with", "With the event", "cumulative share of rows with the event"),
        rate("gap", "Gap", "their distance; the largest is the KS"),
    )
    return Table(columns, tuple((x, y, y - x) for x, y in _figures(file, "roc")))


def _histogram(file: ModelFile) -> Table:
    found: Mapping[str, Sequence[float]] = _figures(file, "histogram") or {}
    columns = (
        mean("from", "From", "lowest score of the bin"), mean("to", "To", "highest"),
        rate("goods", "Without the event", "share of all rows without the event whose score lies here"),
        rate("bads", "With the event", "share of all rows with the event whose score lies here"),
    )  # fmt: skip
    edges, goods, bads = (found.get(key, ()) for key in ("edges", "goods", "bads"))
    all_goods, all_bads = sum(goods) or 1, sum(bads) or 1
    bins = zip(edges[:-1], edges[1:], goods, bads, strict=False)
    return Table(columns, tuple((low, high, g / all_goods, b / all_bads) for low, high, g, b in bins))


def _bands(file: ModelFile) -> Table:
    columns = (
        Column("band", "Band", "S1 holds the best fifth of the development rows, S5 the worst; frozen with the card"),
        mean("floor", "From score", "lowest score of the band; the last has none"), _ROWS, _EVENTS,
        rate("expected", "Told", "mean chance told to the band"),
        rate("observed", "Happened", "share of the band with the event"),
        Column("verdict", "Order", "each band must be worse than the one before"),
    )  # fmt: skip
    rows = list(_figures(file, "bands"))
    sign = -1 if file.line.event_is == "good" else 1
    rates = [None if (seen := row.get("observed")) is None else sign * seen for row in rows]
    verdicts = ["", *("in order" if b is None or a is None or b > a else "breaks" for a, b in pairwise(rates))]
    return _table(columns, [{**row, "verdict": said} for row, said in zip(rows, verdicts, strict=False)])


def _segments(file: ModelFile) -> Table:
    columns = (
        _SEGMENT, _ROWS, _EVENTS, mean("auc", *metric("auc")), rate("ks", *metric("ks")),
        rate("expected", "Told", "mean chance told"), rate("observed", "Happened", "share with the event"),
    )  # fmt: skip
    parts: Mapping[str, Mapping[str, Any]] = file.card.get("segments") or {}
    return _table(columns, [{"segment": name.replace("_", " "), **part} for name, part in parts.items()])


def _unmeasured(file: ModelFile) -> str:
    """Say why parts have no AUC and no KS, if there are any."""
    parts: Mapping[str, Mapping[str, Any]] = file.card.get("segments") or {}
    if all("auc" in part and "ks" in part for part in parts.values()):
        return ""
    return f"–: too few rows or events to measure (fewer than {SEGMENT_ROWS} test rows, or all with one outcome)."


def _reasons(file: ModelFile) -> Table:
    staff, sayable = file.card.get("reasons") or {}, file.card.get("sayable") or {}
    columns = (
        Column("code", "Code", "as stored with each score"),
        Column("staff", "For us", "the sentence that staff read on the case"),
        Column("sayable", "You may say", "what an agent may say of it to the customer"),
    )
    return Table(columns, tuple((code, said, sayable.get(code, "")) for code, said in staff.items()))


def _features(file: ModelFile) -> Table:
    explored = {f["name"]: f for f in _explored(file)}
    weight, missing = file.card.get("importance") or {}, file.card.get("missing_share") or {}
    names = [*explored, *(n for n in file.card.get("features", ()) if n not in explored)]
    columns = (
        Column("feature", "Feature", "as in the feature list"),
        mean("iv", "IV", "information value on training rows: above 0.5 is suspicious"),
        Column("verdict", "Strength", "none below 0.02, weak, medium, strong; above 0.5 inspect before approval"),
        rate("importance", "Weight", "share of the model's gain"),
        rate("missing", "Missing", "share of training rows where it was not known"),
        Column("direction", "Direction", "where the business expects it to push"),
        Column("reason", "Reason", "the reason code that it speaks under"),
    )
    rows = []
    for name in names:
        one = explored.get(name, {})
        iv, way = one.get("iv"), one.get("direction")
        rows.append((name, iv, _strength(iv), weight.get(name), one.get("missing", missing.get(name)),
                     "" if way is None else _DIRECTIONS.get(str(way), str(way)), one.get("reason") or ""))  # fmt: skip
    return Table(columns, tuple(rows))


def _strength(iv: float | None) -> str:
    return "" if iv is None else next((said for above, said in _STRENGTH if iv < above), "suspicious")


def _explored(file: ModelFile) -> Sequence[Mapping[str, Any]]:
    explored: Mapping[str, Any] = _figures(file, "explore") or {}
    return explored.get("features") or ()


def _bins(file: ModelFile) -> Table:
    columns = (
        Column("feature", "Feature", "as in the feature list"), Column("bin", "Bin", "its values"),
        count("rows", "Rows", "training rows"), _EVENTS, rate("rate", "Share", "with the event"),
        mean("woe", "WoE", "ln of the share of all goods over the share of all bads; below 0 = riskier"),
    )  # fmt: skip
    return Table(
        columns,
        tuple(
            (f["name"], b["label"], b["rows"], b["events"], _share(b), b.get("woe"))
            for f in _explored(file)
            for b in f.get("bins") or ()
        ),
    )  # fmt: skip


def _share(part: Mapping[str, Any]) -> float | None:
    return part["events"] / part["rows"] if part["rows"] else None


def _points(file: ModelFile) -> Table:
    columns = (
        Column("feature", "Feature", "as in the feature list"), Column("bin", "Bin", "its values"),
        mean("woe", "WoE", "weight of evidence of the bin"),
        mean("points", "Points", "added to the score; their sum is the score"),
    )  # fmt: skip
    return _table(columns, _figures(file, "scorecard"))


def _fairness(file: ModelFile, limits: Limits) -> Table:
    least = limits.fair_ratio
    columns = (
        Column("attribute", "Attribute", "held for this report only, never used by the model"),
        Column("group", "Group", ""), _ROWS,
        rate("selected", "Favoured", "share of the group in the favourable bands"),
        rate("expected", "Told", "mean chance told"), rate("observed", "Happened", "share with the event"),
        mean("ratio", "Ratio", f"against the group favoured most; below {least:.2f} is looked into"),
        Column("verdict", "Verdict", f"fair at {least:.2f} or more"),
    )  # fmt: skip
    rows = _figures(file, "fairness")
    said = [
        {**r, "verdict": "" if r.get("ratio") is None else "fair" if r["ratio"] >= least else "inspect"} for r in rows
    ]
    return _table(columns, said)


def _development(file: ModelFile) -> Table:
    explored: Mapping[str, Any] = _figures(file, "explore") or {}
    columns = (
        Column("month", "Month", "of the observation"), count("rows", "Rows", "observations"), _EVENTS,
        rate("rate", "Share", "with the event"),
    )  # fmt: skip
    months = explored.get("by_month") or ()
    return _table(columns, [{**m, "rate": _share(m)} for m in months])


def _runs(file: ModelFile) -> Table:
    columns = (
        Column("day", "Day", "business date", Kind.DATE), Column("stage", "Stage", "of the model on that day"),
        count("rows", "Scored", "accounts"), count("fallback", "Fallback", "of these, without outside information"),
        mean("psi", *metric("psi")),
    )  # fmt: skip
    return Table(columns, tuple((r.on, r.stage, r.rows, r.fallback_rows, r.psi) for r in file.runs))


_WATCHED = (
    Column("metric", "Figure", "what was measured"), _SEGMENT,
    Column("verdict", "Verdict", "by the thresholds of the monitoring"), mean("value", "Value", "the figure"),
    mean("development", "Development", "the same figure in development, where the monitoring compares with it"),
    mean("low", "from", _LOW), mean("high", "to", _HIGH), count("rows", "Rows", "accounts that it stands on"), _EVENTS,
    Column("day", "As of", "the day that it speaks for", Kind.DATE),
)  # fmt: skip


def _watched(file: ModelFile) -> Table:
    ranked = sorted(file.figures, key=lambda f: _URGENCY.get(f.verdict, len(_URGENCY)))
    return Table(_WATCHED, tuple(_watched_row(f) for f in ranked))


def _watched_row(f: FigureLine) -> Row:
    verdict = _SAID.get(f.verdict, f.verdict)
    return (f.metric, f.segment, verdict, f.value, f.development, f.low, f.high, f.rows, f.events, f.on)


def _monthly(file: ModelFile) -> Table:
    return Table(_WATCHED, tuple(_watched_row(f) for f in file.monthly))


def _table(columns: tuple[Column, ...], records: Sequence[Mapping[str, Any]]) -> Table:
    rows: tuple[Row, ...] = tuple(tuple(record.get(c.name) for c in columns) for record in records)
    return Table(columns, rows)


def _horizons(file: ModelFile) -> Table:
    told: Mapping[str, Mapping[str, Any]] = (file.card.get("test") or {}).get("by_horizon") or {}
    columns = (
        Column("months", "Months ahead", "from the observation"), _EVENTS,
        rate("expected", "Told", "mean chance told by then"), rate("observed", "Happened", "incidence by then"),
        mean("uno_c", *metric("uno_c")), mean("auc", *metric("auc_by_horizon")), mean("auc_low", "from", _LOW),
        mean("auc_high", "to", _HIGH), mean("brier", *metric("brier_by_horizon")),
    )  # fmt: skip
    rows = []
    for months, part in told.items():
        span = part.get("auc_interval") or {}
        rows.append({"months": months, **part, "auc_low": span.get("low"), "auc_high": span.get("high")})
    return _table(columns, rows)


def _others(file: ModelFile) -> Iterator[FigureTable]:
    """Yield what only this kind of model has: its curves as series, x and y, and its own tables as they are."""
    figures: Mapping[str, Any] = file.card.get("figures") or {}
    for name, drawn in (figures.get("curves") or {}).items():
        columns = (
            Column("series", "Series", ""), mean("x", drawn.get("x_label", "x"), ""),
            mean("y", drawn.get("y_label", "y"), ""),
        )  # fmt: skip
        rows = tuple((s["name"], x, y) for s in drawn.get("series", ()) for x, y in s["points"])
        said = drawn.get("definition", "On test rows, as measured when the model was trained.")
        yield FigureTable(f"curve-{name.replace('_', '-')}", drawn.get("title", name), said, Table(columns, rows))
    for name, (title, said) in _OWN.items():
        records = figures.get(name) or ()
        names = list(dict.fromkeys(key for record in records for key in record))
        yield FigureTable(name.replace("_", "-"), title, said, _table(tuple(_plain(n) for n in names), records))


def _plain(name: str) -> Column:
    label = name.replace("_", " ").capitalize()
    return count(name, label, "") if name in ("rows", "events", "worked", "held_out") else mean(name, label, "")


_OWN = {
    "amount": ("Amounts", "Test rows in equal parts by what was expected of them: shares of what was owed."),
    "uplift_tenths": ("Uplift by tenth", "Test rows by the uplift told, the highest first; observed by arm."),
}


_TABLES: tuple[tuple[str, str, str, Callable[[ModelFile], Table]], ...] = (
    (
        "calibration",
        "Calibration",
        "Test rows in ten bins of equal count: the chance told, and what happened.",
        _calibration,
    ),
    ("gains", "Gains", "How many of all events are caught by working the share that the model ranks first.", _gains),
    ("roc", "ROC and KS", "Shares of test rows with and without the event as the cut moves from the riskiest.", _roc),
    ("histogram", "Scores", "Where the scores of test rows with and without the event lie.", _histogram),
    ("bands", "Bands", "What each band was told and what happened to it, on test rows.", _bands),
    (
        "horizons",
        "Horizons",
        "How well it tells by each month, on test rows, weighed for those lost to view.",
        _horizons,
    ),
    ("reasons", "Reasons", "What may stand behind a score; up to four are stored with each.", _reasons),
    ("features", "Features", "What the model looks at, strongest first.", _features),
    ("bins", "Bins of the features", "Each feature cut into bins, on training rows.", _bins),
    ("points", "Points", "The scorecard: find the bin of each feature and add its points.", _points),
    ("months", "Sample by month", "The rows it was built on.", _development),
    ("runs", "Runs", "Each day's scoring: how many rows, and how far scores moved from development.", _runs),
    ("watched", "Monitoring", "The newest of each figure.", _watched),
    ("monthly", "Matured cohorts", "Figures on cohorts whose outcome is known, month by month.", _monthly),
)
