"""The town's two bureaus: one tells counts, one hands over enquiries, and both see the same applications."""

import json
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from collections_app.town.town import Town

START = date(2026, 8, 23)


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    town = Town.found(seed=7, size=300, start=START, days=31, feed_folder=tmp_path_factory.mktemp("town"))
    manifests = []
    for day in (START + timedelta(days=n) for n in range(31)):
        manifests.append(town.feeds.write(day))
        town.behaviour.live(day)
    return manifests


def read(manifest: Path, entity: str, number: int = 0) -> pl.DataFrame:
    entries = [f for f in json.loads(manifest.read_text())["files"] if f["entity"] == entity]
    return pl.read_csv(manifest.parent / entries[number]["file"])


def test_both_bureaus_count_the_same_applications(days: list[Path]) -> None:
    told = read(days[0], "signals").filter(pl.col("hit_status") == "hit").sort("customer_id")
    events = read(days[0], "enquiries").filter(~pl.col("is_own"))
    counts = events.group_by("customer_id").len().sort("customer_id")
    expected = told.filter(pl.col("ml_id_all_apps_12m") > 0).select("customer_id", len="ml_id_all_apps_12m")
    assert counts.cast({"len": pl.Int64}).equals(expected)
    assert counts.height > 20


def test_the_registry_says_whom_it_knows_and_books_our_own_question(days: list[Path]) -> None:
    receipts = read(days[0], "signals", 1)
    assert set(receipts["product"]) == {"enquiries"}
    known = receipts.filter(pl.col("hit_status") == "hit")["customer_id"]
    own = read(days[0], "enquiries").filter("is_own")["customer_id"]
    assert sorted(own) == sorted(known)
    assert set(receipts["hit_status"]) > {"hit", "no_hit"}


def test_questions_name_purpose_consent_and_price_and_who_was_not_asked_costs_nothing(days: list[Path]) -> None:
    told = read(days[0], "signals")
    asked = told.filter(pl.col("hit_status") != "not_queried")
    assert asked["purpose_code"].null_count() + asked["consent_id"].null_count() == 0
    assert asked.filter(pl.col("hit_status") == "hit")["cost_minor"].min() > 0
    assert told.filter(pl.col("hit_status") == "not_queried")["cost_minor"].sum() == 0


def test_an_enquiry_is_told_once(days: list[Path]) -> None:
    refs = pl.concat([read(d, "enquiries")["enquiry_id"] for d in days if "enquiries" in d.read_text()])
    assert refs.n_unique() == refs.len()
    months = [read(d, "signals")["customer_id"] for d in (days[0], days[30])]
    assert set(months[0]) & set(months[1])
