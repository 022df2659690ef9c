"""The loans' schedules as the lender tells them: what is left of each instalment when we first hear of it."""

from dataclasses import dataclass, field
from datetime import date

import polars as pl

from collections_app.town.ledger import DAYS_TO_FIRST_BILL, Cash, Ledger, month_index
from collections_app.town.population import Ints, Population

_COLUMNS = {
    "account_id": pl.String, "seq": pl.Int64, "schedule_version": pl.Int64, "due_date": pl.Date,
    "principal_due": pl.Int64,
}  # fmt: skip


@dataclass(frozen=True)
class Told:
    """The schedule of one account as last told: its version, the month of its last due date, and what was due."""

    version: int
    last_month: int
    amounts: tuple[int, ...]


@dataclass
class Schedules:
    """Tells each loan's schedule once, and again when a payment was taken back that the platform never saw."""

    town: Population
    ledger: Ledger
    _told: dict[int, Told] = field(init=False, default_factory=dict)

    def frame(self, first_time: Ints, unseen_returns: list[Cash]) -> pl.DataFrame:
        """Return the instalments to tell tonight: of loans told for the first time, and of those to correct."""
        for account in first_time[self.ledger.is_loan[first_time]].tolist():
            self._told[account] = self._as_it_stands(account)
        again = {c.account for c in unseen_returns if c.account in self._told} - set(first_time.tolist())
        for cash in unseen_returns:
            if cash.account in again:
                self._told[cash.account] = self._with_more_due(cash.account, cash.amount)
        rows = [
            row
            for account in sorted(again | (self._told.keys() & set(first_time.tolist())))
            for row in self._rows(account)
        ]
        return pl.DataFrame(rows, schema=_COLUMNS, orient="row")

    def _as_it_stands(self, account: int) -> Told:
        """Cut the arrears into instalments back from the last due date, and the rest of the balance forward."""
        instalment = int(self.town.accounts.instalment[account])
        arrears, balance = int(self.ledger.arrears[account]), int(self.ledger.balance[account])
        late = _pieces(arrears, instalment)[::-1]  # the oldest may have been paid in part
        coming = _pieces(balance - arrears, instalment)
        return Told(1, int(self.ledger.last_due_month[account]) + len(coming), (*late, *coming))

    def _with_more_due(self, account: int, amount: int) -> Told:
        """Add what is due again at the old end: it is what the customer has owed for longest."""
        told, instalment = self._told[account], int(self.town.accounts.instalment[account])
        older = _pieces(told.amounts[0] + amount, instalment)[::-1]
        return Told(told.version + 1, told.last_month, (*older, *told.amounts[1:]))

    def _rows(self, account: int) -> list[tuple[str, int, int, date, int]]:
        told, ref = self._told[account], self.town.accounts.ref[account]
        day, first = int(self.town.accounts.due_dom[account]), told.last_month - len(told.amounts) + 1
        # Instalments keep the number that they have in the contract, though the earlier ones are not told.
        numbered = first - month_index(first_bill(self.town, account)) + 1
        months = range(first, told.last_month + 1)
        return [
            (ref, seq, told.version, date(month // 12, month % 12 + 1, day), amount)
            for seq, (month, amount) in enumerate(zip(months, told.amounts, strict=True), start=numbered)
        ]


def first_bill(town: Population, account: int) -> date:
    """Return the first due date of an account: the first of its days of the month once it is 20 days old."""
    day = date.fromordinal(int(town.accounts.joined[account]) + DAYS_TO_FIRST_BILL)
    dom = int(town.accounts.due_dom[account])
    month = month_index(day) + (day.day > dom)
    return date(month // 12, month % 12 + 1, dom)


def _pieces(amount: int, size: int) -> list[int]:
    """Cut an amount into whole pieces; the last one holds what is left."""
    return [min(size, amount - start) for start in range(0, amount, size)]
