"""Clocks of protections by the calendar."""

from datetime import date

import pytest

from collections_app.domain.contact import StopCode
from collections_app.domain.errors import InvalidInput
from collections_app.domain.protections import ReleaseReason, check_release, later
from strategies.protections import clock, find_clock, topics

MONDAY = date(2026, 3, 2)


@pytest.mark.parametrize(
    ("topic", "country", "due_on"),
    [
        ("complaint", "GB", date(2026, 4, 27)),  # eight weeks
        ("complaint", "CN", date(2026, 3, 17)),  # fifteen days
        ("complaint", "BR", date(2026, 4, 1)),
        ("hardship_reply", "CN", date(2026, 3, 11)),  # seven working days: 3, 4, 5, 6, 9, 10, 11 March
        ("hold", "GB", date(2026, 4, 1)),
        ("moratorium_bs_standard", "GB", date(2026, 5, 1)),  # the sixtieth day after the notice
    ],
)
def test_each_clock_ends_on_its_day(topic: str, country: str, due_on: date) -> None:
    assert clock(topic, country, MONDAY).due_on(MONDAY) == due_on


def test_a_complaint_in_china_can_take_sixty_days_and_one_in_the_uk_cannot_be_extended() -> None:
    assert clock("complaint", "CN", MONDAY).extended_to(MONDAY) == date(2026, 5, 1)
    with pytest.raises(InvalidInput, match="cannot be extended"):
        clock("complaint", "GB", MONDAY).extended_to(MONDAY)


def test_the_validation_period_runs_thirty_days_from_the_presumed_receipt() -> None:
    period = clock("validation", "US", MONDAY)
    sent = MONDAY  # received on Monday 9 March at the latest: five business days
    assert period.covers(sent, date(2026, 4, 8))
    assert not period.covers(sent, date(2026, 4, 9))
    assert find_clock("validation", "GB", MONDAY) is None


def test_a_rule_does_not_hold_before_its_date() -> None:
    assert find_clock("moratorium_bs_standard", "GB", date(2021, 5, 3)) is None
    assert find_clock("moratorium_bs_standard", "US", MONDAY) is None


def test_every_number_says_what_stands_behind_it() -> None:
    for topic in topics():
        for country in ("GB", "CN", "US", "IN"):
            found = find_clock(topic, country, MONDAY)
            if found is not None:
                assert found.force in ("LAW", "GUIDE", "POLICY")
                assert found.reference


def test_working_days_leave_out_the_weekend() -> None:
    assert later(date(2026, 3, 6), 1, working=True) == date(2026, 3, 9)
    assert later(date(2026, 3, 7), 1, working=True) == date(2026, 3, 9)


def test_a_death_is_taken_back_only_as_an_error_and_never_without_evidence() -> None:
    check_release(StopCode.DECEASED, ReleaseReason.RECORDED_IN_ERROR, "spoke with the customer")
    with pytest.raises(InvalidInput, match="never released"):
        check_release(StopCode.DECEASED, ReleaseReason.RESOLVED, "x")
    with pytest.raises(InvalidInput, match="evidence is missing"):
        check_release(StopCode.ATTORNEY, ReleaseReason.RESOLVED, " ")
