"""The dated numbers of outside signals: multi_lending.yaml and special_lists.yaml as the domain's own types."""

from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from collections_app.domain.multi_lending import SCOPES, LendingRules
from collections_app.domain.special_lists import WORST, ListRule, ListRules

_PARAMETERS = Path(__file__).parent / "parameters"


def lending_rules(on: date) -> LendingRules:
    """Return the windows and limits in force on a day; raise ValueError when none is, or a number cannot be right."""
    started = [v for v in _load("multi_lending")["versions"] if v["effective_from"] <= on]
    if not started:
        raise ValueError(f"multi_lending.yaml: no version is in force on {on}")
    return _lending_rules(max(started, key=lambda v: v["effective_from"]))


def _lending_rules(data: dict[str, Any]) -> LendingRules:
    windows = tuple((str(name), int(days)) for name, days in data["windows"].items())
    if [d for _, d in windows] != sorted({d for _, d in windows}):
        raise ValueError("multi_lending.yaml: windows must be told from the narrowest to the widest")
    if unknown := set(data["stored_types"]) - set(SCOPES):
        raise ValueError(f"multi_lending.yaml: unknown institution types {', '.join(sorted(unknown))}")
    start, end = int(data["night"]["from_hour"]), int(data["night"]["until_hour"])
    return LendingRules(
        version=str(data["version"]),
        windows=windows,
        night_hours=frozenset(h % 24 for h in range(start, end + 24 if end <= start else end)),
        weekend=frozenset(map(int, data["weekend"])),
        accel_guard=float(data["accel_guard"]),
        new_org_days=int(data["new_org_days"]),
        lifetime_days=int(data["lifetime_days"]),
        longest_lifetime_days=int(data["longest_lifetime_days"]),
        scopes=tuple(map(str, data["stored_types"])),
    )


@cache
def list_rules() -> ListRules:
    """Return every special list with its severity, weight and memory."""
    data = _load("special_lists")
    lists = {
        str(code): ListRule(str(code), int(r["severity"]), int(r["weight"]), int(r["forget_days"]), str(r["words"]))
        for code, r in data["lists"].items()
    }
    if wrong := [r.code for r in lists.values() if not 1 <= r.severity <= WORST]:
        raise ValueError(f"special_lists.yaml: severity is 1 to {WORST}: {', '.join(wrong)}")
    return ListRules(lists, float(data["unconfirmed_share"]))


@cache
def _load(name: str) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((_PARAMETERS / f"{name}.yaml").read_text("utf-8"))
    return data
