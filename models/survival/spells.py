"""Spells: how long each row stayed at risk, and how that ended."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.evaluate import Floats, Ints
from models.sample import Bools, SampleError

CENSORED, EVENT, COMPETING = 0, 1, 2
"""Causes. COMPETING: something happened after which the event cannot happen any more (paid off)."""


@dataclass(frozen=True)
class Spells:
    """One entry per row: ``duration`` > 0 from observation to the end, ``cause`` of the end, ``weight`` of the row.

    A row censored at t was seen to the end of t without the event: censoring follows events of the same time. An event
    at t is therefore seen when the row would have been followed to t, and its inverse-probability weight is
    1 / P(followed to t) = 1 / G(t-). With whole months many ends are equal, and G(t) in its place would be wrong.
    """

    duration: Floats
    cause: Ints
    weight: Floats

    @classmethod
    def of(cls, duration: npt.ArrayLike, cause: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> "Spells":
        """Check and build; raise SampleError for no rows, unequal lengths, or a duration that is not positive."""
        time = np.asarray(duration, dtype=np.float64)
        why = np.asarray(cause, dtype=np.int64)
        mass = np.ones(len(time)) if weight is None else np.asarray(weight, dtype=np.float64)
        if not len(time) == len(why) == len(mass):
            raise SampleError("durations, causes and weights are not equally many")
        if len(time) == 0:
            raise SampleError("there is nothing to follow: no durations")
        if not (np.isfinite(time).all() and (time > 0).all()):
            raise SampleError("a duration is a positive number")
        if not np.isin(why, (CENSORED, EVENT, COMPETING)).all():
            raise SampleError("a cause is 0 (censored), 1 (event) or 2 (competing event)")
        return cls(time, why, mass)

    def __len__(self) -> int:
        return len(self.duration)

    def take(self, rows: Bools | Ints) -> "Spells":
        """Return some of the rows."""
        return Spells(self.duration[rows], self.cause[rows], self.weight[rows])

    def weighing(self, weight: Floats) -> "Spells":
        """Return the same rows with other weights: how often a bootstrap drew them."""
        return Spells(self.duration, self.cause, weight)

    def as_censored(self) -> "Spells":
        """Return the spells with competing events taken for censoring: what overstates the event (§11 trap 24)."""
        return Spells(self.duration, np.where(self.cause == COMPETING, CENSORED, self.cause), self.weight)

    def known(self, horizon: float) -> tuple[Bools, Bools]:
        """Return (had the event by ``horizon``, known not to have had it by then); others are lost before."""
        ended = self.duration <= horizon
        event = ended & (self.cause == EVENT)
        free = (self.duration > horizon) | (ended & (self.cause == COMPETING))
        return event, free | ((self.duration == horizon) & (self.cause == CENSORED))
