"""The set-based engine says what the plain reference says, on any book."""

from datetime import date
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from collections_app.domain.allocation import Account, effective_amounts
from collections_app.domain.standing import AccountLedger, derive_account
from collections_app.ledger import frames
from collections_app.ledger.engine import derive
from strategies.parameters.products import reg_class_of
from tests import ledger_books as books
from tests.ledger_books import Told

_AS_OF = st.integers(-5, 300).map(books.day)
_BOOKS = st.lists(books.accounts(), min_size=1, max_size=5).map(books.told)


def _rows(frame: pl.DataFrame, account_id: int, *, by: str) -> list[dict[str, Any]]:
    return frame.filter(pl.col("account_id") == account_id).drop("account_id").sort(by).to_dicts()


def _expected_account(account: Account, ledger: AccountLedger, as_of: date) -> dict[str, Any]:
    named = ("oldest_unpaid_due_on", "next_due_on", "next_change_on", "collect_from_on")
    named += ("dpd_regulatory", "material_since_on", "charge_off_due_on")
    last = ledger.last
    dpd = last.dpd + (as_of - last.from_on).days if last.is_ageing else last.dpd
    return {name: getattr(ledger, name) for name in named} | {
        "profile": account.product.name,
        "arrears_amount": last.arrears_amount,
        "dpd": dpd,
        "is_ageing": last.is_ageing,
        "reg_class": reg_class_of(dpd, account.product.regulatory_table, as_of),
    }


def _assert_same(derived: frames.Derived, member: Told, as_of: date) -> None:
    account, number = member.account, member.account_id
    ledger = derive_account(account, as_of)
    amounts = effective_amounts(account.payments, as_of)
    assert _rows(derived.accounts, number, by="profile") == [_expected_account(account, ledger, as_of)]
    assert _rows(derived.standings, number, by="from_on") == [vars(s) for s in ledger.standings]
    assert _rows(derived.episodes, number, by="entry_on") == [vars(s) for s in ledger.spells]
    for row in _rows(derived.instalments, number, by="seq"):
        key = (row["schedule_version"], row["seq"])
        assert row["closed_on"] == ledger.closed_on[key]
        assert row["paid_amount"] == sum(line.amount for line in ledger.lines if line.key == key)
    assert {
        row["payment_id"]: (row["effective_amount"], row["unapplied_amount"])
        for row in _rows(derived.payments, number, by="payment_id")
    } == {books.payment_id(number, p.ref): (amounts[p.ref], ledger.unapplied[p.ref]) for p in account.payments}
    expected = [
        {
            "payment_id": books.payment_id(number, line.payment.ref),
            "line": line.line,
            "schedule_version": line.key[0],
            "instalment_seq": line.key[1],
            "component": str(line.component),
            "amount": abs(line.amount),
            "rule": line.rule,
        }
        for line in ledger.lines
    ]
    found = derived.allocations.filter(pl.col("account_id") == number).drop("account_id")
    assert found.sort("payment_id", "line").to_dicts() == sorted(expected, key=lambda r: (r["payment_id"], r["line"]))


@settings(max_examples=250, deadline=None)
@given(_BOOKS, _AS_OF)
def test_the_engine_equals_the_reference_on_any_book(members: list[Told], as_of: date) -> None:
    derived = derive(books.book(members), as_of=as_of)
    for member in members:
        _assert_same(derived, member, as_of)
