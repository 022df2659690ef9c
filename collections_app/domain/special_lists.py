"""Special lists and court registers: how grave a hit is, and how long it may be used (§3.3, §8.14)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

WORST = 5


@dataclass(frozen=True)
class ListRule:
    """One list: the severity (1-5) of a hit whose vendor tells none, its weight, the days until it is forgotten."""

    code: str
    severity: int
    weight: int
    forget_days: int
    words: str


@dataclass(frozen=True)
class ListRules:
    """All lists, and what a hit that nobody confirmed counts of its weight (0 to 1)."""

    lists: Mapping[str, ListRule]
    unconfirmed_share: float


@dataclass(frozen=True)
class Hit:
    """One entry on a list, as known."""

    list_code: str
    severity: int
    event_on: date
    is_confirmed: bool
    removed_on: date | None = None


def in_force(hit: Hit, *, on: date, rules: ListRules) -> bool:
    """Tell whether a hit may be used on a day: it happened, is not removed, not forgotten, and the list is known."""
    rule = rules.lists.get(hit.list_code)
    if rule is None or hit.event_on > on or (hit.removed_on is not None and hit.removed_on <= on):
        return False
    return (on - hit.event_on).days < rule.forget_days


def worst_severity(hits: Iterable[Hit], *, on: date, rules: ListRules) -> int | None:
    """Return the gravest severity among the confirmed hits in force; None without one."""
    return max((h.severity for h in hits if h.is_confirmed and in_force(h, on=on, rules=rules)), default=None)


def weight(hits: Iterable[Hit], *, on: date, rules: ListRules) -> float:
    """Return the sum of the weights of the hits in force; an unconfirmed hit counts its share."""
    used = [h for h in hits if in_force(h, on=on, rules=rules)]
    return sum(rules.lists[h.list_code].weight * (1.0 if h.is_confirmed else rules.unconfirmed_share) for h in used)
