"""A delivery is judged by its manifest: every break of the contract is refused with an explanation."""

import hashlib
import json
from copy import deepcopy
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from collections_app.domain.errors import InvalidInput
from collections_app.intake.feed import FeedFile, check_against, open_file, read_manifest
from collections_app.intake.manifest import Manifest
from collections_app.intake.mapping import load_mapping

DAY = date(2026, 3, 2)
HEADER = "payment_id,account_id,amount,ccy,kind,status,value_date"
ROWS = ["P1,A1,500,USD,payment,settled,2026-03-01", "P2,A1,oops,USD,payment,settled,2026-03-01",
        "P3,A1,-70,USD,payment,settled,2026-03-01"]  # fmt: skip


def delivery(folder: Path, **over: Any) -> tuple[Path, dict[str, Any]]:
    """Write a payments file and its whole manifest; return the manifest's path and content."""
    file = folder / "payments_delta_001.csv"
    file.write_text("\n".join([HEADER, *ROWS]) + "\n")
    entry = {
        "file": file.name, "entity": "payments", "rows": 3, "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "sums": {"amount": 430},
    }  # fmt: skip
    data = {
        "schema_version": 2, "source_system": "bank", "mode": "delta", "business_date": "2026-03-02",
        "tz": "Asia/Shanghai", "cutoff_utc": "2026-03-01T16:00:00Z", "generated_at_utc": "2026-03-01T18:30:00Z",
        "files": [entry], **over,
    }  # fmt: skip
    return store(folder, data), data


def store(folder: Path, data: Any) -> Path:
    path = folder / "manifest.json"
    path.write_text(json.dumps(data))
    return path


def read_through(manifest: Manifest) -> FeedFile:
    promise = manifest.files[0]
    file = open_file(promise.path, load_mapping("own_feed"), DAY, entity=promise.entity, totals_of=promise.sums)
    for _ in file.chunks():
        pass
    check_against(promise, file, amount_columns=file.amount_columns)
    return file


def test_a_whole_manifest_is_read_and_the_delivery_agrees_with_it_refused_rows_included(tmp_path: Path) -> None:
    path, _ = delivery(tmp_path)
    manifest = read_manifest(path, DAY)
    assert (manifest.source, manifest.mode, manifest.tz) == ("bank", "delta", "Asia/Shanghai")
    assert manifest.cutoff_at == datetime(2026, 3, 1, 16, tzinfo=UTC)
    file = read_through(manifest)
    assert (file.rows, file.refused, file.totals, file.amount_columns) == (3, 2, {"amount": 430}, ("amount",))


def changed(data: dict[str, Any], place: str, value: Any) -> dict[str, Any]:
    data = deepcopy(data)
    where = data["files"][0] if place.startswith("files.") else data
    key = place.removeprefix("files.")
    if value is None:
        del where[key]
    else:
        where[key] = value
    return data


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        ("schema_version", "9", "schema_version '9' is not known"),
        ("source_system", None, "source_system is missing"),
        ("mode", None, "mode is missing"),
        ("mode", "half", "mode 'half' is not one of full, delta"),
        ("business_date", "02.03.2026", "is not a date such as"),
        ("tz", "Mars/Base", "is not an IANA time zone"),
        ("cutoff_utc", "2026-03-01T16:00:00", "is not an instant in UTC"),
        ("cutoff_utc", "2026-03-01T16:00:00+08:00", "is not an instant in UTC"),
        ("files", {}, "files must be a list"),
        ("surprise", 1, "unknown key 'surprise'"),
        ("files.rows", "3", "rows must be a whole number"),
        ("files.rows", -1, "rows must be a whole number"),
        ("files.rows", True, "rows must be a whole number"),
        ("files.sums", {"amount": 4.3}, "the sum of amount must be a whole number"),
        ("files.sums", [430], "sums must be an object"),
        ("files.sha256", "abc", "64 hexadecimal digits"),
        ("files.entity", "loans", "unknown entity 'loans'"),
        ("files.entity", ["payments"], "entity must be a text"),
        ("files.mode", ["full"], "is not one of full, delta"),
        ("files.file", "a\0b", "file must be a text"),
        ("files.file", "a" * 201, "file is longer than 200 characters"),
        ("source_system", "b" * 65, "source_system is longer than 64 characters"),
        ("source_system", "\ud800", "source_system must be a text"),
        ("files.file", None, "file is missing"),
        ("files.file", "../payments_delta_001.csv", "outside the manifest's folder"),
    ],
)
def test_a_manifest_that_breaks_the_contract_is_refused_with_the_place(
    tmp_path: Path, place: str, value: Any, says: str
) -> None:
    _, data = delivery(tmp_path)
    with pytest.raises(InvalidInput) as refusal:
        read_manifest(store(tmp_path, changed(data, place, value)), DAY)
    assert says in refusal.value.message


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        ("files.rows", 4, "3 rows, the manifest says 4"),
        ("files.sums", {"amount": 431}, "column 'amount' sums to 430, the manifest says 431"),
        ("files.sums", {}, "no sum of amount column 'amount'"),
        ("files.sums", {"amount": 430, "fee": 0}, "a sum of column 'fee', which the file has not"),
        ("files.sha256", "0" * 64, "the digest differs"),
    ],
)
def test_a_file_that_is_not_as_promised_is_refused(tmp_path: Path, place: str, value: Any, says: str) -> None:
    _, data = delivery(tmp_path)
    manifest = read_manifest(store(tmp_path, changed(data, place, value)), DAY)
    with pytest.raises(InvalidInput) as refusal:
        read_through(manifest)
    assert says in refusal.value.message


@pytest.mark.parametrize("content", ["", "[]", "{", "null", "[" * 100_000, '{"business_date": "2026-03-02"}'])
def test_what_is_no_manifest_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(content)
    with pytest.raises(InvalidInput, match="not a feed manifest"):
        read_manifest(path, DAY)


def test_a_key_that_is_there_twice_leaves_open_which_one_is_meant(tmp_path: Path) -> None:
    path, _ = delivery(tmp_path)
    path.write_text(path.read_text().replace('"mode": "delta"', '"mode": "full", "mode": "delta"'))
    with pytest.raises(InvalidInput, match="key 'mode' is there twice"):
        read_manifest(path, DAY)


def test_the_older_shape_is_still_accepted_and_a_file_named_twice_is_not(tmp_path: Path) -> None:
    _, data = delivery(tmp_path)
    entry = {**data["files"][0], "mode": "full", "sums": {}}
    old = {"schema_version": "1", "source_system": "bank", "business_date": "2026-03-02", "files": [entry]}
    manifest = read_manifest(store(tmp_path, old), DAY)
    assert (manifest.mode, manifest.files[0].mode, manifest.schema_version) == ("full", "full", 1)
    read_through(manifest)
    with pytest.raises(InvalidInput, match="is named twice"):
        read_manifest(store(tmp_path, {**old, "files": [entry, entry]}), DAY)
