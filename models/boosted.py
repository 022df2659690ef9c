"""Boosted trees under monotone constraints, calibrated, in points, with reasons.

A customer who is later, or has paid less, is never scored safer for it. Depth and number of rounds come
from cross-validation on the training rows alone; the calibration line is fitted on the same out-of-fold
predictions; the test rows are touched once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from models import booster as trees
from models.card import ModelCard
from models.catalogue import Recipe
from models.evaluate import Floats, Ints, StabilityBins, auc, evaluate, ks, logistic_line
from models.feature_list import FEATURE_NAMES, FEATURE_SET_VERSION, FEATURES
from models.predictions import Predictions
from models.reasons import REASONS, sayable_sentences, staff_sentences
from models.registry import Bundle, Calibration
from models.sample import Sample
from models.scaling import BandCuts, Scaling

_DEPTHS = (2, 3, 4)
_FOLDS = 5
_MAX_ROUNDS = 1500
_PATIENCE = 60
_TOP_REASONS = 4
_SEGMENT_ROWS = 200
_SUSPICIOUS_KS = 0.60
_BASE: dict[str, Any] = {
    "objective": "binary:logistic", "tree_method": "hist", "eta": 0.03, "subsample": 0.8,
    "colsample_bytree": 0.5, "lambda": 5.0, "min_child_weight": 20,
}  # fmt: skip


@dataclass(frozen=True)
class _Tuned:
    """The winner of cross-validation with its out-of-fold log odds on the training rows."""

    params: dict[str, Any]
    rounds: int
    margin: Floats
    tried: list[dict[str, float]]


def train(recipe: Recipe, sample: Sample, *, provenance: Mapping[str, Any], seed: int = 0, threads: int = 2) -> Bundle:
    """Train, calibrate and evaluate a card."""
    matrix = _matrix(sample.features)
    learn, test = ~sample.is_test, sample.is_test
    tuned = _tune(matrix[learn], sample.outcome[learn], sample.customer[learn], seed=seed, threads=threads)
    slope, intercept = logistic_line(sample.outcome[learn], tuned.margin)
    model = trees.fit(matrix[learn], sample.outcome[learn], params=tuned.params, rounds=tuned.rounds)

    def calibrated(margin: Floats) -> Floats:
        return np.asarray(1 / (1 + np.exp(-(slope * margin + intercept))))

    p_test = calibrated(trees.margin(model, matrix[test]))
    measured = evaluate(sample.outcome[test], p_test, rng=np.random.default_rng(seed))
    # Out-of-fold on the training rows, as served on the test rows: the scores a new account would get.
    development = Scaling().points(np.concatenate([calibrated(tuned.margin), p_test]))
    card = ModelCard(
        name=recipe.name,
        algorithm="boosted",
        event_name=recipe.event,
        event_is=recipe.event_is,
        horizon_days=recipe.horizon_days,
        feature_set_version=FEATURE_SET_VERSION,
        features=FEATURE_NAMES,
        recipe={k: v for k, v in tuned.params.items() if k not in ("monotone_constraints", "nthread")}
        | {"rounds": tuned.rounds, "calibration": "platt on out-of-fold log odds", "monotone": True},
        sample={"rows": len(learn), "events": int(sample.outcome.sum()), "train_rows": int(learn.sum()),
                "train_events": int(sample.outcome[learn].sum()),
                "customers": len(np.unique(sample.customer))},
        cross_validation={"folds": _FOLDS, "auc": round(auc(sample.outcome[learn], tuned.margin), 6),
                          "tried": tuned.tried},
        test=measured.as_json(),
        segments=_segments(sample.features.filter(test), sample.outcome[test], p_test),
        importance=trees.importance(model, FEATURE_NAMES),
        missing_share=dict(zip(FEATURE_NAMES, np.isnan(matrix).mean(axis=0).round(4).tolist(), strict=True)),
        reasons=staff_sentences(REASONS),
        sayable=sayable_sentences(REASONS),
        scaling=Scaling(),
        cuts=BandCuts.of(np.rint(development)),
        development=StabilityBins.of(development),
        warnings=_warnings(measured.ks),
        provenance=provenance,
    )  # fmt: skip
    return Bundle(
        card, {"calibration.json": Calibration(slope, intercept).to_bytes(), "model.ubj": trees.to_bytes(model)}
    )


def predict(bundle: Bundle, features: pl.DataFrame, *, threads: int = 2, exact_reasons: bool = True) -> Predictions:
    """Score rows of ``build_features`` with a bundle; a card of another feature set is refused."""
    card = bundle.card
    if (card.feature_set_version, card.features) != (FEATURE_SET_VERSION, FEATURE_NAMES):
        raise ValueError(
            f"the card was trained on feature set {card.feature_set_version}, this release builds "
            f"{FEATURE_SET_VERSION}: train and approve a new card"
        )
    codes = tuple(REASONS)
    if features.is_empty():  # XGBoost gives arrays of another shape for no rows
        none = np.zeros(0)
        return Predictions(none, none, none.astype(np.int64), none.astype(np.str_),
                           np.zeros((0, _TOP_REASONS), np.int8), codes, none.astype(np.bool_))  # fmt: skip
    matrix = _matrix(features)
    model = trees.from_bytes(bundle.parts["model.ubj"], threads=threads)
    line = Calibration.from_bytes(bundle.parts["calibration.json"])
    p = np.asarray(1 / (1 + np.exp(-(line.slope * trees.margin(model, matrix) + line.intercept))))
    points = card.scaling.points(p)
    score = np.rint(points).astype(np.int64)
    return Predictions(
        p_event=p,
        points=points,
        score=score,
        band=card.cuts.band(score),
        reason_index=_reasons(trees.contributions(model, matrix)),
        codes=codes,
        is_fallback=np.zeros(len(p), dtype=np.bool_),
    )


def _matrix(features: pl.DataFrame) -> Floats:
    """Order the features as the card knows them; null becomes NaN, which the trees route on purpose."""
    frame = features.select(pl.col(FEATURE_NAMES).cast(pl.Float64).fill_null(float("nan")))
    return frame.to_numpy()


def _tune(matrix: Floats, outcome: Ints, customer: Ints, *, seed: int, threads: int) -> _Tuned:
    """Choose depth and rounds by the mean log loss over folds that never split a customer."""
    fold = _folds(customer, seed)
    best: tuple[float, _Tuned] | None = None
    tried: list[dict[str, float]] = []
    for depth in _DEPTHS:
        params = {
            **_BASE, "max_depth": depth, "seed": seed, "nthread": threads,
            "monotone_constraints": tuple(int(f.direction) for f in FEATURES),
        }  # fmt: skip
        curves = [
            trees.fit_watched(
                (matrix[fold != f], outcome[fold != f]), (matrix[fold == f], outcome[fold == f]),
                params=params, rounds=_MAX_ROUNDS, patience=_PATIENCE,
            )
            for f in range(_FOLDS)
        ]  # fmt: skip
        shortest = min(len(c.losses) for c in curves)
        losses = np.mean([c.losses[:shortest] for c in curves], axis=0)
        rounds = int(losses.argmin()) + 1
        margin = np.empty(len(outcome))
        for f, curve in enumerate(curves):
            margin[fold == f] = trees.margin(curve.booster, matrix[fold == f], rounds=rounds)
        loss = float(losses.min())
        tried.append({"max_depth": depth, "rounds": rounds, "log_loss": round(loss, 6)})
        if best is None or loss < best[0]:
            best = (loss, _Tuned(params, rounds, margin, tried))
    assert best is not None
    return best[1]


def _folds(customer: Ints, seed: int) -> Ints:
    people, index = np.unique(customer, return_inverse=True)
    return np.asarray(np.random.default_rng(seed).permutation(len(people))[index] % _FOLDS)


def _segments(features: pl.DataFrame, outcome: Ints, p: Floats) -> dict[str, Any]:
    """Report the card on the parts of the test rows that a reader would ask about (§3.5)."""
    one = features["past_due_0"].fill_null(0) <= 1
    hit = features["ml_status"] == 1
    parts = {
        "one_month_past_due": one,
        "two_or_more_months_past_due": ~one,
        "external_hit": hit,
        "no_external_hit": ~hit,
    }
    report: dict[str, Any] = {}
    for name, mask in parts.items():
        rows = mask.to_numpy()
        y, q = outcome[rows], p[rows]
        report[name] = {"rows": len(y), "events": int(y.sum())}
        if len(y) >= _SEGMENT_ROWS and 0 < y.sum() < len(y):
            report[name] |= {
                "auc": round(auc(y, q), 4),
                "ks": round(ks(y, q), 4),
                "expected": round(float(q.mean()), 4),
                "observed": round(float(y.mean()), 4),
            }
    return report


def _warnings(measured_ks: float) -> tuple[str, ...]:
    notes = ["Outcomes arose under the treatments given at the time: the card tells risk under that policy."]
    if measured_ks > _SUSPICIOUS_KS:
        notes.append(f"KS {measured_ks:.2f} is above {_SUSPICIOUS_KS}: look for leakage before approving.")
    return tuple(notes)


def _reasons(shares: Floats) -> npt.NDArray[np.int8]:
    """Sum the features' shares per reason and name the weightiest that raise the risk."""
    codes = tuple(REASONS)
    place = np.array([codes.index(f.reason) for f in FEATURES])
    summed = np.zeros((len(shares), len(codes)))
    np.add.at(summed.T, place, shares.T)
    top = np.argsort(-summed, axis=1, kind="stable")[:, :_TOP_REASONS]
    return np.where(np.take_along_axis(summed, top, axis=1) > 0, top, -1).astype(np.int8)
