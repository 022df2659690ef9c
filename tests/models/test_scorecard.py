"""The scorecard on a made book whose truth is known."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from models import family
from models.binning import weigh
from models.boosted import Tuning
from models.catalogue import recipe_of
from models.feature_list import FEATURE_NAMES, SPECS
from models.points import of_parts
from models.registry import Bundle
from models.sample import Sample, SampleError
from models.scaling import Scaling
from models.scorecard import FALLBACK_PART, PART, to_points
from models.woe import Fit, _regress, fit_woe, log_odds
from tests.lending_books import lending_book

CARD = recipe_of("c-card")


def sample(n: int = 4_000, *, outside: bool = True) -> Sample:
    features, outcome = lending_book(n, outside=outside)
    return Sample(features, outcome, np.arange(n) // 2, np.arange(n) % 10 < 3)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return family.train(CARD, sample(), algorithm="scorecard", provenance={})


def test_the_scorecard_ranks_and_is_calibrated_on_rows_it_never_saw(bundle: Bundle) -> None:
    test = bundle.card.test
    assert test["auc"] > 0.75
    assert test["calibration_slope"] == pytest.approx(1, abs=0.25)
    assert bundle.card.algorithm == "scorecard"


def test_t21_points_are_those_of_the_brief() -> None:
    """p = 0.02 is 49:1 and 599.417 points; doubling the odds adds exactly 20."""
    # Odds of 1:1 in the middle; a bin whose WoE, times beta, gives 49 times the odds.
    bins = weigh("dpd", np.repeat([1.0, 3.0], 100), np.tile([0, 1], 100), edges=(2.0,), codes=())
    bins = replace(bins, woe=(float(np.log(49)), float(np.log(98)), 0.0))
    card = to_points(Fit((bins,), 0.0, (-1.0,)), Scaling())
    safe, safer = card.features[0].milli[:2]
    assert safe == 599_417
    assert (safer - safe) / 1000 == pytest.approx(20, abs=1e-3)


def test_points_add_up_to_the_score_and_to_the_log_odds(bundle: Bundle) -> None:
    features, _ = lending_book(500, seed=8)
    said = family.predict(bundle, features)
    card = of_parts(bundle.parts[PART])
    by_hand = sum(
        np.array(f.milli)[f.bins.place(features[f.bins.name].cast(pl.Float64).fill_null(float("nan")).to_numpy())]
        for f in card.features
    )
    answered = ~said.is_fallback
    assert (by_hand[answered] == np.round(said.points[answered] * 1000)).all()
    assert said.points == pytest.approx(bundle.card.scaling.points(said.p_event), abs=1e-6)


def test_every_beta_is_negative_and_the_card_is_short(bundle: Bundle) -> None:
    card = of_parts(bundle.parts[PART])
    assert 2 <= len(card.features) <= 15
    assert all(f.beta < 0 for f in card.features)
    assert len({f.bins.name for f in card.features}) == len(card.features)


def test_the_regression_alone_gives_the_same_log_odds_as_the_points() -> None:
    whole = sample(2_000)
    fit = fit_woe(whole.features, whole.outcome, {n: CARD.direction_of(SPECS[n]) for n in FEATURE_NAMES}, seed=0)
    scaling = Scaling()
    points = to_points(fit, scaling).total(whole.features) / 1000
    assert points == pytest.approx(scaling.offset - scaling.factor * log_odds(fit, whole.features), abs=0.01)


def test_the_regression_is_that_of_another_library() -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    columns = rng.normal(size=(3, 2_000))
    bad = (rng.uniform(size=2_000) < 1 / (1 + np.exp(-(0.5 - columns[0] - 0.3 * columns[1])))).astype(np.int64)
    alpha, beta, z = _regress(columns, bad, None)
    theirs = LogisticRegression(C=1.0, tol=1e-8).fit(columns.T, bad)
    assert beta == pytest.approx(theirs.coef_[0], abs=1e-4)
    assert alpha == pytest.approx(theirs.intercept_[0], abs=1e-4)
    assert abs(z[0]) > 10
    assert abs(z[2]) < 3


def test_a_later_or_more_indebted_customer_is_never_scored_safer(bundle: Bundle) -> None:
    features, _ = lending_book(400, seed=5)
    before = family.predict(bundle, features).points
    for name, step in (("dpd", 30.0), ("pay_ratio_0", -0.3), ("ml_orgs_12m", 4.0)):
        worse = features.with_columns(pl.col(name) + step)
        assert (family.predict(bundle, worse).points <= before + 1e-9).all(), name


def test_reasons_are_points_below_the_best_summed_per_reason(bundle: Bundle) -> None:
    features, _ = lending_book(300, seed=3)
    said = family.predict(bundle, features)
    worst = said.reasons[int(np.argmin(np.where(said.is_fallback, 9e9, said.points)))]
    assert set(worst) & {"late_now", "many_lenders", "paid_little"}
    assert len(worst) == len(set(worst)) <= 4
    best = features.with_columns(dpd=pl.lit(1.0), past_due_0=pl.lit(0.0), pay_ratio_0=pl.lit(1.0),
                                 ml_orgs_12m=pl.lit(0.0), ml_status=pl.lit(1.0))  # fmt: skip
    assert family.predict(bundle, best).reasons[0] == []


def test_a_silent_vendor_means_the_card_without_outside_features(bundle: Bundle) -> None:
    features, _ = lending_book(300, seed=6)
    failed = features.with_columns(ml_status=pl.lit(-3.0), ml_orgs_12m=pl.lit(None, dtype=pl.Float64))
    said = family.predict(bundle, failed)
    assert said.is_fallback.all()
    inside = of_parts(bundle.parts[FALLBACK_PART])
    assert not any(f.bins.name.startswith("ml_") for f in inside.features)
    assert (np.round(said.points * 1000) == inside.total(failed)).all()
    no_hit = features.with_columns(ml_status=pl.lit(-1.0), ml_orgs_12m=pl.lit(None, dtype=pl.Float64))
    assert not family.predict(bundle, no_hit).is_fallback.any()


def test_a_value_of_a_kind_never_seen_is_neutral_and_counted(bundle: Bundle) -> None:
    features, _ = lending_book(100, seed=7)
    answered = features.filter(pl.col("ml_status") == 1)
    unknown = answered.with_columns(dpd=pl.lit(None, dtype=pl.Float64))
    said = family.predict(bundle, unknown)
    main = of_parts(bundle.parts[PART])
    used = [f.bins.name for f in main.features if f.reason == "late_now"]
    assert used
    if "dpd" in used:
        assert said.unseen["dpd"] == answered.height
    assert family.predict(bundle, answered).unseen.get("dpd", 0) == 0
    beyond = answered.with_columns(dpd=pl.lit(9_999.0), past_due_0=pl.lit(9_999.0))
    assert np.isfinite(family.predict(bundle, beyond).points).all()


def test_a_missing_column_is_refused_never_scored_as_if_unknown(bundle: Bundle) -> None:
    features, _ = lending_book(5)
    used = of_parts(bundle.parts[PART]).features[0].bins.name
    with pytest.raises(ValueError, match=f"needs {used}"):
        family.predict(bundle, features.drop(used))


def test_an_empty_book_is_scored_as_empty(bundle: Bundle) -> None:
    assert len(family.predict(bundle, lending_book(3)[0].head(0)).score) == 0


def test_a_card_for_a_good_event_gives_a_likely_cure_many_points() -> None:
    features, bad = lending_book(3_000, outside=False)
    cured = Sample(features, 1 - bad, np.arange(3_000), np.arange(3_000) % 10 < 3)
    recipe = replace(CARD, event="cured_10d", event_is="good")
    for algorithm, tuning in (("scorecard", None), ("boosted", Tuning(depths=(3,), rounds=60, eta=0.1))):
        bundle = family.train(recipe, cured, algorithm=algorithm, provenance={}, tuning=tuning, threads=1)
        said = family.predict(bundle, features)
        assert np.corrcoef(said.points, said.p_event)[0, 1] > 0.9, algorithm
        late = np.argsort(-features["dpd"].to_numpy(), kind="stable")[:50]
        assert said.points[late].mean() < said.points.mean()
        assert any("late_now" in said.reasons[i] for i in late)
        assert bundle.card.test["auc"] > 0.7


def test_the_card_says_bin_by_bin_what_it_gives_and_is_plain_data(bundle: Bundle) -> None:
    figures = bundle.card.figures
    assert {"feature", "bin", "woe", "points"} <= set(figures["scorecard"][0])
    assert {f["name"] for f in figures["explore"]["features"]} == set(FEATURE_NAMES)
    json.dumps(bundle.card.as_json(), allow_nan=False)


def test_features_that_tell_nothing_make_no_scorecard() -> None:
    features, outcome = lending_book(1_000)
    shuffled = np.random.default_rng(0).permutation(outcome)
    dead = features.select("account_id", *(pl.lit(None, dtype=pl.Float64).alias(n) for n in FEATURE_NAMES))
    with pytest.raises(SampleError, match="nothing tells the outcomes apart"):
        family.train(CARD, Sample(dead, shuffled, np.arange(1_000), np.arange(1_000) % 10 < 3),
                     algorithm="scorecard", provenance={})  # fmt: skip
