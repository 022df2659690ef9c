"""What a model says of each row."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from models.evaluate import Floats, Ints

TOP_REASONS = 4
"""Most reason codes that a score carries (domain brief §3.6)."""


@dataclass(frozen=True)
class Predictions:
    """One entry per row. ``p_event`` is P(event); ``points`` unrounded, ``score`` whole, higher = better.

    ``reason_index`` (rows x up to 4, -1 = none) points into ``codes``, the weightiest first: codes, not
    sentences, and integers, not lists, because a book has a million rows. ``is_fallback`` marks rows scored
    without outside information because the vendor did not answer. ``value`` is an amount model's share.
    ``unseen`` counts by feature the rows whose value fell where development had no row: they got the
    documented neutral answer, and are told. ``details`` (one row each) is what one number cannot say, stored as JSON.
    """

    p_event: Floats
    points: Floats
    score: Ints
    band: npt.NDArray[np.str_]
    reason_index: npt.NDArray[np.int8]
    codes: tuple[str, ...]
    is_fallback: npt.NDArray[np.bool_]
    value: Floats | None = None
    unseen: Mapping[str, int] = field(default_factory=dict)
    details: pl.DataFrame | None = None

    @property
    def reasons(self) -> list[list[str]]:
        """Return each row's reason codes as a list; for few rows."""
        return [[self.codes[i] for i in row if i >= 0] for row in self.reason_index.tolist()]

    def frame(self) -> pl.DataFrame:
        """Return ``p_event, points, score, band, is_fallback, reason_codes`` (JSON text), row by row.

        With ``details``, a column of them as JSON text.
        """
        told = pl.DataFrame(
            {
                "p_event": self.p_event,
                "points": self.points,
                "score": self.score,
                "band": pl.Series(self.band.tolist(), dtype=pl.String),
                "is_fallback": self.is_fallback,
                "reason_codes": self._reasons_as_json(),
            }
        )
        if self.details is None:
            return told
        return told.with_columns(self.details.select(details=pl.struct(pl.all()).struct.json_encode()))

    def _reasons_as_json(self) -> pl.Series:
        """Quote each distinct row of codes once: a million rows have some thousand."""
        distinct, place = np.unique(self.reason_index, axis=0, return_inverse=True)
        texts = ["[" + ", ".join(f'"{self.codes[i]}"' for i in row if i >= 0) + "]" for row in distinct.tolist()]
        return pl.Series(texts, dtype=pl.String).gather(place.ravel())
