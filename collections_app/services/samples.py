"""Observations to a sample: who is learnt from and who is kept aside for the test, nobody on both sides."""

import csv
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from collections_app.domain.errors import InvalidInput
from collections_app.services.observations import Observations
from models.catalogue import Recipe
from models.sample import Sample

TEST_PERCENT = 30
GROUPS = ("country", "language", "product_family", "month")
"""Columns of the reports by group, as lawfully held; none of them is a feature."""


@dataclass(frozen=True)
class Sampled:
    """A sample with where it came from, and how many rows were left out on the way, by reason."""

    sample: Sample
    provenance: dict[str, Any]
    left_out: dict[str, int]


def draw(
    recipe: Recipe, found: Observations, *, split: Path | None = None, out_of_time: int | None = None
) -> Sampled:  # fmt: skip
    """Draw the test part: by a file, as the last ``out_of_time`` days, or 30% of the people by a stable hash.

    A person never stands on both sides: out of time, who is in the test is not learnt from. Raise InvalidInput when
    the split cannot be made or leaves nothing.
    """
    if split is not None and out_of_time is not None:
        raise InvalidInput("a split file and an out-of-time test exclude each other: give one of them")
    rows, left_out = found.rows, dict(found.left_out)
    if rows.is_empty():
        told = ", ".join(f"{n} {why}" for why, n in left_out.items())
        nobody = "there is no matured label of this population to learn from"
        raise InvalidInput(f"{found.matured} labels have matured, but {nobody} ({told})", code="sample_too_small")
    if split is not None:
        rows = _by_file(rows, split)
        left_out |= _lost(found.rows, rows, "not named by the split file")
    elif out_of_time is not None:
        rows = _by_time(rows, out_of_time)
        left_out |= _lost(found.rows, rows, "earlier rows of people in the test")
    else:
        rows = _by_hash(rows)
    how = split.name if split else f"the last {out_of_time} days" if out_of_time else f"people by hash, {TEST_PERCENT}%"
    provenance = {
        "label": recipe.event, "population": recipe.population, "rows_matured": found.matured, "left_out": left_out,
        "observed_from": str(rows["observed_on"].min()), "observed_to": str(rows["observed_on"].max()),
        "split": f"test: {how}",
    }  # fmt: skip
    return Sampled(_sample(recipe, rows), provenance, left_out)


def _lost(before: pl.DataFrame, after: pl.DataFrame, why: str) -> dict[str, int]:
    return {why: before.height - after.height} if before.height > after.height else {}


def _sample(recipe: Recipe, rows: pl.DataFrame) -> Sample:
    return Sample(
        features=rows.select(recipe.features),
        outcome=rows["outcome"].to_numpy().astype(np.int64),
        customer=rows["customer"].rank("dense").to_numpy().astype(np.int64),
        is_test=rows["is_test"].to_numpy(),
        amount=rows["arrears_amount"].fill_null(0).to_numpy().astype(np.float64),
        value=rows["value"].cast(pl.Float64).to_numpy() if rows["value"].null_count() == 0 else None,
        groups={g: rows[g].fill_null("unknown").to_numpy().astype(np.str_) for g in GROUPS},
        arm=rows["arm"].fill_null("").to_numpy().astype(np.str_) if "arm" in rows.columns else None,
        propensity=rows["propensity"].fill_null(float("nan")).to_numpy() if "propensity" in rows.columns else None,
    )


def _by_hash(rows: pl.DataFrame) -> pl.DataFrame:
    people = rows["customer"].unique().to_list()
    test = {c: int(sha256(c.encode()).hexdigest()[:8], 16) % 100 < TEST_PERCENT for c in people}
    return rows.with_columns(is_test=pl.col("customer").replace_strict(test, return_dtype=pl.Boolean))


def _by_time(rows: pl.DataFrame, days: int) -> pl.DataFrame:
    last = rows["observed_on"].max()
    assert isinstance(last, date)
    since = last - timedelta(days=days - 1)
    timed = rows.with_columns(is_test=pl.col("observed_on") >= since)
    if timed["is_test"].all():
        raise InvalidInput(
            f"all {rows.height} observations lie within {days} days: nothing before them is left to learn from"
        )
    in_test = timed.filter("is_test").select("customer").unique()
    earlier = timed.filter(~pl.col("is_test")).join(in_test, on="customer", how="anti")
    return pl.concat([earlier, timed.filter("is_test")]).sort("observed_on", "account_id", maintain_order=True)


def _by_file(rows: pl.DataFrame, split: Path) -> pl.DataFrame:
    folds = _read_split(split)
    named = rows.filter(pl.col("account_ref").is_in(list(folds))).with_columns(
        is_test=pl.col("account_ref").replace_strict(folds, default=None, return_dtype=pl.Boolean)
    )
    if named.is_empty():
        raise InvalidInput(
            f"{split}: none of its {len(folds)} references is one of the {rows.height} accounts with a matured label"
        )
    both = named.group_by("customer").agg(pl.col("is_test").n_unique()).filter(pl.col("is_test") > 1).height
    if both:
        raise InvalidInput(f"{split}: {both} customers stand in the training and in the test part")
    return named


def _read_split(path: Path) -> dict[str, bool]:
    """Read (reference, train|test) pairs, under a header line."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.reader(file))[1:]
        return {line[0]: {"test": True, "train": False}[line[1]] for line in lines if line}
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path}: the split file cannot be read ({error})") from None
    except (KeyError, IndexError):
        raise InvalidInput(f"{path}: a split file has two columns, a reference and train or test") from None
