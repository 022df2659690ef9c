"""The cold start card: data with a date, as much weight outside as inside, and honest about what it is."""

import numpy as np
import polars as pl
import pytest

from models import expert, family
from models.catalogue import recipe_of
from models.feature_list import SPECS
from models.points import of_parts
from models.scorecard import PART
from tests.lending_books import lending_book


def test_it_scores_a_book_of_which_nothing_was_ever_learnt() -> None:
    bundle = expert.load()
    features, bad = lending_book(2_000)
    said = family.predict(bundle, features)
    assert np.isfinite(said.points).all()
    assert said.unseen == {}
    order = np.argsort(said.points)
    assert bad[order[:400]].mean() > bad[order[-400:]].mean() + 0.2
    assert set(said.codes) == set(bundle.card.reasons) == set(bundle.card.sayable)


def test_it_says_that_it_is_judged_not_measured() -> None:
    card = expert.load().card
    assert card.name == "c-card"
    assert card.algorithm == "expert"
    assert card.test == {}
    assert any("Not calibrated" in w for w in card.warnings)
    assert card.provenance["judged_on"] == "2026-11-22"


def test_outside_knowledge_can_move_the_score_as_far_as_inside_knowledge() -> None:
    data = expert.read()

    def reach(part: str) -> float:
        return sum(max(given) - min(given) for given in ([*r["points"], r["missing"]] for r in data[part]))

    assert reach("outside") == reach("inside")


def test_points_follow_the_directions_of_the_feature_list() -> None:
    for feature in of_parts(expert.load().parts[PART]).features:
        direction = SPECS[feature.bins.name].direction
        steps = np.diff(feature.milli[:-1])
        if not feature.bins.codes:
            assert (steps * int(direction) <= 0).all(), feature.bins.name


def test_two_customers_alike_inside_with_5_and_12_lenders_outside_get_different_bands() -> None:
    alike = lending_book(1)[0].with_columns(dpd=pl.lit(4.0), past_due_0=pl.lit(1.0), ml_status=pl.lit(1.0))
    both = pl.concat([alike.with_columns(ml_orgs_12m=pl.lit(n)) for n in (5.0, 12.0)])
    said = family.predict(expert.load(), both)
    assert said.points[0] - said.points[1] == pytest.approx(38)
    assert said.band[0] != said.band[1]
    assert said.reasons[1][0] == "many_lenders"


def test_nobody_is_taken_for_safe_because_nothing_is_known_of_him() -> None:
    known = lending_book(1)[0].with_columns(ml_status=pl.lit(1.0), ml_orgs_12m=pl.lit(5.0))
    rows = [known.with_columns(ml_status=pl.lit(s), ml_orgs_12m=pl.lit(None, dtype=pl.Float64))
            for s in (-1.0, -2.0, -3.0)]  # fmt: skip
    said = family.predict(expert.load(), pl.concat([known, *rows]))
    assert (said.points[1:] < said.points[0]).all()


def test_it_is_judged_never_trained() -> None:
    with pytest.raises(ValueError, match="not trained"):
        expert.train(recipe_of("c-card"), None, provenance={})  # type: ignore[arg-type]
