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
        whole = keys.to_series() if keys.width == 1 else keys.to_struct("key")
        first = whole.is_first_distinct()
        one, two = keys.hash_rows(seed=1).to_numpy(), keys.hash_rows(seed=2).to_numpy()
        order = np.argsort(one)
        # In order: the search below then walks through memory instead of jumping about in it.
        one, two = one[order], two[order]
        seen = np.zeros(one.size, dtype=bool)
        for known, other in self._runs:
            at = np.searchsorted(known, one)
            hits = np.flatnonzero(known[np.minimum(at, known.size - 1)] == one)
            for row in hits:  # as many as there are repeated keys
                end = np.searchsorted(known, one[row], side="right")
                seen[row] |= bool((other[at[row] : end] == two[row]).any())
        if one.size:
            self._keep(one, two)
        again = np.zeros_like(seen)
        again[order] = seen
        return first & ~pl.Series(again)

    def _keep(self, one: _U64, two: _U64) -> None:
        while self._runs and one.size * 2 >= self._runs[-1][0].size:
            before, other = self._runs.pop()
            one, two = np.concatenate((before, one)), np.concatenate((other, two))
            order = np.argsort(one, kind="stable")  # two sorted halves: merged, not sorted
            one, two = one[order], two[order]
        self._runs.append((one, two))
