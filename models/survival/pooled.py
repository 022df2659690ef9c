"""Discrete-time hazards by pooled logistic regression on weight of evidence: the model that can be read.

One regression for each cause on person-periods: every feature as the WoE of its bins, the month ahead as a level of
its own.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from models.binning import Bins, bin_feature
from models.catalogue import Recipe
from models.evaluate import Floats, Ints
from models.predictions import Predictions
from models.registry import Bundle, BundleError
from models.sample import Sample, folds
from models.survival import told
from models.survival.curves import Curves, Periods, incidence
from models.survival.hazard import Matrix
from models.survival.spells import COMPETING, EVENT

_FOLDS = 3
_RIDGE = 1.0
_STEPS = 30
_LEAST_IV = 0.005


@dataclass(frozen=True)
class Pooled:
    """``ln(odds of the hazard) = level[month] + sum(beta_j * WOE_j)``; WoE is positive where the cause is rare."""

    bins: tuple[Bins, ...]
    beta: tuple[float, ...]
    level: tuple[float, ...]

    def woe(self, x: Matrix, names: tuple[str, ...]) -> Floats:
        """Return the weight of evidence of each row, rows x bins."""
        columns = [np.array(b.woe)[b.place(x[:, names.index(b.name)].astype(np.float64))] for b in self.bins]
        return np.column_stack(columns) if columns else np.zeros((len(x), 0))

    def hazard(self, woe: Floats) -> Floats:
        """Return the hazard, rows x months."""
        line = (woe @ np.array(self.beta))[:, None] + np.array(self.level)[None, :]
        return np.asarray(1 / (1 + np.exp(-line)))


def fit(x: Matrix, names: tuple[str, ...], periods: Periods, cause: int, *, months: int, seed: int) -> Pooled:
    """Bin every feature on the person-periods and weigh them; features with an IV under 0.005 are left out."""
    y = (periods.cause == cause).astype(np.int64)
    every = [bin_feature(n, x[periods.row, i].astype(np.float64), y, seed=seed) for i, n in enumerate(names)]
    bins = tuple(b for b in every if b.iv >= _LEAST_IV)
    woe = Pooled(bins, (), ()).woe(x, names)
    design = np.column_stack([woe[periods.row], np.eye(months)[periods.ahead - 1]])
    # Only the betas are shrunk; a level is that month's own rate, kept finite where a month has no event.
    ridge = np.concatenate([np.full(len(bins), _RIDGE), np.full(months, _RIDGE / 1000)])
    beta = _logistic(design, y, ridge)
    return Pooled(bins, tuple(beta[: len(bins)].tolist()), tuple(beta[len(bins) :].tolist()))


def train(recipe: Recipe, sample: Sample, *, provenance: Mapping[str, Any], seed: int = 0, threads: int = 2) -> Bundle:
    """Train and evaluate; raise SampleError without a course or without mature test rows."""
    course, learn = told.course_of(sample), ~sample.is_test
    months, names = told.months_of(recipe), recipe.features
    x = told.inputs(sample.features, names)
    duration, cause = course.duration[learn], course.cause[learn]
    fold, unseen = folds(sample.customer[learn], _FOLDS, seed), np.empty((2, int(learn.sum()), months))
    for f in range(_FOLDS):
        kept = fold != f
        periods = Periods.of(duration[kept], cause[kept], months)
        for k in (EVENT, COMPETING):
            model = fit(x[learn][kept], names, periods, k, months=months, seed=seed)
            unseen[k - 1][~kept] = model.hazard(model.woe(x[learn][~kept], names))
    periods = Periods.of(duration, cause, months)
    models = {k: fit(x[learn], names, periods, k, months=months, seed=seed) for k in (EVENT, COMPETING)}
    event = models[EVENT]
    weight = np.abs(event.woe(x[learn], names) * np.array(event.beta)).mean(axis=0)
    share = {b.name: round(float(w / max(weight.sum(), 1e-12)), 4) for b, w in zip(event.bins, weight, strict=True)}
    fitted = told.Fitted(
        algorithm="hazard_woe",
        recipe={"months": months, "causes": "event and paid off", "ridge": _RIDGE, "least_iv": _LEAST_IV,
                "person_periods": len(periods.row)},
        cross_validation={"folds": _FOLDS},
        learn=incidence(unseen[0], unseen[1]),
        learn_rows=np.flatnonzero(learn),
        test=_curves(models[EVENT], models[COMPETING], x[sample.is_test], names),
        importance=dict(sorted(share.items(), key=lambda item: -item[1])),
    )  # fmt: skip
    card = told.model_card(recipe, sample, fitted, provenance=provenance, seed=seed)
    return Bundle(card, {"hazards.json": _to_bytes(models[EVENT], models[COMPETING])})


def predict(bundle: Bundle, features: pl.DataFrame, *, threads: int = 2, exact_reasons: bool = True) -> Predictions:
    """Score rows of ``panel.latest``; shares of the log odds are exact either way."""
    card = bundle.card
    told.check(card, features)
    x = told.inputs(features, card.features)
    event, competing = _from_bytes(bundle.parts["hazards.json"])
    shares = np.zeros((len(x), len(card.features)))
    for b, part in zip(event.bins, (event.woe(x, card.features) * np.array(event.beta)).T, strict=True):
        shares[:, card.features.index(b.name)] = part
    return told.predictions(card, _curves(event, competing, x, card.features), shares)


def _curves(event: Pooled, competing: Pooled, x: Matrix, names: tuple[str, ...]) -> Curves:
    return incidence(*(m.hazard(m.woe(x, names)) for m in (event, competing)))


def _logistic(design: Floats, outcome: Ints, ridge: Floats) -> Floats:
    """Fit by Newton's method; ``ridge`` penalises half of each coefficient's square."""
    beta = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(design @ beta, -35, 35)))
        hessian = design.T @ (design * (p * (1 - p))[:, None]) + np.diag(ridge)
        step = np.linalg.solve(hessian, design.T @ (outcome - p) - ridge * beta)
        beta = beta + step
        if np.max(np.abs(step)) < 1e-8:
            break
    return beta


def _to_bytes(event: Pooled, competing: Pooled) -> bytes:
    data = {name: asdict(m) for name, m in (("event", event), ("paid_off", competing))}
    return (json.dumps(data, sort_keys=True, allow_nan=False) + "\n").encode()


def _from_bytes(raw: bytes) -> tuple[Pooled, Pooled]:
    try:
        data = json.loads(raw)
        one, other = (
            Pooled(tuple(Bins.from_json(b) for b in d["bins"]), tuple(d["beta"]), tuple(d["level"]))
            for d in (data["event"], data["paid_off"])
        )
    except (ValueError, KeyError, TypeError):
        raise BundleError("hazards.json cannot be read; train and approve the model again") from None
    return one, other
