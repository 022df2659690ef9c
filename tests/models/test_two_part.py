"""Recovery in two parts: who pays, how much, and sums that agree with the cash."""

import numpy as np
import polars as pl
import pytest

from models import family
from models.boosted import Tuning
from models.catalogue import recipe_of
from models.registry import Bundle
from models.sample import Sample, SampleError
from models.two_part import SHARE_MODEL, measure

RECIPE = recipe_of("recovery")
QUICK = Tuning(depths=(2,), folds=2, rounds=60, eta=0.1)


def book(rows: int, seed: int) -> Sample:
    """Make placements: the later, the fewer pay; who has paid before pays a larger share."""
    rng = np.random.default_rng(seed)
    late, months = rng.integers(1, 120, rows), rng.integers(0, 7, rows)
    pays = rng.uniform(size=rows) < 1 / (1 + np.exp((late - 50) / 15))
    share = np.where(pays, np.clip(rng.normal(0.1 + 0.12 * months, 0.1), 0.01, 1), 0.0)
    features = pl.DataFrame({n: pl.Series([None] * rows, dtype=pl.Float64) for n in RECIPE.features}).with_columns(
        dpd=pl.Series(late, dtype=pl.Float64), months_paid=pl.Series(months, dtype=pl.Float64),
        ml_status=pl.lit(-2.0),
    )  # fmt: skip
    return Sample(
        features=features, outcome=pays.astype(np.int64), customer=np.arange(rows),
        is_test=rng.uniform(size=rows) < 0.3, amount=rng.uniform(50_00, 500_00, rows), value=share,
    )  # fmt: skip


@pytest.fixture(scope="module")
def sample() -> Sample:
    return book(900, 3)


@pytest.fixture(scope="module")
def bundle(sample: Sample) -> Bundle:
    return family.train(RECIPE, sample, provenance={}, threads=1, min_events=60, tuning=QUICK)


def test_the_card_tells_errors_rank_and_the_sum_of_rows_it_never_saw(bundle: Bundle, sample: Sample) -> None:
    amount = bundle.card.test["amount"]
    assert bundle.card.algorithm == "two_part"
    assert amount["rows"] == int(sample.is_test.sum())
    assert amount["sum_ratio"] == pytest.approx(1, abs=0.2)
    assert amount["spearman"] > 0.5
    assert amount["rmse"] < sample.value[sample.is_test].std()  # type: ignore[index]
    assert len(bundle.card.figures["amount"]) == 10


def test_the_expected_share_is_in_bounds_and_follows_both_parts(bundle: Bundle) -> None:
    asked = book(4, 1).features.with_columns(
        dpd=pl.Series([5.0, 5.0, 110.0, 110.0]), months_paid=pl.Series([6.0, 0.0, 6.0, 0.0])
    )
    said = family.predict(bundle, asked, threads=1)
    assert said.value is not None
    assert ((said.value >= 0) & (said.value <= said.p_event + 0.05)).all()
    assert said.value[0] > said.value[1] > said.value[3]
    assert said.value[0] > said.value[2]
    assert said.score[0] > said.score[2]  # higher = better for the lender, also where the event is good
    assert said.details is not None
    assert "expected_share" in said.frame()["details"][0]


def test_no_rows_have_no_shares(bundle: Bundle) -> None:
    said = family.predict(bundle, book(4, 1).features.clear(), threads=1)
    assert said.value is not None
    assert len(said.value) == 0


def test_training_again_gives_the_same_bytes(bundle: Bundle, sample: Sample) -> None:
    again = family.train(RECIPE, sample, provenance={}, threads=1, min_events=60, tuning=QUICK)
    assert again.parts[SHARE_MODEL] == bundle.parts[SHARE_MODEL]
    assert again.digest() == bundle.digest()


@pytest.mark.parametrize(
    ("value", "message"), [(None, "carry no share"), (np.full(900, 1.2), "between 0 and 1"),
                           (np.full(900, np.nan), "between 0 and 1")],
)  # fmt: skip
def test_a_sample_without_a_share_is_refused(sample: Sample, value: np.ndarray | None, message: str) -> None:
    broken = Sample(sample.features, sample.outcome, sample.customer, sample.is_test, sample.amount, value)
    with pytest.raises(SampleError, match=message):
        family.train(RECIPE, broken, provenance={}, threads=1, min_events=60, tuning=QUICK)


def test_figures_by_hand() -> None:
    told = measure(np.array([0.0, 0.5, 1.0]), np.array([0.1, 0.4, 0.7]), np.array([1.0, 1.0, 2.0]))
    assert told.mae == pytest.approx((0.1 + 0.1 + 0.3) / 3)
    assert told.rmse == pytest.approx(np.sqrt((0.01 + 0.01 + 0.09) / 3))
    assert told.sum_ratio == pytest.approx((0.1 + 0.4 + 1.4) / (0.5 + 2.0))
    assert told.spearman == pytest.approx(1)


def test_the_interval_draws_people_so_that_placements_of_one_customer_come_together() -> None:
    rng = np.random.default_rng(3)
    share = np.repeat(rng.uniform(0, 1, 40), 10)
    expected, weight = np.full(400, 0.5), np.ones(400)
    rows, people = measure(share, expected, weight), measure(share, expected, weight, people=np.arange(400) // 10)
    assert rows.sum_ratio == people.sum_ratio
    assert people.sum_ratio_high - people.sum_ratio_low > 2 * (rows.sum_ratio_high - rows.sum_ratio_low)
