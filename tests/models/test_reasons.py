"""Reasons: every feature has one, and what may be said to the customer gives nothing away."""

import re

import numpy as np
import pytest

from models.feature_list import SPECS
from models.reasons import REASONS, sayable_sentences, weightiest

FORBIDDEN = re.compile(
    r"lender|bureau|elsewhere|other (bank|credit)|enquir|score|model|risk|band|agency|court|queue|campaign|blacklist",
    re.I,
)


def test_every_feature_has_a_reason_with_both_sentences() -> None:
    for feature in SPECS.values():
        reason = REASONS[feature.reason]
        assert reason.staff
        assert reason.sayable


@pytest.mark.parametrize("code", sorted(REASONS))
def test_what_an_agent_may_say_discloses_no_third_party_and_no_treatment(code: str) -> None:
    assert not FORBIDDEN.search(sayable_sentences([code])[code])


def test_the_weightiest_come_first_ties_in_the_order_of_the_list_and_nothing_negative() -> None:
    weight = np.array([[1.0, 0.0], [3.0, -1.0], [3.0, 0.0], [0.5, 0.0], [0.2, 0.0]])
    assert weightiest(weight).tolist() == [[1, 2, 0, 3], [-1, -1, -1, -1]]
