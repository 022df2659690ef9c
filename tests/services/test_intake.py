"""A feed is imported whole or not at all; twice is once; episodes and cases follow."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from collections_app.db.tables import (
    Account,
    Case,
    Consent,
    ContactPoint,
    Customer,
    Episode,
    FeedBatch,
    QuarantinedRow,
)
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.cases import CaseStage, EpisodeEnd
from collections_app.domain.errors import InvalidInput
from collections_app.intake.mapping import load_mapping
from collections_app.services.casework import refresh
from collections_app.services.intake import ImportResult, import_file
from tests.feeds import account, customer, point, write_feed

DAY = date(2026, 3, 2)
OWN = load_mapping("own_feed")


def load(units: UnitsOfWork, manifest: Path, day: date = DAY) -> ImportResult:
    with units.begin() as uow:
        result = import_file(uow, path=manifest, mapping=OWN, business_date=day)
        refresh(uow, business_date=day)
    return result


def test_a_feed_opens_episodes_and_one_case_per_customer(units: UnitsOfWork, tmp_path: Path) -> None:
    manifest = write_feed(
        tmp_path,
        DAY,
        customers=[customer("C1"), customer("C2", full_name="", regions="US-MA|US-CA", zones="")],
        accounts=[
            account("A1", customer="C1", due=DAY - timedelta(days=5), arrears=10_000),
            account("A2", customer="C1", due=DAY - timedelta(days=40), arrears=20_000),
            account("A3", customer="C2", due=None, arrears=0),
        ],
        contact_points=[point("C1", "+15125550001")],
    )
    result = load(units, manifest)
    assert (result.rows, result.accounts_new, result.episodes_opened) == (6, 3, 2)
    with units.database.reading() as session:
        case = session.scalars(sa.select(Case)).one()
        assert (case.dpd, case.arrears_amount, case.stage) == (40, 30_000, CaseStage.MID)
        second = session.scalars(sa.select(Customer).where(Customer.customer_ref == "C2")).one()
        assert (second.regions, second.zones, second.full_name) == (["US-MA", "US-CA"], [], None)
        assert session.scalars(sa.select(Consent)).one().captured_at.isoformat() == "2026-01-10T15:00:00+00:00"


def test_the_same_file_twice_changes_nothing(units: UnitsOfWork, tmp_path: Path) -> None:
    manifest = write_feed(
        tmp_path,
        DAY,
        customers=[customer("C1")],
        accounts=[account("A1", customer="C1", due=DAY - timedelta(days=5), arrears=10_000)],
    )
    load(units, manifest)
    again = load(units, manifest)
    assert (again.accounts_new, again.accounts_updated, again.episodes_opened, again.unchanged) == (
        0,
        0,
        0,
        2,
    )
    with units.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(FeedBatch)) == 2


def test_paying_ends_the_episode_and_closes_the_case(units: UnitsOfWork, tmp_path: Path) -> None:
    overdue = account("A1", customer="C1", due=DAY - timedelta(days=5), arrears=10_000)
    load(units, write_feed(tmp_path, DAY, customers=[customer("C1")], accounts=[overdue]))
    tomorrow = DAY + timedelta(days=1)
    paid = account("A1", customer="C1", due=None, arrears=0)
    result = load(units, write_feed(tmp_path, tomorrow, accounts=[paid]), tomorrow)
    assert (result.accounts_updated, result.episodes_cured) == (1, 1)
    with units.database.reading() as session:
        episode = session.scalars(sa.select(Episode)).one()
        assert (episode.end_reason, episode.ended_on, episode.max_dpd) == (EpisodeEnd.CURED, tomorrow, 5)
        assert session.scalars(sa.select(Case)).one().closed_on == tomorrow


def test_an_older_file_does_not_overwrite_what_is_known_later(units: UnitsOfWork, tmp_path: Path) -> None:
    now = account("A1", customer="C1", due=DAY - timedelta(days=5), arrears=10_000)
    load(units, write_feed(tmp_path, DAY, customers=[customer("C1")], accounts=[now]))
    before = account("A1", customer="C1", due=None, arrears=0)
    yesterday = DAY - timedelta(days=1)
    load(units, write_feed(tmp_path, yesterday, accounts=[before]), yesterday)
    with units.database.reading() as session:
        assert session.scalars(sa.select(Account.arrears_amount)).one() == 10_000


def test_few_bad_rows_are_quarantined_and_the_rest_is_loaded(units: UnitsOfWork, tmp_path: Path) -> None:
    people = [customer(f"C{n}") for n in range(300)]
    people[7] = customer("C7", party_type="alien")
    load(units, write_feed(tmp_path, DAY, customers=people))
    with units.database.reading() as session:
        row = session.scalars(sa.select(QuarantinedRow)).one()
        assert (row.line, row.column) == (9, "party_type")
        assert "alien" not in (row.reason, row.value_digest)
        assert session.scalar(sa.select(sa.func.count()).select_from(Customer)) == 299


def test_too_many_bad_rows_refuse_everything(units: UnitsOfWork, tmp_path: Path) -> None:
    manifest = write_feed(
        tmp_path, DAY, customers=[customer("C1")], accounts=[account("A1", customer="C1", due=None, arrears=-1)]
    )
    with pytest.raises(InvalidInput, match=r"line 2, column 'arrears_total' is negative"):
        load(units, manifest)
    with units.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Customer)) == 0


def test_an_account_of_an_unknown_customer_is_refused(units: UnitsOfWork, tmp_path: Path) -> None:
    manifest = write_feed(tmp_path, DAY, accounts=[account("A1", customer="nobody", due=None, arrears=0)])
    with pytest.raises(InvalidInput, match="names an unknown customer"):
        load(units, manifest)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("rows", 5, "1 rows, the manifest says 5"),
        ("sha256", "0" * 64, "the digest differs"),
        ("sums", {"arrears_total": 7}, "sums to 10000, the manifest says 7"),
    ],
)
def test_a_file_that_breaks_its_manifest_is_refused(
    units: UnitsOfWork, tmp_path: Path, key: str, value: object, says: str
) -> None:
    manifest = write_feed(tmp_path, DAY, accounts=[account("A1", customer="C1", due=None, arrears=10_000)])
    data = json.loads(manifest.read_text())
    data["files"][0][key] = value
    manifest.write_text(json.dumps(data))
    with pytest.raises(InvalidInput, match=says):
        load(units, manifest)


def test_the_quality_of_a_number_survives_the_next_feed(units: UnitsOfWork, tmp_path: Path) -> None:
    load(
        units,
        write_feed(tmp_path, DAY, customers=[customer("C1")], contact_points=[point("C1", "+15125550001")]),
    )
    with units.begin() as uow:
        uow.session.scalars(sa.select(ContactPoint)).one().quality = "disconnected"
    tomorrow = DAY + timedelta(days=1)
    load(units, write_feed(tmp_path, tomorrow, contact_points=[point("C1", "+15125550001", rank=2)]), tomorrow)
    with units.database.reading() as session:
        row = session.scalars(sa.select(ContactPoint)).one()
        assert (row.quality, row.rank) == ("disconnected", 2)


@pytest.mark.real_data
def test_the_real_uci_book_goes_in(units: UnitsOfWork, shared: Path) -> None:
    path = shared / "data/uci_taiwan_default/UCI_Credit_Card.csv"
    with units.begin() as uow:
        result = import_file(uow, path=path, mapping=load_mapping("uci_credit_card"), business_date=date(2005, 9, 30))
    assert (result.accounts_new, result.episodes_opened, result.quarantined) == (30_000, 6_818, 0)


def test_two_imports_of_one_source_queue(units: UnitsOfWork, tmp_path: Path) -> None:
    first = write_feed(tmp_path / "a", DAY, customers=[customer("C1")])
    second = write_feed(tmp_path / "b", DAY, customers=[customer("C1", full_name="Pat Second")])
    with units.begin() as uow:
        import_file(uow, path=first, mapping=OWN, business_date=DAY)
        with ThreadPoolExecutor(1) as other:
            waiting = other.submit(load, units, second)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
            uow.session.commit()
            assert waiting.result(timeout=60).accepted == 1
    with units.database.reading() as session:
        assert session.scalars(sa.select(Customer.full_name)).all() == ["Pat Second"]


def test_a_file_of_a_manifest_that_fails_takes_the_others_with_it(units: UnitsOfWork, tmp_path: Path) -> None:
    bad = account("A1", customer="nobody", due=None, arrears=0)
    manifest = write_feed(tmp_path, DAY, customers=[customer("C1")], accounts=[bad])
    with pytest.raises(InvalidInput, match="1 of 1 rows refused"):
        load(units, manifest)
    with units.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Customer)) == 0
        assert session.scalar(sa.select(sa.func.count()).select_from(FeedBatch)) == 0


def test_the_limit_of_refused_rows_is_one_of_the_file_not_of_a_part(units: UnitsOfWork, tmp_path: Path) -> None:
    people = [customer(f"C{n}") for n in range(400)]
    people[0], people[1] = customer("C0", party_type="x"), customer("C1", party_type="y")
    load(units, write_feed(tmp_path, DAY, customers=people))
    with pytest.raises(InvalidInput, match=r"3 of 400 rows refused, more than 0.5% allowed"):
        load(units, write_feed(tmp_path, DAY, customers=[*people[:399], customer("C399", party_type="z")]))


def test_who_catches_a_refusal_cannot_commit_half_of_a_delivery(units: UnitsOfWork, tmp_path: Path) -> None:
    bad = account("A1", customer="nobody", due=None, arrears=0)
    manifest = write_feed(tmp_path, DAY, customers=[customer("C1")], accounts=[bad])
    with units.begin() as uow, pytest.raises(InvalidInput):
        import_file(uow, path=manifest, mapping=OWN, business_date=DAY)
    with units.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Customer)) == 0
