"""When: lawful hours, the customer's own hours, closed days (stage 4)."""

from dataclasses import dataclass
from datetime import date, datetime

from collections_app.domain.calendars import DayWindow, next_inside, next_open_day, next_outside
from collections_app.domain.contact import Channel
from collections_app.domain.gate.facts import Preference
from collections_app.domain.gate.reading import Reading, zone_named
from collections_app.domain.gate.rules import TimeRule


@dataclass(frozen=True, kw_only=True)
class Hours(TimeRule):
    """Contact only inside the windows, in every candidate zone.

    ``guard_minutes`` closes voice earlier, so that ringing does not run over the end. Hours that the
    customer agreed replace the windows where the law allows it (``yields_to_agreement``).
    """

    windows: tuple[DayWindow, ...]
    guarded: tuple[DayWindow, ...]
    guard_minutes: int = 0
    yields_to_agreement: bool = False

    def next_allowed(self, reading: Reading, at: datetime) -> datetime | None:
        windows = self._windows(reading)
        latest = at
        for zone in reading.clock(self.clock):
            opening = next_inside(windows, at, zone)
            if opening is None:
                return None
            latest = max(latest, opening)
        return latest

    def _windows(self, reading: Reading) -> tuple[DayWindow, ...]:
        is_voice = reading.proposal.channel is Channel.VOICE
        customer = reading.customer
        if self.yields_to_agreement and (customer.agreed_start or customer.agreed_end):
            guard = self.guard_minutes if is_voice else 0
            return (DayWindow.between(customer.agreed_start, customer.agreed_end, guard_minutes=guard),)
        return self.guarded if is_voice else self.windows


@dataclass(frozen=True, kw_only=True)
class Preferences(TimeRule):
    """Not when the customer called it inconvenient; only when they called it convenient, if they did."""

    def next_allowed(self, reading: Reading, at: datetime) -> datetime | None:
        welcome: dict[str, list[DayWindow]] = {}
        latest = at
        for preference in reading.customer.preferences:
            if preference.allow:
                welcome.setdefault(preference.zone, []).append(_window(preference))
            else:
                zone = zone_named(preference.zone)
                latest = max(latest, next_outside(_window(preference), at, zone))
        if not welcome:
            return latest
        openings = (next_inside(windows, at, zone_named(zone)) for zone, windows in welcome.items())
        opening = min((o for o in openings if o is not None), default=None)
        return None if opening is None else max(latest, opening)


@dataclass(frozen=True, kw_only=True)
class ClosedDays(TimeRule):
    """No contact on these dates."""

    dates: frozenset[date]

    def next_allowed(self, reading: Reading, at: datetime) -> datetime | None:
        return max(next_open_day(self.dates, at, zone) for zone in reading.clock(self.clock))


def _window(preference: Preference) -> DayWindow:
    return DayWindow.between(preference.start, preference.end, preference.weekdays)
