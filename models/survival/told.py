"""What every survival model tells: its card measured on test rows, and its predictions.

Headline figures (AUC, KS, calibration) are those at the recipe's horizon, on test rows that were followed that
long; figures by horizon use every test row, weighed for those lost before it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from models import figures, panel
from models.binning import bin_feature
from models.card import ModelCard
from models.catalogue import Recipe
from models.drift import frozen
from models.evaluate import Floats, Ints, Metrics, StabilityBins, evaluate
from models.predictions import TOP_REASONS, Predictions
from models.reasons import sayable_sentences, staff_sentences
from models.sample import Bools, Course, Sample, SampleError
from models.scaling import BandCuts, Scaling
from models.serving import empty_predictions
from models.survival import metrics
from models.survival.curves import Curves
from models.survival.nonparametric import aalen_johansen, followed
from models.survival.spells import Spells

_DAYS_PER_MONTH = 365.25 / 12
_SUSPICIOUS_KS = 0.60
_RATIO = (0.8, 1.25)
_FEW_EVENTS = 30
_DRAWS = 100
_TENTHS = (0, 4, 9)

REASON_OF: dict[str, str] = {
    "mob": "young_account", "seen": "young_account", "first_state": "young_account",
    **dict.fromkeys(("state_0", "state_1", "state_2", "run", "switches", "since_idle"), "account_use"),
    **dict.fromkeys(("idle_3", "idle_6", "idle_12", "idle_share"), "account_use"),
    **dict.fromkeys(("late_3", "late_6", "late_12", "late_ever", "spells", "since_late"), "late_history"),
    **dict.fromkeys(("worst_3", "worst_6", "worst_12", "worst_ever"), "late_history"),
}  # fmt: skip
"""Feature of the panel's history to the reason that names it."""


@dataclass(frozen=True)
class Fitted:
    """What an algorithm hands over: its curves of learning rows it was not fitted on, and of the test rows.

    ``learn_rows`` are the places in the sample of the rows behind ``learn``.
    """

    algorithm: str
    recipe: Mapping[str, Any]
    cross_validation: Mapping[str, Any]
    learn: Curves
    learn_rows: Ints
    test: Curves
    importance: Mapping[str, float]


def months_of(recipe: Recipe) -> int:
    """Return the horizon in whole months."""
    return max(1, round(recipe.horizon_days / _DAYS_PER_MONTH))


def course_of(sample: Sample) -> Course:
    """Return the sample's course; raise SampleError if it has none."""
    if sample.course is None:
        raise SampleError("a survival model learns from how long each row lasted, and this sample does not tell")
    return sample.course


def inputs(features: pl.DataFrame, names: tuple[str, ...]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the features in order as float32, null as NaN."""
    return panel.matrix(features, names).astype(np.float32)


def check(card: ModelCard, features: pl.DataFrame) -> None:
    """Raise ValueError for rows of another panel, or without a feature of the card."""
    if card.feature_set_version != panel.PANEL_SET_VERSION:
        raise ValueError(
            f"the model was trained on panel set {card.feature_set_version}, this release builds "
            f"{panel.PANEL_SET_VERSION}: train and approve a new model"
        )
    lacking = [n for n in card.features if n not in features.columns]
    if lacking:
        raise ValueError(f"{card.name} needs {', '.join(lacking)}, which this panel lacks: nothing is scored")


def predictions(card: ModelCard, curves: Curves, shares: Floats) -> Predictions:
    """Tell P(event) at the horizon, its reasons (``shares``: rows x features of the log risk) and the curves."""
    codes = tuple(card.reasons)
    if len(curves.event) == 0:
        return empty_predictions(codes)
    p = curves.at(curves.months)
    points = card.scaling.points(p)
    score = np.rint(points).astype(np.int64)
    told = {
        f"{name}_{m}m": np.round(values[:, m - 1], 6)
        for name, values in (("event", curves.event), ("paid_off", curves.competing))
        if values is not None
        for m in curves.reported()
    }
    return Predictions(
        p_event=p, points=points, score=score, band=card.cuts.band(score), reason_index=_reasons(card, codes, shares),
        codes=codes, is_fallback=np.zeros(len(p), dtype=np.bool_), details=pl.DataFrame(told),
    )  # fmt: skip


def _reasons(card: ModelCard, codes: tuple[str, ...], shares: Floats) -> np.ndarray[Any, np.dtype[np.int8]]:
    """Sum shares per reason and name the weightiest that raise the risk; a feature without a reason is not told."""
    summed = np.zeros((len(shares), len(codes)))
    for column, name in enumerate(card.features):
        if name in REASON_OF:
            summed[:, codes.index(REASON_OF[name])] += shares[:, column]
    top = np.argsort(-summed, axis=1, kind="stable")[:, :TOP_REASONS]
    index = np.where(np.take_along_axis(summed, top, axis=1) > 0, top, -1).astype(np.int8)
    return np.pad(index, ((0, 0), (0, TOP_REASONS - index.shape[1])), constant_values=-1)


def model_card(
    recipe: Recipe, sample: Sample, fitted: Fitted, *, provenance: Mapping[str, Any], seed: int
) -> ModelCard:  # fmt: skip
    """Measure a fitted model on the test rows, once, and write its card."""
    course, test = course_of(sample), sample.is_test
    months = fitted.test.months
    mature = course.followed[test] >= months
    outcome, p = sample.outcome[test][mature], fitted.test.at(months)[mature]
    if not 0 < outcome.sum() < len(outcome):
        raise SampleError(f"no test row with the event, or none without, was followed for {months} months")
    people = sample.customer[test]
    measured = evaluate(outcome, p, rng=np.random.default_rng(seed), people=people[mature])
    spells = Spells.of(course.duration[test], course.cause[test])
    rng = np.random.default_rng(seed)
    horizons = {str(m): by_horizon(spells, fitted.test, m, people, rng) for m in fitted.test.reported()}
    scaling = Scaling()
    development = scaling.points(np.concatenate([fitted.learn.at(months), fitted.test.at(months)]))
    cuts = BandCuts.of(np.rint(development))
    x = panel.matrix(sample.features, recipe.features)
    codes = sorted({REASON_OF[n] for n in recipe.features if n in REASON_OF})
    return ModelCard(
        name=recipe.name,
        algorithm=fitted.algorithm,
        event_name=recipe.event,
        event_is=recipe.event_is,
        horizon_days=recipe.horizon_days,
        feature_set_version=panel.PANEL_SET_VERSION,
        features=recipe.features,
        recipe=fitted.recipe,
        sample=_counts(sample, course),
        cross_validation=fitted.cross_validation,
        test=measured.as_json() | _at_the_end(horizons[str(months)]) | {"by_horizon": horizons},
        segments=figures.segments(sample.features.filter(test).filter(mature), outcome, p, _groups(sample, mature)),
        importance=fitted.importance,
        missing_share=dict(zip(recipe.features, np.isnan(x).mean(axis=0).round(4).tolist(), strict=True)),
        reasons=staff_sentences(codes),
        sayable=sayable_sentences(codes),
        scaling=scaling,
        cuts=cuts,
        development=StabilityBins.of(development),
        figures=_figures(outcome, p, cuts) | {
            "explore": explored(recipe, sample, seed=seed),
            "curves": {
                "incidence": _tenths(spells, fitted.test), "by_month": _by_month(spells, fitted.test),
                "ranking": _ranking(horizons),
            },
        },
        drift=frozen(sample.features, recipe.features, seed=seed),
        alarms=_alarms(measured, horizons),
        warnings=("Outcomes arose under the treatments given at the time: the model tells risk under that policy.",
                  "Paid off is a competing event: P(event) is among all accounts, those paid off counted as spared."),
        provenance=provenance,
    )  # fmt: skip


def by_horizon(spells: Spells, curves: Curves, month: int, people: Ints, rng: np.random.Generator) -> dict[str, Any]:
    """Return the figures at one horizon, with 95% intervals from drawing whole people; null where undefined."""
    chance, risk = followed(spells), curves.at(month)
    expected, observed = metrics.expected_and_observed(spells, risk, horizon=month)
    report: dict[str, Any] = {"expected": expected, "observed": observed, "events": int(spells.known(month)[0].sum())}
    measures: dict[str, Callable[[Spells], float]] = {
        "uno_c": lambda s: metrics.uno_c(s, risk, until=month, followed=chance),
        "auc": lambda s: metrics.td_auc(s, risk, horizon=month, followed=chance),
        "brier": lambda s: metrics.brier(s, risk, horizon=month, followed=chance),
    }
    _, person = np.unique(people, return_inverse=True)
    drawn = [
        rng.multinomial(person.max() + 1, np.full(person.max() + 1, 1 / (person.max() + 1))) for _ in range(_DRAWS)
    ]
    for name, measure in measures.items():
        value = _or_none(measure, spells)
        values = [
            v for d in drawn if (v := _or_none(measure, spells.weighing(d[person].astype(np.float64)))) is not None
        ]
        low, high = np.quantile(values, [0.025, 0.975]) if values else (0.0, 0.0)
        interval = {"low": round(float(low), 6), "high": round(float(high), 6)}
        report |= {name: value, f"{name}_interval": None if value is None else interval}
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in report.items()}


def _at_the_end(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of all test rows at the horizon under names of their own."""
    names = {"uno_c": "uno_c", "auc": "auc_by_horizon", "brier": "brier_by_horizon"}
    values = {new: told[old] for old, new in names.items() if told[old] is not None}
    spans = {f"{new}_interval": told[f"{old}_interval"] for old, new in names.items() if told[old] is not None}
    return values | spans


def _or_none(measure: Callable[[Spells], float], spells: Spells) -> float | None:
    """Return a figure, or None where a draw has no event or nobody without it."""
    try:
        return measure(spells)
    except SampleError:
        return None


def _counts(sample: Sample, course: Course) -> dict[str, int]:
    learn = ~sample.is_test
    return {
        "rows": len(learn), "events": int(sample.outcome.sum()), "train_rows": int(learn.sum()),
        "train_events": int(sample.outcome[learn].sum()), "customers": len(np.unique(sample.customer)),
        "paid_off": int((course.cause == panel.PREPAID).sum()),
    }  # fmt: skip


def _groups(sample: Sample, mature: Bools) -> dict[str, Any]:
    seen = sample.features["mob"].filter(sample.is_test).filter(mature).to_numpy()
    names = np.array(["0-5", "6-11", "12-23", "24 and more"])
    return {"months_on_book": names[np.searchsorted([6, 12, 24], seen, side="right")]}


def _figures(outcome: Ints, p: Floats, cuts: BandCuts) -> dict[str, Any]:
    points = Scaling().points(p)
    return {
        "calibration": figures.calibration(outcome, p), "gains": figures.gains(outcome, p),
        "bands": figures.bands(outcome, p, cuts.band(np.rint(points)), cuts), "roc": figures.roc(outcome, p),
        "histogram": figures.histogram(outcome, points),
    }  # fmt: skip


def explored(recipe: Recipe, sample: Sample, *, seed: int) -> dict[str, Any]:
    """Return the exploration table of the mature training rows; features that are lists of steps have no bins."""
    kept = ~sample.is_test
    if sample.course is not None:
        kept &= sample.course.followed >= months_of(recipe)
    names = [n for n in recipe.features if not sample.features[n].dtype.is_nested()]
    x, bad = panel.matrix(sample.features.filter(kept), names), sample.outcome[kept]
    bins = [bin_feature(n, x[:, i], bad, seed=seed) for i, n in enumerate(names)]
    return {
        "rows": len(bad), "events": int(bad.sum()), "by_month": [],
        "features": [
            {
                "name": b.name, "iv": round(b.iv, 4), "missing": round(b.rows[-1] / max(1, sum(b.rows)), 4),
                "direction": "free", "reason": REASON_OF.get(b.name, ""),
                "bins": [{"label": t, "rows": n, "events": e, "woe": round(w, 4)}
                         for t, n, e, w in zip(b.labels, b.rows, b.bads, b.woe, strict=True) if n],
            }
            for b in sorted(bins, key=lambda b: (-b.iv, b.name))
        ],
    }  # fmt: skip


def _tenths(spells: Spells, curves: Curves) -> dict[str, Any]:
    """Plot predicted beside observed incidence of the safest, the fifth and the riskiest tenth."""
    parts = np.array_split(np.argsort(curves.at(curves.months), kind="stable"), 10)
    months = np.arange(1.0, curves.months + 1)
    series = []
    for k in (t for t in _TENTHS if len(parts[t])):
        seen = aalen_johansen(spells.take(parts[k])).curve.at(months)
        series.append(
            {"name": f"tenth {k + 1}, predicted", "points": _points(months, curves.event[parts[k]].mean(axis=0))}
        )
        series.append({"name": f"tenth {k + 1}, observed", "points": _points(months, seen)})
    return {
        "title": "Incidence by tenth of risk", "x_label": "months ahead", "y_label": "share with the event",
        "definition": "Of the safest, the fifth and the riskiest tenth of test rows: told, and what happened to them.",
        "series": series,
    }  # fmt: skip


def _by_month(spells: Spells, curves: Curves) -> dict[str, Any]:
    months = np.arange(1.0, curves.months + 1)
    naive = aalen_johansen(spells.as_censored()).curve.at(months)
    return {
        "title": "Calibration by horizon", "x_label": "months ahead", "y_label": "share with the event",
        "definition": "Told and happened; the third line is what is read off when who paid off is taken for lost.",
        "series": [
            {"name": "predicted", "points": _points(months, curves.event.mean(axis=0))},
            {"name": "observed", "points": _points(months, aalen_johansen(spells).curve.at(months))},
            {"name": "observed, paid off taken for lost", "points": _points(months, naive)},
        ],
    }  # fmt: skip


def _ranking(horizons: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "title": "Ranking by horizon", "x_label": "months ahead", "y_label": "share of pairs in the right order",
        "definition": "Uno's C and the time-dependent AUC on all test rows, weighed for those lost to view.",
        "series": [
            {"name": label, "points": [[int(m), t[key]] for m, t in horizons.items() if t[key] is not None]}
            for key, label in (("uno_c", "Uno's C"), ("auc", "AUC"))
        ],
    }  # fmt: skip


def _points(months: Floats, values: Floats) -> list[list[float]]:
    return [[0, 0.0], *([int(m), round(float(v), 6)] for m, v in zip(months, values, strict=True))]


def _alarms(measured: Metrics, horizons: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    notes = []
    if measured.ks > _SUSPICIOUS_KS:
        notes.append(f"KS {measured.ks:.2f} is above {_SUSPICIOUS_KS}: look for leakage before approving.")
    for month, told in horizons.items():
        span = f"{month} month{'' if int(month) == 1 else 's'}"
        if told["events"] < _FEW_EVENTS:
            notes.append(f"Only {told['events']} test rows had the event within {span}: shaky figures.")
        elif not _RATIO[0] <= told["observed"] / max(told["expected"], 1e-9) <= _RATIO[1]:
            notes.append(
                f"Within {span} {told['observed']:.2%} had the event, {told['expected']:.2%} were expected: "
                "recalibrate before use."
            )
    return tuple(notes)
