"""Accelerated failure time by boosted trees (XGBoost ``survival:aft``): how long until the event.

``ln T = margin(x) + sigma * Z``. Time is seen by the month, so an event in month t lies between t-1 and t and is given
as that interval; a row lost at t has the interval (t, +inf). Who paid off will never have the event: such a row counts
as event-free through the whole horizon, so that the curve is a cumulative incidence, not the chance in a world where
nobody pays off (the idea of Fine and Gray's subdistribution).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy.special import ndtr

from models import booster as trees
from models.catalogue import Recipe
from models.evaluate import Floats, Ints
from models.predictions import Predictions
from models.registry import Bundle, BundleError
from models.sample import Bools, Sample, folds
from models.survival import told
from models.survival.curves import Curves
from models.survival.hazard import Matrix
from models.survival.spells import COMPETING, EVENT

_FOLDS = 3
_MAX_ROUNDS = 600
_PATIENCE = 30
_SHAPES: tuple[tuple[str, float], ...] = (
    ("normal", 1.5), ("normal", 3.0), ("normal", 5.0), ("logistic", 1.0), ("logistic", 2.0), ("extreme", 1.0),
    ("extreme", 2.0),
)  # fmt: skip
_BASE: dict[str, Any] = {
    "objective": "survival:aft", "eval_metric": "aft-nloglik", "tree_method": "hist", "eta": 0.1, "max_depth": 3,
    "lambda": 5.0, "min_child_weight": 2, "subsample": 0.8, "colsample_bytree": 0.8,
}  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """The law of Z and its scale."""

    law: str
    sigma: float

    def by(self, margin: Floats, months: int) -> Floats:
        """Return P(T <= t) for t = 1..months, rows x months."""
        z = (np.log(np.arange(1.0, months + 1))[None, :] - margin[:, None]) / self.sigma
        if self.law == "normal":
            return np.asarray(ndtr(z))
        if self.law == "logistic":
            return np.asarray(1 / (1 + np.exp(-z)))
        return np.asarray(-np.expm1(-np.exp(z)))


def bounds(duration: Ints, cause: Ints, months: int) -> tuple[Floats, Floats]:
    """Return the interval in which each row's event lies, upper = +inf where it was not seen."""
    time = duration.astype(np.float64)
    lower = np.where(cause == EVENT, time - 1, np.where(cause == COMPETING, np.maximum(time, months), time))
    return lower, np.where(cause == EVENT, time, np.inf)


def train(recipe: Recipe, sample: Sample, *, provenance: Mapping[str, Any], seed: int = 0, threads: int = 2) -> Bundle:
    """Train and evaluate; raise SampleError without a course or without mature test rows."""
    course, learn = told.course_of(sample), ~sample.is_test
    months = told.months_of(recipe)
    x = told.inputs(sample.features, recipe.features)
    lower, upper = bounds(course.duration[learn], course.cause[learn], months)
    fold = folds(sample.customer[learn], _FOLDS, seed)
    held = fold == 0
    tried: list[dict[str, Any]] = []
    best: tuple[float, Shape, int, trees.Curve] | None = None
    for law, sigma in _SHAPES:
        params = _params(Shape(law, sigma), seed, threads)
        curve = _watched(x[learn], lower, upper, held, params)
        rounds, loss = int(curve.losses.argmin()) + 1, float(curve.losses.min())
        tried.append({"law": law, "sigma": sigma, "rounds": rounds, "loss": round(loss, 6)})
        if best is None or loss < best[0]:
            best = (loss, Shape(law, sigma), rounds, curve)
    assert best is not None
    _, shape, rounds, held_out = best
    booster = trees.fit_times(x[learn], lower, upper, params=_params(shape, seed, threads), rounds=rounds)
    unseen = shape.by(trees.margin(held_out.booster, x[learn][held], rounds=rounds), months)
    p_test = shape.by(trees.margin(booster, x[sample.is_test]), months)
    fitted = told.Fitted(
        algorithm="aft",
        recipe={"months": months, "law": shape.law, "sigma": shape.sigma, "rounds": rounds, "max_depth": 3,
                "paid_off": "event-free through the horizon (subdistribution)"},
        cross_validation={"folds": 1, "held_out_share": round(float(held.mean()), 4), "tried": tried},
        learn=_alone(unseen),
        learn_rows=np.flatnonzero(learn)[held],
        test=_alone(p_test),
        importance=trees.importance(booster, recipe.features),
    )  # fmt: skip
    card = told.model_card(recipe, sample, fitted, provenance=provenance, seed=seed)
    said = (json.dumps(asdict(shape), sort_keys=True) + "\n").encode()
    return Bundle(card, {"model.ubj": trees.to_bytes(booster), "shape.json": said})


def predict(bundle: Bundle, features: pl.DataFrame, *, threads: int = 2, exact_reasons: bool = True) -> Predictions:
    """Score rows of ``panel.latest``; the model knows the event only, so no incidence of paying off is told."""
    card = bundle.card
    told.check(card, features)
    try:
        shape = Shape(**json.loads(bundle.parts["shape.json"]))
    except (ValueError, TypeError, KeyError):
        raise BundleError("shape.json cannot be read; train and approve the model again") from None
    x = told.inputs(features, card.features)
    months = int(card.recipe["months"])
    if len(x) == 0:
        return told.predictions(card, _alone(np.zeros((0, months))), np.zeros((0, 0)))
    booster = trees.from_bytes(bundle.parts["model.ubj"], threads=threads)
    # Contributions are to ln T: what shortens the time raises the risk.
    shares = -trees.contributions(booster, x, exact=exact_reasons).astype(np.float64)
    return told.predictions(card, _alone(shape.by(trees.margin(booster, x), months)), shares)


def _alone(event: Floats) -> Curves:
    return Curves(event, None)


def _params(shape: Shape, seed: int, threads: int) -> dict[str, Any]:
    law = {"aft_loss_distribution": shape.law, "aft_loss_distribution_scale": shape.sigma}
    return {**_BASE, **law, "seed": seed, "nthread": threads}


def _watched(x: Matrix, lower: Floats, upper: Floats, held: Bools, params: Mapping[str, Any]) -> trees.Curve:
    return trees.fit_times_watched(
        (x[~held], lower[~held], upper[~held]), (x[held], lower[held], upper[held]),
        params=params, rounds=_MAX_ROUNDS, patience=_PATIENCE,
    )  # fmt: skip
