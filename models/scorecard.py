"""The scorecard: weight-of-evidence bins, a logistic regression, and points that a person can add up.

Points per bin (domain brief §3.6): ``-(beta_j * WOE_ij + alpha / n) * factor + offset / n`` with beta fitted on
P(bad) and WOE good over bad. They are kept in whole thousandths of a point, so that the sum is exact in Python,
SQLite and PostgreSQL alike; P follows from the sum. Everything is learnt from the training rows: bins, the
choice of features, the weights, and Platt's line, which is folded into alpha and beta so that points stay points.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from models import outage
from models.assess import Fitted, lender_view, model_card
from models.catalogue import Recipe
from models.evaluate import Floats, Ints, auc, logistic_line
from models.feature_list import SPECS
from models.points import Card, PointsFeature, of_parts
from models.predictions import Predictions
from models.reasons import weightiest
from models.registry import Bundle
from models.sample import Sample, SampleError, folds
from models.scaling import Scaling
from models.serving import check_features, empty_predictions
from models.woe import Fit, fit_woe, log_odds

PART, FALLBACK_PART = "scorecard.json", "fallback_scorecard.json"
_FOLDS = 5
_MANY_ROWS = 100_000
_HELD_OUT = 5
"""On many rows one fifth of the people is held out for Platt's line, in place of cross-validation."""


def train(recipe: Recipe, sample: Sample, *, provenance: Mapping[str, Any], seed: int = 0, threads: int = 2) -> Bundle:
    """Train, calibrate and evaluate a scorecard."""
    from threadpoolctl import threadpool_limits

    # Small matrices: more threads than asked for would only wait for each other on a busy machine.
    with threadpool_limits(threads):
        return _train(recipe, sample, provenance=provenance, seed=seed)


def _train(recipe: Recipe, sample: Sample, *, provenance: Mapping[str, Any], seed: int) -> Bundle:
    learn, test = ~sample.is_test, sample.is_test
    rows, bad = sample.features.filter(learn), lender_view(recipe, sample.outcome)[learn]
    card, margin, held = _calibrated(recipe, recipe.features, rows, bad, sample.customer[learn], seed=seed)
    parts = {PART: card.to_bytes()}
    if outage.deserves_fallback(rows):
        inside = outage.inside_only(recipe.features)
        parts[FALLBACK_PART] = _calibrated(recipe, inside, rows, bad, sample.customer[learn], seed=seed)[0].to_bytes()

    scaling = Scaling()
    tested = _event_chance(recipe, scaling, card.total(sample.features.filter(test)) / 1000)
    fitted = Fitted(
        algorithm="scorecard",
        recipe={"bins": "decision tree, at most 6 leaves of 3% or more, monotone where the business expects it",
                "woe": "ln(good% / bad%), bad for the lender", "calibration": "platt, folded into the points",
                "features": [f.bins.name for f in card.features], "fallback": FALLBACK_PART in parts,
                "unit_of_points": 0.001},
        cross_validation={"folds": _FOLDS if held.all() else 0, "held_out_rows": int(held.sum()),
                          "auc": round(auc(bad[held], margin), 6)},
        p_learn=_from_bad(recipe, 1 / (1 + np.exp(-margin))),
        learn_rows=np.flatnonzero(learn)[held],
        p_test=tested,
        importance=card.weights(),
        figures={"scorecard": card.table()},
    )  # fmt: skip
    return Bundle(model_card(recipe, sample, fitted, provenance=provenance, seed=seed), parts)


def predict(bundle: Bundle, features: pl.DataFrame, *, threads: int = 2, exact_reasons: bool = True) -> Predictions:
    """Score rows by adding up points; reasons are exact whatever ``exact_reasons`` says, and cheap."""
    card = bundle.card
    main = of_parts(bundle.parts[PART])
    codes = tuple(card.reasons)
    asked = (outage.STATUS_FEATURE,) if FALLBACK_PART in bundle.parts else ()
    check_features(card, features, needed=(*(f.bins.name for f in main.features), *asked))
    if features.is_empty():
        return empty_predictions(codes)
    total, lost, unseen = main.score(features, codes)
    is_fallback = np.zeros(features.height, dtype=np.bool_)
    if FALLBACK_PART in bundle.parts:
        is_fallback = outage.silent(features)
        if is_fallback.any():
            other, other_lost, _ = of_parts(bundle.parts[FALLBACK_PART]).score(features.filter(is_fallback), codes)
            total[is_fallback], lost[:, is_fallback] = other, other_lost
    points = total / 1000
    score = (total + 500) // 1000
    p_bad = 1 / (1 + np.exp((points - card.scaling.offset) / card.scaling.factor))
    return Predictions(
        p_event=p_bad if card.event_is == "bad" else 1 - p_bad,
        points=points,
        score=score,
        band=card.cuts.band(score),
        reason_index=weightiest(lost),
        codes=codes,
        is_fallback=is_fallback,
        unseen=unseen,
    )


def _calibrated(
    recipe: Recipe, names: tuple[str, ...], rows: pl.DataFrame, bad: Ints, customer: Ints, *, seed: int
) -> tuple[Card, Floats, Any]:
    """Return the card in points, calibrated log odds of rows it was not fitted on, and which rows those are."""
    directions = {n: recipe.direction_of(SPECS[n]) for n in names}
    if len(bad) > _MANY_ROWS:
        held = folds(customer, _HELD_OUT, seed) == 0
        fit = fit_woe(rows.filter(~held), bad[~held], directions, seed=seed)
        raw = log_odds(fit, rows.filter(held))
    else:
        fold = folds(customer, _FOLDS, seed)
        held, raw = np.ones(len(bad), dtype=np.bool_), np.empty(len(bad))
        for f in range(_FOLDS):
            part = fit_woe(rows.filter(fold != f), bad[fold != f], directions, seed=seed)
            raw[fold == f] = log_odds(part, rows.filter(fold == f))
        fit = fit_woe(rows, bad, directions, seed=seed)
    slope, intercept = logistic_line(bad[held], raw)
    if slope <= 0:
        raise SampleError(
            "on people it was not fitted on, the card tells nothing or the contrary of what happened "
            f"(calibration slope {slope:.2f}): there is nothing to make a scorecard of"
        )
    fit = replace(fit, alpha=slope * fit.alpha + intercept, beta=tuple(slope * b for b in fit.beta))
    return to_points(fit, Scaling()), slope * raw + intercept, held


def to_points(fit: Fit, scaling: Scaling) -> Card:
    """Turn a fitted regression into points per bin, rounded to the thousandth (domain brief §3.6)."""
    n = len(fit.bins)

    def milli(beta: float, woe: float) -> int:
        return round(1000 * (-(beta * woe + fit.alpha / n) * scaling.factor + scaling.offset / n))

    return Card(
        tuple(
            PointsFeature(bins, SPECS[bins.name].reason, round(beta, 6), tuple(milli(beta, w) for w in bins.woe))
            for bins, beta in zip(fit.bins, fit.beta, strict=True)
        )
    )


def _event_chance(recipe: Recipe, scaling: Scaling, points: Floats) -> Floats:
    return _from_bad(recipe, 1 / (1 + np.exp((points - scaling.offset) / scaling.factor)))


def _from_bad(recipe: Recipe, p_bad: Floats) -> Floats:
    return np.asarray(p_bad if recipe.event_is == "bad" else 1 - p_bad)
