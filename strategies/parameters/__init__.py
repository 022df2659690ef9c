"""Dated numbers that are not contact law: bucket tables, stages, promise terms."""

from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from collections_app.domain.delinquency import Band

_HERE = Path(__file__).parent


@cache
def load(name: str) -> dict[str, Any]:
    """Return a file of this folder as it was written."""
    data: dict[str, Any] = yaml.safe_load((_HERE / f"{name}.yaml").read_text("utf-8"))
    return data


def in_force(versions: Mapping[date, Any], on: date | None) -> Any:
    """Return the version in force on a day (None: the latest); before the first one, the first."""
    starts = sorted(versions)
    begun = starts if on is None else [start for start in starts if start <= on]
    return versions[begun[-1] if begun else starts[0]]


def bands_in_force(tables: Mapping[str, Any], table: str, on: date | None) -> tuple[Band, ...]:
    """Return the bands of one of several dated tables, sorted by DPD. ValueError: there is no such table."""
    if table not in tables:
        raise ValueError(f"unknown table {table!r}; known are {', '.join(tables)}")
    bands = (Band(code, int(start)) for code, start in in_force(tables[table]["versions"], on).items())
    return tuple(sorted(bands, key=lambda band: band.from_dpd))


def bucket_bands(table: str, on: date | None = None) -> tuple[Band, ...]:
    """Return the bands of a bucket table ("cn" or "intl") in force on a day (None: the latest), sorted by DPD."""
    return bands_in_force(load("buckets"), table, on)


def casework(topic: str) -> dict[str, int]:
    """Return the numbers of a topic of casework.yaml ("stages", "promise")."""
    return {str(k): int(v) for k, v in load("casework")[topic]["values"].items()}


def recordings(topic: str) -> dict[str, int]:
    """Return the numbers of a topic of recordings.yaml ("retention", "review")."""
    return {str(k): int(v) for k, v in load("recordings")[topic]["values"].items()}
