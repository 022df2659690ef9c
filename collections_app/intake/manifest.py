"""A feed's manifest: what a delivery consists of, and the counts, digests and sums by which it is judged (§8.0)."""

import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from collections_app.domain.errors import InvalidInput
from collections_app.intake.entities import ENTITIES

MODES = ("full", "delta")
# From this schema version on, the whole contract is asked for; before it, what a sender gives is checked.
STRICT = 2
_KEYS = frozenset({
    "schema_version", "source_system", "mode", "business_date", "tz", "cutoff_utc", "generated_at_utc", "files",
    "key_id", "feed", "tenant",
})  # fmt: skip
_FILE_KEYS = frozenset({"file", "entity", "mode", "rows", "sha256", "sums"})
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
# What a column (the source's name) and a file system (a file's name) take.
_LONGEST = {"source_system": 64, "file": 200}


@dataclass(frozen=True)
class ManifestFile:
    """One file that a manifest promises. ``sums``: by column, money in minor units."""

    path: Path
    entity: str
    rows: int
    sha256: str
    sums: dict[str, int]
    mode: str = "delta"
    all_sums: bool = False


@dataclass(frozen=True)
class Manifest:
    """A delivery: whose, for which day, until when it speaks, and its files in the order to load."""

    path: Path
    schema_version: int
    source: str | None
    mode: str
    business_date: date
    files: tuple[ManifestFile, ...]
    tz: str | None = None
    cutoff_at: datetime | None = None
    generated_at: datetime | None = None


class Read(Protocol):
    """A file that was read to its end."""

    path: Path
    sha256: str
    rows: int
    totals: dict[str, int]


class _Wrong(Exception):
    """A break of the contract, in words."""


def read_manifest(path: Path, business_date: date) -> Manifest:
    """Read manifest.json; raise InvalidInput with an explanation at every break of the contract."""
    try:
        data: Any = json.loads(path.read_text("utf-8"), object_pairs_hook=_once)
    except FileNotFoundError:
        raise InvalidInput(f"{path}: no such file") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidInput(f"{path}: not a feed manifest ({type(error).__name__}: {error})") from None
    try:
        manifest = _manifest(data, path)
    except _Wrong as error:
        raise InvalidInput(f"{path}: not a feed manifest: {error}") from None
    if manifest.business_date != business_date:
        raise InvalidInput(f"{path}: the manifest is for {manifest.business_date}, you asked for {business_date}")
    for file in manifest.files:
        if file.path.resolve().parent != path.resolve().parent:
            raise InvalidInput(f"{path}: file {file.path.name!r} lies outside the manifest's folder")
    return manifest


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON; of a key that is there twice nobody can say which one is meant."""
    data = dict(pairs)
    if len(data) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"key {twice!r} is there twice")
    return data


def _manifest(data: Any, path: Path) -> Manifest:
    if not isinstance(data, dict):
        raise _Wrong("it must be one JSON object")
    version = _version(data.get("schema_version", "1"))
    strict = version >= STRICT
    if unknown := sorted(set(data) - _KEYS) if strict else []:
        raise _Wrong(f"unknown key {unknown[0]!r}; known are {', '.join(sorted(_KEYS))}")
    for key in ("business_date", "files", *(("source_system", "mode", "tz", "cutoff_utc") if strict else ())):
        if data.get(key) in (None, ""):
            raise _Wrong(f"{key} is missing")
    if not isinstance(data["files"], list):
        raise _Wrong("files must be a list")
    mode = _mode(data.get("mode"), data["files"])
    files = [_file(entry, i, path, mode, strict=strict) for i, entry in enumerate(data["files"], start=1)]
    twice = [name for name, n in Counter(f.path.name for f in files).items() if n > 1]
    if twice:
        raise _Wrong(f"file {twice[0]!r} is named twice")
    order = list(ENTITIES)
    return Manifest(
        path=path,
        schema_version=version,
        source=None if data.get("source_system") is None else _text(data, "source_system"),
        mode=mode,
        business_date=_day(data["business_date"]),
        files=tuple(sorted(files, key=lambda f: order.index(f.entity))),
        tz=None if data.get("tz") is None else _zone(data["tz"]),
        cutoff_at=_instant(data, "cutoff_utc"),
        generated_at=_instant(data, "generated_at_utc"),
    )


def _version(value: Any) -> int:
    if str(value) not in ("1", "2"):
        raise _Wrong(f"schema_version {value!r} is not known; known are 1 and 2")
    return int(value)


def _mode(value: Any, files: list[Any]) -> str:
    """Return the delivery's mode; the older shape says it of each file."""
    if value is None:
        modes = [f.get("mode", "delta") for f in files if isinstance(f, dict)]
        value = modes[0] if modes and all(mode == modes[0] for mode in modes) else "delta"
    if value not in MODES:
        raise _Wrong(f"mode {value!r} is not one of {', '.join(MODES)}")
    return str(value)


def _file(entry: Any, number: int, path: Path, mode: str, *, strict: bool) -> ManifestFile:
    where = f"files[{number}]"
    if not isinstance(entry, dict):
        raise _Wrong(f"{where} must be an object")
    if unknown := sorted(set(entry) - _FILE_KEYS) if strict else []:
        raise _Wrong(f"{where}: unknown key {unknown[0]!r}")
    for key in ("file", "entity", "rows", "sha256"):
        if key not in entry:
            raise _Wrong(f"{where}: {key} is missing")
    if _text(entry, "entity") not in ENTITIES:
        raise _Wrong(f"{where}: unknown entity {entry['entity']!r}; known are {', '.join(ENTITIES)}")
    if entry.get("mode", mode) not in MODES:
        raise _Wrong(f"{where}: mode {entry['mode']!r} is not one of {', '.join(MODES)}")
    sha = _text(entry, "sha256")
    if strict and not _SHA256.match(sha):
        raise _Wrong(f"{where}: sha256 must be 64 hexadecimal digits in lower case")
    sums = entry.get("sums", {})
    if not isinstance(sums, dict):
        raise _Wrong(f"{where}: sums must be an object of column and whole number")
    return ManifestFile(
        path=path.parent / _text(entry, "file"),
        entity=entry["entity"],
        rows=_whole(entry["rows"], f"{where}: rows"),
        sha256=sha,
        sums={column: _whole(total, f"{where}: the sum of {column}", low=None) for column, total in sums.items()},
        mode=entry.get("mode", mode),
        all_sums=strict,
    )


def _text(data: dict[str, Any], key: str) -> str:
    value = data[key]
    if not isinstance(value, str) or not value or not value.isprintable():
        raise _Wrong(f"{key} must be a text")
    if len(value) > (longest := _LONGEST.get(key, len(value))):
        raise _Wrong(f"{key} is longer than {longest} characters")
    return value


def _whole(value: Any, what: str, *, low: int | None = 0) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or (low is not None and value < low):
        raise _Wrong(f"{what} must be a whole number, not {value!r}")
    return value


def _day(value: Any) -> date:
    try:
        return date.fromisoformat(value)
    except (ValueError, TypeError):
        raise _Wrong(f"business_date {value!r} is not a date such as 2026-03-02") from None


def _zone(value: Any) -> str:
    try:
        return ZoneInfo(value).key
    except (KeyError, ValueError, OSError, TypeError):
        raise _Wrong(f"tz {value!r} is not an IANA time zone such as Asia/Shanghai") from None


def _instant(data: dict[str, Any], key: str) -> datetime | None:
    if data.get(key) is None:
        return None
    try:
        at = datetime.fromisoformat(data[key])
    except (ValueError, TypeError):
        at = None
    if at is None or at.utcoffset() is None or at.utcoffset():
        raise _Wrong(f"{key} {data[key]!r} is not an instant in UTC such as 2026-03-02T17:00:00Z")
    return at


def check_against(promise: ManifestFile, read: Read, *, amount_columns: tuple[str, ...] = ()) -> None:
    """Raise InvalidInput unless rows, digest and control totals of a file read to its end are as promised.

    ``amount_columns``: the money columns of the file; from schema version 2 on each must have its sum.
    """
    if read.sha256 != promise.sha256:
        raise InvalidInput(f"{promise.path}: the digest differs from the manifest's; the file was changed or cut")
    if read.rows != promise.rows:
        raise InvalidInput(f"{promise.path}: {read.rows} rows, the manifest says {promise.rows}")
    for column in amount_columns if promise.all_sums else ():
        if column not in promise.sums:
            raise InvalidInput(f"{promise.path}: the manifest gives no sum of amount column {column!r}")
    for column, total in promise.sums.items():
        if column not in read.totals:
            raise InvalidInput(f"{promise.path}: the manifest gives a sum of column {column!r}, which the file has not")
        if read.totals[column] != total:
            raise InvalidInput(
                f"{promise.path}: column {column!r} sums to {read.totals[column]}, the manifest says {total}"
            )
