"""Alarms: a leak, a dead feed and an unfair card are told; a clean card is silent."""

from dataclasses import replace

import numpy as np

from models.alarms import alarms_of
from models.binning import Bins, bin_feature
from models.evaluate import Metrics, evaluate, logit


def measured(strength: float = 1.0, slope: float = 1.0) -> Metrics:
    rng = np.random.default_rng(0)
    p = 1 / (1 + np.exp(-rng.normal(0, strength, 6_000)))
    bad = (rng.uniform(size=p.size) < p).astype(np.int64)
    return evaluate(bad, 1 / (1 + np.exp(-logit(p) / slope)), rng=rng, draws=10)


def binned(strength: float, missing: float = 0.0) -> Bins:
    rng = np.random.default_rng(1)
    x = rng.normal(size=4_000)
    bad = (rng.uniform(size=x.size) < 1 / (1 + np.exp(-strength * x))).astype(np.int64)
    if missing:
        x = np.where((bad == 1) & (rng.uniform(size=x.size) < missing), np.nan, x)
    return bin_feature("x", x, bad)


CLEAN = replace(measured(), rank_breaks=0)


def said(**changes: object) -> str:
    usual = {"measured": CLEAN, "binned": [binned(0.5)], "importance": {"x": 0.6, "y": 0.4},
             "train_events": 2_000, "cross_validated_auc": CLEAN.auc, "fairness": []}  # fmt: skip
    return " ".join(alarms_of(**(usual | changes)))  # type: ignore[arg-type]


def test_a_clean_card_raises_no_alarm() -> None:
    assert said() == ""


def test_a_card_too_good_to_be_true_is_suspected_of_a_leak() -> None:
    assert "look for leakage" in said(measured=measured(strength=5.0))
    assert "IV above 0.5 alone: x (" in said(binned=[binned(3.0)])


def test_missingness_that_predicts_is_told() -> None:
    assert "Predicts by being missing: x (" in said(binned=[binned(0.2, missing=0.6)])


def test_features_of_one_history_are_one_finding_strongest_first() -> None:
    many = [replace(binned(3.0), name=f"x{n}", iv=1.0 + n) for n in range(10)]
    finding = said(binned=many)
    assert finding.count("IV above") == 1
    assert "x9 (10.00), x8 (9.00)" in finding
    assert "and 2 more" in finding


def test_one_feature_that_carries_the_model_is_told() -> None:
    assert "x carries 80%" in said(importance={"x": 0.8, "y": 0.2})


def test_a_dead_and_a_constant_feature_are_told() -> None:
    bad = np.tile([0, 1], 100)
    dead = replace(bin_feature("gone", np.full(200, np.nan), bad))
    same = bin_feature("same", np.ones(200), bad)
    text = said(binned=[dead, same])
    assert "no row of the sample has gone" in text
    assert "The same for every row: same" in text


def test_thin_samples_wrong_scales_and_overfitting_are_told() -> None:
    assert "Learnt from 300 events" in said(train_events=300)
    assert "calibration slope" in said(measured=replace(measured(slope=2.0), rank_breaks=0))
    assert "event rate falls at 3" in said(measured=replace(CLEAN, rank_breaks=3))
    assert "AUC falls" in said(cross_validated_auc=CLEAN.auc + 0.1)


def test_a_group_that_rarely_reaches_the_safe_bands_is_told() -> None:
    rows = [{"attribute": "gender", "group": g, "ratio": r} for g, r in (("a", 1.0), ("b", 0.7))]
    text = said(fairness=rows)
    assert "gender b" in text
    assert "gender a" not in text
