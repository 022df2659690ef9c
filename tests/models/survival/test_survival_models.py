"""Hazards and failure times: each learns what made the book, and tells what the book says."""

import json
from dataclasses import replace

import numpy as np
import pytest

from models import family
from models.catalogue import recipe_of
from models.panel import Panel, codes, latest, observations
from models.registry import Bundle, BundleError, ModelStore
from models.sample import Sample, SampleError
from models.survival.aft import Shape, bounds
from models.survival.curves import Curves, Periods, incidence, naive
from models.survival.nonparametric import aalen_johansen
from models.survival.spells import Spells
from tests.panel_books import made_panel, sample_of

RECIPE = replace(
    recipe_of("b-survival"), horizon_days=182,
    features=("mob", "state_0", "run", "idle_3", "idle_6", "idle_share", "since_idle", "late_ever"),
)  # fmt: skip


@pytest.fixture(scope="module")
def panel() -> Panel:
    return made_panel()


@pytest.fixture(scope="module")
def bundles(panel: Panel) -> dict[str, Bundle]:
    sample = sample_of(RECIPE, panel)
    return {a: family.train(RECIPE, sample, algorithm=a, provenance={}, threads=1) for a in RECIPE.algorithms}


def test_incidence_by_pencil() -> None:
    curves = incidence(np.array([[0.1, 0.2]]), np.array([[0.3, 0.1]]))
    # still at risk after month 1: 0.6
    assert curves.event[0].tolist() == pytest.approx([0.1, 0.1 + 0.6 * 0.2])
    assert curves.competing[0].tolist() == pytest.approx([0.3, 0.3 + 0.6 * 0.1])
    assert naive(np.array([[0.1, 0.2]]))[0].tolist() == pytest.approx([0.1, 1 - 0.9 * 0.8])


def test_hazards_of_more_than_one_end_everything_and_no_more() -> None:
    curves = incidence(np.array([[0.9, 0.5]]), np.array([[0.6, 0.5]]))
    assert curves.event[0].tolist() == pytest.approx([0.6, 0.6])
    assert (curves.event + curves.competing)[0].tolist() == pytest.approx([1.0, 1.0])


def test_person_periods_by_pencil() -> None:
    periods = Periods.of(np.array([2, 1, 5]), np.array([1, 0, 2]), 3)
    assert periods.row.tolist() == [0, 0, 1, 2, 2, 2]
    assert periods.ahead.tolist() == [1, 2, 1, 1, 2, 3]
    assert periods.cause.tolist() == [0, 1, 0, 0, 0, 0]


def test_intervals_of_failure_times_by_pencil() -> None:
    lower, upper = bounds(np.array([3, 4, 2]), np.array([1, 0, 2]), 12)
    assert lower.tolist() == [2.0, 4.0, 12.0]  # paid off: spared through the horizon
    assert upper.tolist() == [3.0, np.inf, np.inf]


@pytest.mark.parametrize(("law", "at_median"), [("normal", 0.5), ("logistic", 0.5), ("extreme", 1 - np.exp(-1))])
def test_laws_of_failure_times_by_pencil(law: str, at_median: float) -> None:
    by = Shape(law, 2.0).by(np.log(np.array([3.0])), 6)[0]
    assert by[2] == pytest.approx(at_median)
    assert (np.diff(by) > 0).all()


@pytest.mark.parametrize("algorithm", RECIPE.algorithms)
def test_a_model_learns_what_made_the_book(bundles: dict[str, Bundle], algorithm: str) -> None:
    card = bundles[algorithm].card
    assert card.algorithm == algorithm
    assert card.test["auc"] > 0.6
    told = card.test["by_horizon"]
    assert set(told) == {"1", "3", "6"}
    assert any("within 1 month: shaky" in alarm for alarm in card.alarms)
    assert told["6"]["expected"] == pytest.approx(told["6"]["observed"], abs=0.06)
    assert told["3"]["uno_c_interval"]["low"] < told["3"]["uno_c"] < told["3"]["uno_c_interval"]["high"]
    json.dumps(card.as_json(), allow_nan=False)


@pytest.mark.parametrize("algorithm", RECIPE.algorithms)
def test_a_model_tells_the_same_after_a_trip_to_the_disk(
    bundles: dict[str, Bundle], panel: Panel, algorithm: str, tmp_path
) -> None:
    rows = latest(panel, event_state=1)
    store = ModelStore(tmp_path)
    read = ModelStore(tmp_path).load(store.save(bundles[algorithm], "1"))
    before, after = (family.predict(b, rows, threads=1) for b in (bundles[algorithm], read))
    assert np.array_equal(before.p_event, after.p_event)
    frame = after.frame()
    details = json.loads(frame["details"][0])
    assert details["event_6m"] == pytest.approx(after.p_event[0], abs=1e-5)
    assert details["event_1m"] < details["event_3m"] < details["event_6m"]
    assert ("paid_off_6m" in details) == (algorithm != "aft")
    assert np.corrcoef(after.points, after.p_event)[0, 1] < 0
    assert any(after.reasons)


@pytest.mark.parametrize("algorithm", ["hazard", "hazard_woe"])
def test_paying_off_is_predicted_beside_the_event(bundles: dict[str, Bundle], panel: Panel, algorithm: str) -> None:
    at = observations(made_panel(seed=5), event_state=1, every=50, first_mob=3)
    said = family.predict(bundles[algorithm], at, threads=1)
    assert said.details is not None
    spells = Spells.of(codes(at, "duration"), codes(at, "cause"))
    for cause, name in ((1, "event_6m"), (2, "paid_off_6m")):
        assert said.details[name].mean() == pytest.approx(float(aalen_johansen(spells, cause).curve.at(6.0)), rel=0.35)
    assert (said.details["event_6m"] + said.details["paid_off_6m"]).max() <= 1  # type: ignore[operator]


def test_the_same_training_gives_the_same_model(bundles: dict[str, Bundle], panel: Panel) -> None:
    again = family.train(RECIPE, sample_of(RECIPE, panel), algorithm="hazard", provenance={}, threads=1)
    assert again.digest() == bundles["hazard"].digest()


@pytest.mark.parametrize("algorithm", RECIPE.algorithms)
def test_nobody_to_score_is_no_error_and_a_missing_column_is(
    bundles: dict[str, Bundle], panel: Panel, algorithm: str
) -> None:
    rows = latest(panel, event_state=1)
    assert len(family.predict(bundles[algorithm], rows.clear(), threads=1).p_event) == 0
    with pytest.raises(ValueError, match="needs idle_3"):
        family.predict(bundles[algorithm], rows.drop("idle_3"), threads=1)


@pytest.mark.parametrize(("algorithm", "part"), [("hazard_woe", "hazards.json"), ("aft", "shape.json")])
def test_a_part_that_cannot_be_read_is_refused(
    bundles: dict[str, Bundle], panel: Panel, algorithm: str, part: str
) -> None:
    whole = bundles[algorithm]
    cut = Bundle(whole.card, {**whole.parts, part: whole.parts[part][:20]})
    with pytest.raises(BundleError, match=f"{part} cannot be read"):
        family.predict(cut, latest(panel, event_state=1), threads=1)


def test_samples_that_cannot_carry_a_survival_model_are_refused(panel: Panel) -> None:
    sample = sample_of(RECIPE, panel)
    plain = Sample(sample.features, sample.outcome, sample.customer, sample.is_test)
    quiet = Sample(
        sample.features, np.zeros_like(sample.outcome), sample.customer, sample.is_test, course=sample.course
    )
    with pytest.raises(SampleError, match="how long each row lasted"):
        family.train(RECIPE, plain, algorithm="hazard", provenance={})
    with pytest.raises(SampleError, match="0 accounts with the event"):
        family.train(RECIPE, quiet, algorithm="hazard", provenance={})


def test_curves_end_at_the_horizon_and_tell_the_months_before_it() -> None:
    assert Curves(np.zeros((1, 12)), None).reported() == (1, 3, 6, 12)
    assert Curves(np.zeros((1, 5)), None).reported() == (1, 3, 5)
