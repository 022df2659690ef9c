"""Vintage curves and missed first payments, by hand.

Two cohorts, each account disbursed 1,000: P, Q opened in November 2025, R in December 2025. As of 20 February 2026
the month ends of November, December and January are over.

    P   reaches DPD 30 on 20 December (balance 900), pays, is current from 10 January on
    Q   overdue since 1 January (ageing): DPD 1 on 2 January, DPD 30 on 31 January (balance 800)
    R   overdue since 10 January: DPD 21 on 31 January, DPD 30 on 9 February (balance 700)
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from collections_app.db.session import Database
from collections_app.db.tables import Instalment
from collections_app.db.unit_of_work import UnitsOfWork
from tests.factories import make_account, make_standing
from tests.queries.reports.asking import rows_of

AS_OF = date(2026, 2, 20)


@pytest.fixture
def cohorts(units: UnitsOfWork) -> Database:
    with units.begin() as uow:
        session = uow.session
        for opened, spans in (
            (date(2025, 11, 3), [(date(2025, 11, 3), 0, False, 1000), (date(2025, 11, 21), 1, True, 900),
                                 (date(2026, 1, 10), 0, False, 850)]),
            (date(2025, 11, 9), [(date(2025, 11, 9), 0, False, 1000), (date(2026, 1, 2), 1, True, 800)]),
            (date(2025, 12, 5), [(date(2025, 12, 5), 0, False, 1000), (date(2026, 1, 11), 1, True, 700)]),
        ):  # fmt: skip
            account = make_account(session, opened_on=opened, limit_amount=1000)
            for from_on, dpd, ages, balance in spans:
                make_standing(session, account_id=account.id, from_on=from_on, dpd=dpd, is_ageing=ages,
                              balance_amount=balance)  # fmt: skip
    return units.database


def _curve(rows: list[dict[str, Any]], cohort: str, column: str) -> list[object]:
    return [row[column] for row in rows if row["cohort"] == cohort]


def test_the_current_curve_counts_who_is_late_at_each_month_end(cohorts: Database) -> None:
    # November cohort, 2,000 disbursed. End of November: nobody (P is at DPD 10). Of December: P at 41 -> 900/2000.
    # Of January: P is current, Q reaches 30 on that very day -> 800/2000. February is not over.
    rows = rows_of(cohorts, "vintage", as_of=AS_OF)
    assert _curve(rows, "2025-11", "mob") == [0, 1, 2, 3]
    assert _curve(rows, "2025-11", "current") == [0.0, 0.45, 0.4, None]
    # R is at DPD 21 at the end of January; its day comes on 9 February, in a month that is not over.
    assert _curve(rows, "2025-12", "current") == [0.0, 0.0, None]


def test_the_ever_curve_keeps_whoever_reached_it_once(cohorts: Database) -> None:
    # P counts with the 900 of 20 December for good; Q joins with 800 on 31 January: 0, 900, 1700 of 2000.
    rows = rows_of(cohorts, "vintage", as_of=AS_OF)
    assert _curve(rows, "2025-11", "ever") == [0.0, 0.45, 0.85, None]
    assert {(r["cohort"], r["accounts"], r["disbursed_minor"]) for r in rows} == {
        ("2025-11", 2, 2000), ("2025-12", 1, 1000)
    }  # fmt: skip


def test_a_month_appears_when_it_is_over(cohorts: Database) -> None:
    # On 28 February, Q is at DPD 58 and R at 49: 800/2000 of the older cohort, 700/1000 of the younger.
    rows = rows_of(cohorts, "vintage", as_of=date(2026, 2, 28))
    assert _curve(rows, "2025-11", "current")[-1] == 0.4
    assert _curve(rows, "2025-12", "current") == [0.0, 0.0, 0.7]


def test_a_vintage_as_it_was_known_then_leaves_later_news_out(cohorts: Database, units: UnitsOfWork) -> None:
    # In March it turns out that R had been at DPD 40 on 15 January.
    told = datetime(2026, 3, 5, tzinfo=UTC)
    with units.begin() as uow:
        (row,) = [r for r in rows_of(cohorts, "vintage", as_of=AS_OF) if (r["cohort"], r["mob"]) == ("2025-12", 1)]
        assert row["current"] == 0.0
        account = make_account(uow.session, opened_on=date(2025, 12, 6), limit_amount=1000)
        make_standing(uow.session, account_id=account.id, from_on=date(2026, 1, 15), dpd=40, balance_amount=600,
                      known_from=told)  # fmt: skip
    now = rows_of(cohorts, "vintage", as_of=AS_OF)
    then = rows_of(cohorts, "vintage", as_of=AS_OF, known_at=told - timedelta(days=1))
    assert _curve(now, "2025-12", "bad_minor")[1] == 600
    assert _curve(then, "2025-12", "bad_minor")[1] == 0


def test_first_payments_are_judged_once_their_days_are_over(units: UnitsOfWork) -> None:
    # Three accounts of January; first instalment due 1 February, as of 10 February (9 days later).
    #   paid on 1 February: missed nothing.   paid on 5 February (4 days late): FPD1 yes, FPD7 no.
    #   not paid: FPD1 yes, FPD7 yes.         FPD30 cannot be seen before 3 March: nobody in the denominator.
    # The second instalments are due on 1 March: no SPD yet.
    with units.begin() as uow:
        for closed in (date(2026, 2, 1), date(2026, 2, 5), None):
            account = make_account(uow.session, opened_on=date(2026, 1, 4), basis="schedule")
            for seq, due_on in ((1, date(2026, 2, 1)), (2, date(2026, 3, 1))):
                uow.session.add(
                    Instalment(account_id=account.id, schedule_version=0, seq=seq, due_on=due_on,
                               principal_due_amount=100, closed_on=closed if seq == 1 else None)
                )  # fmt: skip
    rows = rows_of(units.database, "first-payment-default", as_of=date(2026, 2, 10))
    assert [(r["payment"], r["days"], r["accounts"], r["missed"]) for r in rows] == [
        ("FPD", 1, 3, 2), ("FPD", 7, 3, 1), ("FPD", 30, 0, 0)
    ]  # fmt: skip
    assert [r["missed_rate"] for r in rows] == [2 / 3, 1 / 3, None]


def test_paying_on_the_day_itself_is_in_time(units: UnitsOfWork) -> None:
    # Due 1 February, paid on 8 February: on that day DPD is 0 again, so DPD 7 was never reached.
    with units.begin() as uow:
        account = make_account(uow.session, opened_on=date(2026, 1, 4))
        uow.session.add(
            Instalment(account_id=account.id, schedule_version=0, seq=1, due_on=date(2026, 2, 1),
                       principal_due_amount=100, closed_on=date(2026, 2, 8))
        )  # fmt: skip
    rows = rows_of(units.database, "first-payment-default", as_of=date(2026, 2, 10))
    assert [r["missed"] for r in rows] == [1, 0, 0]
