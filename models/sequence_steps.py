"""Histories as a net reads them: list columns to a padded (N, T, F) block, and the encoder fitted on it.

One row of the frame is one observation; each feature is a list, oldest step first, the last step at or
before the observation point. Histories are ragged: what is missing in front is padding and is masked.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from models.catalogue import Recipe
from models.evaluate import Floats, Ints
from models.panel import Panel
from models.sample import SampleError

Block = npt.NDArray[np.float32]
STEP_SET_VERSION = 1
"""Raise it when the meaning of a step's feature changes; a model of another set is refused."""

STEP_REASONS: dict[str, str] = {
    "state": "late_history", "past_due": "late_history", "dpd": "late_history", "mob": "young_account",
    "utilisation": "high_use", "pay_ratio": "paid_little", "paid": "no_recent_payment",
}  # fmt: skip
"""Feature of a step to the reason that names it; a feature without one is never told as a reason."""

_CODES = 12
"""A feature with at most this many distinct whole values is a code and gets one channel for each."""
_CLIP = 0.005


@dataclass(frozen=True)
class Steps:
    """N histories of at most T steps of F features.

    ``values`` (N, T, F) starts at the oldest step kept; past a row's ``length`` all is NaN. Within a history
    NaN is a value that nobody knows.
    """

    names: tuple[str, ...]
    values: Floats
    length: Ints

    @classmethod
    def of(cls, frame: pl.DataFrame, names: Sequence[str], longest: int) -> "Steps":
        """Read list columns, keeping the last ``longest`` steps of each row.

        Raise ValueError when a column is absent or no list, or when a row's lists differ in length.
        """
        unfit = [n for n in names if n not in frame.columns or not isinstance(frame.schema[n], (pl.List, pl.Array))]
        if unfit:
            raise ValueError(f"the panel lacks {', '.join(unfit)} as lists of steps, oldest first")
        kept = frame.select(pl.col(names).cast(pl.List(pl.Float64)).fill_null([]).list.tail(longest))
        length = kept[names[0]].list.len().to_numpy().astype(np.int64)
        row = np.repeat(np.arange(len(length)), length)
        step = np.arange(len(row)) - np.repeat(np.cumsum(length) - length, length)
        values = np.full((len(length), longest, len(names)), np.nan)
        for place, name in enumerate(names):
            if not np.array_equal(kept[name].list.len().to_numpy(), length):
                raise ValueError(f"{name} has another number of steps than {names[0]} in some row")
            flat = kept[name].list.explode(empty_as_null=False).cast(pl.Float64).fill_null(np.nan).to_numpy()
            values[row, step, place] = flat
        return cls(tuple(names), values, length)

    @property
    def is_real(self) -> npt.NDArray[np.bool_]:
        """Return (N, T): True where the step belongs to the history, False where it is padding."""
        return np.arange(self.values.shape[1])[None, :] < self.length[:, None]

    def trimmed(self, rows: npt.NDArray[np.bool_]) -> "Steps":
        """Cut all histories to the longest among these rows, dropping the oldest steps of longer ones."""
        longest = max(1, int(self.length[rows].max(initial=0)))
        skip = np.maximum(self.length - longest, 0)
        place = np.minimum(skip[:, None] + np.arange(longest), self.values.shape[1] - 1)
        values = np.take_along_axis(self.values, place[:, :, None], axis=1)
        return Steps(self.names, values, self.length - skip)

    def last(self) -> pl.DataFrame:
        """Return each feature at the last step; null where unknown or where there is no step."""
        place = np.maximum(self.length - 1, 0)[:, None, None]
        return pl.DataFrame(np.take_along_axis(self.values, place, axis=1)[:, 0], schema=list(self.names)).fill_nan(
            None
        )

    def missing_share(self) -> dict[str, float]:
        """Return the share of steps on which nobody knows the feature."""
        real = self.is_real
        known = [
            float(np.isnan(self.values[:, :, i][real]).mean()) if real.any() else 1.0 for i in range(len(self.names))
        ]
        return dict(zip(self.names, (round(share, 4) for share in known), strict=True))

    def take(self, rows: npt.NDArray[np.bool_] | Ints) -> "Steps":
        """Return some of the histories."""
        return Steps(self.names, self.values[rows], self.length[rows])


@dataclass(frozen=True)
class Channel:
    """One input of the net: a feature's clipped value, one of its codes, or whether it is missing."""

    feature: str
    kind: str
    code: float
    low: float
    high: float
    mean: float
    deviation: float

    def read(self, value: Floats) -> Floats:
        """Standardise this channel; the average is 0, which also stands for an unknown value."""
        if self.kind == "number":
            raw = np.clip(value, self.low, self.high)
            return np.nan_to_num((raw - self.mean) / self.deviation, nan=0.0)
        raw = np.isnan(value) if self.kind == "missing" else value == self.code
        return (raw - self.mean) / self.deviation


@dataclass(frozen=True)
class Encoder:
    """From steps to channels, all learnt from the training part: ranges, means, deviations, codes.

    A code's channel times the net's input weights is its embedding, so the embeddings are learnt there
    too. A code never seen in training lights none of the channels: it is read by its number alone.
    """

    names: tuple[str, ...]
    longest: int
    channels: tuple[Channel, ...]

    @classmethod
    def fit(cls, steps: Steps) -> "Encoder":
        """Learn the channels; a feature that never varies gets none. Raise SampleError if none is left."""
        real, channels = steps.is_real, []
        for place, name in enumerate(steps.names):
            value = steps.values[:, :, place][real]
            known = value[~np.isnan(value)]
            kinds: list[tuple[str, float]] = [("number", 0.0), ("missing", 0.0)]
            codes = np.unique(known)
            if 2 < len(codes) <= _CODES and np.array_equal(codes, np.rint(codes)):
                kinds += [("code", float(code)) for code in codes]
            low, high = np.quantile(known, [_CLIP, 1 - _CLIP]) if len(known) else (0.0, 0.0)
            for kind, code in kinds:
                draft = Channel(name, kind, code, float(low), float(high), 0.0, 1.0)
                raw = draft.read(known if kind == "number" else value)
                if len(raw) and (deviation := float(raw.std())) > 1e-6:
                    moments = (round(float(raw.mean()), 9), round(deviation, 9))
                    channels.append(Channel(name, kind, code, draft.low, draft.high, *moments))
        if not channels:
            raise SampleError("no feature of the panel varies: there is nothing to learn from")
        return cls(steps.names, steps.values.shape[1], tuple(channels))

    def encode(self, steps: Steps) -> Block:
        """Return (N, T, channels), 0 at padding."""
        block = np.zeros((*steps.values.shape[:2], len(self.channels)), dtype=np.float32)
        for place, channel in enumerate(self.channels):
            block[:, :, place] = channel.read(steps.values[:, :, self.names.index(channel.feature)])
        block[~steps.is_real] = 0.0
        return block

    def unseen(self, steps: Steps) -> dict[str, int]:
        """Count by feature the rows that hold a code which training never saw."""
        counts = {}
        for place, name in enumerate(self.names):
            known = [c.code for c in self.channels if c.feature == name and c.kind == "code"]
            value = steps.values[:, :, place]
            strange = ~np.isnan(value) & ~np.isin(value, known) if known else np.zeros_like(value, dtype=np.bool_)
            counts[name] = int(strange.any(axis=1).sum())
        return counts

    def places(self, feature: str) -> list[int]:
        """Return the places of a feature's channels."""
        return [i for i, c in enumerate(self.channels) if c.feature == feature]

    def to_bytes(self) -> bytes:
        """Return the encoder as a part of a bundle (JSON)."""
        return (json.dumps(asdict(self), indent=1, allow_nan=False) + "\n").encode()

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Encoder":
        """Read the encoder back; raise ValueError, KeyError or TypeError when it is not one."""
        data: Mapping[str, list[dict[str, float]]] = json.loads(raw)
        channels = tuple(Channel(**c) for c in data["channels"])  # type: ignore[arg-type]
        return cls(tuple(data["names"]), int(data["longest"]), channels)  # type: ignore[arg-type, call-overload]


def histories(panel: Panel, at: pl.DataFrame, names: Sequence[str] = ("state", "mob")) -> pl.DataFrame:
    """Return ``at`` (``account_id, mob``) with a list of steps per name: the months up to and including ``mob``.

    Nothing later can enter. An unknown value stays null. Raise SampleError for an observation the panel lacks.
    """
    wanted = at.select(pl.col("account_id").cast(pl.Int64), until=pl.col("mob").cast(pl.Int32)).with_row_index("row")
    steps = panel.frame.select("account_id", pl.col("mob").alias("at"), *(pl.col(n).cast(pl.Float64) for n in names))
    told = (
        wanted.join(steps, on="account_id", maintain_order="left_right")
        .filter(pl.col("at") <= pl.col("until"))
        .group_by("row", maintain_order=True)
        .agg(pl.col("at").last() == pl.col("until").last(), pl.col(names))
    )
    if len(told) < len(wanted) or not told["at"].all():
        raise SampleError("the panel has no row for some of the observations")
    return at.drop(n for n in names if n in at.columns).hstack(told.select(names))


def as_read(recipe: Recipe, panel: Panel, rows: pl.DataFrame) -> pl.DataFrame:
    """Return a panel's ``rows`` (one per observation, with ``account_id, mob``) as the recipe's algorithm reads them.

    A sequence model reads lists of steps; the others read the columns that are there.
    """
    return histories(panel, rows, recipe.features) if "sequence" in recipe.algorithms else rows
