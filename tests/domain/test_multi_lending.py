"""Applications for credit elsewhere: windows, kinds of missing, derived figures, contradictions (§3.3, T28)."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from collections_app.domain.multi_lending import (
    Enquiry,
    HitStatus,
    InstitutionType,
    KeyType,
    accel_words,
    between,
    contradiction,
    count_windows,
    derive,
    local_day,
)
from models.external import _ACCEL_GUARD
from models.schema import SIGNAL_WINDOWS, WINDOW_DAYS
from strategies.signals import lending_rules

AS_OF = date(2026, 3, 1)
RULES = lending_rules(AS_OF)


def enquiry(days: int, institution: str = "i1", **over: Any) -> Enquiry:
    """Make an application ``days`` before the observation day, by day, known the day after."""
    on = AS_OF - timedelta(days=days)
    values: dict[str, Any] = {
        "key_type": KeyType.ID, "institution": institution, "institution_type": InstitutionType.P2P,
        "enquired_at": datetime(on.year, on.month, on.day, 15, tzinfo=UTC), "received_on": on, "local_hour": 9,
    }  # fmt: skip
    return Enquiry(**(values | over))


def counted(*enquiries: Enquiry, **over: Any) -> dict[str, int | None]:
    values: dict[str, Any] = {"key": KeyType.ID, "as_of": AS_OF, "known_on": AS_OF, "rules": RULES}
    return count_windows(enquiries, **(values | over))


def test_the_rules_and_the_model_road_speak_of_the_same_windows() -> None:
    assert tuple(w for w, _ in RULES.windows) == SIGNAL_WINDOWS
    assert RULES.accel_guard == _ACCEL_GUARD
    assert dict(RULES.windows) == WINDOW_DAYS


@pytest.mark.parametrize(("days", "inside"), [(0, "7d"), (6, "7d"), (7, "15d"), (14, "15d"), (15, "1m"), (30, "3m")])
def test_a_window_of_n_days_ends_on_the_day_and_holds_n_days(days: int, inside: str) -> None:
    told = counted(enquiry(days))
    names = [w for w, _ in RULES.windows]
    for window in names:
        assert told[f"ml_id_all_apps_{window}"] == int(names.index(window) >= names.index(inside))


def test_what_is_a_year_old_or_still_to_come_is_in_no_window() -> None:
    told = counted(enquiry(364), enquiry(365), enquiry(-1))
    assert told["ml_id_all_apps_12m"] == 1


def test_two_applications_to_one_institution_are_two_applications_and_one_institution() -> None:
    told = counted(enquiry(1), enquiry(2), enquiry(3, "i2", institution_type=InstitutionType.BANK))
    assert (told["ml_id_all_apps_7d"], told["ml_id_all_orgs_7d"]) == (3, 2)
    assert (told["ml_id_nbank_orgs_7d"], told["ml_id_bank_orgs_7d"], told["ml_id_p2p_apps_7d"]) == (1, 1, 2)


def test_an_institution_of_two_types_is_one_institution() -> None:
    told = counted(enquiry(1), enquiry(2, institution_type=InstitutionType.BANK))
    assert (told["ml_id_bank_orgs_7d"], told["ml_id_nbank_orgs_7d"], told["ml_id_all_orgs_7d"]) == (1, 1, 1)


def test_mobile_and_id_are_never_added() -> None:
    both = (enquiry(1), enquiry(1, key_type=KeyType.MOBILE))
    assert counted(*both)["ml_id_all_apps_7d"] == 1
    assert counted(*both, key=KeyType.MOBILE)["ml_mobile_all_apps_7d"] == 1


def test_our_own_questions_are_no_news() -> None:
    assert counted(enquiry(1), enquiry(1, "us", is_own=True))["ml_id_all_orgs_7d"] == 1


def test_an_enquiry_that_had_not_arrived_did_not_exist() -> None:
    late = enquiry(3, received_on=AS_OF + timedelta(days=2))
    assert counted(late)["ml_id_all_apps_7d"] == 0
    assert counted(late, known_on=AS_OF + timedelta(days=2))["ml_id_all_apps_7d"] == 1


@pytest.mark.parametrize(("hour", "night"), [(21, 0), (22, 1), (23, 1), (0, 1), (5, 1), (6, 0)])
def test_the_night_goes_by_the_customers_clock(hour: int, night: int) -> None:
    assert counted(enquiry(1, local_hour=hour))["ml_id_all_night_apps_7d"] == night


def test_an_hour_that_was_not_told_makes_the_night_unknown_and_not_zero() -> None:
    told = counted(enquiry(1), enquiry(20, local_hour=None))
    assert (told["ml_id_all_night_apps_15d"], told["ml_id_all_night_apps_1m"]) == (0, None)
    assert told["ml_id_all_weekend_orgs_3m"] is None
    assert told["ml_id_all_apps_3m"] == 2


def test_the_weekend_is_the_customers_weekend() -> None:
    saturday_in_shanghai = datetime(2026, 2, 27, 23, 30, tzinfo=UTC)  # Friday by UTC, Saturday 07:30 there
    assert local_day(saturday_in_shanghai, 7) == date(2026, 2, 28)
    assert local_day(datetime(2026, 3, 1, 3, tzinfo=UTC), 21) == date(2026, 2, 28)  # Chicago, still Saturday
    told = counted(enquiry(2, enquired_at=saturday_in_shanghai, local_hour=7), enquiry(2, local_hour=9))
    assert told["ml_id_all_weekend_apps_7d"] == 1


def test_recency_new_institutions_and_institutions_since_entry() -> None:
    told = counted(
        enquiry(4, "a"), enquiry(40, "a"), enquiry(29, "b"), enquiry(30, "c"), entry_on=AS_OF - timedelta(days=29)
    )
    assert (told["ml_id_all_days_since_last_app"], told["ml_id_all_days_since_first_app"]) == (4, 40)
    assert told["ml_id_all_new_orgs_30d"] == 1  # b: a was there before, c is older
    assert told["ml_id_all_orgs_since_entry"] == 2
    assert counted(enquiry(1))["ml_id_all_orgs_since_entry"] is None


def test_without_an_application_recency_is_unknown() -> None:
    assert counted()["ml_id_all_days_since_last_app"] is None
    assert counted()["ml_id_all_apps_12m"] == 0


def test_the_worked_example_of_the_derived_figures() -> None:
    # Applications 30 days apart in the past, then three institutions within the last week.
    told = counted(*(enquiry(d, f"i{d}") for d in (1, 2, 3, 45, 75, 200)), enquiry(3, "b", local_hour=23))
    figures = derive(told, key=KeyType.ID, rules=RULES)
    assert figures.accel == pytest.approx(4 / (4 * 7 / 30 + 0.5))
    assert figures.ratio_nbank == 1
    assert figures.night_share == pytest.approx(1 / 6)
    # Rates per 30 days: 1 in 185 days, 0 in 90, 2 in 60, 4 in 30; middles 9.083, 4.5, 2 and 0.5 months ago.
    assert figures.slope == pytest.approx(0.36098, abs=1e-5)
    assert accel_words(figures.accel) == "speeding up: the last week outruns the month"


def test_derived_figures_of_the_unknown_are_unknown() -> None:
    nothing = derive({}, key=KeyType.ID, rules=RULES)
    assert (nothing.accel, nothing.ratio_nbank, nothing.night_share, nothing.slope) == (None, None, None, None)
    quiet = derive(counted(), key=KeyType.ID, rules=RULES)
    assert (quiet.accel, quiet.slope, quiet.ratio_nbank) == (0, 0, None)


def test_windows_are_differenced_and_a_decrease_is_unknown() -> None:
    assert (between(2, 5), between(5, 2), between(None, 2)) == (3, None, None)


@pytest.mark.parametrize(
    ("fields", "status", "reason"),
    [
        ({"ml_id_all_apps_7d": 2, "ml_id_all_apps_1m": 2}, "hit", None),
        ({"ml_id_all_apps_7d": 3, "ml_id_all_apps_1m": None, "ml_id_all_apps_3m": 2}, "hit", "narrow window"),
        ({"ml_id_all_orgs_7d": 3, "ml_id_all_apps_7d": 2}, "hit", "above its whole"),
        ({"ml_id_nbank_orgs_1m": 3, "ml_id_all_orgs_1m": 2}, "hit", "above its whole"),
        ({"ml_id_p2p_apps_1m": 3, "ml_id_nbank_apps_1m": 2}, "hit", "above its whole"),
        ({"ml_id_all_night_apps_1m": 3, "ml_id_all_apps_1m": 2}, "hit", "above its whole"),
        ({"ml_id_all_overdue_orgs_1m": 3, "ml_id_all_apps_1m": 2}, "hit", None),
        ({"ml_id_all_apps_7d": -1}, "hit", "below zero"),
        ({"ml_id_all_apps_7d": 0}, "no_hit", "no_hit with a count"),
        ({"ml_id_all_apps_7d": 0}, "error", "error with a count"),
        ({"ml_id_all_apps_7d": None}, "no_hit", None),
        ({}, "not_queried", None),
    ],
)
def test_an_answer_that_contradicts_itself_is_found_out(
    fields: dict[str, int | None], status: str, reason: str | None
) -> None:
    found = contradiction(fields, status=HitStatus(status), rules=RULES)
    assert (found is None) == (reason is None)
    assert reason is None or reason in (found or "")
