"""The set-based engine says what the plain reference says, and what must hold of any book does."""

import random
from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from collections_app.domain.allocation import UNDOING, Account, Payment
from collections_app.ledger import frames
from collections_app.ledger.engine import derive
from tests import ledger_books as books
from tests.ledger_books import AS_OF, Told

_BOOKS = st.lists(books.accounts(), min_size=1, max_size=5).map(books.told)
_FRAMES = ("accounts", "instalments", "allocations", "payments", "standings", "episodes")


def _assert_equal(left: frames.Derived, right: frames.Derived, *, but: tuple[str, ...] = ()) -> None:
    for name in _FRAMES:
        if name not in but:
            assert_frame_equal(getattr(left, name), getattr(right, name), check_row_order=False)


@settings(max_examples=120, deadline=None)
@given(_BOOKS, books.days)
def test_the_engine_equals_the_reference_on_any_book(members: list[Told], as_of: date) -> None:
    derived = derive(books.book(members), as_of=as_of)
    for member in members:
        books.assert_same(derived, member, as_of)


@settings(max_examples=30, deadline=None)
@given(_BOOKS)
def test_lines_and_what_is_left_over_make_up_each_payment(members: list[Told]) -> None:
    book = books.book(members)
    derived = derive(book, as_of=AS_OF)
    lines = derived.allocations.group_by("payment_id").agg(lines_amount=pl.col("amount").sum())
    sums = derived.payments.join(lines, on="payment_id", how="left").join(
        book.payments.select("payment_id", "amount"), on="payment_id"
    )
    assert (sums["effective_amount"] == sums["lines_amount"].fill_null(0) + sums["unapplied_amount"]).all()
    assert (sums["unapplied_amount"] >= 0).all()
    assert (sums["effective_amount"] <= sums["amount"]).all()
    assert (derived.allocations["amount"] > 0).all()


@settings(max_examples=30, deadline=None)
@given(_BOOKS)
def test_dpd_are_0_if_and_only_if_nothing_over_the_tolerance_is_past_due(members: list[Told]) -> None:
    plain = [Told(m.account_id, replace(m.account, status="active", pauses=())) for m in members]
    derived = derive(books.book(plain), as_of=AS_OF)
    paid = {
        (r["account_id"], r["schedule_version"], r["seq"]): r["paid_amount"] for r in derived.instalments.to_dicts()
    }
    for row in derived.accounts.to_dicts():
        account = plain[row["account_id"] - 1].account
        late = [
            i
            for i in account.instalments
            if i.kind != "balance" and i.due_on < AS_OF
            if i.due_amount - paid[row["account_id"], *i.key] > account.tolerance(i)
        ]
        assert (row["dpd"] > 0) == bool(late) == (row["arrears_amount"] > 0)
        if late:
            assert row["dpd"] == (AS_OF - min(i.due_on for i in late)).days


@settings(max_examples=30, deadline=None)
@given(_BOOKS, st.randoms(use_true_random=False))
def test_order_and_repetition_of_the_rows_do_not_matter(members: list[Told], chance: random.Random) -> None:
    book = books.book(members)
    seed = chance.randrange(1000)
    mixed = frames.Book(
        accounts=book.accounts.sample(fraction=1, shuffle=True, seed=seed),
        instalments=book.instalments.sample(fraction=1, shuffle=True, seed=seed),
        payments=pl.concat([book.payments, book.payments]).sample(fraction=1, shuffle=True, seed=seed),
        pauses=pl.concat([book.pauses, book.pauses]).sample(fraction=1, shuffle=True, seed=seed),
    )
    _assert_equal(derive(mixed, as_of=AS_OF), derive(book, as_of=AS_OF))


@settings(max_examples=30, deadline=None)
@given(books.accounts(), st.data())
def test_a_payment_that_is_reversed_might_as_well_never_have_been(account: Account, data: st.DataObject) -> None:
    assume(account.payments)
    victim = data.draw(st.sampled_from(account.payments))
    assume(victim.kind not in UNDOING)
    undoing = Payment("X", victim.value_on + timedelta(days=3), victim.amount, "chargeback", reverses_ref=victim.ref)
    as_of = max(AS_OF, undoing.value_on)
    without = [p for p in account.payments if victim.ref not in (p.ref, p.reverses_ref)]
    reversed_ = derive(books.book(books.told([replace(account, payments=[*account.payments, undoing])])), as_of=as_of)
    never = derive(books.book(books.told([replace(account, payments=without)])), as_of=as_of)
    _assert_equal(reversed_, never, but=("payments",))


@settings(max_examples=25, deadline=None)
@given(books.accounts(), books.days)
def test_the_past_is_what_was_derived_then(account: Account, then: date) -> None:
    assume(then <= AS_OF)
    payments = [p for p in account.payments if p.kind not in UNDOING]
    living = replace(account, status="active", payments=payments)
    book = books.book(books.told([living]))
    past, now = derive(book, as_of=then), derive(book, as_of=AS_OF)
    span = now.standings.filter(pl.col("from_on") <= then).sort("from_on").tail(1)
    assume(span.height)
    row = span.row(0, named=True)
    dpd = row["dpd"] + (then - row["from_on"]).days if row["is_ageing"] else row["dpd"]
    found = past.accounts.row(0, named=True)
    assert (found["dpd"], found["arrears_amount"]) == (dpd, row["arrears_amount"])


def test_accounts_of_different_kinds_and_sizes_are_derived_together_as_alone() -> None:
    many = [
        replace(_loan(size), product=books.products.product(name, AS_OF))
        for size in (0, 1, 3, 8, 30)
        for name in books.products.product_names()
    ]
    members = books.told(many)
    derived = derive(books.book(members), as_of=AS_OF)
    for member in members:
        books.assert_same(derived, member, AS_OF)


def _loan(size: int) -> Account:
    instalments = [
        books.Instalment((0, n), books.InstalmentKind.SCHEDULED, books.day(10 * n), {books.Component.PRINCIPAL: 100})
        for n in range(size)
    ]
    payments = [Payment(f"P{n:02}", books.day(12 * n), 100) for n in range(size // 2)]
    return Account(books.products.product("loan", AS_OF), "USD", instalments, payments)


def test_an_empty_book_derives_empty_frames() -> None:
    derived = derive(books.book([]), as_of=AS_OF)
    assert {name: getattr(derived, name).height for name in _FRAMES} == dict.fromkeys(_FRAMES, 0)


def test_nonsense_is_refused_in_words() -> None:
    book = books.book(books.told([_loan(1)]))
    with pytest.raises(ValueError, match="twice"):
        derive(replace(book, accounts=pl.concat([book.accounts, book.accounts])), as_of=AS_OF)
    with pytest.raises(ValueError, match="unknown product profile 'gold'"):
        derive(replace(book, accounts=book.accounts.with_columns(profile=pl.lit("gold"))), as_of=AS_OF)
    with pytest.raises(ValueError, match="of a kind that nobody knows"):
        derive(replace(book, instalments=book.instalments.with_columns(kind=pl.lit("balloon"))), as_of=AS_OF)


def test_an_account_without_a_profile_takes_the_one_of_its_family_and_currency() -> None:
    book = books.book(books.told([_loan(1)]))
    told = book.accounts.with_columns(profile=pl.lit(None, pl.String), product_family=pl.lit("card"))
    for currency, profile in (("CNY", "cn_card"), ("USD", "us_card"), ("JPY", "card")):
        accounts = told.with_columns(currency=pl.lit(currency))
        assert derive(replace(book, accounts=accounts), as_of=AS_OF).accounts["profile"].to_list() == [profile]
