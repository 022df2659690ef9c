"""Days past due, buckets, charge-off and re-ageing (domain brief §2.1, §2.2)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from collections_app.domain.calendars import add_months


@dataclass(frozen=True)
class Band:
    """One row of a bucket or class table: the DPD from which the code holds."""

    code: str
    from_dpd: int


@dataclass(frozen=True)
class Pause:
    """A period whose days do not count as past due, both ends included; None = until further notice."""

    from_on: date
    until_on: date | None = None

    def holds_on(self, day: date) -> bool:
        """Tell whether the day is paused."""
        return self.from_on <= day and (self.until_on is None or day <= self.until_on)


def days_past_due(oldest_unpaid_due_on: date | None, as_of: date, *, pauses: Collection[Pause] = ()) -> int:
    """Return whole days since the oldest unpaid due date; the due day itself is 0 (§2.1).

    A day inside a pause does not count: DPD stand still during it, and go on from there after it.
    """
    if oldest_unpaid_due_on is None or as_of <= oldest_unpaid_due_on:
        return 0
    days = (as_of - oldest_unpaid_due_on).days
    if not pauses:
        return days
    passed = (oldest_unpaid_due_on + timedelta(days=n) for n in range(1, days + 1))
    return sum(not any(pause.holds_on(day) for pause in pauses) for day in passed)


def bucket_of(dpd: int, bands: Sequence[Band]) -> str:
    """Return the bucket whose range holds ``dpd``; bands are sorted by ``from_dpd``, the first starts at 0."""
    code = bands[0].code
    for band in bands:
        if dpd < band.from_dpd:
            break
        code = band.code
    return code


def charge_off_due_on(dpd: int, as_of: date, *, charge_off_dpd: int | None) -> date | None:
    """Return the day on which an account that goes on ageing reaches its charge-off (FFIEC: 120 closed-end,
    180 open-end days), in the past if it has; None if it is not past due or its product has no such day."""
    if charge_off_dpd is None or dpd < 1:
        return None
    return as_of + timedelta(days=charge_off_dpd - dpd)


@dataclass(frozen=True)
class ReAgeLimits:
    """When an account may be made current again without having paid up (FFIEC, domain brief §2.2)."""

    minimum_payments: int
    account_months: int
    per_12_months: int
    per_60_months: int


class ReAgeRefusal(StrEnum):
    """Why an account may not be re-aged."""

    TOO_FEW_PAYMENTS = "too_few_payments"
    TOO_YOUNG = "too_young"
    ONCE_IN_12_MONTHS = "once_in_12_months"
    TWICE_IN_60_MONTHS = "twice_in_60_months"


def may_re_age(
    as_of: date, *, opened_on: date | None, payments_in_a_row: int, re_aged_on: Collection[date], limits: ReAgeLimits
) -> tuple[ReAgeRefusal, ...]:
    """Return every reason against re-ageing an account on a day; none = it may be re-aged.

    ``payments_in_a_row``: consecutive minimum payments (or their sum in one) up to now. An account whose opening
    day is not known is too young: what cannot be shown does not hold.
    """
    young = opened_on is None or add_months(as_of, -limits.account_months) < opened_on

    def re_aged_within(months: int) -> int:
        return sum(add_months(as_of, -months) < day <= as_of for day in re_aged_on)

    findings = {
        ReAgeRefusal.TOO_FEW_PAYMENTS: payments_in_a_row < limits.minimum_payments,
        ReAgeRefusal.TOO_YOUNG: young,
        ReAgeRefusal.ONCE_IN_12_MONTHS: re_aged_within(12) >= limits.per_12_months,
        ReAgeRefusal.TWICE_IN_60_MONTHS: re_aged_within(60) >= limits.per_60_months,
    }
    return tuple(refusal for refusal, found in findings.items() if found)
