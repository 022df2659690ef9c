"""The town keeps its promises: same seed same files, contact matters, the bureau knows something."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from collections_app.domain.outcomes import Disposition, Outcome
from collections_app.town.behaviour import Touch
from collections_app.town.population import Habit, PointTruth
from collections_app.town.town import Town

START = date(2026, 8, 23)
SIZE = 400


def settle_in(folder: Path, *, seed: int = 7, size: int = SIZE, days: int = 30) -> Town:
    return Town.found(seed=seed, size=size, start=START, days=days, feed_folder=folder)


def read(manifest: Path, entity: str) -> pl.DataFrame:
    entry = next(f for f in json.loads(manifest.read_text())["files"] if f["entity"] == entity)
    frame = pl.read_csv(manifest.parent / entry["file"])
    assert frame.height == entry["rows"]
    assert {c: frame[c].sum() for c in entry["sums"]} == entry["sums"]
    return frame


@dataclass
class Lived:
    """Feeds of a number of days in which nobody, or everybody, was contacted."""

    town: Town
    manifests: list[Path]


def live(folder: Path, days: int, touch: Touch | None = None, *, seed: int = 7) -> Lived:
    town = settle_in(folder, seed=seed, days=days)
    manifests = []
    for n in range(days):
        day = START + timedelta(days=n)
        manifests.append(town.feeds.write(day))
        overdue = town.overdue_customers()
        if touch is not None:
            town.behaviour.feel(overdue[::2], touch)  # every second one: no day's touches tire all
        town.behaviour.live(day)
    return Lived(town, manifests)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    return live(tmp_path_factory.mktemp("untouched"), 25)


def test_the_same_seed_writes_the_same_files(untouched: Lived, tmp_path: Path) -> None:
    again = live(tmp_path, 3)

    for first, second in zip(untouched.manifests[:3], again.manifests, strict=True):
        assert first.read_bytes() == second.read_bytes()  # every file's digest is inside


def test_another_seed_is_another_town(untouched: Lived, tmp_path: Path) -> None:
    other = settle_in(tmp_path, seed=8).feeds.write(START)

    assert other.read_bytes() != untouched.manifests[0].read_bytes()


def test_the_town_has_about_as_many_overdue_customers_as_it_was_asked_for(untouched: Lived) -> None:
    accounts = read(untouched.manifests[0], "accounts")

    assert SIZE * 0.8 <= accounts["customer_id"].n_unique() <= SIZE * 1.2


@pytest.mark.parametrize("touch", [Touch.SMS, Touch.ROBOT, Touch.AGENT])
def test_contact_changes_who_pays(untouched: Lived, tmp_path: Path, touch: Touch) -> None:
    contacted = live(tmp_path, 25, touch)

    def unpaid(lived: Lived) -> int:
        accounts = read(lived.manifests[-1], "accounts")
        return int(accounts.filter(pl.col("dpd_source") > 0)["arrears_total"].sum())

    assert unpaid(contacted) < unpaid(untouched)


def test_an_agent_moves_the_unwilling_more_than_a_text_does(untouched: Lived) -> None:
    c = untouched.town.people.customers
    unwilling = c.willingness < -1

    assert (c.agent_pull / c.sms_pull)[unwilling].mean() > (c.agent_pull / c.sms_pull)[~unwilling].mean()


def test_what_a_bureau_sees_foretells_distress_beyond_the_history_of_the_account(untouched: Lived) -> None:
    town = untouched.town
    accounts = read(untouched.manifests[0], "accounts").unique("customer_id")
    signals = read(untouched.manifests[0], "signals").filter(pl.col("hit_status") == "hit")
    later = read(untouched.manifests[-1], "accounts").filter(pl.col("dpd_source") > 0)["account_id"]
    frame = accounts.filter(pl.col("dpd_source") <= 20).join(signals, on="customer_id")
    frame = frame.with_columns(pl.col("account_id").is_in(later.implode()).alias("still"))
    many = frame["ml_id_all_orgs_3m"] >= 2

    assert frame.filter(many)["still"].mean() > frame.filter(~many)["still"].mean() + 0.05
    assert np.corrcoef(town.people.customers.multi_lending, town.people.distress.sum(axis=0))[0, 1] > 0.3


def test_windows_of_the_bureau_are_nested_and_no_hit_is_not_zero(untouched: Lived) -> None:
    signals = read(untouched.manifests[0], "signals")
    hit = signals.filter(pl.col("hit_status") == "hit")
    names = [f"ml_id_all_apps_{w}" for w in ("7d", "15d", "1m", "3m", "6m", "12m")]

    assert all((hit[a] <= hit[b]).all() for a, b in pairwise(names))
    assert signals.filter(pl.col("hit_status") != "hit")["ml_id_all_apps_12m"].null_count() > 0
    assert hit["ml_id_all_apps_12m"].null_count() == 0


def test_the_books_days_past_due_follow_from_the_oldest_unpaid_due_date(untouched: Lived) -> None:
    for n, manifest in enumerate(untouched.manifests[:5]):
        accounts = read(manifest, "accounts").with_columns(pl.col("oldest_unpaid_due_date").str.to_date())
        overdue = accounts.filter(pl.col("oldest_unpaid_due_date").is_not_null())
        dpd = (pl.lit(START + timedelta(days=n)) - overdue["oldest_unpaid_due_date"]).dt.total_days()
        assert (overdue.select(dpd).to_series() == overdue["dpd_source"]).all()
        assert (accounts.filter(pl.col("oldest_unpaid_due_date").is_null())["arrears_total"] == 0).all()


def test_a_cured_account_is_told_once(untouched: Lived) -> None:
    cured: list[set[str]] = []
    for manifest in untouched.manifests[:10]:
        accounts = read(manifest, "accounts")
        cured.append(set(accounts.filter(pl.col("dpd_source") == 0)["account_id"]))

    assert any(cured)
    assert all(not (today & tomorrow) for today, tomorrow in pairwise(cured))


def test_a_reversal_names_a_payment_that_was_told(untouched: Lived) -> None:
    told: set[str] = set()
    reversals = 0
    for manifest in untouched.manifests[1:]:
        for row in read(manifest, "payments").iter_rows(named=True):
            told.add(row["payment_id"])
            if row["kind"] == "reversal":
                reversals += 1
                assert row["reverses_payment_id"] in told
    assert reversals


def test_day_workers_answer_in_the_evening(untouched: Lived) -> None:
    town = untouched.town
    c, points = town.people.customers, town.people.points
    is_worker = (c.habit[points.owner] == Habit.DAY_WORKER) & c.is_cn[points.owner]
    mine = np.flatnonzero(is_worker & (points.truth == PointTruth.OWN))

    def answered(hour: int) -> int:
        at = _at(hour)
        return sum(town.behaviour.answer(int(p), at) is Outcome.RPC for p in mine)

    assert answered(11) > 2 * answered(7)  # 19:00 and 15:00 in Shanghai


def test_a_dead_number_fails_and_a_wrong_one_never_reaches_the_customer(untouched: Lived) -> None:
    town = untouched.town
    dead = int(np.flatnonzero(town.people.points.truth == PointTruth.DEAD)[0])
    wrong = np.flatnonzero(town.people.points.truth == PointTruth.WRONG)

    assert town.behaviour.answer(dead, _at(11)) is Outcome.FAILED
    assert {town.behaviour.answer(int(p), _at(11)) for p in wrong} == {Outcome.WRONG_PARTY, Outcome.NO_ANSWER}


def test_a_promise_is_more_than_nothing_and_not_more_than_what_is_asked(untouched: Lived) -> None:
    said = [untouched.town.behaviour.converse(k, 10_000, _at(11)) for k in range(200)]
    promises = [a for a in said if a.disposition is Disposition.PTP]

    assert promises
    assert all(0 < a.promise_amount <= 10_000 and a.promise_days >= 1 for a in promises)
    assert len({a.disposition for a in said}) >= 4


def test_the_numbers_belong_to_nobody_and_the_names_are_no_ones(untouched: Lived) -> None:
    points = untouched.town.people.points
    phones = [v for v, k in zip(points.value, points.kind, strict=True) if k != "email"]

    assert all(v[5:9] == "5550" or v.startswith(("+86100", "+1500")) for v in phones)
    assert len(set(phones)) == len(phones)


def test_the_hidden_truth_is_a_file_of_its_own(untouched: Lived, tmp_path: Path) -> None:
    truth = untouched.town.write_truth(tmp_path / "town" / "truth.parquet")

    assert pl.read_parquet(tmp_path / "town" / "truth.parquet").equals(truth)
    assert truth.height == len(untouched.town.people.customers)


def _at(hour: int) -> datetime:
    return datetime(2026, 8, 26, hour, 5, tzinfo=UTC)
