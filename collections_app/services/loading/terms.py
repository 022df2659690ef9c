"""The told columns of an account: their fixed order and hash, and how the account stands by them."""

import hashlib
import io
from datetime import date

import numpy as np
import polars as pl

from collections_app.domain.delinquency import bucket_of, days_past_due
from collections_app.domain.standing import GONE
from strategies.parameters import bucket_bands

# In the order in which they are hashed: new columns go to the end, else every stored hash changes.
TERMS: dict[str, pl.DataType | type[pl.DataType]] = {
    "creditor": pl.String, "servicer": pl.String, "owner_since_on": pl.Date, "collector_role": pl.String,
    "product_code": pl.String, "product_family": pl.String, "profile": pl.String, "currency": pl.String,
    "opened_on": pl.Date, "matures_on": pl.Date, "limit_amount": pl.Int64, "interest_rate": pl.Int64,
    "penalty_rate": pl.Int64, "day_count": pl.String, "due_roll": pl.String, "grace_days": pl.Int64,
    "tolerance_amount": pl.Int64, "tolerance_rate": pl.Int64, "balance_amount": pl.Int64,
    "principal_amount": pl.Int64, "interest_amount": pl.Int64, "fees_amount": pl.Int64, "penalty_amount": pl.Int64,
    "arrears_source_amount": pl.Int64, "minimum_due_amount": pl.Int64, "due_source_on": pl.Date,
    "dpd_source": pl.Int64, "bucket_source": pl.String, "status": pl.String, "charged_off_on": pl.Date,
    "charged_off_amount": pl.Int64, "limitation_on": pl.Date, "limitation_basis": pl.String,
    "ifrs9_stage": pl.Int64, "reg_class_source": pl.String, "is_secured": pl.Boolean, "collateral_ref": pl.String,
    "itemization_on": pl.Date, "itemization": pl.String,
}  # fmt: skip
DERIVED = ("oldest_unpaid_due_on", "dpd", "bucket", "arrears_amount", "is_ageing")
# The unit and record separators of ASCII.
_BETWEEN, _END = b"\x1f", "\x1e"


def row_hash(frame: pl.DataFrame) -> pl.Series:
    """Return a signed 64-bit hash of each row's customer and told columns (all of TERMS must be there).

    BLAKE2b over the values as text, so that it is the same on every version and platform. Nothing told and the
    empty text are the same; empty columns at the end do not count, so that a new column changes no stored hash.
    """
    told = frame.select("customer_ref", *TERMS)
    rows = _texts(told)
    if len(rows) != told.height:  # a value holds what ends a row
        rows = _texts(told.with_columns(pl.col(pl.String).str.replace_all(_END, " ", literal=True)))
    digests = b"".join([hashlib.blake2b(row.rstrip(_BETWEEN), digest_size=8).digest() for row in rows])
    return pl.Series("row_hash", np.frombuffer(digests, dtype=">i8").astype(np.int64))


def _texts(told: pl.DataFrame) -> list[bytes]:
    """Return the values of each row side by side; a CSV of control characters is the quickest way to make them text."""
    buffer = io.BytesIO()
    told.write_csv(
        buffer, include_header=False, separator=_BETWEEN.decode(), line_terminator=_END, quote_style="never",
        null_value="",
    )  # fmt: skip
    return buffer.getvalue().split(_END.encode())[:-1]


def stood(frame: pl.DataFrame, *, bucket_table: str, as_of: date) -> pl.DataFrame:
    """Add the columns DERIVED: how accounts stand by what their source tells (domain brief §2.1, §2.2).

    DPD follow from the oldest unpaid due date where the source sends it; else that date follows from the source's
    own count, so that the account goes on ageing when the feed is silent. Nothing is due on an account that is
    closed, settled or sold; only an active one ages by itself. The rules of ``domain`` are asked
    once per distinct date and count.
    """
    counted = pl.when(pl.col("dpd_source") > 0).then(pl.lit(as_of) - pl.duration(days="dpd_source")).cast(pl.Date)
    owes = ~pl.col("status").is_in(list(GONE))
    frame = frame.with_columns(
        pl.when(owes).then(pl.coalesce("due_source_on", counted)).alias("oldest_unpaid_due_on"),
        pl.col("arrears_source_amount").fill_null(0).alias("arrears_amount"),
    )
    dues = frame["oldest_unpaid_due_on"].drop_nulls().unique()
    ages = [days_past_due(due, as_of) for due in dues]
    own = pl.col("oldest_unpaid_due_on").replace_strict(dues, ages, default=0, return_dtype=pl.Int64)
    frame = frame.with_columns(own.alias("dpd"))
    bands = bucket_bands(bucket_table, as_of)
    counts = frame["dpd"].unique()
    buckets = [bucket_of(dpd, bands) for dpd in counts]
    return frame.with_columns(
        pl.col("dpd").replace_strict(counts, buckets, return_dtype=pl.String).alias("bucket"),
        ((pl.col("dpd") >= 1) & (pl.col("status") == "active")).alias("is_ageing"),
    )
