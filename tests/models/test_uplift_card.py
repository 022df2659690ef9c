"""Uplift as a model of the house: trained on both arms, served as points, refused where nobody was held out."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from models import family
from models.catalogue import recipe_of
from models.registry import Bundle
from models.sample import Sample, SampleError

RECIPE = recipe_of("uplift")
ROWS = 3_000


def made_sample(seed: int = 3) -> Sample:
    """Half are held out. Work moves those past due before, and nobody else; a late account pays less, worked or not."""
    rng = np.random.default_rng(seed)
    months_late, late = rng.integers(0, 4, ROWS).astype(float), rng.integers(1, 5, ROWS).astype(float)
    features = pl.DataFrame({n: pl.Series([None] * ROWS, dtype=pl.Float64) for n in RECIPE.features}).with_columns(
        dpd=pl.Series(late), months_late=pl.Series(months_late)
    )
    worked = rng.random(ROWS) < 0.5
    chance = 0.55 - 0.08 * late + 0.35 * worked * (months_late >= 2)
    return Sample(
        features=features, outcome=(rng.random(ROWS) < chance).astype(np.int64), customer=np.arange(ROWS),
        is_test=np.arange(ROWS) % 3 == 0, arm=np.where(worked, "champion", "holdout"), propensity=np.full(ROWS, 0.5),
        groups={"country": np.full(ROWS, "US")},
    )  # fmt: skip


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return family.train(RECIPE, made_sample(), provenance={"source": "made"}, threads=1)


def test_the_card_tells_what_the_order_by_uplift_is_worth(bundle: Bundle) -> None:
    told = bundle.card.test["uplift"]
    assert told["average_effect_low"] < 0.175 < told["average_effect_high"]
    assert 0 < told["qini_low"] < told["qini"] < told["qini_high"]
    assert bundle.card.sample["worked"] + bundle.card.sample["held_out"] == ROWS
    assert len(bundle.card.figures["uplift_tenths"]) == 10
    assert {s["name"] for s in bundle.card.figures["curves"]["qini"]["series"]} == {"by uplift", "random order"}
    assert not [a for a in bundle.card.alarms if "uplift" in a]
    json.dumps(bundle.card.as_json(), allow_nan=False)


def test_points_are_thousandths_of_uplift_and_more_is_better(bundle: Bundle) -> None:
    sample = made_sample(seed=8)
    said = family.predict(bundle, sample.features, threads=1)
    moved = sample.features["months_late"].to_numpy() >= 2
    assert said.score[moved].mean() == pytest.approx(350, abs=60)
    assert said.score[~moved].mean() == pytest.approx(0, abs=60)
    assert set(said.band[moved]) <= {"S1", "S2", "S3"}
    assert said.reasons[0] == []
    told = json.loads(said.frame()["details"][0])
    assert set(told) == {"uplift_worked", "p_left_alone"}
    assert said.value is not None
    assert told["uplift_worked"] == pytest.approx(said.value[0], abs=1e-4)
    assert family.predict(bundle, sample.features.head(0), threads=1).score.shape == (0,)


def test_an_order_that_is_no_better_than_chance_raises_an_alarm() -> None:
    sample = made_sample()
    luck = np.random.default_rng(1).random(ROWS) < 0.4
    card = family.train(
        RECIPE, replace(sample, outcome=luck.astype(np.int64)), provenance={"source": "made"}, threads=1
    ).card  # fmt: skip
    assert any("not shown to be better than a random one" in a for a in card.alarms)
    assert any("not shown to change anything" in a for a in card.alarms)


def test_without_a_hold_out_there_is_no_uplift() -> None:
    sample = made_sample()
    with pytest.raises(SampleError, match="compares one way of working with the hold-out"):
        family.train(RECIPE, replace(sample, arm=np.full(ROWS, "champion")), provenance={}, threads=1)
    with pytest.raises(SampleError, match="carry no arm"):
        family.train(RECIPE, replace(sample, arm=None), provenance={}, threads=1)
    with pytest.raises(SampleError, match="no probability of treatment"):
        family.train(RECIPE, replace(sample, propensity=np.full(ROWS, np.nan)), provenance={}, threads=1)
