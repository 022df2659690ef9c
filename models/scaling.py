"""From a calibrated probability to points, and from points to a band (domain brief §3.6)."""

from dataclasses import dataclass
from math import log

import numpy as np
import numpy.typing as npt

from models.evaluate import Floats, Ints

BANDS: tuple[str, ...] = ("S1", "S2", "S3", "S4", "S5")
"""S1 is the safest fifth of the development rows, S5 the riskiest."""


@dataclass(frozen=True)
class Scaling:
    """Points: ``base`` at good:bad odds of ``odds``, ``double`` more for each doubling. Higher = safer."""

    base: float = 600.0
    odds: float = 50.0
    double: float = 20.0

    @property
    def factor(self) -> float:
        """Return the points of one unit of log odds."""
        return self.double / log(2)

    @property
    def offset(self) -> float:
        """Return the points at even odds."""
        return self.base - self.factor * log(self.odds)

    def points(self, p_event: Floats) -> Floats:
        """Return unrounded points of P(event)."""
        p = np.clip(p_event, 1e-9, 1 - 1e-9)
        return np.asarray(self.offset + self.factor * np.log((1 - p) / p))

    def score(self, p_event: Floats) -> Ints:
        """Return whole points, as stored and shown."""
        return np.rint(self.points(p_event)).astype(np.int64)


@dataclass(frozen=True)
class BandCuts:
    """Lowest score of each band but the last, safest first; frozen with the card."""

    floors: tuple[float, ...]

    @classmethod
    def of(cls, scores: Floats | Ints) -> "BandCuts":
        """Cut at the fifths of the development scores."""
        n = len(BANDS)
        return cls(tuple(float(np.quantile(scores, 1 - k / n)) for k in range(1, n)))

    def band(self, scores: Floats | Ints) -> npt.NDArray[np.str_]:
        """Return the band of each score."""
        rank = np.sum(np.asarray(scores)[:, None] < np.array(self.floors)[None, :], axis=1)
        return np.array(BANDS)[rank]
