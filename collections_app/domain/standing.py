"""How one account stands on each day of its life, straight from the definitions (domain brief §2.1, §2.2, §8.5).

The plain reference for the set-based engine: it asks the definitions anew for every single day.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from collections_app.domain.allocation import (
    Account,
    Line,
    allocate,
    effective_amounts,
    overdue,
    unpaid_amount,
)
from collections_app.domain.cases import EpisodeEnd
from collections_app.domain.delinquency import charge_off_due_on, days_past_due
from collections_app.domain.waterfalls import InstalmentKind, share_of

# From the day such a status holds nothing is due any more; how an open episode then ends.
GONE = {"closed": EpisodeEnd.PAID_OFF, "settled": EpisodeEnd.PAID_OFF, "sold": EpisodeEnd.SOLD}
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Standing:
    """From ``from_on`` on, until the next one: DPD grow day by day if ageing, else stand still."""

    from_on: date
    dpd: int
    is_ageing: bool
    arrears_amount: int


@dataclass(frozen=True)
class Spell:
    """An episode: one continuous spell of DPD >= 1; ``ended_on`` None = open."""

    entry_on: date
    entry_dpd: int
    entry_arrears_amount: int
    max_dpd: int
    ended_on: date | None
    end_reason: EpisodeEnd | None


@dataclass(frozen=True)
class AccountLedger:
    """All that follows from the facts of one account, as of one day (fields as in ledger/frames.py)."""

    oldest_unpaid_due_on: date | None
    next_due_on: date | None
    next_change_on: date | None
    collect_from_on: date | None
    material_since_on: date | None
    dpd_regulatory: int
    charge_off_due_on: date | None
    lines: tuple[Line, ...]
    unapplied: dict[str, int]
    closed_on: dict[tuple[int, int], date | None]
    standings: tuple[Standing, ...]
    spells: tuple[Spell, ...]

    @property
    def last(self) -> Standing:
        """The standing as of the day."""
        return self.standings[-1]


def gone_on(account: Account, as_of: date) -> date | None:
    """Return the day from which nothing is due because the account is closed, settled or sold."""
    if account.status not in GONE:
        return None
    return as_of if account.status_since_on is None else account.status_since_on


def charged_off_on(account: Account, as_of: date) -> date | None:
    """Return the day of the charge-off."""
    if account.charged_off_on is None and account.status == "charged_off":
        return as_of if account.status_since_on is None else account.status_since_on
    return account.charged_off_on


def standing_on(account: Account, lines: list[Line], day: date, as_of: date) -> Standing:
    """Return how the account stands on one day, by the bookings of value dates up to it."""
    gone = gone_on(account, as_of)
    until_then = [line for line in lines if line.payment.value_on <= day]
    late = [] if gone is not None and gone <= day else overdue(account, until_then, day)
    return Standing(
        from_on=day,
        dpd=days_past_due(late[0].due_on if late else None, day, pauses=account.pauses),
        is_ageing=bool(late) and not any(pause.holds_on(day) for pause in account.pauses),
        arrears_amount=sum(unpaid_amount(i, until_then) for i in late),
    )


def _days(account: Account, as_of: date) -> list[date]:
    """Return the days from the account's first event until as_of."""
    amounts = effective_amounts(account.payments, as_of)
    events = [i.due_on for i in account.instalments] + [p.value_on for p in account.payments if amounts[p.ref]]
    first = min((day for day in (*events, account.opened_on, as_of) if day is not None and day <= as_of), default=as_of)
    return [first + timedelta(days=n) for n in range((as_of - first).days + 1)]


def _change_points(daily: list[Standing]) -> tuple[Standing, ...]:
    spans: list[Standing] = []
    for today in daily:
        if spans:
            last = spans[-1]
            grown = last.dpd + (today.from_on - last.from_on).days if last.is_ageing else last.dpd
            if (today.dpd, today.is_ageing, today.arrears_amount) == (grown, last.is_ageing, last.arrears_amount):
                continue
        spans.append(today)
    return tuple(spans)


def _spells(account: Account, daily: list[Standing], as_of: date) -> tuple[Spell, ...]:
    """Return the episodes. A charge-off ends one, and none begins after it; so does closing or selling."""
    gone, written_off = gone_on(account, as_of), charged_off_on(account, as_of)
    found: list[Spell] = []
    running: list[Standing] = []

    def end(day: date | None, reason: EpisodeEnd | None) -> None:
        if running:
            first, longest = running[0], max(day.dpd for day in running)
            found.append(Spell(first.from_on, first.dpd, first.arrears_amount, longest, day, reason))
            running.clear()

    for today in daily:
        is_gone = gone is not None and gone <= today.from_on
        if today.dpd == 0:
            end(today.from_on, GONE[account.status] if is_gone else EpisodeEnd.CURED)
        elif written_off is not None and written_off <= today.from_on:
            end(today.from_on, EpisodeEnd.CHARGED_OFF)
        else:
            running.append(today)
    end(None, None)
    return tuple(found)


def _closed_on(account: Account, lines: list[Line], days: list[date]) -> dict[tuple[int, int], date | None]:
    """Return since when no more than the tolerance is left of each instalment; its due date if it never was more."""
    closed: dict[tuple[int, int], date | None] = {}
    for instalment in account.instalments:
        tolerance = account.tolerance(instalment)
        since = instalment.due_on if instalment.due_amount <= tolerance else None
        is_open = instalment.due_amount > tolerance
        for day in days:
            left = unpaid_amount(instalment, [line for line in lines if line.payment.value_on <= day])
            if is_open != (left > tolerance):
                is_open = left > tolerance
                since = None if is_open else day
        closed[instalment.key] = since
    return closed


def _material_since(account: Account, daily: list[Standing]) -> date | None:
    """Return the first day of the run, up to today, of arrears over both thresholds of materiality (EBA)."""
    floor = max(
        account.product.materiality_amounts.get(account.currency, 0),
        share_of(account.balance_amount, account.product.materiality_rate),
    )
    since = None
    for today in daily:
        if today.arrears_amount <= floor:
            since = None
        elif since is None:
            since = today.from_on
    return since


def derive_account(account: Account, as_of: date) -> AccountLedger:
    """Return everything that follows from the facts of one account, as of one day."""
    lines, unapplied = allocate(account, as_of)
    days = _days(account, as_of)
    daily = [standing_on(account, lines, day, as_of) for day in days]
    gone = gone_on(account, as_of)
    is_live = gone is None or gone > as_of
    due_dates = [
        i.due_on
        for i in account.instalments
        if i.due_on is not None
        and is_live
        and i.kind is not InstalmentKind.BALANCE
        and unpaid_amount(i, lines) > account.tolerance(i)
    ]
    coming = [day for day in due_dates if day >= as_of]
    edges = {day for p in account.pauses for day in (p.from_on, p.until_on and p.until_on + _DAY) if day is not None}
    turns = [d for d in edges if is_live and d > as_of and _is_paused(account, d) != _is_paused(account, d - _DAY)]
    past = [day for day in due_dates if day < as_of]
    grace = account.product.grace_days if account.grace_days is None else account.grace_days
    material = _material_since(account, daily)
    written_off = charged_off_on(account, as_of)
    is_written_off = written_off is not None and written_off <= as_of
    return AccountLedger(
        oldest_unpaid_due_on=min(due_dates, default=None),
        next_due_on=min(coming, default=None),
        next_change_on=min([*turns, *(day + _DAY for day in coming)], default=None),
        collect_from_on=min(past) + timedelta(days=grace + 1) if past else None,
        material_since_on=material,
        dpd_regulatory=0 if material is None else (as_of - material).days + 1,
        charge_off_due_on=None
        if is_written_off
        else charge_off_due_on(daily[-1].dpd, as_of, charge_off_dpd=account.product.charge_off_dpd),
        lines=tuple(lines),
        unapplied=unapplied,
        closed_on=_closed_on(account, lines, days),
        standings=_change_points(daily),
        spells=_spells(account, daily, as_of),
    )


def _is_paused(account: Account, day: date) -> bool:
    return any(pause.holds_on(day) for pause in account.pauses)
