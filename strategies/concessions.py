"""Who may grant what, and by which rules plans live: the dated numbers of concession_limits.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

from collections_app.domain.plans import Authority, BreachRule, LevelLimits, Limit, PlanKind
from strategies.located_yaml import Located, YamlError, read_yaml

_FILE = Path(__file__).parent / "parameters" / "concession_limits.yaml"


@dataclass(frozen=True)
class PlanRules:
    """What holds for every plan; ``affordability`` names countries that want income and expense, and why."""

    most_terms: int
    breach: BreachRule
    affordability: Mapping[str, str]


@cache
def _load() -> Located:
    return read_yaml(_FILE)


def _in_force(topic: str, on: date) -> Located:
    begun = [version for version in _load()[topic] if version["from"] <= on]
    if not begun:
        raise YamlError(f"{_FILE.name}: nothing in {topic} is in force on {on}")
    return max(begun, key=lambda version: version["from"])


def plan_rules(on: date) -> PlanRules:
    """Return the rules of plans in force on a day."""
    row = _in_force("rules", on)
    return PlanRules(int(row["most_terms"]), BreachRule(**row["breach"]), dict(row["affordability"]))


def authority_levels(on: date) -> tuple[LevelLimits, ...]:
    """Return the levels of authority in force on a day, the least first."""
    return tuple(
        LevelLimits(
            Authority(level["level"]), {PlanKind(kind): Limit(**limit) for kind, limit in level["kinds"].items()}
        )
        for level in _in_force("authority", on)["levels"]
    )
