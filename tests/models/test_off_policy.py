"""What a policy would have brought, on logs small enough for a pencil."""

import numpy as np
import pytest

from models.off_policy import Log, OffPolicyError, constant_policy, greedy_policy, value_of

RNG = np.random.default_rng


def pencil(times: int = 30) -> Log:
    """Four rows: action 0, 1, 1, 0; weights of "always 1" are 0, 4, 2, 0."""
    return Log(
        action=np.tile([0, 1, 1, 0], times),
        reward=np.tile([1.0, 2.0, 4.0, 3.0], times),
        propensity=np.tile([0.75, 0.25, 0.5, 0.5], times),
    )


def test_the_three_estimates_agree_with_a_pencil() -> None:
    log = pencil()
    expected = np.tile([1.0, 3.0], (120, 1))
    told = value_of(log, constant_policy(120, 2, 1), rng=RNG(0), expected=expected)
    assert told.ips.value == pytest.approx((4 * 2 + 2 * 4) / 4)
    assert told.self_normalised.value == pytest.approx(16 / 6)
    assert told.doubly_robust is not None
    assert told.doubly_robust.value == pytest.approx(3 + (4 * (2 - 3) + 2 * (4 - 3)) / 4)
    assert told.effective_rows == pytest.approx(120 / 4 * (6**2) / (16 + 4))
    assert told.ips.interval.low < told.ips.value < told.ips.interval.high


def test_clipping_is_told_and_lowers_the_weight() -> None:
    told = value_of(pencil(), constant_policy(120, 2, 1), rng=RNG(0), clip=3.0)
    assert (told.clip, told.clipped, told.largest_weight) == (3.0, 0.25, 3.0)
    assert told.ips.value == pytest.approx((3 * 2 + 2 * 4) / 4)


def test_a_log_without_a_propensity_is_refused() -> None:
    log = pencil()
    log.propensity[7] = np.nan
    with pytest.raises(OffPolicyError, match="1 of 120 rows carry no propensity"):
        value_of(log, constant_policy(120, 2, 1), rng=RNG(0))
    log.propensity[7] = 0.0
    with pytest.raises(OffPolicyError, match=r"outside \(0, 1\]"):
        value_of(log, constant_policy(120, 2, 1), rng=RNG(0))


def test_an_action_that_was_never_tried_is_refused() -> None:
    with pytest.raises(OffPolicyError, match="action 2 where the log never did"):
        value_of(pencil(), constant_policy(120, 3, 2), rng=RNG(0))


def test_a_log_that_could_not_do_what_the_policy_wants_is_refused() -> None:
    """For half of the rows action 1 was never possible; weights then average one half."""
    rng = RNG(1)
    possible = np.arange(2_000) % 2 == 0
    action = np.where(possible, rng.integers(0, 2, 2_000), 0)
    log = Log(action, rng.random(2_000), np.where(possible, 0.5, 1.0))
    with pytest.raises(OffPolicyError, match="the weights average"):
        value_of(log, constant_policy(2_000, 2, 1), rng=rng)


def test_a_handful_of_rows_that_count_is_refused() -> None:
    with pytest.raises(OffPolicyError, match="effective rows"):
        value_of(pencil(times=5), constant_policy(20, 2, 1), rng=RNG(0))


def test_known_truth_is_recovered_from_a_log_with_uneven_propensities() -> None:
    rng = RNG(3)
    x = rng.random(20_000)
    chance = 0.2 + 0.6 * x  # who pays better anyway is treated more often: a plain mean is wrong
    action = (rng.random(20_000) < chance).astype(np.int64)
    mean = x + 0.3 * action
    log = Log(action, mean + rng.normal(0, 0.1, 20_000), np.where(action == 1, chance, 1 - chance))
    told = value_of(log, constant_policy(20_000, 2, 1), rng=rng, expected=np.column_stack([x, x + 0.3]), draws=200)
    assert log.reward[action == 1].mean() > 0.88
    for estimate in (told.ips, told.self_normalised, told.doubly_robust):
        assert estimate is not None
        assert estimate.value == pytest.approx(0.8, abs=0.02)
        assert estimate.interval.low < 0.8 < estimate.interval.high
    assert told.doubly_robust.interval.high - told.doubly_robust.interval.low < (
        told.ips.interval.high - told.ips.interval.low
    )


def test_rows_of_one_customer_are_drawn_together() -> None:
    """Thirty copies of four rows are no more than four rows: the interval must not shrink by copying."""
    alone = value_of(pencil(), constant_policy(120, 2, 1), rng=RNG(0))
    log = pencil()
    together = value_of(
        Log(log.action, log.reward, log.propensity, unit=np.tile(np.arange(4), 30)), constant_policy(120, 2, 1),
        rng=RNG(0),
    )  # fmt: skip
    width = [t.ips.interval.high - t.ips.interval.low for t in (alone, together)]
    assert width[1] > 3 * width[0]


def test_a_policy_is_a_distribution_over_the_actions() -> None:
    assert greedy_policy(np.array([1, 0]), 2).tolist() == [[0.0, 1.0], [1.0, 0.0]]
    with pytest.raises(ValueError, match="distribution"):
        value_of(pencil(), np.ones((120, 2)), rng=RNG(0))
