"""Discrete-time hazards by boosted trees: P(event in month t | at risk until then), for each cause of its own.

Rows are person-periods (an observation, a month ahead); what is known stays that of the observation, the month ahead
is a feature. Depth and rounds come from folds that never split a customer; each cause's hazard is calibrated by
Platt's line on the out-of-fold margins. Curves: ``curves.incidence``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from models import booster as trees
from models.card import ModelCard
from models.catalogue import Recipe
from models.evaluate import Floats, Ints, logistic_line, logit
from models.predictions import Predictions
from models.registry import Bundle, Calibration
from models.sample import Bools, Sample, SampleError, folds
from models.survival import told
from models.survival.curves import Curves, Periods, incidence, repeated
from models.survival.spells import COMPETING, EVENT

if TYPE_CHECKING:
    from xgboost import Booster

_DEPTHS = (2, 3)
_FOLDS = 3
_MAX_ROUNDS = 600
_PATIENCE = 30
_CHUNK = 50_000
_BASE: dict[str, Any] = {
    "objective": "binary:logistic", "tree_method": "hist", "eta": 0.1, "lambda": 5.0, "min_child_weight": 2,
    "subsample": 0.8, "colsample_bytree": 0.8,
}  # fmt: skip

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Cause:
    """The hazard of one cause: its trees and calibration; ``unseen`` are hazards of rows left out of the fit."""

    booster: "Booster"
    line: Calibration
    unseen: Floats
    params: Mapping[str, Any]
    tried: list[dict[str, float]]


def fit(x: Matrix, periods: Periods, cause: int, customer: Ints, *, months: int, seed: int, threads: int) -> Cause:
    """Fit the hazard of a cause on observations ``x`` (rows x features) and their person-periods."""
    y = (periods.cause == cause).astype(np.int64)
    design = np.column_stack([x[periods.row], periods.ahead.astype(np.float32)])
    fold = folds(customer, _FOLDS, seed)
    best: tuple[float, Mapping[str, Any], int, list[Booster]] | None = None
    tried: list[dict[str, float]] = []
    for depth in _DEPTHS:
        params: Mapping[str, Any] = {**_BASE, "max_depth": depth, "seed": seed, "nthread": threads}
        parts = [_part(design, y, fold[periods.row] == f) for f in range(_FOLDS)]
        found = [trees.fit_watched(*p, params=params, rounds=_MAX_ROUNDS, patience=_PATIENCE) for p in parts]
        shortest = min(len(c.losses) for c in found)
        losses = np.mean([c.losses[:shortest] for c in found], axis=0)
        rounds, loss = int(losses.argmin()) + 1, float(losses.min())
        tried.append({"max_depth": depth, "rounds": rounds, "log_loss": round(loss, 6)})
        if best is None or loss < best[0]:
            best = (loss, params, rounds, [c.booster for c in found])
    assert best is not None
    _, params, rounds, boosters = best
    margin = np.empty((len(x), months))
    for f, part in enumerate(boosters):
        margin[fold == f] = _margins(part, x[fold == f], months, rounds=rounds)
    line = Calibration(*logistic_line(y, margin[periods.row, periods.ahead - 1]))
    if line.slope <= 0:  # a falling line would turn every ranking around
        if cause == EVENT:
            raise SampleError(
                f"on people it was not fitted on, the hazard tells nothing (calibration slope {line.slope:.2f}): "
                "there is nothing to make a card of"
            )
        line = Calibration(0.0, float(logit(np.array([y.mean()]))[0]))  # who pays off is then chance alone
    booster = trees.fit(design, y, params=params, rounds=rounds)
    return Cause(booster, line, line.chance(margin), {**params, "rounds": rounds}, tried)


def train(recipe: Recipe, sample: Sample, *, provenance: Mapping[str, Any], seed: int = 0, threads: int = 2) -> Bundle:
    """Train, calibrate and evaluate; raise SampleError without a course or without mature test rows."""
    course, learn = told.course_of(sample), ~sample.is_test
    months = told.months_of(recipe)
    x = told.inputs(sample.features, recipe.features)
    periods = Periods.of(course.duration[learn], course.cause[learn], months)
    event, competing = (
        fit(x[learn], periods, k, sample.customer[learn], months=months, seed=seed, threads=threads)
        for k in (EVENT, COMPETING)
    )
    fitted = told.Fitted(
        algorithm="hazard",
        recipe={k: v for k, v in event.params.items() if k != "nthread"}
        | {"months": months, "causes": "event and paid off", "calibration": "platt on out-of-fold log odds of hazards",
           "person_periods": len(periods.row)},
        cross_validation={"folds": _FOLDS, "tried": event.tried, "tried_paid_off": competing.tried},
        learn=incidence(event.unseen, competing.unseen),
        learn_rows=np.flatnonzero(learn),
        test=_curves((event.booster, event.line), (competing.booster, competing.line), x[sample.is_test], months),
        importance=trees.importance(event.booster, (*recipe.features, "months_ahead")),
    )  # fmt: skip
    card = told.model_card(recipe, sample, fitted, provenance=provenance, seed=seed)
    parts = {
        f"{name}.{kind}": raw
        for name, c in (("event", event), ("paid_off", competing))
        for kind, raw in (("ubj", trees.to_bytes(c.booster)), ("json", c.line.to_bytes()))
    }
    return Bundle(card, parts)


def predict(bundle: Bundle, features: pl.DataFrame, *, threads: int = 2, exact_reasons: bool = True) -> Predictions:
    """Score rows of ``panel.latest``; ``details`` holds the curves at 1, 3, 6 and 12 months."""
    card = bundle.card
    told.check(card, features)
    x = told.inputs(features, card.features)
    months = _months(card)
    event, competing = (
        (trees.from_bytes(bundle.parts[f"{n}.ubj"], threads=threads), Calibration.from_bytes(bundle.parts[f"{n}.json"]))
        for n in ("event", "paid_off")
    )
    if len(x) == 0:
        return told.predictions(card, Curves(np.zeros((0, months)), np.zeros((0, months))), np.zeros((0, 0)))
    # What pushes the first month's hazard is what pushes the curve: reasons are told for that month.
    first = trees.contributions(event[0], repeated(x, [1]), exact=exact_reasons)[:, :-1]
    return told.predictions(card, _curves(event, competing, x, months), first.astype(np.float64))


def _months(card: ModelCard) -> int:
    return int(card.recipe["months"])


def _part(design: Matrix, y: Ints, held: Bools) -> tuple[tuple[Matrix, Ints], tuple[Matrix, Ints]]:
    return (design[~held], y[~held]), (design[held], y[held])


def _margins(booster: "Booster", x: Matrix, months: int, *, rounds: int = 0) -> Floats:
    """Return log odds of the hazard, rows x months, before calibration."""
    ahead = range(1, months + 1)
    parts = [
        trees.margin(booster, repeated(x[i : i + _CHUNK], ahead), rounds=rounds).reshape(-1, months)
        for i in range(0, len(x), _CHUNK)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, months))


def _curves(
    event: tuple["Booster", Calibration], competing: tuple["Booster", Calibration], x: Matrix, months: int
) -> Curves:
    return incidence(*(line.chance(_margins(booster, x, months)) for booster, line in (event, competing)))
