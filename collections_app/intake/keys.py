"""Which keys a file has shown already, in 16 bytes a row."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

_U64 = NDArray[np.uint64]


class SeenKeys:
    """The keys of the chunks so far, as two independent 64-bit hashes each.

    Exact for every practical purpose: two different keys of a hundred million would have to agree in 128 bits.
    """

    def __init__(self) -> None:
        # Sorted runs of falling size, merged as they grow: a chunk costs its own size times a logarithm.
        self._runs: list[tuple[_U64, _U64]] = []

    def add(self, keys: pl.DataFrame) -> pl.Series:
        """Take in a chunk's keys; return for each row whether it is the first of its key in the file."""
        first = keys.select(pl.struct(pl.all()).is_first_distinct()).to_series()
        one, two = keys.hash_rows(seed=1).to_numpy(), keys.hash_rows(seed=2).to_numpy()
        seen = np.zeros(one.size, dtype=bool)
        for known, other in self._runs:
            at = np.searchsorted(known, one)
            # Equal first hashes are so rare that walking over them costs nothing.
            inside = at < known.size
            hits = np.flatnonzero(inside & (known[np.minimum(at, known.size - 1)] == one))
            for row in hits:
                end = np.searchsorted(known, one[row], side="right")
                seen[row] |= bool((other[at[row] : end] == two[row]).any())
        self._keep(one, two)
        return first & ~pl.Series(seen)

    def _keep(self, one: _U64, two: _U64) -> None:
        self._runs.append(_sorted(one, two))
        while len(self._runs) > 1 and self._runs[-1][0].size * 2 >= self._runs[-2][0].size:
            (a, b), (c, d) = self._runs.pop(), self._runs.pop()
            self._runs.append(_sorted(np.concatenate((c, a)), np.concatenate((d, b))))


def _sorted(one: _U64, two: _U64) -> tuple[_U64, _U64]:
    order = np.argsort(one, kind="stable")
    return one[order], two[order]
