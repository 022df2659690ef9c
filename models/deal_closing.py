"""Whom to offer what: the value of an offer, not the response to it (domain brief §3.9, trap 25).

    value = P(respond|x) * [(1 - PD(x|respond)) * margin - PD(x|respond) * LGD * EAD] - contact cost

Who says yes most easily is often who needs the money most. So PD must be that of responders: learnt on them,
or corrected by what matured responders showed (``adverse_selection``). Money is in minor units. Contacts to
overdue customers never carry marketing: they do not pass, whatever their value.
"""

from dataclasses import dataclass

import numpy as np

from models.evaluate import Floats, Interval, Ints, logit
from models.sample import Bools, SampleError

_MIN_DEFAULTS = 50
_Z95 = 1.959963984540054


@dataclass(frozen=True)
class Offer:
    """What is at stake: ``margin`` and ``exposure`` (EAD) in minor units, one for all or one per row."""

    margin: Ints | int
    exposure: Ints | int
    loss_given_default: float
    contact_cost: int

    def __post_init__(self) -> None:
        """Refuse a loss share outside 0..1 and negative money."""
        if not 0.0 <= self.loss_given_default <= 1.0:
            raise ValueError("the loss given default is a share between 0 and 1")
        if min(np.min(self.margin), np.min(self.exposure), self.contact_cost) < 0:
            raise ValueError("margin, exposure and cost are not negative")


def offer_value(p_respond: Floats, p_default: Floats, offer: Offer) -> Ints:
    """Return the expected value of contacting each row, in whole minor units; ``p_default`` is that of responders."""
    for p in (p_respond, p_default):
        if not ((p >= 0) & (p <= 1)).all():
            raise ValueError("a probability lies outside 0..1 or is not known")
    gain = (1 - p_default) * offer.margin - p_default * offer.loss_given_default * offer.exposure
    return np.rint(p_respond * gain - offer.contact_cost).astype(np.int64)


def whitelist(value: Ints, passes: Bools, *, capacity: int) -> Bools:
    """Return who is contacted: of those whom the B-card lets pass, the ``capacity`` most valuable, if worth it.

    ``passes`` must be false for anybody overdue. Ties go to the earlier row, so that a list is the same twice.
    """
    if len(value) != len(passes):
        raise ValueError("one value and one verdict of the B-card are needed for each row")
    eligible = np.flatnonzero(passes & (value > 0))
    chosen = np.zeros(len(value), dtype=np.bool_)
    chosen[eligible[np.argsort(-value[eligible], kind="stable")[: max(capacity, 0)]]] = True
    return chosen


@dataclass(frozen=True)
class AdverseSelection:
    """How the PD of responders differs from the PD of everybody.

    ``expected`` is the mean PD(x) of these responders, ``observed`` (Wilson ``interval``) what they did: adverse
    selection is the gap. It is corrected on the scale of log odds:
    logit PD(x|respond) = intercept + slope * logit PD(x) + response * logit P(respond|x); ``response`` above zero
    (95% Wald ``response_interval``) says that the likelier the yes, the riskier at the same PD.
    """

    expected: float
    observed: float
    interval: Interval
    intercept: float
    slope: float
    response: float
    response_interval: Interval
    rows: int
    defaults: int

    @property
    def is_shown(self) -> bool:
        """Tell whether responders are riskier than their PD says, beyond chance."""
        return self.interval.low > self.expected

    def correct(self, p_default: Floats, p_respond: Floats) -> Floats:
        """Return the PD of these customers if they respond."""
        line = self.intercept + self.slope * logit(p_default) + self.response * logit(p_respond)
        return np.asarray(1.0 / (1.0 + np.exp(-line)))


def adverse_selection(p_default: Floats, p_respond: Floats, defaulted: Ints) -> AdverseSelection:
    """Measure and correct it on matured responders only (one row each), by chances that were not fitted on them.

    Raises SampleError when they are too few.
    """
    rows, events = len(defaulted), int(defaulted.sum())
    if min(events, rows - events) < _MIN_DEFAULTS:
        raise SampleError(
            f"{events} of {rows} responders defaulted; at least {_MIN_DEFAULTS} of either kind are needed "
            "to correct for adverse selection"
        )
    design = np.column_stack([np.ones(rows), logit(p_default), logit(p_respond)])
    beta, covariance = _logistic(design, defaulted)
    reach = _Z95 * float(np.sqrt(covariance[2, 2]))
    intercept, slope, response = (float(b) for b in beta)
    return AdverseSelection(
        float(p_default.mean()), events / rows, _wilson(events, rows), intercept, slope, response,
        Interval(response - reach, response + reach), rows, events,
    )  # fmt: skip


def _wilson(events: int, rows: int) -> Interval:
    """Return Wilson's 95% interval of a share."""
    p, z2 = events / rows, _Z95**2
    centre, reach = p + z2 / (2 * rows), _Z95 * float(np.sqrt(p * (1 - p) / rows + z2 / (4 * rows**2)))
    return Interval((centre - reach) / (1 + z2 / rows), (centre + reach) / (1 + z2 / rows))


def _logistic(design: Floats, outcome: Ints, steps: int = 50) -> tuple[Floats, Floats]:
    """Fit by Newton's method with a whisper of ridge; return coefficients and their covariance."""
    beta = np.zeros(design.shape[1])
    hessian = np.eye(design.shape[1])
    for _ in range(steps):
        p = 1 / (1 + np.exp(-np.clip(design @ beta, -35, 35)))
        hessian = design.T @ (design * (p * (1 - p))[:, None]) + 1e-6 * np.eye(design.shape[1])
        step = np.linalg.solve(hessian, design.T @ (outcome - p) - 1e-6 * beta)
        beta = beta + step
        if np.max(np.abs(step)) < 1e-10:
            break
    return np.asarray(beta), np.asarray(np.linalg.inv(hessian), dtype=np.float64)
