"""What the town's people do in the app: seeded, told with the feed, and worth something before the account is late."""

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from collections_app.town.app_events import KEPT_DAYS
from collections_app.town.town import Town

START = date(2026, 8, 23)


def events_of(manifest: Path) -> pl.DataFrame:
    entry = next(f for f in json.loads(manifest.read_text())["files"] if f["entity"] == "events")
    frame = pl.read_csv(manifest.parent / entry["file"], schema_overrides={"amount": pl.Int64})
    assert (frame.height, frame["amount"].sum()) == (entry["rows"], entry["sums"]["amount"])
    return frame.with_columns(pl.col("occurred_at").str.to_datetime("%Y-%m-%dT%H:%M:%SZ"))


def live(folder: Path, days: int) -> tuple[Town, list[Path]]:
    town = Town.found(seed=7, size=400, start=START, days=days, feed_folder=folder)
    manifests = []
    for n in range(days):
        manifests.append(town.feeds.write(START + timedelta(days=n)))
        town.behaviour.live(START + timedelta(days=n))
    return town, manifests


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Town, list[Path]]:
    return live(tmp_path_factory.mktemp("town"), 12)


def test_the_same_seed_does_the_same(lived: tuple[Town, list[Path]], tmp_path: Path) -> None:
    _, again = live(tmp_path, 2)
    assert events_of(again[1]).equals(events_of(lived[1][1]))


def test_a_night_tells_of_yesterday_and_of_the_month_before_for_who_is_new(lived: tuple[Town, list[Path]]) -> None:
    _, manifests = lived
    first, second = events_of(manifests[0]), events_of(manifests[1])
    assert first["occurred_at"].dt.date().min() == START - timedelta(days=KEPT_DAYS)
    assert first["occurred_at"].dt.date().max() == START - timedelta(days=1)
    known = set(first["account_id"])
    old = second.filter(pl.col("account_id").is_in(list(known)))
    assert set(old["occurred_at"].dt.date()) == {START}
    assert not set(first["event_id"]) & set(second["event_id"])
    spends = second["kind"] == "spend"
    assert (second["amount"].is_not_null() == spends).all()


def test_the_nightly_file_is_small(lived: tuple[Town, list[Path]]) -> None:
    town, manifests = lived
    assert 0 < events_of(manifests[-1]).height < 0.5 * len(town.people.accounts)


def test_who_cannot_pay_shows_it_before_the_bill_is_late(lived: tuple[Town, list[Path]]) -> None:
    town, _ = lived
    app, accounts = town.behaviour.app, town.people.accounts
    last = START.toordinal() + 11
    poor = town.people.ability_on(last)[accounts.owner] < -0.5
    counts = {}
    for code, kind in enumerate(("login", "repay_page")):
        days = [app.days[n] for n in range(last - 13, last + 1)]
        counts[kind] = sum(np.bincount(d.account[d.kind == code], minlength=len(accounts)) for d in days)
    well = ~town.ledger.is_overdue() & (town.ledger.status == 0)
    views_per_login = {
        is_poor: counts["repay_page"][well & (poor == is_poor)].sum() / counts["login"][well & (poor == is_poor)].sum()
        for is_poor in (True, False)
    }
    assert views_per_login[True] > 1.3 * views_per_login[False]
    assert (~app.is_bound[poor]).mean() > (~app.is_bound[~poor]).mean()
