"""A sample that teaches nothing, or the contrary, makes no card."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from models import boosted, family
from models.catalogue import recipe_of
from models.sample import Sample, SampleError
from tests.model_books import made_bundle, made_features, made_sample

ROWS = 1_200


def trained(sample: Sample, algorithm: str) -> None:
    tuning = boosted.Tuning(depths=(2,), folds=3, eta=0.1) if algorithm == "boosted" else None
    family.train(
        recipe_of("c-card"), sample, algorithm=algorithm, provenance={}, threads=1, min_events=50, tuning=tuning
    )


@pytest.mark.parametrize("seed", [2, 4])
def test_chance_makes_no_boosted_card(seed: int) -> None:
    """Calibrated by a falling line, every direction would be turned around: the later, the safer."""
    chance = (np.random.default_rng(seed).uniform(size=1_500) < 0.4).astype(np.int64)
    with pytest.raises(SampleError, match="nothing to make a card of"):
        trained(replace(made_sample(1_500), outcome=chance), "boosted")


@pytest.mark.parametrize("value", [None, 1.0])
@pytest.mark.parametrize("algorithm", ["boosted", "scorecard"])
def test_features_that_say_nothing_make_no_card(algorithm: str, value: float | None) -> None:
    sample = made_sample(ROWS)
    same = sample.features.with_columns(pl.lit(value, pl.Float64).alias(c) for c in sample.features.columns)
    with pytest.raises(SampleError, match=r"nothing to make a|nothing tells the outcomes apart"):
        trained(replace(sample, features=same), algorithm)


def test_an_outcome_that_is_neither_is_counted() -> None:
    sample = made_sample(ROWS)
    strange = sample.outcome.copy()
    strange[:3] = 2
    with pytest.raises(SampleError, match="3 outcomes are neither 0 nor 1"):
        replace(sample, outcome=strange).check(50)


@pytest.mark.parametrize("algorithm", ["boosted", "scorecard"])
def test_without_the_column_that_tells_of_the_vendor_nothing_is_scored(algorithm: str) -> None:
    with pytest.raises(ValueError, match="needs ml_status"):
        family.predict(made_bundle(algorithm, rows=1_000), made_features(3).drop("ml_status"))
