"""Which arm of the experiment a customer is in: stable, computable by anybody, with its probability."""

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def arms(
    customer_ids: NDArray[np.int64], *, salt: str, shares: Mapping[str, float]
) -> tuple[list[str], NDArray[np.float64]]:
    """Return the arm of each customer and its probability. Randomised by customer, never by account (§3.7)."""
    names = list(shares)
    weights = np.array([shares[n] for n in names])
    uniform = _uniform(customer_ids, salt)
    index = np.searchsorted(np.cumsum(weights)[:-1], uniform, side="right")
    return [names[i] for i in index], weights[index]


def _uniform(ids: NDArray[np.int64], salt: str) -> NDArray[np.float64]:
    """Hash ids to [0, 1) by the splitmix64 finaliser: a fixed published function, equal on every machine."""
    seed = np.uint64(int.from_bytes(hashlib.sha256(salt.encode()).digest()[:8], "big"))
    with np.errstate(over="ignore"):
        x = ids.astype(np.uint64) + seed
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    return (x >> np.uint64(11)).astype(np.float64) / float(1 << 53)
