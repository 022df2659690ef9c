"""From hazards to what is asked: how likely by when, each cause beside the other (domain brief §3.8)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.evaluate import Floats, Ints
from models.survival.spells import CENSORED

REPORTED = (1, 3, 6, 12)
"""Months ahead for which figures and scores are told."""


@dataclass(frozen=True)
class Curves:
    """Cumulative incidence, rows x months 1..H: P(event by month h), and P(competing event by month h).

    None: the model does not know the competing event's.
    """

    event: Floats
    competing: Floats | None

    @property
    def months(self) -> int:
        """Return the last month of the curves."""
        return int(self.event.shape[1])

    def at(self, month: int) -> Floats:
        """Return P(event by a month)."""
        return np.asarray(self.event[:, month - 1])

    def reported(self) -> tuple[int, ...]:
        """Return the months of REPORTED that the curves reach, and their last one."""
        return tuple(sorted({m for m in REPORTED if m < self.months} | {self.months}))


def incidence(event: Floats, competing: Floats) -> Curves:
    """Turn cause-specific hazards (rows x months) into curves: F_k(H) = sum over t of S(t-1) h_k(t).

    S(t) = prod(1 - h_event - h_competing). Hazards that add up to more than one are scaled down to one.
    """
    total = event + competing
    over = np.maximum(total, 1.0)
    survival = np.cumprod(1 - np.minimum(total, 1.0), axis=1)
    before = np.concatenate([np.ones((len(event), 1)), survival[:, :-1]], axis=1)
    return Curves(np.cumsum(before * event / over, axis=1), np.cumsum(before * competing / over, axis=1))


def naive(event: Floats) -> Floats:
    """Return 1 - prod(1 - h_event): what the incidence would be if nobody ever paid off. It overstates."""
    return np.asarray(1 - np.cumprod(1 - event, axis=1))


@dataclass(frozen=True)
class Periods:
    """Person-periods: ``row`` of the sample, month ``ahead`` 1.., ``cause`` in that month (0 = still at risk)."""

    row: npt.NDArray[np.intp]
    ahead: Ints
    cause: Ints

    @classmethod
    def of(cls, duration: Ints, cause: Ints, months: int) -> "Periods":
        """Give each row one period for each month at risk, at most ``months``."""
        lasts = np.minimum(duration, months)
        row = np.repeat(np.arange(len(duration)), lasts)
        ahead = np.arange(len(row)) - np.repeat(np.cumsum(lasts) - lasts, lasts) + 1
        return cls(row, ahead, np.where(ahead == duration[row], cause[row], CENSORED))


def repeated(x: npt.NDArray[np.float32], ahead: Sequence[int] | Ints) -> npt.NDArray[np.float32]:
    """Repeat each row for every month ahead, the month as a last column: rows * months, month by month per row."""
    months = np.asarray(ahead, dtype=np.float32)
    return np.column_stack([np.repeat(x, len(months), axis=0), np.tile(months, len(x))])
