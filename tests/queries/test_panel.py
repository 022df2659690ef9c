"""The ledger as a monthly panel: month ends as believed at the time."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.queries.panel import account_chunks, month_ends, month_index, read_panel
from models.panel import NO_LOAN, PAID_OFF, Panel
from tests.factories import make_account, make_customer, make_standing

JAN, FEB, MAR, APR = (date(2026, m, 1) for m in (1, 2, 3, 4))
UNTIL = date(2026, 4, 30)


def told_at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 8, tzinfo=UTC)


def states(units: UnitsOfWork, *accounts: int, until: date = UNTIL, months: int = 4) -> list[tuple[int, int]]:
    """Return (month of the year, state) of the accounts, in order."""
    panel = panel_of(units, *accounts, until=until, months=months)
    return [] if panel is None else panel.frame.select(pl.col("month") % 12 + 1, "state").rows()


def panel_of(units: UnitsOfWork, *accounts: int, until: date = UNTIL, months: int = 4) -> Panel | None:
    with units.begin() as uow:
        return read_panel(uow.session, list(accounts), until=until, months=months)


def account(units: UnitsOfWork, *spans: tuple, **over: object) -> int:
    """Add an account with spans ``(from_on, dpd, columns)``, told on their own day unless they say otherwise."""
    with units.begin() as uow:
        made = make_account(uow.session, opened_on=date(2025, 11, 15), **over)
        for from_on, dpd, *more in spans:
            make_standing(
                uow.session, account_id=made.id, from_on=from_on, dpd=dpd,
                **{"known_from": told_at(from_on), **(more[0] if more else {})},
            )  # fmt: skip
        return made.id


def test_month_ends_are_the_last_days_of_whole_months() -> None:
    assert month_ends(date(2026, 3, 30), 3) == [date(2026, 2, 28), date(2026, 1, 31), date(2025, 12, 31)]
    assert month_ends(date(2026, 3, 31), 1) == [date(2026, 3, 31)]


@pytest.mark.parametrize(
    ("dpd", "state"), [(0, 0), (29, 0), (30, 1), (59, 1), (60, 2), (120, 4), (149, 4), (150, 5), (900, 5)]
)
def test_states_are_thirty_days_wide(units: UnitsOfWork, dpd: int, state: int) -> None:
    assert states(units, account(units, (date(2026, 4, 20), dpd))) == [(4, state)]


def test_a_month_is_told_as_it_stood_on_its_last_day(units: UnitsOfWork) -> None:
    ageing = account(units, (date(2026, 1, 20), 0), (date(2026, 2, 20), 25, {"is_ageing": True}), (APR, 0))
    # 25 days past due on February 20th: 33 on the 28th, 64 on March 31st; April is cured
    assert states(units, ageing) == [(1, 0), (2, 1), (3, 2), (4, 0)]


def test_closed_is_paid_off_charged_off_is_the_worst_and_idle_owes_nothing(units: UnitsOfWork) -> None:
    nothing = {"balance_amount": 0}
    assert states(units, account(units, (MAR, 0, nothing), (APR, 0, {**nothing, "status": "closed"}))) == [
        (3, NO_LOAN), (4, PAID_OFF)]  # fmt: skip
    assert states(units, account(units, (APR, 40, {"status": "charged_off"}))) == [(4, 5)]


def test_a_sold_account_is_lost_from_view_and_not_a_good(units: UnitsOfWork) -> None:
    sold = account(units, (FEB, 0), (MAR, 0, {"status": "sold"}))
    assert states(units, sold) == [(2, 0)]
    assert states(units, account(units, (MAR, 0, {"status": "sold"}))) == []


def test_months_on_book_count_from_the_opening_or_from_the_first_word(units: UnitsOfWork) -> None:
    known, unknown = account(units, (MAR, 0)), account(units, (MAR, 0))
    with units.begin() as uow:
        uow.session.get_one(type(make_account(uow.session)), unknown).opened_on = None
    panel = panel_of(units, known, unknown)
    assert panel is not None
    assert panel.frame.select("account_id", "mob").rows() == [(known, 4), (known, 5), (unknown, 0), (unknown, 1)]
    assert panel.frame["month"].max() == month_index(UNTIL)


def test_a_correction_that_came_later_does_not_rewrite_what_was_believed(units: UnitsOfWork) -> None:
    """A payment of February is reversed in April: at the end of February nobody knew."""
    corrected = told_at(date(2026, 4, 10))
    late = account(
        units, (FEB, 0, {"known_until": corrected}), (FEB, 45, {"known_from": corrected}), (APR, 0)
    )  # fmt: skip
    assert states(units, late) == [(2, 0), (3, 0), (4, 0)]


def test_a_history_loaded_later_is_read_as_it_is_known_now(units: UnitsOfWork) -> None:
    loaded = told_at(date(2026, 4, 5))
    late = account(units, (FEB, 35, {"known_from": loaded}), (MAR, 0, {"known_from": loaded}))
    assert states(units, late) == [(2, 1), (3, 0), (4, 0)]


def test_a_fact_of_tomorrow_moves_no_month_before_it(units: UnitsOfWork) -> None:
    one = account(units, (FEB, 0), (date(2026, 4, 29), 31))
    before = states(units, one, until=date(2026, 3, 31))
    with units.begin() as uow:
        make_standing(uow.session, account_id=one, from_on=date(2026, 4, 30), dpd=99, known_from=told_at(UNTIL))
        make_standing(
            uow.session, account_id=one, from_on=MAR, dpd=77, known_from=told_at(UNTIL), known_until=told_at(UNTIL)
        )
    assert states(units, one, until=date(2026, 3, 31)) == before == [(2, 0), (3, 0)]


def test_people_come_in_parts_and_by_source(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        person = make_customer(uow.session)
        for source in ("test", "test", "other"):
            make_account(uow.session, customer_id=person.id, source=source)
        parts = list(account_chunks(uow.session, source="test", size=1))
    assert [p.height for p in parts] == [1, 1]
    assert len({p["customer"][0] for p in parts}) == 1


def test_accounts_of_which_nothing_is_known_give_no_panel(units: UnitsOfWork) -> None:
    assert panel_of(units, account(units)) is None
