"""When the vendor is silent: which features come from outside, and which rows must do without them.

Domain brief §3.11: a vendor's outage means a model trained without those features, never imputed zeros. Not
asked and failed are silence; *no hit* is an answer and stays with the main model.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from models.external import STATUS
from models.feature_list import SPECS

STATUS_FEATURE = "ml_status"
LEAST_HIT_SHARE = 0.10
"""A fallback is trained where at least this share of the learning rows has an answer with a hit."""
_SOURCE = "signals"


def is_external(name: str) -> bool:
    """Say whether a feature is made from a vendor's answer."""
    return name in SPECS and SPECS[name].source == _SOURCE


def inside_only(names: Sequence[str]) -> tuple[str, ...]:
    """Return the features that need no vendor, in their order."""
    return tuple(n for n in names if not is_external(n))


def deserves_fallback(features: pl.DataFrame) -> bool:
    """Say whether enough rows have outside information that a model without it would be another model."""
    if STATUS_FEATURE not in features.columns or features.is_empty():
        return False
    return int((features[STATUS_FEATURE] == STATUS["hit"]).sum()) / features.height >= LEAST_HIT_SHARE


def silent(features: pl.DataFrame) -> npt.NDArray[np.bool_]:
    """Mark the rows for which no vendor answered: not asked, failed, or a code that nobody knows."""
    answered = features[STATUS_FEATURE].is_in([STATUS["hit"], STATUS["no_hit"]])
    return ~answered.fill_null(False).to_numpy()
