"""Roll rates, net flow and roll to loss from a book of ten accounts that fits on one sheet of paper.

Month ends 31 January and 28 February 2026, buckets of China (M0 0, M1 1-30, M2 31-60, M3 61-90 ...).

    account   31 Jan: DPD  bucket  balance     28 Feb: DPD  status        state
    A         0            M0      100         0            active        M0
    B         0            M0      100         0            active        M0
    C         0            M0      100         0            closed        paid_off
    D         0            M0      100         9            active        M1
    E         10           M1      200         38           active        M2
    F         20           M1      300         0            active        M0
    G         5            M1      500         5            active        M1      (paid one month of two)
    H         45           M2      400         73           active        M3
    I         45           M2      600         73           charged_off   charged_off
    J         95           charged off before: not tracked
"""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collections_app.db.session import Database
from collections_app.db.tables import Account, AccountStanding
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.metrics import last_month_ends, roll_to_loss, share
from collections_app.queries.reports.registry import run
from collections_app.queries.reports.report import Report, Scope
from tests.factories import make_account, make_standing

JANUARY, FEBRUARY = date(2026, 1, 31), date(2026, 2, 28)
MARCH = date(2026, 3, 2)
#        opening DPD, balance, closing DPD, status
BOOK = {
    "A": (0, 100, 0, "active"), "B": (0, 100, 0, "active"), "C": (0, 100, 0, "closed"), "D": (0, 100, 9, "active"),
    "E": (10, 200, 38, "active"), "F": (20, 300, 0, "active"), "G": (5, 500, 5, "active"),
    "H": (45, 400, 73, "active"), "I": (45, 600, 73, "charged_off"),
}  # fmt: skip


@pytest.fixture
def book(units: UnitsOfWork) -> Database:
    with units.begin() as uow:
        for name, (dpd, balance, then, status) in BOOK.items():
            account = make_account(uow.session, account_ref=name, status=status)
            said: dict[str, Any] = {"account_id": account.id, "balance_amount": balance}
            make_standing(uow.session, **said, from_on=JANUARY, dpd=dpd)
            make_standing(uow.session, **(said | {"balance_amount": balance + 7}), from_on=FEBRUARY, dpd=then,
                          status=status)  # fmt: skip
        gone = make_account(uow.session, account_ref="J", status="charged_off")
        make_standing(uow.session, account_id=gone.id, from_on=date(2026, 1, 5), dpd=95, status="charged_off")
    return units.database


def _run(database: Database, name: str, **scope: Any) -> Report:
    with database.reading() as session:
        return run(session, name, Scope(**({"as_of": MARCH} | scope)))


def _shares(report: Report, column: str = "share") -> dict[tuple[object, object], object]:
    return {(r["from_bucket"], r["to_state"]): r[column] for r in report.records() if r[column]}


def test_roll_rates_follow_each_account_by_count(book: Database) -> None:
    # M0: A, B stay, C is paid off, D rolls: 2/4, 1/4, 1/4. M1: E worse, F cured, G stays. M2: H worse, I lost.
    assert _shares(_run(book, "roll-rates")) == {
        ("M0", "M0"): 0.5, ("M0", "M1"): 0.25, ("M0", "paid_off"): 0.25,
        ("M1", "M0"): 1 / 3, ("M1", "M1"): 1 / 3, ("M1", "M2"): 1 / 3,
        ("M2", "M3"): 0.5, ("M2", "charged_off"): 0.5,
    }  # fmt: skip


def test_roll_rates_by_balance_weigh_with_the_opening_balance(book: Database) -> None:
    # M1 opens with 200 + 300 + 500 = 1000: 0.3 cured, 0.5 stays, 0.2 worse. M2: 400 and 600 of 1000.
    # The closing balances are 7 higher each; they must not be used.
    shares = _shares(_run(book, "roll-rates"), "share_balance")
    assert [shares["M1", s] for s in ("M0", "M1", "M2")] == [0.3, 0.5, 0.2]
    assert [shares["M2", s] for s in ("M3", "charged_off")] == [0.4, 0.6]


def test_a_bucket_says_which_days_it_means_and_the_report_which_month_ends(book: Database) -> None:
    report = _run(book, "roll-rates")
    assert {(r["from_bucket"], r["from_dpd"]) for r in report.records()} == {
        ("M0", "0"), ("M1", "1-30"), ("M2", "31-60")
    }  # fmt: skip
    assert report.notes[0] == "Between the month ends 2026-01-31 and 2026-02-28."
    assert last_month_ends(FEBRUARY) == (JANUARY, FEBRUARY)
    assert last_month_ends(date(2026, 2, 27)) == (date(2025, 12, 31), JANUARY)


def test_what_is_known_later_does_not_change_what_was_known_then(book: Database, units: UnitsOfWork) -> None:
    # On 10 March a reversal is booked: F was not cured, on 28 February it was at 48 DPD.
    told, later = datetime(2026, 3, 10, tzinfo=UTC), datetime(2026, 3, 11, tzinfo=UTC)
    with units.begin() as uow:
        session = uow.session
        account = session.query(Account).filter_by(account_ref="F").one()
        old = session.query(AccountStanding).filter_by(account_id=account.id, from_on=FEBRUARY).one()
        old.known_until = told
        session.flush()
        make_standing(session, account_id=account.id, from_on=FEBRUARY, dpd=48, known_from=told)
    before = _shares(_run(book, "roll-rates", known_at=datetime(2026, 3, 9, tzinfo=UTC)))
    now, at = _shares(_run(book, "roll-rates")), _shares(_run(book, "roll-rates", known_at=later))
    assert before["M1", "M0"] == 1 / 3
    assert ("M1", "M0") not in now
    assert now == at
    assert now["M1", "M2"] == 2 / 3


def test_net_flow_compares_sums_and_may_exceed_one(book: Database) -> None:
    # M0 -> M1: balance in M1 at the end (D 107 + G 507 = 614) / balance in M0 before (400) = 1.535.
    # M1 -> M2: E 207 / 1000. M2 -> M3: H 407 / 1000. M3 -> M4: 0 / nothing = unknown.
    flows = {r["from_bucket"]: r["net_flow"] for r in _run(book, "net-flow").records()}
    assert [flows[b] for b in ("M0", "M1", "M2", "M3")] == [1.535, 0.207, 0.407, None]


def test_roll_to_loss_multiplies_the_forward_rates(book: Database) -> None:
    # Forward: M0 1/4, M1 1/3, M2 2/2 (one to M3, one charged off). M3 and worse: nobody, so unknown from there.
    rows = {r["from_bucket"]: r for r in _run(book, "roll-to-loss").records()}
    assert [rows[b]["forward"] for b in ("M0", "M1", "M2", "M3")] == [0.25, 1 / 3, 1.0, None]
    assert rows["M0"]["to_loss"] is None
    # By hand, on whole rates: 1/4 x 1/2 x 4/5 = 1/10; 1/2 x 4/5 = 2/5; 4/5.
    assert roll_to_loss([0.25, 0.5, 0.8]) == pytest.approx([0.1, 0.4, 0.8])
    assert roll_to_loss([0.25, None, 0.8]) == [None, None, 0.8]


def test_a_partial_cure_is_better_but_still_overdue(units: UnitsOfWork) -> None:
    # Four accounts in M2 on 31 January. On 28 February: M1 (better), M0 (cured), M2 (same), M3 (worse).
    with units.begin() as uow:
        for dpd in (12, 0, 40, 75):
            account = make_account(uow.session)
            make_standing(uow.session, account_id=account.id, from_on=JANUARY, dpd=45)
            make_standing(uow.session, account_id=account.id, from_on=FEBRUARY, dpd=dpd)
    (row,) = _run(units.database, "partial-cure").records()
    assert [row[c] for c in ("n_from", "cured", "improved", "same", "worse", "sold")] == [4, 1, 1, 1, 1, 0]
    assert row["partial_rate"] == 0.25


def test_a_bucket_table_has_its_own_matrix_and_currencies_are_never_added(units: UnitsOfWork) -> None:
    # DPD 30 is M1 in China and 30-59 elsewhere (trap 15).
    with units.begin() as uow:
        for table, currency in (("cn", "CNY"), ("intl", "USD"), ("intl", "EUR")):
            account = make_account(uow.session, bucket_table=table, currency=currency)
            make_standing(uow.session, account_id=account.id, from_on=JANUARY, dpd=30)
    found = {(r["bucket_table"], r["currency"], r["from_bucket"]) for r in _run(units.database, "roll-rates").records()}
    assert found == {("cn", "CNY", "M1"), ("intl", "USD", "30-59"), ("intl", "EUR", "30-59")}


_STATE = st.tuples(st.integers(0, 400), st.sampled_from(["active", "legal", "forborne", "closed", "settled",
                                                         "charged_off", "sold"]), st.integers(0, 10**9))  # fmt: skip


def test_every_row_of_every_matrix_sums_to_one(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        customer = make_account(uow.session).customer_id

    @settings(max_examples=30)
    @given(st.lists(st.tuples(_STATE, _STATE, st.sampled_from(["cn", "intl"])), min_size=1, max_size=12))
    def check(book: list[Any]) -> None:
        with units.begin() as uow:
            session = uow.session
            session.query(AccountStanding).delete()
            session.query(Account).delete()
            for before, after, table in book:
                account = make_account(session, customer_id=customer, bucket_table=table)
                for on, (dpd, status, balance) in ((JANUARY, before), (FEBRUARY, after)):
                    make_standing(session, account_id=account.id, from_on=on, dpd=dpd, status=status,
                                  balance_amount=balance)  # fmt: skip
        sums: dict[Any, list[float]] = {}
        for row in _run(units.database, "roll-rates").records():
            sums.setdefault((row["bucket_table"], row["from_bucket"]), []).append(row["share"])  # type: ignore[arg-type]
        tracked = sum(before[1] in ("active", "legal", "forborne") for before, _, _ in book)
        assert bool(sums) == bool(tracked)
        assert all(sum(shares) == pytest.approx(1, abs=1e-12) for shares in sums.values())

    check()


def test_a_share_of_nothing_is_unknown_and_few_things_make_a_wide_interval() -> None:
    # Wilson for 8 of 10 at 95 %: centre (0.8 + 0.19207) / 1.38415 = 0.7167, half 0.2266 -> 0.4902 to 0.9433.
    assert (share(0, 0).value, share(0, 0).low) == (None, None)
    found = share(8, 10)
    assert found.value == 0.8
    assert (found.low, found.high) == (pytest.approx(0.4902, abs=5e-5), pytest.approx(0.9433, abs=5e-5))
    assert share(0, 10).high == pytest.approx(0.2775, abs=5e-5)
