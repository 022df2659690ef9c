"""Bookings against instalments: the n-th booking of every account at once, on dense arrays.

A block is a run of accounts paid by one waterfall, with what is left of every component of every instalment as an
array (accounts, slots, components). A round covers, for each account that has one, its n-th booking: lay the cells
in the order of the rule, sum them up, and the booking reaches as far as its amount. Cost: cells x rounds.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from collections_app.domain.waterfalls import Component, Rule, Sequence
from collections_app.ledger.days import NEVER, Flags, Ints, day_number
from collections_app.ledger.facts import CASH_IN, CASH_OUT, WAIVED, Facts, Slots
from collections_app.ledger.frames import COMPONENTS

# Cells of one block: small enough to stay in the cache of a core, large enough for numpy to be worth its call.
_CELLS = 400_000
_PREFIX = {CASH_IN: "", WAIVED: "waiver:", CASH_OUT: "refund:"}


@dataclass
class Log:
    """What the rounds found out, as parts of long arrays. Instalments are rows of Slots, bookings of Bookings."""

    # (booking, place in its order, instalment, component, amount, rule)
    lines: list[tuple[Ints, ...]] = field(default_factory=list)
    # From a day on an account's oldest unpaid due date is: (position, day, due)
    oldest: list[tuple[Ints, ...]] = field(default_factory=list)
    # Change of what is overdue: (position, day, amount)
    changes: list[tuple[Ints, ...]] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)

    def rule(self, name: str) -> int:
        """Return the number of a rule's name."""
        if name not in self.rules:
            self.rules.append(name)
        return self.rules.index(name)


@dataclass
class Outcome:
    """How everything stands after the last booking. First arrays by account, last two by instalment."""

    first_oldest: Ints
    oldest: Ints
    next_due: Ints
    unpaid: Ints
    closed: Ints


def run(facts: Facts) -> tuple[Outcome, Log]:
    """Cover all instalments by all bookings."""
    accounts, slots = facts.accounts.height, facts.slots
    outcome = Outcome(
        first_oldest=np.full(accounts, NEVER, np.int64),
        oldest=np.full(accounts, NEVER, np.int64),
        next_due=np.full(accounts, NEVER, np.int64),
        unpaid=slots.dues.sum(axis=1),
        closed=np.full(slots.position.size, NEVER, np.int64),
    )
    log = Log()
    for first, last in _blocks(facts):
        Block(facts, first, last).run(outcome, log)
    return outcome, log


def _blocks(facts: Facts) -> Iterator[tuple[int, int]]:
    """Yield ranges of positions of one waterfall with about equally many instalments each."""
    sizes = facts.accounts["instalments"].to_numpy()
    waterfalls = facts.accounts["waterfall"].to_numpy()
    first = 0
    while first < sizes.size:
        # At least one account; no more than fits, none of more than twice the size, none of another waterfall.
        limit = max(1, _CELLS // (max(1, int(sizes[first])) * len(COMPONENTS)))
        window = slice(first, first + limit)
        is_like = (waterfalls[window] == waterfalls[first]) & (sizes[window] <= 2 * sizes[first])
        last = first + (is_like.size if is_like.all() else int(np.argmin(is_like)))
        if sizes[first]:
            yield first, last
        first = last


class Block:
    """The dense arrays of accounts ``first`` until ``last``, and the rounds on them."""

    def __init__(self, facts: Facts, first: int, last: int) -> None:
        self.facts, self.first, self.accounts = facts, first, last - first
        self.waterfall = facts.waterfalls[facts.accounts["waterfall"][first]]
        slots = facts.slots
        self.rows = slice(*np.searchsorted(slots.position, [first, last]))
        self.local = slots.position[self.rows] - first
        self.slot = slots.slot[self.rows]
        self.width = int(self.slot.max()) + 1
        dues = slots.dues[self.rows]
        used = np.flatnonzero(dues.any(axis=0)) if dues.any() else np.zeros(1, np.int64)
        self.components = [Component(COMPONENTS[n]) for n in used]
        self.left = np.zeros((self.accounts, self.width, used.size), np.int64)
        self.left[self.local, self.slot] = dues[:, used]
        self.covered = np.zeros_like(self.left)
        self.due = self._dense(slots, "due", NEVER)
        self.tolerance = self._dense(slots, "tolerance", 0)
        self.fallen = self._dense(slots, "fallen", NEVER)
        self.tier = self._dense(slots, "tier", -1)
        after = slots.payable_after[self.rows]
        self.payable_after = self._dense(slots, "payable_after", -NEVER) if (after > -NEVER).any() else None
        self.row = np.zeros((self.accounts, self.width), np.int64)
        self.row[self.local, self.slot] = np.arange(self.rows.start, self.rows.stop)
        self.unpaid = self.left.sum(axis=2)
        self.credit = np.zeros(self.accounts, np.int64)
        is_open = self.unpaid > self.tolerance
        self.closed = np.where(is_open, NEVER, self.fallen)
        self.oldest = np.where(is_open, self.due, NEVER).min(axis=1)

    def _dense(self, slots: Slots, name: str, empty: int) -> Ints:
        array = np.full((self.accounts, self.width), empty, np.int64)
        array[self.local, self.slot] = getattr(slots, name)[self.rows]
        return array

    def run(self, outcome: Outcome, log: Log) -> None:
        """Cover by all bookings of the block's accounts, and write down how they stand then."""
        here = slice(self.first, self.first + self.accounts)
        outcome.first_oldest[here] = self.oldest
        position = self.facts.bookings.position
        starts = np.searchsorted(position, np.arange(self.first, self.first + self.accounts + 1))
        counts = np.diff(starts)
        for number in range(int(counts.max(initial=0))):
            accounts = np.flatnonzero(counts > number)
            self._round(accounts, starts[accounts] + number, log)
        is_coming = (self.unpaid > self.tolerance) & (self.due >= self.facts.as_of)
        outcome.oldest[here] = self.oldest
        outcome.next_due[here] = np.where(is_coming, self.due, NEVER).min(axis=1)
        outcome.unpaid[self.rows] = self.unpaid[self.local, self.slot]
        outcome.closed[self.rows] = self.closed[self.local, self.slot]

    def _round(self, accounts: Ints, bookings: Ints, log: Log) -> None:
        """Cover one booking of each of these accounts."""
        day, booking = self.facts.bookings.day[bookings], self.facts.bookings.booking[bookings]
        rules, chosen = self._rules(accounts, day)
        for number, rule in enumerate(rules):
            for kind, prefix in _PREFIX.items():
                group = np.flatnonzero((chosen == number) & (booking == kind))
                if group.size:
                    name = log.rule(prefix + rule.name)
                    self._cover(accounts[group], bookings[group], rule=rule, kind=kind, name=name, log=log)

    def _rules(self, accounts: Ints, day: Ints) -> tuple[list[Rule], Ints]:
        """Return the rules that this waterfall has, and which one holds for each account on its day."""
        starts = np.array([day_number(start) for start, _ in self.waterfall.versions])
        version = np.maximum(np.searchsorted(starts, day, side="right") - 1, 0)
        rules: list[Rule] = []
        chosen = np.zeros(day.size, np.int64)
        dpd: Ints | None = None
        for number, (_, orders) in enumerate(self.waterfall.versions):
            level = np.zeros(day.size, np.int64)
            if len(orders) > 1:
                dpd = self._dpd(accounts, day) if dpd is None else dpd
                level = np.searchsorted([rule.from_dpd for rule in orders], dpd, side="right") - 1
            chosen = np.where(version == number, len(rules) + level, chosen)
            rules += orders
        return rules, chosen

    def _dpd(self, accounts: Ints, day: Ints) -> Ints:
        oldest = np.minimum(self.oldest[accounts], day)
        paused = self.facts.pauses.between(accounts + self.first, oldest, day)
        dpd: Ints = day - oldest - paused
        return dpd

    def _cover(self, accounts: Ints, bookings: Ints, *, rule: Rule, kind: int, name: int, log: Log) -> None:
        """Lay each booking over the cells of its account in the order of the rule, and note what follows."""
        day, reach = self.facts.bookings.day[bookings], self.facts.bookings.amount[bookings].copy()
        is_refund = kind == CASH_OUT
        if is_refund:
            from_credit = np.minimum(reach, self.credit[accounts])
            self.credit[accounts] -= from_credit
            reach -= from_credit
        cells = self.covered[accounts] if is_refund else self.left[accounts]
        if self.payable_after is not None and not is_refund:
            cells = np.where((self.payable_after[accounts] < day[:, None])[:, :, None], cells, 0)
        moved = np.zeros_like(cells)
        order = [self.components.index(c) for c in rule.components if c in self.components]
        steps = list(self._steps(accounts, day, rule.sequence))
        for step, (mask, by_component) in enumerate(reversed(steps) if is_refund else steps):
            laid = cells[:, :, order] if mask is None else np.where(mask[:, :, None], cells[:, :, order], 0)
            laid = (laid.swapaxes(1, 2) if by_component else laid).reshape(accounts.size, -1)
            laid = laid[:, ::-1] if is_refund else laid
            before = np.cumsum(laid, axis=1) - laid
            taken = np.clip(reach[:, None] - before, 0, laid)
            reach -= taken.sum(axis=1)
            which, place = np.nonzero(taken)
            amount = taken[which, place]
            at = laid.shape[1] - 1 - place if is_refund else place
            slot, component = (at % self.width, at // self.width) if by_component else divmod(at, len(order))
            component = np.array(order)[component]
            moved[which, slot, component] = amount
            log.lines.append(
                (
                    bookings[which],
                    step * laid.shape[1] + place,
                    self.row[accounts[which], slot],
                    np.array([COMPONENTS.index(c) for c in self.components])[component],
                    amount,
                    np.full(amount.size, name),
                )
            )
        if kind == CASH_IN:
            self.credit[accounts] += reach
        self._settle(accounts, day, -moved if is_refund else moved, log)

    def _steps(self, accounts: Ints, day: Ints, sequence: Sequence) -> Iterator[tuple[Flags | None, bool]]:
        """Yield which slots are covered one after the other, and whether component by component."""
        if sequence is Sequence.HORIZONTAL:
            yield None, False
            return
        tier = self.tier[accounts]
        has_fallen = self.fallen[accounts] <= day[:, None]
        for number in range(int(tier.max()) + 1):
            yield (tier == number) & has_fallen, True
            yield (tier == number) & ~has_fallen, False

    def _settle(self, accounts: Ints, day: Ints, moved: Ints, log: Log) -> None:
        """Take what was covered off what is left; note new oldest due dates, arrears and closings."""
        self.left[accounts] -= moved
        self.covered[accounts] += moved
        tolerance, due, old = self.tolerance[accounts], self.due[accounts], self.unpaid[accounts]
        new = old - moved.sum(axis=2)
        was_open, is_open = old > tolerance, new > tolerance
        self.unpaid[accounts] = new
        closed = np.where(was_open & ~is_open, day[:, None], self.closed[accounts])
        self.closed[accounts] = np.where(is_open & ~was_open, NEVER, closed)
        self.oldest[accounts] = np.where(is_open, due, NEVER).min(axis=1)
        change = np.where(due < NEVER, np.where(is_open, new, 0) - np.where(was_open, old, 0), 0)
        which, slot = np.nonzero(change)
        # A change of what is not yet due shows on the day after its due date.
        shows = np.maximum(day[which], due[which, slot] + 1)
        log.changes.append((accounts[which] + self.first, shows, change[which, slot]))
        log.oldest.append((accounts + self.first, day, self.oldest[accounts]))
