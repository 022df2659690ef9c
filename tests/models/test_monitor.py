"""Figures of models at work, against worked examples, and the rules by which they call for a person."""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

from models import family
from models.card import ModelCard
from models.monitor import (
    Figure,
    Limits,
    cohort,
    csi_points,
    daily,
    fairness,
    inversions,
    psi_of_counts,
    rank_table,
    weekly,
)
from models.registry import Bundle
from models.tally import added, all_points, tally
from models.triggers import fired
from strategies.model_numbers import monitoring_limits
from tests.model_books import made_bundle, made_features

LIMITS = Limits(**monitoring_limits(date(2026, 3, 2)))


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return made_bundle("scorecard")


def counted(bundle: Bundle, features: pl.DataFrame) -> dict[str, Any]:
    return tally(bundle, features, family.predict(bundle, features, threads=1))


def by_name(figures: list[Figure], metric: str) -> dict[str, Figure]:
    return {f.segment: f for f in figures if f.metric == metric}


def test_t22_the_stability_index_of_the_acceptance_vector() -> None:
    psi = psi_of_counts([0.1] * 10, [15] * 5 + [5] * 5)
    assert psi == pytest.approx(0.2747, abs=5e-5)
    assert psi > LIMITS.psi_act


def test_an_empty_bin_counts_as_one_in_ten_thousand_and_no_rows_divide_by_nothing() -> None:
    assert psi_of_counts([0.5, 0.5], [10, 0]) == pytest.approx(0.5 * np.log(2) + (1e-4 - 0.5) * np.log(1e-4 / 0.5))
    assert np.isfinite(psi_of_counts([0.5, 0.5], [0, 0]))


def test_a_features_shift_in_points_is_the_change_of_the_mean_score() -> None:
    points = np.array([10.0, -5.0, 0.0])
    was, now = np.array([0.5, 0.3, 0.2]), np.array([20, 60, 20])
    assert csi_points(was.tolist(), now.tolist(), points.tolist()) == pytest.approx(now @ points / 100 - was @ points)


def test_tallies_of_parts_add_up_to_the_tally_of_all(bundle: Bundle) -> None:
    rows = made_features(300, seed=3)
    whole, total = counted(bundle, rows), None
    for start, size in ((0, 1), (1, 199), (200, 100)):
        part = counted(bundle, rows.slice(start, size))
        total = part if total is None else added(total, part)
    assert total == whole
    assert sum(all_points(whole)) == rows.height


def test_the_development_book_itself_shows_no_drift(bundle: Bundle) -> None:
    figures = daily(bundle.card, counted(bundle, made_features(3_000, seed=11)), LIMITS)
    assert by_name(figures, "psi")["all"].verdict == "ok"
    assert by_name(figures, "missing_share") == {}
    assert all(f.verdict == "ok" for f in figures if f.metric.startswith("external_"))
    assert fired(figures, LIMITS) == []


def test_a_feed_that_dries_up_is_named(bundle: Bundle) -> None:
    dry = made_features(3_000, seed=12).with_columns(past_due_0=pl.lit(None, pl.Float64))
    figures = daily(bundle.card, counted(bundle, dry), LIMITS)
    figure = by_name(figures, "missing_share")["past_due_0"]
    assert (figure.value, figure.verdict, figure.detail["development"]) == (1.0, "act", 0.0)
    (trigger,) = fired(figures, LIMITS)
    assert trigger.name == "missing_values"
    assert "past_due_0" in trigger.sentence


def test_a_vendor_that_fails_is_an_outage_and_not_a_zero(bundle: Bundle) -> None:
    out = made_features(3_000, seed=13).with_columns(ml_status=pl.lit(-3.0), ml_apps_12m=pl.lit(None, pl.Float64))
    told = counted(bundle, out)
    assert told["external"] == {"error": 3_000}
    assert told["fallback"] == 3_000
    figures = daily(bundle.card, told, LIMITS)
    assert by_name(figures, "external_error")["all"].value == 1.0
    assert "vendor_outage" in {t.name for t in fired(figures, LIMITS)}


def test_fewer_hits_than_before_are_watched(bundle: Bundle) -> None:
    status = pl.Series([1.0] * 500 + [-1.0] * 500)
    rows = made_features(1_000, seed=14).with_columns(ml_status=status)
    figure = by_name(daily(bundle.card, counted(bundle, rows), LIMITS), "external_hit")["all"]
    assert (figure.value, figure.verdict) == (0.5, "watch")


def test_a_handful_of_rows_is_told_and_not_judged(bundle: Bundle) -> None:
    late = made_features(50, seed=15).with_columns(dpd=pl.lit(89.0))
    figures = daily(bundle.card, counted(bundle, late), LIMITS)
    assert by_name(figures, "psi")["all"].verdict == "few"
    assert fired(figures, LIMITS, psi_before=[0.9, 0.9]) == []


def shifted(bundle: Bundle) -> list[Figure]:
    late = made_features(1_000, seed=16).with_columns(dpd=pl.lit(80.0))
    return daily(bundle.card, counted(bundle, late), LIMITS)


@pytest.mark.parametrize(("before", "fires"), [([0.4, 0.3], True), ([0.4], False), ([0.4, 0.2], False), ([], False)])
def test_drift_calls_only_after_three_scoring_days(bundle: Bundle, before: list[float], fires: bool) -> None:
    figures = shifted(bundle)
    assert by_name(figures, "psi")["all"].verdict == "act"
    assert ("psi" in {t.name for t in fired(figures, LIMITS, psi_before=before)}) is fires


def test_the_weeks_table_shows_the_most_shifted_features_first_with_their_points(bundle: Bundle) -> None:
    late = made_features(2_000, seed=17).with_columns(dpd=pl.lit(80.0))
    figures = weekly(bundle.card, counted(bundle, late), LIMITS)
    csi = [f for f in figures if f.metric == "csi"]
    assert len(csi) == LIMITS.csi_features
    assert (csi[0].segment, csi[0].verdict) == ("dpd", "act")
    assert by_name(figures, "csi_points")["dpd"].value < -20  # type: ignore[operator]
    calm = weekly(bundle.card, counted(bundle, made_features(3_000, seed=0)), LIMITS)
    assert abs(by_name(calm, "csi_points")["dpd"].value or 0.0) < 2


def matured(n: int, *, seed: int = 0, slope: float = 1.0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    line = rng.normal(-1.0, 1.5, n)
    outcome = (rng.uniform(size=n) < 1 / (1 + np.exp(-slope * line))).astype(np.int64)
    return outcome, 1 / (1 + np.exp(-line))


def with_ks(card: ModelCard, ks: float) -> ModelCard:
    return replace(card, test={**card.test, "ks": ks})


def test_a_cohort_as_good_as_development_asks_for_nothing(bundle: Bundle) -> None:
    outcome, p = matured(6_000)
    figures = cohort(with_ks(bundle.card, 0.47), outcome, p, LIMITS)
    ks = by_name(figures, "ks")["all"]
    assert (ks.rows, ks.events) == (6_000, int(outcome.sum()))
    assert ks.low is not None
    assert ks.high is not None
    assert ks.low < ks.value < ks.high  # type: ignore[operator]
    assert by_name(figures, "calibration_slope")["all"].value == pytest.approx(1, abs=0.1)
    assert fired(figures, LIMITS) == []


def test_a_lost_seventh_of_the_ks_calls(bundle: Bundle) -> None:
    outcome, p = matured(6_000)
    figures = cohort(with_ks(bundle.card, 0.60), outcome, p, LIMITS)
    (trigger,) = fired(figures, LIMITS)
    assert trigger.name == "ks_drop"
    assert "KS fell from 0.600" in trigger.sentence


@pytest.mark.parametrize("slope", [0.6, 1.6])
def test_a_slope_outside_its_limits_calls(bundle: Bundle, slope: float) -> None:
    outcome, p = matured(6_000, slope=slope)
    figures = cohort(with_ks(bundle.card, 0.1), outcome, p, LIMITS)
    assert {t.name for t in fired(figures, LIMITS)} == {"calibration"}


def test_two_inverted_bands_call_and_one_does_not(bundle: Bundle) -> None:
    rates = [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5]
    p = np.repeat(rates, 200)

    def outcome(order: list[int]) -> Any:
        return np.concatenate([[1] * int(200 * rates[i]) + [0] * int(200 - 200 * rates[i]) for i in order])

    one, two = [0, 2, 1, 3, 4, 5, 6, 7, 8, 9], [0, 2, 1, 3, 5, 4, 6, 7, 8, 9]
    assert inversions(rank_table(outcome(list(range(10))), p, bands=10)) == 0
    assert inversions(rank_table(outcome(one), p, bands=10)) == 1
    card = with_ks(bundle.card, 0.1)
    assert "rank_breaks" not in {t.name for t in fired(cohort(card, outcome(one), p, LIMITS), LIMITS)}
    figures = cohort(card, outcome(two), p, LIMITS)
    assert by_name(figures, "rank_breaks")["all"].value == 2
    assert "rank_breaks" in {t.name for t in fired(figures, LIMITS)}


def test_too_few_events_are_measured_and_not_judged(bundle: Bundle) -> None:
    outcome, p = matured(200)
    figures = cohort(with_ks(bundle.card, 0.9), outcome, p, LIMITS)
    assert by_name(figures, "ks")["all"].verdict == "few"
    assert fired(figures, LIMITS) == []


@pytest.mark.parametrize("outcome", [np.zeros(50, np.int64), np.ones(50, np.int64)])
def test_a_cohort_of_one_class_is_told_and_nothing_more(bundle: Bundle, outcome: Any) -> None:
    (figure,) = cohort(bundle.card, outcome, np.full(50, 0.3), LIMITS)
    assert (figure.metric, figure.verdict, figure.rows) == ("cohort_rows", "few", 50)


def test_calibration_by_band_adds_up_to_the_cohort(bundle: Bundle) -> None:
    outcome, p = matured(4_000)
    bands = by_name(cohort(bundle.card, outcome, p, LIMITS), "calibration")
    assert sum(f.rows for f in bands.values()) == 4_000
    assert sum(f.events or 0 for f in bands.values()) == outcome.sum()


def test_fairness_compares_with_the_most_favoured_group() -> None:
    figures = fairness("language in US", {"en-US": (400, 1_000), "es-US": (150, 500), "fr": (1, 3)}, LIMITS)
    ratio = {f.segment: (f.value, f.verdict) for f in figures}
    assert ratio == {"language in US=en-US": (1.0, "ok"), "language in US=es-US": (pytest.approx(0.75), "watch")}
    (trigger,) = fired(figures, LIMITS)
    assert "es-US 0.75" in trigger.sentence
    assert fairness("language in CN", {"zh-CN": (300, 900)}, LIMITS) == []
