"""A card of points: features, bins, points per bin. Adding up is all it does; experts' cards are made of it too."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from models.binning import Bins
from models.evaluate import Floats, Ints


@dataclass(frozen=True)
class PointsFeature:
    """One feature's bins and their points, in thousandths; the last bin is the missing one."""

    bins: Bins
    reason: str
    beta: float
    milli: tuple[int, ...]

    @property
    def seen(self) -> tuple[bool, ...]:
        """Tell which bins development saw; points of the others are neutral by rule. Experts judge every bin."""
        return tuple(n > 0 or not any(self.bins.rows) for n in self.bins.rows)

    @property
    def best(self) -> int:
        """Return the most points that a bin seen in development gives."""
        given = [m for m, seen in zip(self.milli, self.seen, strict=True) if seen]
        return max(given or self.milli)


@dataclass(frozen=True)
class Card:
    """Features whose points add up to the score."""

    features: tuple[PointsFeature, ...]

    def total(self, rows: pl.DataFrame) -> Ints:
        """Return the sum of points of each row, in thousandths."""
        return self.score(rows, ())[0]

    def score(self, rows: pl.DataFrame, codes: Sequence[str]) -> tuple[Ints, npt.NDArray[np.int32], Mapping[str, int]]:
        """Return sums in thousandths, points lost by reason (codes x rows), and rows in unseen bins by feature.

        Points lost are what each feature stays below its own best, summed over the features of a reason.
        """
        total = np.zeros(rows.height, dtype=np.int64)
        # One row of memory per reason: a million rows are added column by column.
        lost = np.zeros((len(codes), rows.height), dtype=np.int32)
        unseen: dict[str, int] = {}
        for feature in self.features:
            at = feature.bins.place(_column(rows, feature.bins.name))
            milli = np.array(feature.milli, dtype=np.int32)
            given = milli[at]
            total += given
            if feature.reason in codes:
                lost[codes.index(feature.reason)] += np.maximum(feature.best - given, 0)
            if not all(feature.seen):
                strangers = int(np.count_nonzero(~np.array(feature.seen)[at]))
                if strangers:
                    unseen[feature.bins.name] = strangers
        return total, lost, unseen

    def weights(self) -> dict[str, float]:
        """Return each feature's share of the spread of points over the development rows."""
        spread = {}
        for feature in self.features:
            rows, points = np.array(feature.bins.rows, dtype=np.float64), np.array(feature.milli) / 1000
            mean = np.average(points, weights=rows) if rows.sum() else points.mean()
            variance = np.average((points - mean) ** 2, weights=rows) if rows.sum() else np.var(points)
            spread[feature.bins.name] = float(np.sqrt(variance))
        whole = sum(spread.values()) or 1.0
        return {n: round(v / whole, 4) for n, v in sorted(spread.items(), key=lambda item: -item[1])}

    def table(self) -> list[dict[str, Any]]:
        """Return one row per bin for people: feature, bin, WoE, points."""
        return [
            {"feature": f.bins.name, "bin": label, "woe": woe, "points": milli / 1000, "rows": rows}
            for f in self.features
            for label, woe, milli, rows in zip(f.bins.labels, f.bins.woe, f.milli, f.bins.rows, strict=True)
        ]

    def to_bytes(self) -> bytes:
        """Return the card as a part of a bundle."""
        rows = [
            {"bins": f.bins.as_json(), "reason": f.reason, "beta": f.beta, "milli": list(f.milli)}
            for f in self.features
        ]
        return (json.dumps({"features": rows}, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


@lru_cache(maxsize=16)
def of_parts(raw: bytes) -> Card:
    """Read a card back from a bundle's part."""
    return Card(
        tuple(
            PointsFeature(Bins.from_json(f["bins"]), f["reason"], f["beta"], tuple(f["milli"]))
            for f in json.loads(raw)["features"]
        )
    )


def _column(rows: pl.DataFrame, name: str) -> Floats:
    return rows[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
