"""The kept rate of matured promises, by hand."""

from datetime import date

from collections_app.db.tables import Promise
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.promises import PromiseStatus
from tests.factories import NOW, make_account, make_case
from tests.queries.reports.asking import rows_of

S = PromiseStatus
JANUARY = date(2026, 1, 10)


def _promises(units: UnitsOfWork, *promises: tuple[PromiseStatus, date, int, int], currency: str = "USD") -> None:
    """Record promises of (status, due, promised, paid), with two days of grace."""
    with units.begin() as uow:
        for status, due, amount, paid in promises:
            case = make_case(uow.session, account=False)
            account = make_account(uow.session, customer_id=case.customer_id, currency=currency)
            uow.session.add(
                Promise(account_id=account.id, case_id=case.id, amount=amount, currency=currency, due_on=due,
                        method="transfer", grace_days=2, tolerance_percent=5, status=status, made_by="agent",
                        created_at=NOW, created_on=date(2026, 1, 2), paid_amount=paid)
            )  # fmt: skip


def test_the_kept_rate_counts_what_was_judged_and_nothing_else(units: UnitsOfWork) -> None:
    # Due in January: kept 100 (paid 120), kept 100 (paid 96: within 5 %), partial 200 (paid 150), broken 100 (paid 0);
    # and superseded, cancelled: not counted. By count 2/4.
    # By amount: (100 + 96 + 150 + 0) / (100 + 100 + 200 + 100) = 346/500; the 20 paid too much are not credit.
    _promises(
        units, (S.KEPT, JANUARY, 100, 120), (S.KEPT, JANUARY, 100, 96), (S.PARTIAL, JANUARY, 200, 150),
        (S.BROKEN, JANUARY, 100, 0), (S.SUPERSEDED, JANUARY, 900, 0), (S.CANCELLED, JANUARY, 900, 0),
    )  # fmt: skip
    (row,) = rows_of(units.database, "promises", as_of=date(2026, 2, 1))
    assert [row[c] for c in ("due", "matured", "kept", "partial", "broken")] == ["2026-01", 4, 2, 1, 1]
    assert (row["kept_rate"], row["kept_rate_amount"]) == (0.5, 0.692)


def test_a_promise_kept_early_waits_until_its_grace_is_over(units: UnitsOfWork) -> None:
    # Both due on 10 January with two days of grace. On 12 January the last day is running: nothing is matured,
    # although one is kept already. Broken ones can only be judged on the 13th; so can kept ones.
    _promises(units, (S.KEPT, JANUARY, 100, 100), (S.OPEN, JANUARY, 100, 0))
    assert rows_of(units.database, "promises", as_of=date(2026, 1, 12)) == []
    (row,) = rows_of(units.database, "promises", as_of=date(2026, 1, 13))
    assert [row[c] for c in ("matured", "kept", "kept_rate", "waiting")] == [1, 1, 1.0, 1]
    assert row["promised_minor"] == 100


def test_months_and_currencies_have_their_own_rows(units: UnitsOfWork) -> None:
    _promises(units, (S.KEPT, JANUARY, 100, 100), (S.BROKEN, date(2026, 2, 10), 100, 0))
    _promises(units, (S.BROKEN, JANUARY, 100, 0), currency="EUR")
    rows = rows_of(units.database, "promises", as_of=date(2026, 3, 1))
    assert [(r["due"], r["currency"], r["kept_rate"]) for r in rows] == [
        ("2026-01", "EUR", 0.0), ("2026-01", "USD", 1.0), ("2026-02", "USD", 0.0)
    ]  # fmt: skip
