"""Points and bands: T21 of the domain brief."""

import numpy as np
import pytest

from models.scaling import BANDS, BandCuts, Scaling


def test_t21_two_percent_is_599_points_and_doubling_the_odds_adds_twenty() -> None:
    scaling = Scaling()
    p = np.array([0.02])
    doubled = np.array([1 / (1 + 2 * 49)])
    assert scaling.points(p)[0] == pytest.approx(599.417, abs=1e-3)
    assert scaling.score(p)[0] == 599
    assert scaling.points(doubled)[0] - scaling.points(p)[0] == pytest.approx(20)


def test_a_riskier_account_never_has_more_points() -> None:
    points = Scaling().points(np.linspace(0, 1, 101))
    assert np.isfinite(points).all()
    assert (np.diff(points) <= 0).all()


def test_bands_cut_the_development_scores_into_fifths_safest_first() -> None:
    scores = np.arange(400.0, 600.0)
    cuts = BandCuts.of(scores)
    bands = cuts.band(scores)
    assert bands[-1] == "S1"
    assert bands[0] == "S5"
    assert [int((bands == b).sum()) for b in BANDS] == pytest.approx([40] * 5, abs=1)
