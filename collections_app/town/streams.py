"""Random streams by name: the same seed and path give the same numbers, whatever ran before."""

from zlib import crc32

import numpy as np


def stream(seed: int, *path: str | int) -> np.random.Generator:
    """Return the generator of this place in the town, for instance ``stream(7, "ledger", 738000)``."""
    parts = [part if isinstance(part, int) else crc32(part.encode()) for part in path]
    return np.random.default_rng([seed, *parts])
