"""Random accounts for the ledger, and the frames of the engine from the reference's facts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl
from hypothesis import strategies as st

from collections_app.domain.allocation import Account, Instalment, Payment, effective_amounts
from collections_app.domain.delinquency import Pause
from collections_app.domain.standing import AccountLedger, derive_account
from collections_app.domain.waterfalls import Component, InstalmentKind
from collections_app.ledger import frames
from collections_app.ledger.engine import derive
from strategies.parameters import products
from strategies.parameters.products import reg_class_of

FIRST = date(2026, 1, 1)
AS_OF = date(2026, 9, 1)
CURRENCIES = ("USD", "CNY", "EUR")


@dataclass(frozen=True)
class Told:
    """An account of the reference and what it is called in the book."""

    account_id: int
    account: Account


def day(number: int) -> date:
    """Return a day of the year of the random books."""
    return FIRST + timedelta(days=number)


_amounts = st.integers(0, 300)
_dues = st.dictionaries(st.sampled_from(list(Component)), _amounts, max_size=5)
# Mostly a few days, so that things fall on the same day, or on days beside each other.
_FEW = st.integers(0, 9).map(lambda n: day(30 * n))
days = st.one_of(_FEW, _FEW, st.integers(-5, 300).map(day))


@st.composite
def _schedule(draw: st.DrawFn) -> list[Instalment]:
    """A loan, a card (minimum payments of cycles and parts of the balance), or either with an agreed plan."""
    form = draw(st.sampled_from(["loan", "card", "loan and plan", "card and plan", "mixed"]))
    kinds = {
        "loan": [InstalmentKind.SCHEDULED],
        "card": [InstalmentKind.MINIMUM, InstalmentKind.MINIMUM, InstalmentKind.BALANCE],
        "loan and plan": [InstalmentKind.SCHEDULED, InstalmentKind.PLAN],
        "card and plan": [InstalmentKind.MINIMUM, InstalmentKind.BALANCE, InstalmentKind.PLAN],
        "mixed": list(InstalmentKind),
    }[form]
    rows = []
    for seq in range(draw(st.integers(0, 7))):
        kind = draw(st.sampled_from(kinds))
        due_on = draw(days)
        rows.append(
            Instalment(
                key=(draw(st.integers(0, 1)), seq),
                kind=kind,
                due_on=draw(st.sampled_from([None, due_on])) if kind is InstalmentKind.BALANCE else due_on,
                dues=draw(_dues),
                rate=draw(st.sampled_from([0, 100_000_000, 299_000_000])),
                payable_after=draw(st.sampled_from([None, due_on - timedelta(days=30)])),
            )
        )
    return rows


@st.composite
def _payments(draw: st.DrawFn) -> list[Payment]:
    kinds = ["payment"] * 6 + ["waiver", "refund", "refund", "writeoff_recovery", "transfer"]
    made = []
    for number in range(draw(st.integers(0, 7))):
        ref = f"P{draw(st.integers(0, 9))}{number}"
        amount = draw(st.integers(1, 900))
        status = draw(st.sampled_from(["settled"] * 6 + ["pending", "failed"]))
        made.append(Payment(ref, draw(days), amount, draw(st.sampled_from(kinds)), status))
        if draw(st.integers(0, 3)) == 0:
            undone = draw(st.sampled_from([amount, amount, max(1, amount // 3), amount + 50]))
            kind = draw(st.sampled_from(["reversal", "chargeback"]))
            made.append(Payment(f"R{ref}", draw(days), undone, kind, draw(st.sampled_from(["settled", status])), ref))
    return made


@st.composite
def _pauses(draw: st.DrawFn) -> list[Pause]:
    begins = draw(st.lists(days, max_size=3))
    return [
        Pause(d, draw(st.sampled_from([None, d, d + timedelta(29), d + timedelta(30), d + timedelta(40)])))
        for d in begins
    ]


@st.composite
def accounts(draw: st.DrawFn) -> Account:
    """Any account there can be."""
    maybe_day = st.one_of(st.none(), days)
    return Account(
        product=products.product(draw(st.sampled_from(products.product_names())), AS_OF),
        currency=draw(st.sampled_from(CURRENCIES)),
        instalments=draw(_schedule()),
        payments=draw(_payments()),
        pauses=draw(_pauses()),
        status=draw(st.sampled_from(["active"] * 5 + ["closed", "settled", "sold", "charged_off", "legal"])),
        status_since_on=draw(maybe_day),
        charged_off_on=draw(st.one_of(st.none(), maybe_day)),
        opened_on=draw(maybe_day),
        balance_amount=draw(st.integers(0, 2_000_000)),
        grace_days=draw(st.sampled_from([None, 0, 5])),
        tolerance_amount=draw(st.sampled_from([None, 0, 20])),
        tolerance_rate=draw(st.sampled_from([None, 50_000_000])),
    )


def told(members: Sequence[Account]) -> list[Told]:
    """Number accounts."""
    return [Told(number + 1, account) for number, account in enumerate(members)]


def book(members: Sequence[Told]) -> frames.Book:
    """Return the frames of these accounts; a payment's id is its account's id and its ref's bytes as a number."""
    terms = ("currency", "opened_on", "status", "status_since_on", "charged_off_on", "grace_days")
    terms += ("tolerance_amount", "tolerance_rate", "balance_amount")
    rows: dict[str, list[dict[str, Any]]] = {"accounts": [], "instalments": [], "payments": [], "pauses": []}
    for member in members:
        account, own = member.account, {"account_id": member.account_id}
        rows["accounts"].append(
            own
            | {"profile": account.product.name, "product_family": "other"}
            | {term: getattr(account, term) for term in terms}
        )
        rows["instalments"] += [
            own
            | {"schedule_version": i.key[0], "seq": i.key[1], "kind": str(i.kind), "due_on": i.due_on, "rate": i.rate}
            | {"cycle_end_on": i.payable_after}
            | {f"{component}_due_amount": i.dues.get(component, 0) for component in Component}
            for i in account.instalments
        ]
        rows["payments"] += [
            own
            | {"payment_id": payment_id(member.account_id, p.ref), "payment_ref": p.ref, "kind": p.kind}
            | {"status": p.status, "value_on": p.value_on, "amount": p.amount, "reverses_ref": p.reverses_ref}
            for p in account.payments
        ]
        rows["pauses"] += [own | {"from_on": p.from_on, "until_on": p.until_on} for p in account.pauses]
    return frames.Book(
        pl.DataFrame(rows["accounts"], schema=frames.ACCOUNTS),
        pl.DataFrame(rows["instalments"], schema=frames.INSTALMENTS),
        pl.DataFrame(rows["payments"], schema=frames.PAYMENTS),
        pl.DataFrame(rows["pauses"], schema=frames.PAUSES),
    )


def payment_id(account_id: int, ref: str) -> int:
    """Return the id of a payment in the book; ids do not sort as refs do."""
    return account_id * 10**10 + int.from_bytes(ref.encode(), "little")


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


def assert_same(derived: frames.Derived, member: Told, as_of: date) -> None:
    """Assert that the engine says of an account, in every frame, what the reference says."""
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
    } == {payment_id(number, p.ref): (amounts[p.ref], ledger.unapplied[p.ref]) for p in account.payments}
    expected = [
        {
            "payment_id": payment_id(number, line.payment.ref),
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


def work(account: Account, as_of: date) -> AccountLedger:
    """Return what the reference says of an account, after asserting that the engine says the same."""
    member = Told(1, account)
    assert_same(derive(book([member]), as_of=as_of), member, as_of)
    return derive_account(account, as_of)
