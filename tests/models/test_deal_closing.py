"""The value of an offer: response and risk together."""

import numpy as np
import pytest

from models.deal_closing import Offer, adverse_selection, offer_value, whitelist
from models.evaluate import logit
from models.sample import SampleError

OFFER = Offer(margin=20_000, exposure=100_000, loss_given_default=0.6, contact_cost=150)


def test_the_formula_agrees_with_a_pencil() -> None:
    # 0.1 * (0.95 * 20,000 - 0.05 * 0.6 * 100,000) - 150 = 0.1 * 16,000 - 150 = 1,450
    assert offer_value(np.array([0.1]), np.array([0.05]), OFFER).tolist() == [1_450]
    assert offer_value(np.array([0.0]), np.array([0.05]), OFFER).tolist() == [-150]
    assert offer_value(np.array([0.1]), np.array([0.05]), OFFER).dtype == np.int64


def test_the_best_responder_may_be_the_worst_offer() -> None:
    value = offer_value(np.array([0.4, 0.1]), np.array([0.30, 0.02]), OFFER)
    assert value[0] < 0 < value[1]


def test_unknown_probabilities_and_impossible_stakes_are_refused() -> None:
    with pytest.raises(ValueError, match="not known"):
        offer_value(np.array([np.nan]), np.array([0.1]), OFFER)
    with pytest.raises(ValueError, match="share"):
        Offer(1, 1, 1.2, 1)
    with pytest.raises(ValueError, match="negative"):
        Offer(-1, 1, 0.5, 1)


def test_the_whitelist_is_the_pass_and_the_value_not_the_response() -> None:
    value = np.array([900, 500, -10, 700, 500])
    passes = np.array([False, True, True, True, True])
    assert whitelist(value, passes, capacity=2).tolist() == [False, True, False, True, False]
    assert whitelist(value, passes, capacity=9).tolist() == [False, True, False, True, True]
    assert not whitelist(value, passes, capacity=0).any()
    with pytest.raises(ValueError, match="each row"):
        whitelist(value, passes[:2], capacity=1)


def responders(adverse: float, rows: int = 8_000) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    pd, respond = rng.uniform(0.02, 0.3, rows), rng.uniform(0.02, 0.5, rows)
    truth = 1 / (1 + np.exp(-(logit(pd) + 0.8 + adverse * logit(respond))))
    return pd, respond, truth, (rng.random(rows) < truth).astype(np.int64)


def test_adverse_selection_is_found_and_corrected() -> None:
    pd, respond, truth, defaulted = responders(adverse=0.4)
    found = adverse_selection(pd, respond, defaulted)
    assert found.is_shown
    assert found.response == pytest.approx(0.4, abs=0.1)
    assert found.response_interval.low < 0.4 < found.response_interval.high
    assert found.observed > found.expected
    assert np.abs(found.correct(pd, respond) - truth).mean() < 0.02 < np.abs(pd - truth).mean()


def test_none_is_claimed_where_none_is() -> None:
    pd, respond, _, _ = responders(adverse=0.0)
    defaulted = (np.random.default_rng(1).random(len(pd)) < pd).astype(np.int64)
    found = adverse_selection(pd, respond, defaulted)
    assert not found.is_shown
    assert found.response_interval.low < 0 < found.response_interval.high
    assert found.interval.low < found.expected < found.interval.high


def test_responders_who_are_all_riskier_alike_are_adverse_selection_too() -> None:
    """No likelier yes is riskier than another, but all are riskier than their PD says."""
    pd, respond, _, _ = responders(adverse=0.0)
    defaulted = (np.random.default_rng(1).random(len(pd)) < 1.5 * pd).astype(np.int64)
    found = adverse_selection(pd, respond, defaulted)
    assert found.is_shown
    assert found.correct(pd, respond).mean() == pytest.approx(1.5 * pd.mean(), rel=0.05)


def test_too_few_defaults_are_refused() -> None:
    pd, respond, _, _ = responders(adverse=0.0, rows=200)
    with pytest.raises(SampleError, match="30 of 200 responders"):
        adverse_selection(pd, respond, (np.arange(200) < 30).astype(np.int64))
