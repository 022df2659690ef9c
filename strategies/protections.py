"""The clocks of complaints, disputes, hardship and moratoria: the dated numbers of protections.yaml."""

from datetime import date
from functools import cache
from pathlib import Path

from collections_app.domain.protections import Clock
from strategies.located_yaml import Located, read_yaml

_FILE = Path(__file__).parent / "parameters" / "protections.yaml"


@cache
def _load() -> Located:
    return read_yaml(_FILE)


def topics() -> tuple[str, ...]:
    """Return what has a clock."""
    return tuple(_load())


def find_clock(topic: str, country: str, on: date) -> Clock | None:
    """Return the clock of a topic in a country on a day, None where no rule sets one.

    A country without an entry of its own takes the one for every other country.
    """
    by_country = _load()[topic]
    begun = [v for v in by_country.get(country, by_country.get("*", ())) if v["from"] <= on]
    if not begun:
        return None
    row = max(begun, key=lambda version: version["from"])
    return Clock(**{k: v for k, v in row.items() if k != "from"})


def clock(topic: str, country: str, on: date) -> Clock:
    """Return the clock of a topic that every country has."""
    found = find_clock(topic, country, on)
    if found is None:
        raise LookupError(f"{_FILE.name}: no {topic} for {country} on {on}")
    return found
