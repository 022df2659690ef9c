"""Bins and their weight of evidence: by hand, by law of the tree, and against another library."""

import contextlib
import io
import warnings
from math import log

import numpy as np
import pytest

from models.binning import LEAST_EVENTS, Bins, bin_feature, weigh
from models.evaluate import Floats, Ints
from models.schema import Direction


def made(n: int = 8_000, seed: int = 0, missing: float = 0.1) -> tuple[Floats, Ints]:
    """Return a feature whose rising value raises the risk, some of it unknown."""
    rng = np.random.default_rng(seed)
    x = rng.gamma(2.0, 1.0, n)
    bad = (rng.uniform(size=n) < 1 / (1 + np.exp(-(x - 2.5)))).astype(np.int64)
    return np.where(rng.uniform(size=n) < missing, np.nan, x), bad


def test_woe_is_good_over_bad_and_iv_is_its_weighted_sum() -> None:
    values = np.repeat([1.0, 3.0], 100)
    bad = np.concatenate([np.repeat([0, 1], [80, 20]), np.repeat([0, 1], [40, 60])])
    bins = weigh("x", values, bad, edges=(2.0,), codes=())
    safe, risky = log((80.5 / 121) / (20.5 / 81)), log((40.5 / 121) / (60.5 / 81))
    assert bins.woe == pytest.approx((safe, risky, 0.0), abs=1e-5)
    assert safe > 0 > risky
    assert bins.iv == pytest.approx(
        (80.5 / 121 - 20.5 / 81) * safe + (40.5 / 121 - 60.5 / 81) * risky, abs=1e-5
    )  # fmt: skip


@pytest.mark.parametrize("direction", [Direction.RISKIER, Direction.SAFER])
def test_weights_go_the_way_the_business_expects(direction: Direction) -> None:
    values, bad = made()
    turned = values if direction is Direction.RISKIER else -values
    woe = np.array(bin_feature("x", turned, bad, direction=direction).woe[:-1])
    assert len(woe) >= 4
    assert (np.diff(woe) * int(direction) <= 0).all()


def test_a_direction_that_the_data_contradict_leaves_one_range() -> None:
    values, bad = made()
    bins = bin_feature("x", values, bad, direction=Direction.SAFER)
    assert bins.edges == ()
    assert bins.labels == ("any value", "missing")


def test_every_range_has_three_percent_of_the_rows_and_enough_of_both_outcomes() -> None:
    values, bad = made(1_500)
    bins = bin_feature("x", values, bad, direction=Direction.RISKIER)
    rows, bads = np.array(bins.rows[:-1]), np.array(bins.bads[:-1])
    assert len(rows) <= 6
    assert (rows >= 0.03 * rows.sum()).all()
    assert (np.minimum(bads, rows - bads) >= LEAST_EVENTS).all()


def test_an_edge_belongs_to_the_bin_below_and_strangers_to_the_outer_bins() -> None:
    bins = Bins("x", (1.0, 2.0), (), (1, 1, 1, 1), (0, 0, 0, 0), (0.0,) * 4, 0.0)
    assert bins.place(np.array([-9e9, 1.0, 1.5, 2.0, 9e9, np.nan])).tolist() == [0, 0, 1, 1, 2, 3]


def test_each_code_of_a_status_is_a_bin_and_an_unknown_code_is_missing() -> None:
    values = np.repeat([-2.0, -1.0, 1.0], 200)
    bad = np.tile([0, 1, 1, 0, 0], 120)
    bins = bin_feature("ml_status", values, bad, status=True)
    assert bins.codes == (-2.0, -1.0, 1.0)
    assert bins.place(np.array([-1.0, 1.0, 7.0, np.nan])).tolist() == [1, 2, 3, 3]


def test_missing_has_its_own_weight_and_is_neutral_when_development_never_saw_it() -> None:
    values, bad = made()
    bad[np.isnan(values)] = 1
    bad[np.flatnonzero(np.isnan(values))[:50]] = 0
    assert bin_feature("x", values, bad).woe[-1] < -1
    known = ~np.isnan(values)
    assert bin_feature("x", values[known], bad[known]).woe[-1] == 0.0


def test_a_bin_too_small_to_tell_is_neutral_and_does_not_shift_the_others() -> None:
    values, bad = np.repeat([1.0, 3.0], 200), np.tile([0, 1, 1, 0], 100)
    whole = weigh("x", values, bad, edges=(2.0,), codes=())
    few = weigh("x", np.append(values, [np.nan] * 4), np.append(bad, [1] * 4), edges=(2.0,), codes=())
    assert few.woe == whole.woe
    assert few.rows[-1] == 4


def test_a_constant_feature_and_a_dead_one_say_nothing() -> None:
    bad = np.tile([0, 1], 100)
    for values in (np.ones(200), np.full(200, np.nan)):
        bins = bin_feature("x", values, bad)
        assert bins.iv == 0
        assert set(bins.woe) == {0.0}


def test_bins_come_back_from_plain_data() -> None:
    bins = bin_feature("x", *made())
    assert Bins.from_json(bins.as_json()) == bins


@pytest.mark.parametrize("direction", [Direction.RISKIER, Direction.FREE])
def test_information_is_close_to_the_optimum_of_another_library(direction: Direction) -> None:
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        from optbinning import OptimalBinning

        values, bad = made(missing=0.0)
        oracle = OptimalBinning(
            dtype="numerical", max_n_bins=6, min_bin_size=0.03,
            monotonic_trend="descending" if direction is Direction.RISKIER else None,
        )  # fmt: skip
        # Its event is 1; with the outcome turned, its "event rate" falls where ours rises.
        oracle.fit(values, 1 - bad)
        table = oracle.binning_table
        table.build()
    bins = bin_feature("x", values, bad, direction=direction)
    assert bins.iv >= 0.95 * table.iv
    # Same sign convention seen from both sides: its WoE is ln(non-event / event) of the turned outcome.
    theirs = oracle.transform(values, metric="woe")
    ours = np.array(bins.woe)[bins.place(values)]
    assert np.corrcoef(-theirs, ours)[0, 1] > 0.95
