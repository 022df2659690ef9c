"""The lender's own book: what falls due, what is paid, what stays unpaid; the source of the feeds."""

from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum

import numpy as np

from collections_app.town.population import HISTORY_DAYS, Bools, Ints, Population

CHARGE_OFF_DPD = 180
DAYS_TO_FIRST_BILL = 20


class Status(IntEnum):
    """The state of an account in the lender's book."""

    ACTIVE = 0
    CLOSED = 1
    CHARGED_OFF = 2


@dataclass(frozen=True)
class Cash:
    """One booking. Reversals carry the booking that they take back."""

    ref: str
    account: int
    amount: int
    kind: str
    value_on: date
    channel: str
    reverses: str = ""


def month_index(day: date) -> int:
    """Count months since year 0, so that due months can be subtracted."""
    return day.year * 12 + day.month - 1


def _month_starts(first: int, count: int) -> Ints:
    return np.array([date(m // 12, m % 12 + 1, 1).toordinal() for m in range(first, first + count)])


@dataclass
class Ledger:
    """The book of every account, moved on one day at a time."""

    town: Population
    arrears: Ints = field(init=False)
    balance: Ints = field(init=False)
    status: Ints = field(init=False)
    last_due_month: Ints = field(init=False)
    paid_this_cycle: Ints = field(init=False)
    # Statement history, [month, account]: unpaid instalments at the cycle's end (-1 = no cycle), and cash.
    cycles_past_due: Ints = field(init=False)
    cycle_paid: Ints = field(init=False)
    day: date = field(init=False)
    booked: dict[date, list[Cash]] = field(init=False, default_factory=dict)
    _serial: int = 0

    def __post_init__(self) -> None:
        accounts = self.town.accounts
        count = len(accounts)
        self.day = date.fromordinal(self.town.start.toordinal() - HISTORY_DAYS)
        self._first_month = month_index(self.day) - 14
        months = 16 + (HISTORY_DAYS + (self.town.distress.shape[0] - HISTORY_DAYS)) // 28
        self.month_start = _month_starts(self._first_month, months)
        used = 0.35 + 0.5 * (np.arange(count) * 0.6180339887 % 1.0)
        self.arrears = np.zeros(count, dtype=np.int64)
        # Loans are made of whole instalments; a card's balance is what it is.
        self.is_loan = np.array([p != "card" for p in accounts.product])
        step = np.where(self.is_loan, accounts.instalment, 1)
        self.balance = np.round(accounts.principal * used / step).astype(np.int64) * step
        self.status = np.zeros(count, dtype=np.int64)
        self.last_due_month = np.full(count, month_index(self.day) - 1)
        self.paid_this_cycle = np.zeros(count, dtype=np.int64)
        self.cycles_past_due = np.full((months, count), -1, dtype=np.int64)
        self.cycle_paid = np.zeros((months, count), dtype=np.int64)

    def open_day(self, day: date) -> Ints:
        """Begin a day; return the accounts that are billed an instalment on it."""
        self.day = day
        self.booked[day] = []
        lives = (self.status == Status.ACTIVE) & (self.town.accounts.joined + DAYS_TO_FIRST_BILL <= day.toordinal())
        due = np.flatnonzero((self.town.accounts.due_dom == day.day) & lives)
        spend = np.where(self.is_loan[due] | (self.arrears[due] > 0), 0, self.town.accounts.instalment[due])
        self.balance[due] += spend
        owed = self.arrears[due] + self.town.accounts.instalment[due]
        owed = np.minimum(owed, self.balance[due])
        # When the whole balance is due already, a month brings no new instalment: the old ones just age.
        self.last_due_month[due] = np.where(owed > self.arrears[due], month_index(day), self.last_due_month[due])
        self.arrears[due] = owed
        return due

    def receive(self, accounts: Ints, amounts: Ints, channel: str) -> None:
        """Book payments of today; what exceeds the arrears lowers the balance only."""
        amounts = np.minimum(amounts, self.balance[accounts])
        self.arrears[accounts] = np.maximum(self.arrears[accounts] - amounts, 0)
        self.balance[accounts] -= amounts
        self.paid_this_cycle[accounts] += amounts
        for account, amount in zip(accounts.tolist(), amounts.tolist(), strict=True):
            if amount > 0:
                self._book(account, amount, "payment", channel)

    def reverse(self, cash: Cash) -> None:
        """Take a booking back: the bank returned it."""
        if self.status[cash.account] != Status.ACTIVE:
            return
        self.arrears[cash.account] += cash.amount
        self.balance[cash.account] += cash.amount
        self.arrears[cash.account] = min(self.arrears[cash.account], self.balance[cash.account])
        self._book(cash.account, cash.amount, "reversal", cash.channel, cash.ref)

    def close_day(self, due: Ints) -> None:
        """End the day: write the statements of the billed accounts, close and charge off what is over."""
        row = month_index(self.day) - self._first_month
        self.cycles_past_due[row, due] = self.unpaid_instalments()[due]
        self.cycle_paid[row, due] = self.paid_this_cycle[due]
        self.paid_this_cycle[due] = 0
        self.status[(self.status == Status.ACTIVE) & (self.balance <= 0)] = Status.CLOSED
        dpd = self.days_past_due(self.day.toordinal() + 1)
        lost = (self.status == Status.ACTIVE) & (dpd >= CHARGE_OFF_DPD)
        self.status[lost] = Status.CHARGED_OFF

    def is_overdue(self) -> Bools:
        """Tell which active accounts have something unpaid whose due day has ended."""
        return np.asarray((self.arrears > 0) & (self.status == Status.ACTIVE))

    def unpaid_instalments(self) -> Ints:
        """Count the instalments, oldest first, that cash has not covered."""
        return -(-self.arrears // self.town.accounts.instalment)

    def oldest_unpaid_due(self) -> Ints:
        """Return the ordinal of the oldest unpaid due date, 0 where nothing is unpaid."""
        months = self.last_due_month - self.unpaid_instalments() + 1 - self._first_month
        due = self.month_start[np.maximum(months, 0)] + self.town.accounts.due_dom - 1
        return np.where(self.arrears > 0, due, 0)

    def days_past_due(self, ordinal: int) -> Ints:
        """Return DPD of every account as at 00:00 of a day, from all that was booked before it."""
        oldest = self.oldest_unpaid_due()
        return np.where(oldest > 0, np.maximum(ordinal - oldest, 0), 0)

    def cycles_of(self, account: int, limit: int) -> list[tuple[date, int, int]]:
        """Return the account's newest statements: (cycle end, unpaid instalments, paid), oldest first."""
        rows = np.flatnonzero(self.cycles_past_due[:, account] >= 0)[-limit:]
        dom = int(self.town.accounts.due_dom[account])
        return [
            (
                date.fromordinal(int(self.month_start[r]) + dom - 1),
                int(self.cycles_past_due[r, account]),
                int(self.cycle_paid[r, account]),
            )
            for r in rows
        ]

    def _book(self, account: int, amount: int, kind: str, channel: str, reverses: str = "") -> None:
        self._serial += 1
        self.booked[self.day].append(Cash(f"P{self._serial:08d}", account, amount, kind, self.day, channel, reverses))
