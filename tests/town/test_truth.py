"""What would have happened: the town's own answer, held against what does happen."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from collections_app.town.behaviour import Touch
from collections_app.town.population import PointTruth
from collections_app.town.town import Town
from collections_app.town.truth import call_truth, self_cure_chance

START = date(2026, 3, 2)


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town.found(seed=21, size=500, start=START, days=30, feed_folder=tmp_path)


def live(town: Town, days: int) -> dict[int, list[tuple[date, int]]]:
    paid: dict[int, list[tuple[date, int]]] = {}
    for n in range(days):
        day = START + timedelta(days=n)
        town.behaviour.live(day)
        for cash in town.ledger.booked[day]:
            paid.setdefault(int(town.people.accounts.owner[cash.account]), []).append((day, cash.amount))
    return paid


def test_who_is_not_contacted_lives_the_same_life_whatever_is_done_to_others(town: Town, tmp_path: Path) -> None:
    other = Town.found(seed=21, size=500, start=START, days=30, feed_folder=tmp_path)
    overdue = town.overdue_customers()
    worked, left = overdue[::2], overdue[1::2]
    other.behaviour.feel(worked, Touch.AGENT)
    plain, changed = live(town, 12), live(other, 12)
    assert [plain.get(int(k)) for k in left] == [changed.get(int(k)) for k in left]
    assert [plain.get(int(k)) for k in worked] != [changed.get(int(k)) for k in worked]


def test_the_chance_to_be_cured_alone_is_what_happens_when_nobody_says_a_word(town: Town) -> None:
    mind, ledger = town.behaviour, town.ledger
    mind.pressure[:] = 0
    dpd = ledger.days_past_due(START.toordinal())
    single = ledger.arrears <= town.people.accounts.instalment
    young = np.flatnonzero(ledger.is_overdue() & (dpd >= 1) & (dpd <= 15) & single)
    told = self_cure_chance(mind, young, day=START, days=10)
    cured = np.zeros(len(young), dtype=bool)
    for n in range(10):
        mind.live(START + timedelta(days=n))
        cured |= ledger.arrears[young] == 0
    error = np.sqrt((told * (1 - told)).sum()) / len(young)
    assert len(young) > 100
    assert cured.mean() == pytest.approx(told.mean(), abs=3 * error)
    assert told[cured].mean() > told[~cured].mean()


def test_a_call_helps_where_the_customer_can_be_reached_and_nowhere_else(town: Town) -> None:
    overdue = np.flatnonzero(town.ledger.is_overdue())
    first = {int(k): n for n, k in reversed(list(enumerate(town.people.points.owner.tolist())))}
    accounts = np.array([a for a in overdue if int(town.people.accounts.owner[a]) in first])
    points = np.array([first[int(k)] for k in town.people.accounts.owner[accounts]])
    at = [datetime(2026, 3, 2, 18, tzinfo=UTC)] * len(accounts)
    told = call_truth(town.behaviour, accounts, points, day=START, at=at, days=10)
    reachable = town.people.points.truth[points] == PointTruth.OWN
    assert (told.uplift[~np.isin(town.people.points.truth[points], (0, 1))] == 0).all()
    assert told.uplift[reachable].mean() > 0.03
    assert ((told.without >= 0) & (told.with_call <= 1)).all()
