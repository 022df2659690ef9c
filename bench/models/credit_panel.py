"""The monthly panel of ../shared/data/credit_record_panel, read in place, with its two splits.

``id`` split: md5 of the account's ID, 30% test, all 45,985 accounts (baseline c1). ``applicant`` split: the file
split_by_applicant_md5.csv, 36,457 accounts of 9,728 people who are never on both sides (baseline c3, the reference).
"""

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from models.panel import NO_LOAN, PAID_OFF, Panel

_STATES = {"X": NO_LOAN, "C": PAID_OFF, **{str(s): s for s in range(6)}}
_TEST_FOLDS = 3


@dataclass(frozen=True)
class SplitPanel:
    """A panel in two parts, and how it was split, in words."""

    train: Panel
    test: Panel
    recipe: str


def load(data: Path, split: Literal["applicant", "id"]) -> SplitPanel:
    """Read the panel; months on book count from the first row of an account (baseline: order by MONTHS_BALANCE)."""
    records = (
        pl.read_csv(_unzipped(data / "credit_record.csv.zip"))
        .sort("ID", "MONTHS_BALANCE")
        .select(
            account_id="ID", month="MONTHS_BALANCE", mob=pl.int_range(pl.len()).over("ID"),
            state=pl.col("STATUS").replace_strict(_STATES, return_dtype=pl.Int8),
        )
    )  # fmt: skip
    if split == "id":
        accounts = records.select("account_id").unique().with_columns(
            customer=pl.col("account_id"),
            is_test=pl.col("account_id").map_elements(_tested, return_dtype=pl.Boolean),
        )  # fmt: skip
        words = "by account: md5(ID) % 10 < 3 is test"
    else:
        folds = pl.read_csv(data / "split_by_applicant_md5.csv")
        accounts = folds.select(account_id="ID", is_test=pl.col("split") == "test").join(
            applicants(data), on="account_id"
        )
        words = "by applicant: split_by_applicant_md5.csv, folds 0-2 are test"
    panel = Panel.of(records.join(accounts, on="account_id"))
    train, test = panel.split(accounts.filter("is_test")["customer"].unique().to_numpy())
    return SplitPanel(train, test, words)


def applicants(data: Path) -> pl.DataFrame:
    """Number the people: accounts whose 17 application fields are all equal are one applicant's."""
    records = pl.read_csv(_unzipped(data / "application_record.csv.zip")).unique(
        "ID", keep="first", maintain_order=True
    )
    fields = [c for c in records.columns if c != "ID"]
    return records.select(account_id="ID", customer=pl.struct(fields).rank("dense").cast(pl.Int64))


def _tested(account: int) -> bool:
    digest = hashlib.md5(str(account).encode(), usedforsecurity=False).hexdigest()
    return int(digest, 16) % 10 < _TEST_FOLDS


def _unzipped(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(archive.namelist()[0])
