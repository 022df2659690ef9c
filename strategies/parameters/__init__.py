"""Dated numbers that are not contact law: bucket tables, stages, promise terms."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from collections_app.domain.delinquency import Band

_HERE = Path(__file__).parent


@cache
def _load(name: str) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((_HERE / f"{name}.yaml").read_text("utf-8"))
    return data


def bucket_bands(table: str) -> tuple[Band, ...]:
    """Return the bands of a bucket table ("cn" or "intl"), sorted by DPD."""
    tables = _load("buckets")
    if table not in tables:
        raise ValueError(f"unknown bucket table {table!r}; known are {', '.join(tables)}")
    bands = (Band(code, int(start)) for code, start in tables[table]["bands"].items())
    return tuple(sorted(bands, key=lambda band: band.from_dpd))


def casework(topic: str) -> dict[str, int]:
    """Return the numbers of a topic of casework.yaml ("stages", "promise")."""
    return {str(k): int(v) for k, v in _load("casework")[topic]["values"].items()}


def recordings(topic: str) -> dict[str, int]:
    """Return the numbers of a topic of recordings.yaml ("retention", "review")."""
    return {str(k): int(v) for k, v in _load("recordings")[topic]["values"].items()}
