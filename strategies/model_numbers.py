"""The dated numbers of models at work: model_monitoring.yaml, checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_FILE = Path(__file__).parent / "parameters" / "model_monitoring.yaml"


@dataclass(frozen=True)
class BandHold:
    """Hysteresis of treatment bands: a band stays ``hold_days``, unless the score moves by more than ``step``."""

    hold_days: int
    step: int


def band_hold(on: date) -> BandHold:
    """Return the hysteresis in force on a day."""
    return BandHold(**{k: int(v) for k, v in _in_force(on)["bands"].items()})


def monitoring_limits(on: date) -> Mapping[str, Any]:
    """Return the thresholds of monitoring in force on a day, by name; whole numbers stay whole."""
    limits: Mapping[str, Any] = _in_force(on)["limits"]
    if wrong := [name for name, value in limits.items() if not isinstance(value, int | float) or value < 0]:
        raise ValueError(f"model_monitoring.yaml: not a number of zero or more: {', '.join(wrong)}")
    return limits


def _in_force(on: date) -> dict[str, Any]:
    started: list[dict[str, Any]] = [v for v in _load()["versions"] if v["effective_from"] <= on]
    if not started:
        raise ValueError(f"model_monitoring.yaml: no version is in force on {on}")
    return max(started, key=lambda v: v["effective_from"])


@cache
def _load() -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(_FILE.read_text("utf-8"))
    return data
