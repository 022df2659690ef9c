"""What every algorithm checks before it scores, and what it says of no rows at all."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from models.card import ModelCard
from models.feature_list import FEATURE_SET_VERSION
from models.predictions import TOP_REASONS, Predictions


def check_features(card: ModelCard, features: pl.DataFrame, *, needed: Sequence[str] = ()) -> None:
    """Raise ValueError when the rows were built by another feature set, or lack a feature of the card.

    A missing *value* is the card's business; a missing *column* would be scored as if everybody lacked it.
    """
    if card.feature_set_version != FEATURE_SET_VERSION:
        raise ValueError(
            f"the card was trained on feature set {card.feature_set_version}, this release builds "
            f"{FEATURE_SET_VERSION}: train and approve a new card"
        )
    lacking = [name for name in (needed or card.features) if name not in features.columns]
    if lacking:
        raise ValueError(f"{card.name} needs {', '.join(lacking)}, which this feature set lacks: nothing is scored")


def empty_predictions(codes: tuple[str, ...]) -> Predictions:
    """Return the predictions of no rows."""
    none = np.zeros(0)
    return Predictions(
        p_event=none, points=none, score=none.astype(np.int64), band=none.astype(np.str_),
        reason_index=np.zeros((0, TOP_REASONS), np.int8), codes=codes, is_fallback=none.astype(np.bool_),
    )  # fmt: skip
