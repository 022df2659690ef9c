"""The recipe on a made book whose truth is known."""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from models import family
from models.boosted import Tuning
from models.catalogue import recipe_of
from models.feature_list import FEATURE_NAMES, FEATURES, REASONS
from models.registry import Bundle
from models.sample import Sample, SampleError, folds
from models.schema import Direction
from tests.lending_books import lending_book

CARD = recipe_of("c-card")
QUICK = Tuning(depths=(3,), rounds=80, folds=10, eta=0.1)


def book(n: int, seed: int = 1) -> tuple[pl.DataFrame, Any]:
    """Return features where lateness raises and payment lowers the chance of the event."""
    rng = np.random.default_rng(seed)
    late, paid = rng.integers(0, 4, n).astype(float), rng.uniform(0, 1, n)
    p = 1 / (1 + np.exp(-(0.9 * late - 2.5 * paid - 0.3)))
    values = dict.fromkeys(FEATURE_NAMES, [None] * n) | {
        "dpd": 30 * late, "past_due_0": late, "pay_ratio_0": paid, "ml_status": np.full(n, -2.0),
    }  # fmt: skip
    frame = pl.DataFrame({"account_id": np.arange(n), **values}).with_columns(pl.col(FEATURE_NAMES).cast(pl.Float64))
    return frame, (rng.uniform(size=n) < p).astype(np.int64)


def sample(n: int = 3_000) -> Sample:
    features, outcome = book(n)
    return Sample(features, outcome, np.arange(n) // 2, np.arange(n) % 10 < 3)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return family.train(CARD, sample(), provenance={"source": "made"}, threads=1)


def test_the_card_ranks_and_is_calibrated_on_rows_it_never_saw(bundle: Bundle) -> None:
    test = bundle.card.test
    assert test["auc"] > 0.75
    assert test["calibration_slope"] == pytest.approx(1, abs=0.25)
    assert test["rows"] == 900
    assert bundle.card.sample["train_rows"] == 2_100


def test_the_same_data_give_the_same_card() -> None:
    once, again = (family.train(CARD, sample(), provenance={"source": s}, tuning=QUICK, threads=1) for s in "ab")
    assert again.digest() == once.digest()


@pytest.mark.parametrize("name", ["dpd", "past_due_0", "pay_ratio_0"])
def test_a_later_or_less_paying_customer_is_never_scored_safer(bundle: Bundle, name: str) -> None:
    direction = next(f.direction for f in FEATURES if f.name == name)
    features, _ = book(200, seed=5)
    step = 30.0 if name == "dpd" else 0.3
    worse = features.with_columns(pl.col(name) + (step if direction is Direction.RISKIER else -step))
    assert (family.predict(bundle, worse).points <= family.predict(bundle, features).points + 1e-9).all()


def test_reasons_name_what_raised_the_risk_weightiest_first(bundle: Bundle) -> None:
    features, _ = book(500, seed=9)
    worst = features.filter((pl.col("past_due_0") == 3) & (pl.col("pay_ratio_0") < 0.1))
    for codes in family.predict(bundle, worst).reasons:
        assert {"late_now", "paid_little"} <= set(codes)
        assert len(codes) <= 4
        assert all(code in REASONS for code in codes)


def test_score_band_and_probability_agree(bundle: Bundle) -> None:
    features, _ = book(1_000, seed=2)
    said = family.predict(bundle, features)
    order = np.argsort(said.p_event)
    assert (np.diff(said.score[order]) <= 0).all()
    assert set(said.band) == {"S1", "S2", "S3", "S4", "S5"}
    assert said.band[order[0]] == "S1"
    assert bundle.card.development.psi(said.points) < 0.1


def test_an_empty_book_is_scored_as_empty(bundle: Bundle) -> None:
    assert len(family.predict(bundle, book(1)[0].head(0)).score) == 0


def test_a_card_of_another_feature_set_is_refused(bundle: Bundle) -> None:
    old = replace(bundle, card=replace(bundle.card, feature_set_version=0))
    with pytest.raises(ValueError, match="train and approve a new card"):
        family.predict(old, book(3)[0])


@pytest.mark.parametrize(("outcome", "message"), [(1, "0 without"), (0, "0 accounts with the event")])
def test_a_single_outcome_is_refused(outcome: int, message: str) -> None:
    whole = sample()
    one = Sample(whole.features, np.full(3_000, outcome), whole.customer, whole.is_test)
    with pytest.raises(SampleError, match=message):
        family.train(CARD, one, provenance={})


def test_too_few_events_are_refused() -> None:
    with pytest.raises(SampleError, match="at least 100 of each"):
        family.train(CARD, sample(200), provenance={})


def test_no_rows_at_all_are_refused() -> None:
    features, outcome = book(1)
    empty = Sample(features.head(0), outcome[:0], outcome[:0], np.zeros(0, dtype=np.bool_))
    with pytest.raises(SampleError, match="no matured label"):
        family.train(CARD, empty, provenance={})


def test_folds_of_cross_validation_never_split_a_customer() -> None:
    customer = np.repeat(np.arange(500), 3)
    fold = folds(customer, 5, seed=0)
    assert all(len(set(fold[customer == c])) == 1 for c in range(500))


@pytest.fixture(scope="module")
def outside() -> Bundle:
    features, outcome = lending_book(4_000)
    whole = Sample(features, outcome, np.arange(4_000), np.arange(4_000) % 10 < 3)
    return family.train(CARD, whole, provenance={}, tuning=QUICK, threads=1)


def test_fixed_rounds_hold_people_out_for_the_calibration_line(outside: Bundle) -> None:
    card = outside.card
    assert card.recipe["rounds"] == 80
    assert card.recipe["calibration"] == "platt on held-out people"
    assert card.cross_validation["held_out_rows"] == 280
    assert card.test["calibration_slope"] == pytest.approx(1, abs=0.35)
    assert card.test["auc"] > 0.75


@pytest.mark.parametrize("status", [-2.0, -3.0, None, 7.0])
def test_rows_without_an_answer_are_scored_by_the_model_without_outside_features(
    outside: Bundle, status: float | None
) -> None:
    features, _ = lending_book(300, seed=4)
    silent = features.with_columns(ml_status=pl.lit(status, dtype=pl.Float64))
    said = family.predict(outside, silent)
    assert said.is_fallback.all()
    # What the vendor said before must not leak in: the fallback reads no outside feature at all.
    other = silent.with_columns(ml_orgs_12m=pl.col("ml_orgs_12m") + 9)
    assert (family.predict(outside, other).points == said.points).all()
    assert {c for row in said.reasons for c in row} <= {"late_now", "paid_little"}


def test_no_hit_is_an_answer_and_stays_with_the_main_model(outside: Bundle) -> None:
    features, _ = lending_book(300, seed=4)
    said = family.predict(outside, features)
    assert not said.is_fallback.any()
    mixed = features.with_columns(ml_status=pl.when(pl.col("account_id") < 100).then(-3.0).otherwise("ml_status"))
    half = family.predict(outside, mixed)
    assert half.is_fallback.tolist() == [True] * 100 + [False] * 200
    assert (half.points[100:] == said.points[100:]).all()


def test_a_book_without_outside_information_needs_no_fallback(bundle: Bundle) -> None:
    assert "fallback.ubj" not in bundle.parts
    features, _ = book(50)
    assert not family.predict(bundle, features).is_fallback.any()


def test_approximate_reasons_mostly_agree_with_the_exact_ones(outside: Bundle) -> None:
    features, _ = lending_book(1_000, seed=12)
    exact, quick = (family.predict(outside, features, exact_reasons=e) for e in (True, False))
    assert (exact.points == quick.points).all()
    assert (exact.reason_index[:, 0] == quick.reason_index[:, 0]).mean() > 0.8


def test_a_missing_column_is_refused(outside: Bundle) -> None:
    with pytest.raises(ValueError, match="needs dpd"):
        family.predict(outside, lending_book(5)[0].drop("dpd"))


def test_amounts_weigh_the_amount_weighted_figures() -> None:
    features, outcome = lending_book(2_000)
    amount = np.where(outcome == 1, 5_000.0, 1_000.0) * np.random.default_rng(0).uniform(0.5, 1.5, 2_000)
    whole = Sample(features, outcome, np.arange(2_000), np.arange(2_000) % 10 < 3, amount=amount)
    test = family.train(CARD, whole, provenance={}, tuning=QUICK, threads=1).card.test
    assert 0.3 < test["amount_ks"] < 0.9
    assert 0 < test["amount_capture_20"] < 1
