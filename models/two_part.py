"""Amount recovered in two parts: whether anything is paid, and which share if so (domain brief §3.1 RECOV).

Most placed accounts pay nothing, some pay a part, many of the rest pay all: one regression through all of them
predicts an amount that nobody pays. P(pay > 0) is the calibrated classifier of ``models.boosted``; E[share | paid]
is a second set of trees, fitted on those who paid and held between 0 and 1. Their product is the expected share,
and one factor, found on the training rows (the payers' shares out of fold), makes the sums agree.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from models import boosted
from models import booster as trees
from models.catalogue import Recipe
from models.evaluate import Floats, Ints
from models.feature_list import SPECS
from models.predictions import Predictions
from models.registry import Bundle
from models.sample import Sample, SampleError, folds

SHARE_MODEL, SHARE = "share.ubj", "share.json"
_FOLDS = 5
_ROUNDS = 200
_LEAST_PAYERS = 40
_BATCHES = 10
_DRAWS = 300
_PARAMS: dict[str, Any] = {
    # Shares lie in 0..1 with many at both ends: a logistic link keeps them there, least squares would not.
    "objective": "reg:logistic", "tree_method": "hist", "eta": 0.05, "max_depth": 3, "subsample": 0.8,
    "colsample_bytree": 0.5, "lambda": 5.0, "min_child_weight": 5,
}  # fmt: skip


@dataclass(frozen=True)
class AmountMetrics:
    """How well a share is predicted on rows not seen: errors in shares of what was placed, rank, and the sum."""

    rows: int
    mae: float
    rmse: float
    spearman: float
    sum_ratio: float
    """Predicted over actual, weighed by the amount placed: 1 = the batch brings in what was expected."""
    sum_ratio_low: float
    sum_ratio_high: float
    r2: float

    def as_json(self) -> dict[str, Any]:
        """Return plain, rounded numbers for a model card."""
        return {k: v if isinstance(v, int) else round(v, 6) for k, v in vars(self).items()}


def train(
    recipe: Recipe, sample: Sample, *, provenance: Mapping[str, Any], seed: int = 0, threads: int = 2,
    tuning: boosted.Tuning | None = None,
) -> Bundle:  # fmt: skip
    """Train both parts; the sample's ``value`` is the share of each row, ``outcome`` whether anything was paid.

    ``tuning`` is that of the classifier. Raise SampleError without shares, or with too few who paid.
    """
    share = _shares(sample)
    base = boosted.train(recipe, sample, provenance=provenance, seed=seed, threads=threads, tuning=tuning)
    learn, test = ~sample.is_test, sample.is_test
    payers = np.flatnonzero(learn & (share > 0))
    if len(payers) < _LEAST_PAYERS:
        raise SampleError(f"only {len(payers)} of the training accounts paid anything; the share needs {_LEAST_PAYERS}")
    matrix = _matrix(sample.features, recipe)
    params = {**_PARAMS, "seed": seed, "nthread": threads, "monotone_constraints": _directions(recipe)}
    out_of_fold = _out_of_fold(matrix[payers], share[payers], sample.customer[payers], params, seed=seed)
    model = trees.fit(matrix[payers], share[payers], params=params, rounds=_ROUNDS)
    p = boosted.predict(base, sample.features, threads=threads, exact_reasons=False).p_event
    weight = np.ones(len(share)) if sample.amount is None else sample.amount
    # The payers' own predictions would flatter: the factor is found on shares that their trees did not see.
    given = np.clip(_predicted(model, matrix), 0, 1)
    given[payers] = out_of_fold
    factor = _factor(share[learn], p[learn] * given[learn], weight[learn])
    expected = np.clip(p * np.clip(_predicted(model, matrix), 0, 1) * factor, 0, 1)
    measured = measure(share[test], expected[test], weight[test], people=sample.customer[test], seed=seed)
    card = replace(
        base.card,
        algorithm="two_part",
        recipe={**base.card.recipe, "share_rounds": _ROUNDS, "share_depth": _PARAMS["max_depth"],
                "share_payers": len(payers), "sum_factor": round(factor, 4)},
        test={**base.card.test, "amount": measured.as_json()},
        figures={**base.card.figures, "amount": _by_batch(share[test], expected[test], weight[test]),
                 "curves": {**base.card.figures.get("curves", {}), "amount": _curve(share[test], expected[test])}},
        alarms=(*base.card.alarms, *_alarms(measured)),
    )  # fmt: skip
    return Bundle(
        card,
        {**base.parts, SHARE_MODEL: trees.to_bytes(model), SHARE: (json.dumps({"factor": factor}) + "\n").encode()},
    )


def predict(bundle: Bundle, features: pl.DataFrame, *, threads: int = 2, exact_reasons: bool = True) -> Predictions:
    """Score rows: ``p_event`` = P(anything is paid), ``value`` = expected share of what was placed, in [0, 1]."""
    classifier = Bundle(replace(bundle.card, algorithm="boosted"), bundle.parts)
    said = boosted.predict(classifier, features, threads=threads, exact_reasons=exact_reasons)
    if features.is_empty():
        return replace(said, value=np.zeros(0))
    model = trees.from_bytes(bundle.parts[SHARE_MODEL], threads=threads)
    matrix = features.select(pl.col(bundle.card.features).cast(pl.Float32)).to_numpy()
    factor = float(json.loads(bundle.parts[SHARE])["factor"])
    share = np.clip(_predicted(model, matrix), 0, 1)
    value = np.clip(said.p_event * share * factor, 0, 1)
    details = pl.DataFrame({"expected_share": value.round(4), "share_if_paid": share.round(4)})
    return replace(said, value=value, details=details)


def measure(
    actual: Floats, expected: Floats, weight: Floats, *, people: Ints | None = None, seed: int = 0
) -> AmountMetrics:
    """Measure predicted against actual shares (domain brief §3.5); ``weight`` is the amount placed.

    The interval draws ``people`` (each row its own without them): placements of one customer come together.
    """
    from scipy.stats import spearmanr

    ratio = _sum_ratio(actual, expected, weight)
    rng = np.random.default_rng(seed)
    known, person = np.unique(np.arange(len(actual)) if people is None else people, return_inverse=True)
    drawn = (np.bincount(rng.integers(0, len(known), len(known)), minlength=len(known)) for _ in range(_DRAWS))
    ratios = np.array([_sum_ratio(actual, expected, weight * times[person]) for times in drawn])
    # A draw in which nobody paid has no ratio.
    low, high = np.quantile(ratios[np.isfinite(ratios)], [0.025, 0.975]) if np.isfinite(ratios).any() else (0.0, 0.0)
    spread = float(np.sum((actual - actual.mean()) ** 2))
    rank = spearmanr(actual, expected).statistic if np.ptp(actual) > 0 and np.ptp(expected) > 0 else 0.0
    return AmountMetrics(
        rows=len(actual),
        mae=float(np.mean(np.abs(actual - expected))),
        rmse=float(np.sqrt(np.mean((actual - expected) ** 2))),
        spearman=float(rank),
        sum_ratio=ratio,
        sum_ratio_low=float(low),
        sum_ratio_high=float(high),
        r2=1 - float(np.sum((actual - expected) ** 2)) / spread if spread > 0 else 0.0,
    )


def _shares(sample: Sample) -> Floats:
    if sample.value is None:
        raise SampleError("the labels of this model carry no share: an amount model cannot learn from them")
    if np.isnan(sample.value).any() or sample.value.min() < 0 or sample.value.max() > 1:
        raise SampleError("a share recovered lies between 0 and 1")
    return sample.value


def _matrix(features: pl.DataFrame, recipe: Recipe) -> npt.NDArray[np.float32]:
    return features.select(pl.col(recipe.features).cast(pl.Float32)).to_numpy()


def _directions(recipe: Recipe) -> tuple[int, ...]:
    """Turn the directions of the feature list around: they speak of risk, a share is good."""
    return tuple(-int(recipe.direction_of(SPECS[n])) for n in recipe.features)


def _predicted(model: Any, matrix: npt.NDArray[np.float32]) -> Floats:
    """Return shares: the trees' margin through the logistic link."""
    return np.asarray(1 / (1 + np.exp(-trees.margin(model, matrix))))


def _out_of_fold(
    matrix: npt.NDArray[np.float32], share: Floats, customer: Ints, params: Mapping[str, Any], *, seed: int
) -> Floats:
    fold, out = folds(customer, _FOLDS, seed), np.empty(len(share))
    for f in range(_FOLDS):
        rest = fold != f
        if rest.all() or not rest.any():
            out[~rest] = share.mean()
            continue
        model = trees.fit(matrix[rest], share[rest], params=params, rounds=_ROUNDS)
        out[~rest] = _predicted(model, matrix[~rest])
    return np.clip(out, 0, 1)


def _sum_ratio(actual: Floats, expected: Floats, weight: Floats) -> float:
    paid = float(np.sum(actual * weight))
    return float(np.sum(expected * weight)) / paid if paid > 0 else float("inf")


def _factor(actual: Floats, expected: Floats, weight: Floats) -> float:
    total = float(np.sum(expected * weight))
    return float(np.sum(actual * weight)) / total if total > 0 else 1.0


def _by_batch(actual: Floats, expected: Floats, weight: Floats) -> list[dict[str, float]]:
    """Compare what was expected with what came, in ten equal parts of the test rows by expectation."""
    parts = [i for i in np.array_split(np.argsort(expected, kind="stable"), _BATCHES) if len(i)]
    return [
        {"rows": len(i), "expected": round(float(np.average(expected[i], weights=weight[i])), 6),
         "observed": round(float(np.average(actual[i], weights=weight[i])), 6)}
        for i in parts if weight[i].sum() > 0
    ]  # fmt: skip


def _curve(actual: Floats, expected: Floats) -> dict[str, Any]:
    parts = [i for i in np.array_split(np.argsort(expected, kind="stable"), _BATCHES) if len(i)]
    points = [[round(float(expected[i].mean()), 6), round(float(actual[i].mean()), 6)] for i in parts]
    return {"title": "Share recovered: expected and observed", "x_label": "expected", "y_label": "observed",
            "series": [{"name": "test rows, in tenths", "points": points}]}  # fmt: skip


def _alarms(measured: AmountMetrics) -> tuple[str, ...]:
    if measured.sum_ratio_low <= 1 <= measured.sum_ratio_high or 0.9 <= measured.sum_ratio <= 1.1:
        return ()
    return (f"On the test rows {measured.sum_ratio:.2f} times as much is expected as was paid: do not price with it.",)
