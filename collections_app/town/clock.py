"""The town's clock: it stands where the replay puts it and moves only when told."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time


@dataclass
class TownClock:
    """A settable clock that the units of work of the demo read."""

    now: datetime

    def __call__(self) -> datetime:
        """Return the town's instant."""
        return self.now

    def set(self, day: date, at: time) -> datetime:
        """Move to a UTC time of ``day``."""
        self.now = datetime.combine(day, at, tzinfo=UTC)
        return self.now
