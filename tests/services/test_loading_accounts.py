"""Accounts go in by difference: new, changed, late and unchanged rows each have their place."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from collections_app.db.tables import Account, AccountHistory, AccountStanding, Episode, FeedBatch, QuarantinedRow
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.cases import EpisodeEnd
from collections_app.intake.mapping import load_mapping
from collections_app.services import ledger
from collections_app.services.intake import ImportResult, import_file, reconcile
from collections_app.services.loading.terms import TERMS, row_hash
from tests.conftest import FixedClock
from tests.factories import make_account
from tests.feeds import account, customer, payment, write_feed

DAY = date(2026, 3, 2)
NEXT = DAY + timedelta(days=1)
OWN = load_mapping("own_feed")


def load(units: UnitsOfWork, manifest: Path, day: date = DAY, **over: Any) -> ImportResult:
    with units.begin() as uow:
        return import_file(
            uow, path=manifest, mapping=over.get("mapping", OWN), business_date=day, reject_limit=over.get("limit", 0.0)
        )


def the(units: UnitsOfWork, entity: Any, *order: Any) -> list[Any]:
    with units.database.reading() as session:
        return list(session.scalars(sa.select(entity).order_by(*order)))


@pytest.fixture
def book(units: UnitsOfWork, tmp_path: Path) -> UnitsOfWork:
    rows = [account(f"A{n}", customer="C1", due=DAY - timedelta(days=n * 10) if n else None, arrears=n * 1_000)
            for n in range(3)]  # fmt: skip
    load(units, write_feed(tmp_path, DAY, customers=[customer("C1")], accounts=rows))
    return units


def test_a_first_load_stands_with_its_hash_and_its_times(book: UnitsOfWork) -> None:
    accounts = the(book, Account, Account.account_ref)
    assert [(a.dpd, a.bucket, a.arrears_amount, a.is_ageing) for a in accounts] == [
        (0, "M0", 0, False), (10, "M1", 1_000, True), (20, "M1", 2_000, True),
    ]  # fmt: skip
    assert {a.valid_from for a in accounts} == {datetime(2026, 3, 2, tzinfo=UTC)}
    assert len({a.row_hash for a in accounts}) == 3
    assert [(s.dpd, s.is_ageing) for s in the(book, AccountStanding, AccountStanding.account_id)] == [
        (0, False), (10, True), (20, True),
    ]  # fmt: skip


def test_only_what_changed_is_written_and_what_it_replaces_is_kept(book: UnitsOfWork, tmp_path: Path) -> None:
    due = DAY - timedelta(days=10)
    rows = [
        account("A0", customer="C1", due=None, arrears=0, interest_rate=""),
        account("A1", customer="C1", due=due, arrears=1_500, interest_rate="0.123456789"),
    ]
    result = load(book, write_feed(tmp_path, NEXT, accounts=rows), NEXT)
    assert (result.accounts_new, result.accounts_updated, result.unchanged) == (0, 1, 1)
    present = the(book, Account, Account.account_ref)[1]
    (before,) = the(book, AccountHistory, AccountHistory.id)
    assert (present.arrears_source_amount, present.dpd, str(present.interest_rate)) == (1_500, 11, "0.123456789")
    assert (before.account_id, before.arrears_source_amount, before.valid_from.date()) == (present.id, 1_000, DAY)
    spans = [s for s in the(book, AccountStanding, AccountStanding.from_on) if s.account_id == present.id]
    assert [(s.from_on, s.dpd, s.arrears_amount) for s in spans] == [(DAY, 10, 1_000), (NEXT, 11, 1_500)]


def test_a_day_that_only_passes_adds_no_standing(book: UnitsOfWork, tmp_path: Path) -> None:
    same = account("A1", customer="C1", due=DAY - timedelta(days=10), arrears=1_000)
    result = load(book, write_feed(tmp_path, NEXT, accounts=[{**same, "x_note": "seen again"}]), NEXT)
    assert (result.accounts_updated, result.unchanged) == (0, 1)
    assert len(the(book, AccountStanding)) == 3


def test_the_same_words_are_news_once_the_due_date_has_come_by(units: UnitsOfWork, tmp_path: Path) -> None:
    soon = account("A1", customer="C1", due=DAY, arrears=500)
    load(units, write_feed(tmp_path, DAY, customers=[customer("C1")], accounts=[soon]))
    assert the(units, Episode) == []
    result = load(units, write_feed(tmp_path, NEXT, accounts=[{**soon, "x_day": 2}]), NEXT)
    assert (result.accounts_updated, result.episodes_opened) == (0, 1)
    assert the(units, Account)[0].dpd == 1
    assert the(units, AccountHistory) == []


def test_a_bare_count_that_stands_still_does_not_grow(units: UnitsOfWork, tmp_path: Path) -> None:
    told = account("A1", customer="C1", due=None, arrears=500, dpd_source=30)
    load(units, write_feed(tmp_path, DAY, customers=[customer("C1")], accounts=[told]))
    load(units, write_feed(tmp_path, NEXT, accounts=[{**told, "x_day": 2}]), NEXT)
    (held,) = the(units, Account)
    assert (held.dpd, held.oldest_unpaid_due_on) == (30, NEXT - timedelta(days=30))


def test_a_late_word_on_an_earlier_time_goes_to_history_once(book: UnitsOfWork, tmp_path: Path) -> None:
    earlier = DAY - timedelta(days=5)
    late = account("A1", customer="C1", due=None, arrears=7)
    assert load(book, write_feed(tmp_path, earlier, accounts=[late]), earlier).late == 1
    again = write_feed(tmp_path, earlier, accounts=[{**late, "x_copy": 1}])
    assert load(book, again, earlier).late == 0
    (kept,) = the(book, AccountHistory)
    assert (kept.arrears_source_amount, kept.valid_from.date()) == (7, earlier)
    assert the(book, Account, Account.account_ref)[1].arrears_source_amount == 1_000


def test_the_source_time_of_a_row_decides_not_the_day_of_its_file(book: UnitsOfWork, tmp_path: Path) -> None:
    row = account("A1", customer="C1", due=None, arrears=7, valid_from="2026-03-01T12:00:00Z")
    assert load(book, write_feed(tmp_path, NEXT, accounts=[row]), NEXT).late == 1


def test_an_account_stays_in_its_currency(book: UnitsOfWork, tmp_path: Path) -> None:
    before = {a.account_ref: (a.currency, a.row_hash) for a in the(book, Account)}
    ref = min(before)
    row = account(ref, customer="C1", due=None, arrears=0, ccy="EUR")
    load(book, write_feed(tmp_path / "other", NEXT, accounts=[row]), NEXT, limit=1.0)
    assert {a.account_ref: (a.currency, a.row_hash) for a in the(book, Account)} == before
    (refusal,) = the(book, QuarantinedRow)
    assert refusal.column == "currency"


def test_an_account_may_pass_to_another_customer(book: UnitsOfWork, tmp_path: Path) -> None:
    row = account("A1", customer="C2", due=None, arrears=0)
    load(book, write_feed(tmp_path, NEXT, customers=[customer("C2")], accounts=[row]), NEXT)
    owners = [a.customer_id for a in the(book, Account, Account.account_ref)]
    assert owners[1] != owners[0]


def test_who_is_gone_owes_nothing_and_the_episode_ends_for_the_reason(book: UnitsOfWork, tmp_path: Path) -> None:
    rows = [account("A1", customer="C1", due=DAY, arrears=0, status="sold"),
            account("A2", customer="C1", due=DAY, arrears=0, status="closed")]  # fmt: skip
    load(book, write_feed(tmp_path, NEXT, accounts=rows), NEXT)
    assert [a.dpd for a in the(book, Account, Account.account_ref)] == [0, 0, 0]
    assert [e.end_reason for e in the(book, Episode, Episode.account_id)] == [EpisodeEnd.SOLD, EpisodeEnd.PAID_OFF]


def test_a_full_file_counts_the_absent_and_a_mapping_may_cure_them(book: UnitsOfWork, tmp_path: Path) -> None:
    only = [account("A0", customer="C1", due=None, arrears=0)]
    result = load(book, write_feed(tmp_path, NEXT, mode="full", accounts=only), NEXT)
    assert (result.absent, the(book, Account, Account.account_ref)[2].dpd) == (2, 20)
    assert the(book, FeedBatch, FeedBatch.id.desc())[0].absent == 2
    after = NEXT + timedelta(days=1)
    path = tmp_path / "cures.yaml"
    text = Path("collections_app/intake/mappings/own_feed.yaml").read_text("utf-8")
    path.write_text(text.replace("layout: by_file", "layout: by_file\nabsent: cured"), encoding="utf-8")
    again = write_feed(tmp_path, after, mode="full", accounts=[{**only[0], "x_day": 3}])
    assert load(book, again, after, mapping=load_mapping(str(path))).absent == 2
    assert [(a.dpd, a.arrears_source_amount) for a in the(book, Account, Account.account_ref)] == [(0, 0)] * 3
    assert {e.end_reason for e in the(book, Episode)} == {EpisodeEnd.CURED}


def test_the_count_of_the_source_is_reconciled_with_ours(units: UnitsOfWork, tmp_path: Path) -> None:
    due = DAY - timedelta(days=10)
    rows = [account("A1", customer="C1", due=due, arrears=5, dpd_source=10),
            account("A2", customer="C1", due=due, arrears=5, dpd_source=12),
            account("A3", customer="C1", due=due, arrears=5)]  # fmt: skip
    result = load(units, write_feed(tmp_path, DAY, customers=[customer("C1")], accounts=rows))
    assert (result.dpd_compared, result.dpd_mismatches) == (2, 1)
    schedule = [{"account_id": "A1", "seq": 1, "due_date": due - timedelta(days=1), "principal_due": 5}]
    load(units, write_feed(tmp_path, DAY, instalments=schedule))
    with units.begin() as uow:
        ledger.refresh(uow, business_date=DAY)
        assert reconcile(uow, business_date=DAY) == {"compared": 2, "mismatches": 2}


def test_a_first_load_of_one_account_leaves_the_next_one_its_number(units: UnitsOfWork, tmp_path: Path) -> None:
    only = account("A1", customer="C1", due=DAY - timedelta(days=10), arrears=5)
    load(units, write_feed(tmp_path, DAY, customers=[customer("C1")], accounts=[only]))
    with units.begin() as uow:
        first, second = uow.session.scalars(sa.select(Account.id)).one(), make_account(uow.session).id
    assert second > first


def test_a_count_that_a_delta_does_not_tell_again_grows_by_the_days_since(
    units: UnitsOfWork, tmp_path: Path, clock: FixedClock
) -> None:
    due = DAY - timedelta(days=10)
    rows = [account(ref, customer="C1", due=due, arrears=5, dpd_source=10) for ref in ("A1", "A2", "A3")]
    load(units, write_feed(tmp_path, DAY, customers=[customer("C1")], accounts=rows))
    clock.now += timedelta(days=1)
    again = [account("A1", customer="C1", due=due, arrears=5, dpd_source=10, balance=9)]  # a day short
    load(units, write_feed(tmp_path, NEXT, accounts=again), NEXT)
    with units.begin() as uow:
        ledger.refresh(uow, business_date=NEXT)
        assert reconcile(uow, business_date=NEXT) == {"compared": 3, "mismatches": 1}
    whole = [*again, *rows[1:]]
    load(units, write_feed(tmp_path, NEXT, mode="full", accounts=[{**row, "x_day": 2} for row in whole]), NEXT)
    with units.begin() as uow:
        assert reconcile(uow, business_date=NEXT) == {"compared": 3, "mismatches": 3}
    batches = [b for b in the(units, FeedBatch, FeedBatch.id) if b.business_date == NEXT]
    assert [(b.dpd_compared, b.dpd_mismatches) for b in batches if b.entity == "accounts"] == [(0, 0), (3, 3)]


def test_with_a_schedule_what_is_told_waits_for_the_ledger(
    book: UnitsOfWork, tmp_path: Path, clock: FixedClock
) -> None:
    schedule = [{"account_id": "A1", "seq": n, "due_date": DAY - timedelta(days=40 - 30 * n), "principal_due": 1_000}
                for n in (0, 1)]  # fmt: skip
    load(book, write_feed(tmp_path, DAY, instalments=schedule, payments=[payment("P1", "A1", 1_000, DAY)]))
    told = account("A1", customer="C1", due=None, arrears=0, balance=77)
    clock.now += timedelta(days=1)
    load(book, write_feed(tmp_path, NEXT, accounts=[told]), NEXT)
    with book.begin() as uow:
        ledger.refresh(uow, business_date=NEXT)
    held = the(book, Account, Account.account_ref)[1]
    assert (held.basis, held.schedule_version, held.dpd, held.balance_amount) == ("schedule", 1, 11, 77)


_TEXT = st.text(st.characters(exclude_categories=["C"]), max_size=4)
_VALUES = {pl.String: _TEXT, pl.Int64: st.integers(-(10**9), 10**9), pl.Date: st.dates(), pl.Boolean: st.booleans()}


@settings(max_examples=40)
@given(st.data())
def test_the_hash_moves_with_every_told_column_and_with_nothing_else(data: st.DataObject) -> None:
    row = {name: data.draw(st.none() | _VALUES[dtype], name) for name, dtype in TERMS.items()}  # type: ignore[index]
    frame = pl.DataFrame({"customer_ref": ["C1"], **{c: pl.Series([v], dtype=TERMS[c]) for c, v in row.items()}})
    name = data.draw(st.sampled_from(list(TERMS)), "changed")
    other = data.draw(_VALUES[TERMS[name]].filter(lambda v: (v or "") != (row[name] or "")), "to")  # type: ignore[index]
    changed = frame.with_columns(pl.Series(name, [other], dtype=TERMS[name]))
    assert row_hash(frame)[0] != row_hash(changed)[0]
    assert row_hash(frame.with_columns(pl.lit(9).alias("dpd")))[0] == row_hash(frame)[0]


def test_the_hash_is_the_same_everywhere() -> None:
    frame = pl.DataFrame({"customer_ref": ["C1"], **{c: pl.Series([None], dtype=t) for c, t in TERMS.items()}})
    told = frame.with_columns(pl.lit("Example Bank").alias("creditor"), pl.lit(date(2026, 3, 2)).alias("due_source_on"))
    assert [row_hash(f)[0] for f in (frame, told)] == [-206131004959257371, -1468918187186256231]


def test_a_value_may_hold_what_ends_a_row() -> None:
    empty = {c: pl.Series([None] * 3, dtype=t) for c, t in TERMS.items()}
    frame = pl.DataFrame({"customer_ref": ["C1", "C2", "C1"], **empty}).with_columns(
        pl.Series("creditor", ["a\x1eb", 'two\nlines "quoted"', "a b"])
    )
    hashes = row_hash(frame)
    assert hashes.n_unique() == 2
    assert hashes[1] == row_hash(frame[1:2])[0]
