"""Boosted trees under monotone constraints, calibrated, in points, with reasons.

A customer who is later, or has paid less, is never scored safer for it. Depth and number of rounds come from
cross-validation on the training rows alone, and the calibration line is fitted on the same out-of-fold
predictions; on large samples both are fixed beforehand and the line is fitted on people held out. The test rows
are touched once. Where outside information matters, a second model without it serves the rows for which the
vendor is silent (domain brief §3.11).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from models import booster as trees
from models import outage
from models.assess import Fitted, model_card, points_of
from models.catalogue import Recipe
from models.evaluate import Floats, Ints, auc, logistic_line, logit
from models.feature_list import SPECS
from models.predictions import TOP_REASONS, Predictions
from models.reasons import weightiest
from models.registry import Bundle, Calibration
from models.sample import Sample, SampleError, folds
from models.serving import check_features, empty_predictions

MODEL, LINE = "model.ubj", "calibration.json"
FALLBACK_MODEL, FALLBACK_LINE = "fallback.ubj", "fallback_calibration.json"
_MAX_ROUNDS = 1500
_PATIENCE = 60
_MANY_EVENTS, _MANY_ROWS = 50_000, 200_000
_REASON_BATCH = 65_536
_BASE: dict[str, Any] = {
    "objective": "binary:logistic", "tree_method": "hist", "subsample": 0.8, "colsample_bytree": 0.5, "lambda": 5.0,
    "min_child_weight": 20,
}  # fmt: skip


@dataclass(frozen=True)
class Tuning:
    """How to find depth and rounds. ``rounds`` fixes them (with the first depth): no cross-validation.

    ``folds`` are those of cross-validation, or of which one is held out for the calibration line.
    """

    depths: tuple[int, ...] = (2, 3, 4)
    folds: int = 5
    rounds: int | None = None
    eta: float = 0.03

    @classmethod
    def fitting(cls, rows: int, events: int) -> "Tuning":
        """Return cross-validation for samples that need it; large ones know 300 trees of depth 6 beforehand."""
        if rows > _MANY_ROWS or events > _MANY_EVENTS:
            return cls(depths=(6,), folds=10, rounds=300, eta=0.1)
        return cls()


@dataclass(frozen=True)
class _Trained:
    """A model, its calibration line, and raw log odds of the rows (``held``) that it was not fitted on."""

    booster: Any
    line: Calibration
    params: Mapping[str, Any]
    rounds: int
    margin: Floats
    held: npt.NDArray[np.int64]
    tried: list[dict[str, float]]

    def parts(self, model: str, line: str) -> dict[str, bytes]:
        return {model: trees.to_bytes(self.booster), line: self.line.to_bytes()}


def train(
    recipe: Recipe, sample: Sample, *, provenance: Mapping[str, Any], seed: int = 0, threads: int = 2,
    tuning: Tuning | None = None, may_be_flat: bool = False,
) -> Bundle:  # fmt: skip
    """Train, calibrate and evaluate a card; without ``tuning`` the size of the sample decides.

    Raise SampleError when the trees tell nothing of people they were not fitted on; with ``may_be_flat`` everybody
    then gets the average chance.
    """
    learn, test = np.flatnonzero(~sample.is_test), np.flatnonzero(sample.is_test)
    outcome, customer = sample.outcome[learn], sample.customer[learn]
    chosen = tuning or Tuning.fitting(len(learn), int(outcome.sum()))
    matrix = _matrix(sample.features, recipe.features)
    main = _trained(recipe, recipe.features, matrix[learn], outcome, customer, tuning=chosen, seed=seed,
                    threads=threads, may_be_flat=may_be_flat)  # fmt: skip
    parts = main.parts(MODEL, LINE)
    if outage.deserves_fallback(sample.features[learn]):
        names = outage.inside_only(recipe.features)
        columns = [recipe.features.index(n) for n in names]
        inside = matrix[learn[:, None], columns]
        parts |= _trained(
            recipe, names, inside, outcome, customer, tuning=chosen, seed=seed, threads=threads, may_be_flat=True
        ).parts(FALLBACK_MODEL, FALLBACK_LINE)  # fmt: skip
    fitted = Fitted(
        algorithm="boosted",
        recipe={k: v for k, v in main.params.items() if k not in ("monotone_constraints", "nthread")}
        | {"rounds": main.rounds, "monotone": recipe.monotone, "fallback": FALLBACK_MODEL in parts,
           "calibration": "platt on held-out people" if chosen.rounds else "platt on out-of-fold log odds"},
        cross_validation={"folds": 0 if chosen.rounds else chosen.folds, "held_out_rows": len(main.held),
                          "auc": round(auc(outcome[main.held], main.margin), 6), "tried": main.tried},
        p_learn=main.line.chance(main.margin),
        learn_rows=learn[main.held],
        p_test=main.line.chance(trees.margin(main.booster, matrix[test])),
        importance=trees.importance(main.booster, recipe.features),
    )  # fmt: skip
    return Bundle(model_card(recipe, sample, fitted, provenance=provenance, seed=seed), parts)


def predict(bundle: Bundle, features: pl.DataFrame, *, threads: int = 2, exact_reasons: bool = True) -> Predictions:
    """Score rows of the feature builder with a bundle; a card of another feature set is refused.

    ``exact_reasons`` False takes the fast approximation of the contributions, for whole books.
    """
    card, codes = bundle.card, tuple(bundle.card.reasons)
    check_features(card, features)
    if features.is_empty():  # XGBoost gives arrays of another shape for no rows
        return empty_predictions(codes)
    matrix = _matrix(features, card.features)
    is_fallback = np.zeros(len(matrix), dtype=np.bool_)
    if FALLBACK_MODEL in bundle.parts:
        is_fallback = outage.silent(features)
    p, reasons = np.empty(len(matrix)), np.empty((len(matrix), TOP_REASONS), dtype=np.int8)
    inside = outage.inside_only(card.features)
    for rows, names, model, line in (
        (~is_fallback, card.features, MODEL, LINE),
        (is_fallback, inside, FALLBACK_MODEL, FALLBACK_LINE),
    ):
        if not rows.any():
            continue
        part = matrix if rows.all() else matrix[rows]
        if names != card.features:
            part = part[:, [card.features.index(n) for n in names]]
        booster = trees.from_bytes(bundle.parts[model], threads=threads)
        p[rows] = Calibration.from_bytes(bundle.parts[line]).chance(trees.margin(booster, part))
        reasons[rows] = _reasons(booster, part, names, codes, exact=exact_reasons, event_is=card.event_is)
    points = points_of(card.event_is, card.scaling, p)
    score = np.rint(points).astype(np.int64)
    return Predictions(
        p_event=p,
        points=points,
        score=score,
        band=card.cuts.band(score),
        reason_index=reasons,
        codes=codes,
        is_fallback=is_fallback,
    )


def _matrix(features: pl.DataFrame, names: tuple[str, ...]) -> npt.NDArray[np.float32]:
    """Order the features as the card knows them; null becomes NaN, which the trees route on purpose."""
    return features.select(pl.col(names).cast(pl.Float32)).to_numpy()


def _trained(
    recipe: Recipe, names: tuple[str, ...], matrix: npt.NDArray[np.float32], outcome: Ints, customer: Ints, *,
    tuning: Tuning, seed: int, threads: int, may_be_flat: bool,
) -> _Trained:  # fmt: skip
    # Directions speak of badness for the lender: where the event is the good outcome, they turn around.
    turn = 1 if recipe.event_is == "bad" else -1
    params = {
        **_BASE, "eta": tuning.eta, "max_depth": tuning.depths[0], "seed": seed, "nthread": threads,
        "monotone_constraints": tuple(turn * int(recipe.direction_of(SPECS[n])) for n in names),
    }  # fmt: skip
    fold = folds(customer, tuning.folds, seed)
    tried: list[dict[str, float]] = []
    if tuning.rounds:
        rounds, held = tuning.rounds, np.flatnonzero(fold == 0)
        fitted_on = np.flatnonzero(fold != 0)
        model = trees.fit(matrix[fitted_on], outcome[fitted_on], params=params, rounds=rounds)
        margin = trees.margin(model, matrix[held])
    else:
        depth, rounds, margin, tried = _tuned(matrix, outcome, fold, params=params, tuning=tuning)
        params, held = {**params, "max_depth": depth}, np.arange(len(outcome))
        model = trees.fit(matrix, outcome, params=params, rounds=rounds)
    line = Calibration(*logistic_line(outcome[held], margin))
    if line.slope <= 0:
        # A falling line would turn around every direction that the trees were held to.
        if not may_be_flat:
            raise SampleError(
                "on people it was not fitted on, the model tells nothing or the contrary of what happened "
                f"(calibration slope {line.slope:.2f}): there is nothing to make a card of"
            )
        line = Calibration(0.0, float(logit(np.array([outcome[held].mean()]))[0]))
    return _Trained(model, line, params, rounds, margin, held, tried)


def _tuned(
    matrix: npt.NDArray[np.float32], outcome: Ints, fold: Ints, *, params: Mapping[str, Any], tuning: Tuning
) -> tuple[int, int, Floats, list[dict[str, float]]]:
    """Choose depth and rounds by the mean log loss over the folds; return them with out-of-fold log odds."""
    best: tuple[float, int, int, Floats] | None = None
    tried: list[dict[str, float]] = []
    for depth in tuning.depths:
        curves = [
            trees.fit_watched(
                (matrix[fold != f], outcome[fold != f]), (matrix[fold == f], outcome[fold == f]),
                params={**params, "max_depth": depth}, rounds=_MAX_ROUNDS, patience=_PATIENCE,
            )
            for f in range(tuning.folds)
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
            best = (loss, depth, rounds, margin)
    assert best is not None
    return *best[1:], tried


def _reasons(
    booster: Any, matrix: npt.NDArray[np.float32], names: tuple[str, ...], codes: tuple[str, ...], *, exact: bool,
    event_is: str,
) -> npt.NDArray[np.int8]:  # fmt: skip
    """Sum the features' shares per reason and name the weightiest that lowered the score, batch by batch."""
    gather = np.zeros((len(codes), len(names)), dtype=np.float32)
    for column, name in enumerate(names):
        gather[codes.index(SPECS[name].reason), column] = 1.0 if event_is == "bad" else -1.0
    return np.concatenate(
        [
            weightiest(gather @ trees.contributions(booster, matrix[start : start + _REASON_BATCH], exact=exact).T)
            for start in range(0, len(matrix), _REASON_BATCH)
        ]
    )
