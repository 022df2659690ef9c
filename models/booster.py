"""The one door to XGBoost: fit, predict, explain, to bytes and back.

The library is imported when first used: it costs a command two seconds of start-up, and most
commands never score anything.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from models.evaluate import Floats, Ints

if TYPE_CHECKING:
    from xgboost import Booster, DMatrix

Matrix = Floats | npt.NDArray[np.float32]


@cache
def _xgboost() -> ModuleType:
    # Idle OpenMP workers would spin and starve the other processes of a small machine; the runtime
    # reads this once, when the library loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import xgboost

    return xgboost


@dataclass(frozen=True)
class Curve:
    """One fit with early stopping: its booster, and the validation loss after each round."""

    booster: "Booster"
    losses: Floats


def fit_watched(
    train: tuple[Matrix, Ints],
    watch: tuple[Matrix, Ints],
    *,
    params: Mapping[str, Any],
    rounds: int,
    patience: int,
) -> Curve:
    """Fit until the watched rows stop getting better."""
    history: dict[str, dict[str, list[float]]] = {}
    booster = _xgboost().train(
        {**params, "eval_metric": "logloss"},
        _matrix(*train),
        rounds,
        evals=[(_matrix(*watch), "watch")],
        early_stopping_rounds=patience,
        evals_result=history,
        verbose_eval=False,
    )
    return Curve(booster, np.array(history["watch"]["logloss"]))


def fit(
    features: Matrix, outcome: Floats | Ints, *, params: Mapping[str, Any], rounds: int, weight: Floats | None = None
) -> "Booster":
    """Fit a fixed number of rounds; ``weight`` is one per row."""
    # Binned once, while it is read: half the memory and none of the time of a full matrix.
    matrix = _xgboost().QuantileDMatrix(features, label=outcome, weight=weight, nthread=params.get("nthread"))
    booster: Booster = _xgboost().train(dict(params), matrix, rounds)
    return booster


def fit_times(
    features: Matrix, lower: Floats, upper: Floats, *, params: Mapping[str, Any], rounds: int
) -> "Booster":  # fmt: skip
    """Fit survival times known to lie between two bounds (upper = +inf: not ended yet); margins are ln(time)."""
    booster: Booster = _xgboost().train(dict(params), _times(features, lower, upper), rounds)
    return booster


def fit_times_watched(
    train: tuple[Matrix, Floats, Floats], watch: tuple[Matrix, Floats, Floats], *, params: Mapping[str, Any],
    rounds: int, patience: int,
) -> Curve:  # fmt: skip
    """Fit ``(features, lower, upper)`` until the watched rows' negative log likelihood stops getting better."""
    history: dict[str, dict[str, list[float]]] = {}
    booster = _xgboost().train(
        {**params, "eval_metric": "aft-nloglik"}, _times(*train), rounds, evals=[(_times(*watch), "watch")],
        early_stopping_rounds=patience, evals_result=history, verbose_eval=False,
    )  # fmt: skip
    return Curve(booster, np.array(history["watch"]["aft-nloglik"]))


def margin(booster: "Booster", features: Matrix, *, rounds: int = 0) -> Floats:
    """Return log odds before calibration; ``rounds`` > 0 uses only the first trees. Float32 is not copied."""
    raw = booster.inplace_predict(features, iteration_range=(0, rounds), predict_type="margin")
    return np.asarray(raw, dtype=np.float64)


def contributions(booster: "Booster", features: Matrix, *, exact: bool = True) -> npt.NDArray[np.float32]:
    """Return each feature's share of the log odds, without the bias column.

    Exact is tree SHAP; otherwise the change of the node's mean along the row's path, which is many times faster.
    """
    shares = booster.predict(_matrix(features), pred_contribs=True, approx_contribs=not exact)
    return np.asarray(shares[:, :-1], dtype=np.float32)


def importance(booster: "Booster", names: tuple[str, ...]) -> dict[str, float]:
    """Return each used feature's share of the total gain."""
    gain = booster.get_score(importance_type="total_gain")
    shares = {names[int(key[1:])]: float(np.sum(value)) for key, value in gain.items()}
    total = sum(shares.values()) or 1.0
    return {n: round(v / total, 4) for n, v in sorted(shares.items(), key=lambda item: -item[1])}


def to_bytes(booster: "Booster") -> bytes:
    """Serialise in XGBoost's own open format."""
    return bytes(booster.save_raw(raw_format="ubj"))


@lru_cache(maxsize=8)
def from_bytes(raw: bytes, *, threads: int) -> "Booster":
    """Read a serialised booster back; kept, because a bundle is asked for the same one by every batch."""
    booster: Booster = _xgboost().Booster({"nthread": threads})
    booster.load_model(bytearray(raw))
    return booster


def _matrix(features: Matrix, outcome: Floats | Ints | None = None, weight: Floats | None = None) -> "DMatrix":
    matrix: DMatrix = _xgboost().DMatrix(features, label=outcome, weight=weight, missing=np.nan)
    return matrix


def _times(features: Matrix, lower: Floats, upper: Floats) -> "DMatrix":
    matrix = _matrix(features)
    matrix.set_float_info("label_lower_bound", lower)
    matrix.set_float_info("label_upper_bound", upper)
    return matrix
