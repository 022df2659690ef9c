"""Slows down guessing: so many failures per name in so much time, then a pause."""

from collections import defaultdict, deque
from datetime import datetime, timedelta


class Throttle:
    """Counts failures in this process. Two processes allow twice the tries: still too few to guess."""

    def __init__(self, *, tries: int = 10, window: timedelta = timedelta(minutes=5)) -> None:
        self.tries = tries
        self.window = window
        self._failures: dict[str, deque[datetime]] = defaultdict(deque)

    def is_closed(self, name: str, now: datetime) -> bool:
        """Tell whether this name has failed too often lately."""
        failures = self._failures.get(name)
        while failures and failures[0] <= now - self.window:
            failures.popleft()
        return failures is not None and len(failures) >= self.tries

    def failed(self, name: str, now: datetime) -> None:
        """Remember a failure."""
        if len(self._failures) > 10_000:  # a flood of invented names must not eat the memory
            self._failures.clear()
        self._failures[name].append(now)

    def succeeded(self, name: str) -> None:
        """Forget the failures of a name."""
        self._failures.pop(name, None)
