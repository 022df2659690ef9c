"""Who changes because of being worked: uplift learners, and what a ranking by uplift is worth (domain brief §3.7).

Uplift(x) = E[y | treated, x] - E[y | not treated, x]. It can be learnt from a randomised trial only, with the
probability of treatment written down when it was drawn. Neither the self-curer nor the hopeless has any.

T-learner: two response models, their difference. X-learner (Künzel et al. 2019): each arm's rows are
compared with what the other arm's model expects of them, two models learn these differences, and the propensity
weighs them: tau = e * tau0 + (1 - e) * tau1. Base learners are boosted trees, rows weighted by 1/propensity.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from models import booster as trees
from models.evaluate import Floats, Ints
from models.off_policy import Log, PolicyValue, value_of
from models.sample import Bools, SampleError

Kind = Literal["t", "x"]
LEAST_PER_ARM = 50
"""Rows with the event, and without it, that each arm must have for a binary outcome."""
_BASE: dict[str, Any] = {
    "tree_method": "hist", "max_depth": 3, "eta": 0.05, "subsample": 0.8, "colsample_bytree": 0.8, "lambda": 10.0,
}  # fmt: skip
_Z95 = 1.959963984540054


@dataclass(frozen=True)
class Trial:
    """What a randomised trial came to: ``propensity`` is P(treated), written down at the draw, one per row."""

    treated: Bools
    outcome: Floats
    propensity: Floats

    def __post_init__(self) -> None:
        """Refuse rows without a propensity strictly between 0 and 1: they were not randomised."""
        fits = (self.propensity > 0) & (self.propensity < 1)
        if not fits.all():
            raise SampleError(
                f"{int((~fits).sum())} of {len(fits)} rows carry no probability of treatment between 0 and 1: "
                "uplift can be learnt from customers drawn at random only"
            )

    @property
    def is_binary(self) -> bool:
        """Tell whether the outcome is an event (0 or 1)."""
        return bool(np.isin(self.outcome, (0.0, 1.0)).all())

    def rows(self, chosen: Bools | np.ndarray[Any, np.dtype[np.int64]]) -> "Trial":
        """Return part of the trial."""
        return Trial(self.treated[chosen], self.outcome[chosen], self.propensity[chosen])

    def log(self) -> Log:
        """Return the trial as a log of two actions, for off-policy estimates."""
        taken = np.where(self.treated, self.propensity, 1 - self.propensity)
        return Log(self.treated.astype(np.int64), self.outcome, taken)

    def weights(self) -> tuple[Floats, Floats]:
        """Return 1/P(treated) where treated, 1/P(not treated) where not; 0 elsewhere."""
        treated = np.where(self.treated, 1 / self.propensity, 0.0)
        return treated, np.where(self.treated, 0.0, 1 / (1 - self.propensity))


@dataclass(frozen=True)
class Boosting:
    """The size of the base learners, fixed beforehand: nothing here is searched for."""

    rounds: int = 100
    params: Mapping[str, Any] = field(default_factory=lambda: dict(_BASE))


@dataclass(frozen=True)
class UpliftModel:
    """A trained learner: boosters as bytes by role (mu0, mu1; tau0, tau1), ready for a bundle."""

    kind: Kind
    is_binary: bool
    propensity: float
    parts: Mapping[str, bytes]

    def expected(self, features: Floats, *, threads: int = 1) -> tuple[Floats, Floats]:
        """Return E[y | not treated, x] and E[y | treated, x] of the two response models."""
        without, with_ = (_said(self.parts[f"mu{k}"], features, self.is_binary, threads) for k in (0, 1))
        return without, with_

    def uplift(self, features: Floats, *, threads: int = 1) -> Floats:
        """Return each row's uplift, in units of the outcome."""
        if self.kind == "t":
            without, with_ = self.expected(features, threads=threads)
            return np.asarray(with_ - without)
        tau0, tau1 = (_said(self.parts[f"tau{k}"], features, False, threads) for k in (0, 1))
        return np.asarray(self.propensity * tau0 + (1 - self.propensity) * tau1)


def fit_uplift(
    features: Floats, trial: Trial, *, kind: Kind = "x", seed: int = 0, threads: int = 1, size: Boosting | None = None
) -> UpliftModel:
    """Learn uplift from a randomised trial; raise SampleError when an arm cannot carry it."""
    _check_arms(trial)
    chosen = size or Boosting()
    params = {**chosen.params, "seed": seed, "nthread": threads}
    arms = {0: ~trial.treated, 1: trial.treated}
    weight = np.add(*trial.weights())
    response = {**params, "objective": "binary:logistic" if trial.is_binary else "reg:squarederror"}
    effect = {**params, "objective": "reg:squarederror", "base_score": 0.0}
    parts = {
        f"mu{k}": _fit(features[rows], trial.outcome[rows], weight[rows], response, chosen.rounds)
        for k, rows in arms.items()
    }
    if kind == "x":
        for k, rows in arms.items():
            other = _said(parts[f"mu{1 - k}"], features[rows], trial.is_binary, threads)
            gain = trial.outcome[rows] - other if k == 1 else other - trial.outcome[rows]
            parts[f"tau{k}"] = _fit(features[rows], gain, weight[rows], effect, chosen.rounds)
    return UpliftModel(kind, trial.is_binary, float(trial.propensity.mean()), parts)


def _check_arms(trial: Trial) -> None:
    for name, rows in (("treated", trial.treated), ("untreated", ~trial.treated)):
        outcome = trial.outcome[rows]
        if trial.is_binary:
            events = int(outcome.sum())
            if min(events, len(outcome) - events) < LEAST_PER_ARM:
                raise SampleError(
                    f"the {name} arm has {events} rows with the event and {len(outcome) - events} without; uplift "
                    f"needs at least {LEAST_PER_ARM} of each"
                )
        elif len(outcome) < 2 * LEAST_PER_ARM:
            raise SampleError(f"the {name} arm has {len(outcome)} rows; uplift needs at least {2 * LEAST_PER_ARM}")


def _fit(features: Floats, outcome: Floats, weight: Floats, params: Mapping[str, Any], rounds: int) -> bytes:
    return trees.to_bytes(trees.fit(features, outcome, params=params, rounds=rounds, weight=weight))


def _said(raw: bytes, features: Floats, is_binary: bool, threads: int) -> Floats:
    if not len(features):
        return np.zeros(0)
    margin = trees.margin(trees.from_bytes(raw, threads=threads), features)
    return np.asarray(1 / (1 + np.exp(-margin))) if is_binary else margin


# -- what a ranking is worth ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Curve:
    """A curve over the share of customers treated, best first, from (0, 0); only at distinct ranks, ties together."""

    share: Floats
    gain: Floats

    def area(self) -> float:
        """Return the area under the curve."""
        return float(np.trapezoid(self.gain, self.share))

    def area_over_random(self) -> float:
        """Return the area between the curve and the straight line to its end: what the ranking adds."""
        return self.area() - 0.5 * float(self.gain[-1])

    def points(self, most: int = 60) -> list[list[float]]:
        """Return at most ``most`` points for a plot."""
        at = np.unique(np.linspace(0, len(self.share) - 1, most).round().astype(np.int64))
        return [[round(float(self.share[i]), 4), round(float(self.gain[i]), 6)] for i in at]


def qini_curve(ranking: Floats, trial: Trial) -> Curve:
    """Return Radcliffe's Qini curve (2007): (Y_t(k) - Y_c(k) * N_t(k) / N_c(k)) / N_t, per treated customer.

    Y and N are summed over the k best by ``ranking`` and weighted by 1/propensity; the end is the average effect.
    """
    return _Ranked(ranking, trial).curve(np.ones(len(ranking)), qini=True)


def uplift_curve(ranking: Floats, trial: Trial) -> Curve:
    """Return the cumulative gain (mean_t(k) - mean_c(k)) * k / N; its area is AUUC (Gutierrez and Gérardy 2017)."""
    return _Ranked(ranking, trial).curve(np.ones(len(ranking)), qini=False)


def qini(ranking: Floats, trial: Trial) -> float:
    """Return the Qini coefficient: the area between the Qini curve and the line of a random order."""
    return qini_curve(ranking, trial).area_over_random()


def auuc(ranking: Floats, trial: Trial) -> float:
    """Return the area under the uplift curve."""
    return uplift_curve(ranking, trial).area()


def qini_draws(
    rankings: Mapping[str, Floats], trial: Trial, *, rng: np.random.Generator, draws: int = 500,
    people: Ints | None = None,
) -> dict[str, Floats]:  # fmt: skip
    """Return Qini coefficients of bootstrap draws, the same for every ranking: they can be paired.

    ``people`` numbers who a row belongs to, if somebody has several: people are drawn then, not rows.
    """
    ranked = {name: _Ranked(r, trial) for name, r in rankings.items()}
    person = np.arange(len(trial.outcome)) if people is None else np.unique(people, return_inverse=True)[1].ravel()
    n = int(person.max()) + 1
    told: dict[str, list[float]] = {name: [] for name in ranked}
    for _ in range(draws):
        times = np.bincount(rng.integers(0, n, n), minlength=n)[person].astype(np.float64)
        for name, one in ranked.items():
            told[name].append(one.curve(times, qini=True).area_over_random())
    return {name: np.array(values) for name, values in told.items()}


class _Ranked:
    """A trial in the order of a ranking, so that a draw of rows needs no sorting."""

    def __init__(self, ranking: Floats, trial: Trial) -> None:
        self.order = np.argsort(-ranking, kind="stable")
        ranked = ranking[self.order]
        self.last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
        treated, control = trial.weights()
        y = trial.outcome
        self.columns = np.column_stack([treated, control, treated * y, control * y, np.ones(len(y))])[self.order]

    def curve(self, times: Floats, *, qini: bool) -> Curve:
        """Return the curve when row i counts ``times[i]`` times."""
        sums = np.cumsum(self.columns * times[self.order][:, None], axis=0)[self.last]
        n_t, n_c, y_t, y_c, n = sums.T
        both = (n_t > 0) & (n_c > 0)
        safe_t, safe_c = np.where(both, n_t, 1.0), np.where(both, n_c, 1.0)
        if qini:
            gain = (y_t - y_c * n_t / np.where(n_c > 0, n_c, 1.0)) / max(float(n_t[-1]), 1e-300)
        else:
            gain = np.where(both, (y_t / safe_t - y_c / safe_c) * n / n[-1], 0.0)
        return Curve(np.insert(n / n[-1], 0, 0.0), np.insert(gain, 0, 0.0))


def by_tenth(predicted: Floats, trial: Trial, tenths: int = 10) -> list[dict[str, float]]:
    """Return what was predicted and what was seen in each tenth, highest predicted uplift first.

    The interval is the normal 95% one of a difference of two weighted means, each row's squared distance from its
    arm's mean weighted by the squared weight.
    """
    treated, control = trial.weights()
    report = []
    for number, rows in enumerate(np.array_split(np.argsort(-predicted, kind="stable"), tenths), start=1):
        (mean_t, var_t), (mean_c, var_c) = (_mean(w[rows], trial.outcome[rows]) for w in (treated, control))
        seen, reach = mean_t - mean_c, _Z95 * float(np.sqrt(var_t + var_c))
        report.append({
            "tenth": number, "rows": len(rows), "treated": int(trial.treated[rows].sum()),
            "predicted": float(predicted[rows].mean()), "observed": seen, "low": seen - reach, "high": seen + reach,
        })  # fmt: skip
    return report


def _mean(weight: Floats, y: Floats) -> tuple[float, float]:
    total = float(weight.sum())
    if total == 0:
        return float("nan"), float("nan")
    mean = float((weight * y).sum()) / total
    return mean, float((weight**2 * (y - mean) ** 2).sum()) / total**2


def value_of_top(
    ranking: Floats, trial: Trial, share: float, *, rng: np.random.Generator, draws: int = 500
) -> PolicyValue:
    """Value, per customer, of treating the best ``share`` by ``ranking`` and nobody else."""
    chosen = np.zeros(len(ranking), dtype=np.int64)
    chosen[np.argsort(-ranking, kind="stable")[: round(share * len(ranking))]] = 1
    target = np.column_stack([1.0 - chosen, chosen.astype(np.float64)])
    return value_of(trial.log(), target, rng=rng, draws=draws)
