"""A band that strategies see stays three days, unless the score moves by two bands or more."""

from datetime import date, timedelta

import polars as pl
import pytest

from strategies.bands import held_bands
from strategies.model_numbers import BandHold, band_hold, monitoring_limits

DAY = date(2026, 3, 10)
HOLD = BandHold(hold_days=3, step=1)
BEFORE = {"case_id": pl.Int64, "band": pl.String, "since": pl.Date}


def hold(band: str, was: str | None, since: date | None = None) -> tuple[str, date | None, str | None]:
    scores = pl.DataFrame({"case_id": [1], "band": [band]})
    before = pl.DataFrame([] if was is None else [(1, was, since)], schema=BEFORE, orient="row")
    row = held_bands(scores, before, on=DAY, hold=HOLD).row(0, named=True)
    return row["band"], row["since"], row["said"]


def test_a_new_case_takes_the_band_of_its_score() -> None:
    assert hold("S3", None) == ("S3", DAY, None)


@pytest.mark.parametrize("days", [1, 2])
def test_a_young_band_does_not_move_by_one(days: int) -> None:
    since = DAY - timedelta(days=days)
    band, told, said = hold("S4", "S3", since)
    assert (band, said) == ("S3", "S4")
    assert told == (since if days == 1 else None)  # tomorrow an age of three days no longer matters


def test_after_three_days_it_moves_by_one() -> None:
    assert hold("S4", "S3", DAY - timedelta(days=3)) == ("S4", DAY, None)
    assert hold("S2", "S3") == ("S2", DAY, None)


@pytest.mark.parametrize("band", ["S1", "S5"])
def test_a_jump_of_two_is_followed_at_once(band: str) -> None:
    assert hold(band, "S3", DAY - timedelta(days=1)) == (band, DAY, None)


def test_an_unchanged_band_keeps_its_age() -> None:
    assert hold("S3", "S3", DAY - timedelta(days=1)) == ("S3", DAY - timedelta(days=1), None)
    assert hold("S3", "S3") == ("S3", None, None)


def test_a_score_that_wavers_at_a_border_changes_the_treatment_at_most_every_third_day() -> None:
    band, since, seen = None, None, []
    for n in range(12):
        on = DAY + timedelta(days=n)
        scores = pl.DataFrame({"case_id": [1], "band": ["S3" if n % 2 else "S4"]})
        before = pl.DataFrame([] if band is None else [(1, band, since)], schema=BEFORE, orient="row")
        row = held_bands(scores, before, on=on, hold=HOLD).row(0, named=True)
        band, since = row["band"], row["since"]
        seen.append(band)
    changes = [n for n in range(1, 12) if seen[n] != seen[n - 1]]
    assert changes
    assert min(b - a for a, b in zip([0, *changes], changes, strict=False)) >= 3


def test_the_numbers_in_force_are_those_of_the_day() -> None:
    assert band_hold(DAY) == HOLD
    limits = monitoring_limits(DAY)
    assert (limits["psi_act"], limits["psi_days"], limits["ks_drop"]) == (0.25, 3, 0.15)
    assert (limits["slope_low"], limits["slope_high"], limits["inversions"]) == (0.8, 1.25, 2)
    with pytest.raises(ValueError, match="no version is in force"):
        monitoring_limits(date(1999, 1, 1))
