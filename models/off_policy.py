"""What a policy would have brought, told from the log of another one that chose at random.

Each row of the log says what was done, with which probability it was done, and what came of it. A policy
that was not followed is valued by weighing the rows that happen to agree with it (domain brief §3.7):
IPS (Horvitz and Thompson), self-normalised IPS (Hájek; Swaminathan and Joachims 2015) and doubly robust
(Dudík, Langford and Li 2011). Where the log cannot carry the answer there is none: no propensity, no overlap,
too few rows that count.
"""

from dataclasses import dataclass

import numpy as np

from models.evaluate import Floats, Interval, Ints

MIN_EFFECTIVE_ROWS = 50.0
"""Below this many effective rows an estimate is an anecdote."""
_OVERLAP_SIGMAS = 4.0


class OffPolicyError(ValueError):
    """The log cannot tell what the policy is worth; the message says why."""


@dataclass(frozen=True)
class Log:
    """What was done and what came of it: one entry per row.

    ``action`` counts from 0; ``propensity`` is the probability with which the logging policy chose that very
    action for that row, written down when it chose. ``unit`` numbers what was randomised (the customer) when
    a unit has several rows: the bootstrap draws units.
    """

    action: Ints
    reward: Floats
    propensity: Floats
    unit: Ints | None = None

    def check(self) -> None:
        """Raise OffPolicyError when a propensity is missing or no probability."""
        known = np.isfinite(self.propensity)
        if not known.all():
            raise OffPolicyError(
                f"{int((~known).sum())} of {len(known)} rows carry no propensity: what was chosen without a written "
                "probability cannot be weighed"
            )
        fits = (self.propensity > 0) & (self.propensity <= 1)
        if not fits.all():
            raise OffPolicyError(f"{int((~fits).sum())} of {len(fits)} propensities lie outside (0, 1]")
        if not np.isfinite(self.reward).all():
            raise OffPolicyError("a reward is not a number")


@dataclass(frozen=True)
class Told:
    """One estimator's word: the value per row, with a 95% bootstrap interval over the units."""

    value: float
    interval: Interval


@dataclass(frozen=True)
class PolicyValue:
    """What the policy is worth per row, by each estimator, and how far the log carries it.

    ``effective_rows`` is (sum w)^2 / sum w^2; ``clipped`` is the share of rows whose weight was cut to ``clip``:
    clipping trades variance for bias, so it is always told. ``doubly_robust`` is there with a reward model only.
    """

    ips: Told
    self_normalised: Told
    doubly_robust: Told | None
    rows: int
    effective_rows: float
    largest_weight: float
    clip: float | None
    clipped: float


def value_of(
    log: Log, target: Floats, *, rng: np.random.Generator, expected: Floats | None = None, clip: float | None = None,
    draws: int = 500,
) -> PolicyValue:  # fmt: skip
    """Value the policy ``target`` (rows x actions, each row sums to 1) on the log.

    ``expected`` (rows x actions) is a model's E[reward | x, action], learnt without these rows; with it the
    doubly robust estimate is given too. Raises OffPolicyError when the log is unfit.
    """
    log.check()
    _check_target(log, target)
    rows = np.arange(len(log.action))
    raw = target[rows, log.action] / log.propensity
    _check_overlap(log, target, raw)
    weight = raw if clip is None else np.minimum(raw, clip)
    effective = float(weight.sum() ** 2 / max(float((weight**2).sum()), 1e-300))
    if effective < MIN_EFFECTIVE_ROWS:
        raise OffPolicyError(
            f"the log and the policy agree on too little: {effective:.1f} effective rows of {len(rows)}, "
            f"{MIN_EFFECTIVE_ROWS:.0f} are needed"
        )
    parts = [weight * log.reward, weight]
    if expected is not None:
        parts.append((target * expected).sum(axis=1) + weight * (log.reward - expected[rows, log.action]))
    ratios = _bootstrap(np.column_stack(parts), log.unit, rng, draws)
    point = _ratios(np.column_stack([*parts, np.ones(len(rows))]).sum(axis=0)[None, :])[0]
    told = [
        Told(float(p), Interval(float(low), float(high)))
        for p, low, high in zip(point, *np.quantile(ratios, [0.025, 0.975], axis=0), strict=True)
    ]
    return PolicyValue(
        ips=told[0],
        self_normalised=told[1],
        doubly_robust=told[2] if expected is not None else None,
        rows=len(rows),
        effective_rows=effective,
        largest_weight=float(weight.max()),
        clip=clip,
        clipped=0.0 if clip is None else float(np.mean(raw > clip)),
    )


def constant_policy(rows: int, actions: int, action: int) -> Floats:
    """Return the policy that always takes one action, as rows x actions."""
    policy = np.zeros((rows, actions))
    policy[:, action] = 1.0
    return policy


def greedy_policy(chosen: Ints, actions: int) -> Floats:
    """Return the policy that takes the chosen action of each row, as rows x actions."""
    policy = np.zeros((len(chosen), actions))
    policy[np.arange(len(chosen)), chosen] = 1.0
    return policy


def _check_target(log: Log, target: Floats) -> None:
    if len(target) != len(log.action) or not np.allclose(target.sum(axis=1), 1.0) or (target < 0).any():
        raise ValueError("a policy is rows x actions, each row a probability distribution")


def _check_overlap(log: Log, target: Floats, raw: Floats) -> None:
    """Refuse actions that were never tried, and weights that do not average one, as they must under overlap."""
    wanted = np.flatnonzero(target.sum(axis=0) > 0)
    missing = [int(a) for a in wanted if not ((log.action == a) & (target[:, a] > 0)).any()]
    if missing:
        raise OffPolicyError(
            f"no overlap: the policy takes action {', '.join(map(str, missing))} where the log never did"
        )
    spread = float(raw.std(ddof=1)) / np.sqrt(len(raw)) if len(raw) > 1 else np.inf
    if abs(float(raw.mean()) - 1.0) > _OVERLAP_SIGMAS * spread + 1e-9:
        raise OffPolicyError(
            f"no overlap: the weights average {raw.mean():.3f} where 1 is expected; for some rows the log could not "
            "do what the policy wants, or the propensities are not those that were used"
        )


def _ratios(sums: Floats) -> Floats:
    """From sums (w*r, w, [dr], n) to ips, self-normalised, [dr]; one line per draw."""
    n = sums[:, -1]
    weight = np.maximum(sums[:, 1], 1e-300)
    told = [sums[:, 0] / n, sums[:, 0] / weight]
    if sums.shape[1] == 4:
        told.append(sums[:, 2] / n)
    return np.column_stack(told)


def _bootstrap(parts: Floats, unit: Ints | None, rng: np.random.Generator, draws: int) -> Floats:
    """Draw units with replacement; whatever a unit did comes along with it."""
    whole = np.column_stack([parts, np.ones(len(parts))])
    if unit is not None:
        _, place = np.unique(unit, return_inverse=True)
        summed = np.zeros((int(place.max()) + 1, whole.shape[1]))
        np.add.at(summed, place, whole)
        whole = summed
    sums = [whole[rng.integers(0, len(whole), len(whole))].sum(axis=0) for _ in range(draws)]
    return _ratios(np.array(sums))
