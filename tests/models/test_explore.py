"""Exploration, figures and drift: tables whose numbers can be counted by hand."""

import numpy as np
import polars as pl
import pytest

from models.catalogue import recipe_of
from models.drift import external_shares, frozen, shares
from models.evaluate import rank_breaks
from models.explore import explore
from models.feature_list import FEATURE_NAMES
from models.figures import bands, calibration, fairness, gains, histogram, roc, segments, wilson
from models.sample import Sample
from models.scaling import BandCuts
from tests.lending_books import lending_book

CARD = recipe_of("c-card")


def made(n: int = 2_000) -> Sample:
    features, outcome = lending_book(n)
    month = np.array([f"2026-{1 + i % 3:02d}" for i in range(n)])
    return Sample(features, outcome, np.arange(n), np.arange(n) % 10 < 3, groups={"month": month})


def test_exploration_sorts_by_information_and_looks_at_training_rows_only() -> None:
    whole = made()
    table, _ = explore(CARD, whole, seed=0)
    ivs = [f["iv"] for f in table["features"]]
    assert ivs == sorted(ivs, reverse=True)
    assert table["rows"] == int((~whole.is_test).sum())
    assert table["events"] == int(whole.outcome[~whole.is_test].sum())
    assert {f["name"] for f in table["features"][:4]} >= {"dpd", "past_due_0"}
    best = table["features"][0]
    assert sum(b["rows"] for b in best["bins"]) == table["rows"]
    assert sum(b["events"] for b in best["bins"]) == table["events"]
    other = Sample(whole.features, np.where(whole.is_test, 1 - whole.outcome, whole.outcome), whole.customer,
                   whole.is_test, groups=whole.groups)  # fmt: skip
    assert explore(CARD, other, seed=0)[0] == table


def test_exploration_counts_events_by_month() -> None:
    table, _ = explore(CARD, made(), seed=0)
    assert [m["month"] for m in table["by_month"]] == ["2026-01", "2026-02", "2026-03"]
    assert sum(m["rows"] for m in table["by_month"]) == table["rows"]


def test_calibration_and_gains_count_every_row_once() -> None:
    rng = np.random.default_rng(2)
    p = rng.uniform(0.01, 0.99, 3_000)
    event = (rng.uniform(size=p.size) < p).astype(np.int64)
    table = calibration(event, p)
    assert len(table) == 10
    assert sum(r["rows"] for r in table) == 3_000
    assert all(r["low"] <= r["observed"] <= r["high"] for r in table)
    assert sum(r["low"] <= r["p"] <= r["high"] for r in table) >= 8
    tenths = gains(event, p)
    assert sum(t["events"] for t in tenths) == event.sum()
    assert tenths[-1]["share"] == tenths[-1]["captured"] == 1
    assert tenths[0]["lift"] == pytest.approx(tenths[0]["captured"] / 0.1)
    assert tenths[0]["lift"] > 1.5


def test_wilson_is_the_published_interval_and_knows_nothing_of_no_rows() -> None:
    low, high = wilson(np.array([10.0, 0.0]), np.array([100.0, 0.0]))
    assert (low[0], high[0]) == pytest.approx((0.0552, 0.1744), abs=1e-4)
    assert (low[1], high[1]) == pytest.approx((0, 1), abs=1e-6)


def test_bands_roc_and_histogram_cover_all_rows() -> None:
    rng = np.random.default_rng(3)
    score = rng.normal(500, 30, 2_000)
    p = 1 / (1 + np.exp((score - 500) / 29))
    event = (rng.uniform(size=p.size) < p).astype(np.int64)
    cuts = BandCuts.of(score)
    table = bands(event, p, cuts.band(score), cuts)
    assert [b["band"] for b in table] == ["S1", "S2", "S3", "S4", "S5"]
    assert sum(b["rows"] for b in table) == 2_000
    assert table[0]["observed"] < table[-1]["observed"]
    assert table[-1]["floor"] is None
    curve = roc(event, p)
    assert curve[0] == [0, 0]
    assert curve[-1] == [1, 1]
    assert len(curve) <= 60
    counted = histogram(event, score)
    assert sum(counted["goods"]) + sum(counted["bads"]) == 2_000


def test_fairness_compares_with_the_most_favoured_group_and_leaves_tiny_groups_out() -> None:
    group = np.array(["a"] * 100 + ["b"] * 100 + ["c"] * 10)
    band = np.array(["S1"] * 60 + ["S5"] * 40 + ["S2"] * 30 + ["S4"] * 70 + ["S1"] * 10)
    outcome, p = np.zeros(210, dtype=np.int64), np.full(210, 0.2)
    rows = fairness(outcome, p, band, {"gender": group, "product": group})
    assert {(r["attribute"], r["group"]): r["ratio"] for r in rows} == {("gender", "a"): 1.0, ("gender", "b"): 0.5}


def test_languages_are_compared_within_a_country() -> None:
    country = np.array(["DE"] * 200 + ["FR"] * 100)
    language = np.array(["de"] * 100 + ["tr"] * 100 + ["fr"] * 100)
    band = np.array((["S1"] * 50 + ["S5"] * 50) * 2 + ["S5"] * 100)
    band[100:110] = "S5"
    rows = fairness(np.zeros(300, dtype=np.int64), np.full(300, 0.2), band, {"country": country, "language": language})
    assert {(r["attribute"], r["group"]): r["ratio"] for r in rows} == {
        ("language in DE", "de"): 1.0, ("language in DE", "tr"): 0.8,
    }  # fmt: skip


def test_segments_tell_hit_from_no_hit_and_each_group() -> None:
    whole = made(3_000)
    report = segments(whole.features, whole.outcome, np.linspace(0.1, 0.9, 3_000), whole.groups)
    assert report["external_hit"]["rows"] + report["no_external_hit"]["rows"] == 3_000
    assert report["month=2026-01"]["rows"] == 1_000
    assert "auc" in report["month=2026-01"]


def test_rank_breaks_counts_falling_steps() -> None:
    p = np.repeat(np.linspace(0.05, 0.95, 10), 100)
    rising = np.concatenate([np.repeat([1, 0], [10 * k, 100 - 10 * k]) for k in range(10)])
    assert rank_breaks(rising, p) == 0
    swapped = np.concatenate([rising[:300], rising[500:600], rising[400:500], rising[300:400], rising[600:]])
    assert rank_breaks(swapped, p) == 2


def test_frozen_bins_and_missing_add_up_and_a_dried_up_feed_stands_out() -> None:
    features, _ = lending_book(5_000)
    bins = frozen(features, FEATURE_NAMES)
    for name in FEATURE_NAMES:
        held = bins["features"][name]
        assert sum(held["shares"]) + held["missing"] == pytest.approx(1, abs=1e-4)
    held = bins["features"]["ml_orgs_12m"]
    values = features["ml_orgs_12m"].fill_null(float("nan")).to_numpy()
    assert shares(values, held["edges"]) == (held["shares"], held["missing"])
    assert bins["external"] == external_shares(features)
    assert bins["external"]["hit"] + bins["external"]["no_hit"] == pytest.approx(1)
    assert external_shares(features.with_columns(ml_status=pl.lit(None, dtype=pl.Float64)))["not_queried"] == 1


def test_shares_of_values_beyond_all_edges_fall_into_the_outer_bins() -> None:
    assert shares(np.array([-9.0, 0.5, 9.0, np.nan]), [0.0, 1.0]) == ([0.25, 0.25, 0.25], 0.25)
