"""One door to every model: train a recipe, predict with a bundle, whatever the algorithm inside.

An algorithm is a module with ``train(recipe, sample, *, provenance, seed, threads) -> Bundle`` and
``predict(bundle, features, *, threads, exact_reasons) -> Predictions``, listed in ``ALGORITHMS``; it is
imported when first asked for.
"""

from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

import polars as pl

from models.catalogue import Recipe
from models.predictions import Predictions
from models.registry import Bundle
from models.sample import Sample

if TYPE_CHECKING:
    from models.boosted import Tuning

ALGORITHMS: dict[str, str] = {
    "boosted": "models.boosted",
    "scorecard": "models.scorecard",
    "expert": "models.expert",
    "sequence": "models.sequence",
    "two_part": "models.two_part",
    "x_learner": "models.uplift_card",
    "hazard": "models.survival.hazard",
    "hazard_woe": "models.survival.pooled",
    "aft": "models.survival.aft",
}
"""Name of an algorithm to the module that knows it."""


class MissingExtra(RuntimeError):
    """A library that only this algorithm's training needs is not installed; the message names the extra."""


def train(
    recipe: Recipe, sample: Sample, *, algorithm: str | None = None, provenance: Mapping[str, Any], seed: int = 0,
    threads: int = 2, min_events: int | None = None, tuning: "Tuning | None" = None,
) -> Bundle:  # fmt: skip
    """Train, calibrate and evaluate a recipe; raise SampleError when the sample cannot carry it.

    ``tuning`` (boosted only) says how depth and rounds are found; else the size of the sample decides.
    """
    chosen = algorithm or recipe.algorithms[0]
    if chosen not in recipe.algorithms:
        raise ValueError(f"{recipe.name} is trained as {' or '.join(recipe.algorithms)}, not as {chosen}")
    sample.check(recipe.min_events if min_events is None else min_events)
    own = {} if tuning is None else {"tuning": tuning}
    # What the recipe says of itself stays with the card: its pages know no recipes.
    origin = {"title": recipe.title, "observed": recipe.observed, **provenance}
    bundle: Bundle = _module(chosen).train(recipe, sample, provenance=origin, seed=seed, threads=threads, **own)
    return bundle


def predict(bundle: Bundle, features: pl.DataFrame, *, threads: int = 2, exact_reasons: bool = True) -> Predictions:
    """Score rows with a bundle; a card of another feature set is refused in one sentence."""
    said: Predictions = _module(bundle.card.algorithm).predict(
        bundle, features, threads=threads, exact_reasons=exact_reasons
    )
    return said


def _module(algorithm: str) -> ModuleType:
    if algorithm not in ALGORITHMS:
        raise ValueError(f"this release has no algorithm {algorithm!r}; train the model again")
    return import_module(ALGORITHMS[algorithm])
