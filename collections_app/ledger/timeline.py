"""How accounts stood since their first event: spans between the days on which something changed, and episodes."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from collections_app.domain.cases import EpisodeEnd
from collections_app.domain.standing import GONE
from collections_app.ledger import frames
from collections_app.ledger.days import NEVER, Flags, Ints, dates, day_numbers, day_of, key_of, position_of
from collections_app.ledger.facts import Facts, share_of
from collections_app.ledger.rounds import Log, Outcome


@dataclass(frozen=True)
class Spans:
    """Standings as arrays, sorted by account and day. Each account has at least one; ``last`` is its last row."""

    position: Ints
    day: Ints
    dpd: Ints
    is_ageing: Flags
    arrears: Ints
    last: Ints

    def dpd_now(self, as_of: int) -> Ints:
        """Return the DPD of each account as of a day at or after its last change."""
        last = self.last
        return np.where(self.is_ageing[last], self.dpd[last] + as_of - self.day[last], self.dpd[last])

    def frame(self, accounts: pl.DataFrame) -> pl.DataFrame:
        """Return the standings as a frame."""
        columns = {
            "account_id": accounts["account_id"].gather(self.position),
            "from_on": dates(self.day),
            "dpd": self.dpd,
            "is_ageing": self.is_ageing,
            "arrears_amount": self.arrears,
        }
        return pl.DataFrame(columns, schema=frames.DERIVED_STANDINGS)


def _first_days(facts: Facts) -> Ints:
    """Return each account's first event: opened, something due, a booking; as_of if there was none yet."""
    first = np.minimum(day_numbers(facts.accounts["opened_on"]), facts.as_of)
    np.minimum.at(first, facts.slots.position, facts.slots.fallen)
    np.minimum.at(first, facts.bookings.position, facts.bookings.day)
    return first


def _joined(parts: list[tuple[Ints, ...]], columns: int) -> tuple[Ints, ...]:
    """Return parts of arrays as whole ones."""
    if not parts:
        return tuple(np.zeros(0, np.int64) for _ in range(columns))
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def _points(facts: Facts, outcome: Outcome, log: Log) -> tuple[Ints, Ints, Ints]:
    """Return, per day on which anything changes, its key, the arrears and the oldest unpaid due date from then on."""
    accounts, slots = facts.accounts.height, facts.slots
    first = _first_days(facts)
    everyone = np.arange(accounts)
    # What an instalment adds on the day after its due date if nothing is paid by then; bookings change that.
    due_amount = slots.dues.sum(axis=1)
    adds = (due_amount > slots.tolerance) & (slots.due < facts.as_of)
    moved = _joined(log.changes, 3)
    shows = moved[1] <= facts.as_of
    turned = _joined(log.oldest, 3)
    edges = facts.pauses.edges
    edges = edges[(day_of(edges) > first[position_of(edges)]) & (day_of(edges) <= facts.as_of)]
    left = np.flatnonzero((facts.gone <= facts.as_of) & (facts.gone > first))
    groups = [  # key, change of arrears, oldest due date (-NEVER: as before); an account's first day comes first
        (key_of(everyone, first), np.zeros(accounts, np.int64), outcome.first_oldest),
        (key_of(slots.position[adds], slots.due[adds] + 1), due_amount[adds], None),
        (key_of(moved[0][shows], moved[1][shows]), moved[2][shows], None),
        (key_of(turned[0], turned[1]), None, turned[2]),
        (edges, None, None),
        (key_of(left, facts.gone[left]), None, None),
    ]
    key = np.concatenate([group[0] for group in groups])
    change = np.concatenate([np.zeros(k.size, np.int64) if c is None else c for k, c, _ in groups])
    oldest = np.concatenate([np.full(k.size, -NEVER) if o is None else o for k, _, o in groups])
    order = np.argsort(key, kind="stable")
    key, change, oldest = key[order], change[order], oldest[order]
    total = np.cumsum(change)
    begins = np.searchsorted(key, key_of(everyone, first))
    arrears = total - np.repeat(total[begins], np.diff(np.append(begins, key.size)))
    known = np.maximum.accumulate(np.where(oldest > -NEVER, np.arange(key.size), 0))
    is_last_of_day = np.append(key[1:] != key[:-1], np.ones(min(1, key.size), bool))
    return key[is_last_of_day], arrears[is_last_of_day], oldest[known][is_last_of_day]


def spans(facts: Facts, outcome: Outcome, log: Log) -> Spans:
    """Return the standings: the least number of spans that say how each account stood on each day."""
    key, arrears, oldest = _points(facts, outcome, log)
    position, day = position_of(key), day_of(key)
    is_late = (oldest < day) & (facts.gone[position] > day)
    since = np.where(is_late, oldest, day)
    dpd = day - since - facts.pauses.between(position, since, day)
    is_ageing = is_late & ~facts.pauses.holds(key)
    arrears = np.where(is_late, arrears, 0)
    passed = np.diff(day) * is_ageing[:-1]
    goes_on = (
        (position[1:] == position[:-1])
        & (dpd[1:] == dpd[:-1] + passed)
        & (is_ageing[1:] == is_ageing[:-1])
        & (arrears[1:] == arrears[:-1])
    )
    kept = np.append(np.ones(min(1, key.size), bool), ~goes_on)
    position = position[kept]
    last = np.searchsorted(position, np.arange(facts.accounts.height), side="right") - 1
    return Spans(position, day[kept], dpd[kept], is_ageing[kept], arrears[kept], last)


def material_since(facts: Facts, found: Spans) -> Ints:
    """Return the first day of each account's present run of arrears over both limits of materiality, or NEVER.

    The limit relative to the exposure is taken of the balance as last told.
    """
    accounts = facts.accounts
    rate, balance = accounts["materiality_rate"].to_numpy(), accounts["balance_amount"].fill_null(0).to_numpy()
    limit = np.maximum(accounts["materiality_amount"].to_numpy(), share_of(balance, rate))
    is_over = found.arrears > limit[found.position]
    rows = np.arange(is_over.size)
    # No account begins in arrears, so that a run never reaches back into another account's rows.
    before = np.maximum.accumulate(np.where(is_over, -1, rows))
    since = np.minimum(before + 1, rows)
    return np.where(is_over[found.last], found.day[since[found.last]], NEVER)


def episodes(facts: Facts, found: Spans) -> pl.DataFrame:
    """Return the spells of DPD >= 1 (domain.standing). A charge-off ends one, and none begins after it."""
    position = found.position
    is_last = np.zeros(position.size, bool)
    is_last[found.last] = True
    following = np.append(found.day[1:], 0)[: position.size]
    until = np.where(is_last, facts.as_of + 1, following)
    written_off = facts.charged_off[position]
    is_in = (found.dpd >= 1) & (found.day < written_off)
    end = np.minimum(until, written_off)
    longest = found.dpd + found.is_ageing * (end - 1 - found.day)
    previous_in = np.append(False, is_in[:-1] & ~is_last[:-1])[: position.size]
    rows = np.flatnonzero(is_in)
    entries = np.flatnonzero(is_in & ~previous_in)
    leads_on = np.append(is_in[1:] & ~is_last[:-1], False)[: position.size]
    exits = np.flatnonzero(is_in & ~leads_on)
    max_dpd = np.maximum.reduceat(longest[rows], np.searchsorted(rows, entries)) if rows.size else np.zeros(0, int)
    ended = np.where(end[exits] > facts.as_of, NEVER, end[exits])
    # Back to 0 where the next span begins on the very day; else the charge-off cut it short.
    is_back = ~is_last[exits] & (following[exits] == ended) & (np.append(found.dpd, 0)[exits + 1] == 0)
    account = position[exits]
    status = facts.accounts["status"].gather(account)
    by_status = status.replace_strict(GONE, default=EpisodeEnd.CURED, return_dtype=pl.String)
    reasons = pl.select(
        pl.when(pl.Series(ended == NEVER))
        .then(None)
        .when(pl.Series(~is_back))
        .then(pl.lit(str(EpisodeEnd.CHARGED_OFF)))
        .when(pl.Series(facts.gone[account] <= ended))
        .then(by_status)
        .otherwise(pl.lit(str(EpisodeEnd.CURED)))
    ).to_series()
    columns = {
        "account_id": facts.accounts["account_id"].gather(account),
        "entry_on": dates(found.day[entries]),
        "entry_dpd": found.dpd[entries],
        "entry_arrears_amount": found.arrears[entries],
        "max_dpd": max_dpd,
        "ended_on": dates(ended),
        "end_reason": reasons,
    }
    return pl.DataFrame(columns, schema=frames.DERIVED_EPISODES)
