"""Monthly states of an account: past due, billed, paid, for the last months before an observation.

A lender that reports statement cycles is taken at its word. For the others the same states are made
from daily snapshots and payments, so that one card serves both kinds of book. Every fact is placed once in a
table of accounts x months: no month looks through all the rows again.
"""

from datetime import date, timedelta

import numpy as np
import polars as pl

from models.evaluate import Floats, Ints
from models.feature_list import MONTHS
from models.schema import RawFrames

DAYS_PER_MONTH = 30
_STALE_CYCLE_DAYS = 45
_MEAN_MONTH = 30.4375


def monthly_states(frames: RawFrames, as_of: date) -> pl.DataFrame:
    """Return one row per account: ``past_due_k``, ``statement_k``, ``paid_k`` for k = 0..MONTHS-1, ``partial_share``.

    ``partial_share``: of the months that began with arrears, the part in which something but less was paid; null
    without such a month, and for books told by cycles, which do not say what was overdue.
    """
    accounts = frames.accounts.select("account_id", "has_payment_feed").with_row_index("row")
    cycles = _from_cycles(frames.cycles, accounts, as_of)
    snapshots, seen = _from_snapshots(frames, accounts, as_of)
    told = ~np.isnan(cycles["past_due"]).all(axis=1) | ~np.isnan(cycles["statement"]).all(axis=1)
    partial = np.where(told | ~seen, np.nan, snapshots.pop("partial")[:, 0])
    columns = {
        f"{stem}_{k}": np.where(told, cycles[stem][:, k], np.where(seen, snapshots[stem][:, k], np.nan))
        for stem in ("past_due", "statement", "paid")
        for k in range(MONTHS)
    } | {"partial_share": partial}
    values = pl.DataFrame(columns).with_columns(pl.all().fill_nan(None))
    return pl.concat([accounts.select("account_id"), values], how="horizontal")


def _placed(facts: pl.DataFrame, accounts: pl.DataFrame, slot: pl.Expr, slots: int) -> tuple[pl.DataFrame, Ints]:
    """Return the facts that fall into a slot, and each one's cell of the table accounts x slots."""
    inside = (
        facts.with_columns(slot=slot)
        .filter(pl.col("slot").is_between(0, slots - 1))
        .join(accounts.select("account_id", "row"), on="account_id", maintain_order="left")
    )
    return inside, (inside["row"].cast(pl.Int64) * slots + inside["slot"].cast(pl.Int64)).to_numpy()


def _last(cells: Ints, values: pl.Series, shape: tuple[int, int]) -> Floats:
    """Fill a table with the last value of each cell (values in order of time); NaN where nothing was told."""
    table = np.full(shape[0] * shape[1], np.nan)
    table[cells] = values.cast(pl.Float64).fill_null(np.nan).to_numpy()
    return table.reshape(shape)


def _from_cycles(cycles: pl.DataFrame, accounts: pl.DataFrame, as_of: date) -> dict[str, Floats]:
    """Place reported cycles on month slots, counted back from the account's latest cycle."""
    month = ((pl.col("latest") - pl.col("cycle_end_on")).dt.total_days() / _MEAN_MONTH).round().cast(pl.Int64)
    recent = (
        cycles.filter(pl.col("cycle_end_on") <= as_of)
        .with_columns(latest=pl.col("cycle_end_on").max().over("account_id"))
        .filter(pl.col("latest") >= as_of - timedelta(days=_STALE_CYCLE_DAYS))
        .sort("cycle_end_on")
    )
    inside, cells = _placed(recent, accounts, month, MONTHS)
    reported = (("past_due", "cycles_past_due"), ("statement", "statement_amount"), ("paid", "paid_amount"))
    return {stem: _last(cells, inside[column], (accounts.height, MONTHS)) for stem, column in reported}


def _from_snapshots(frames: RawFrames, accounts: pl.DataFrame, as_of: date) -> tuple[dict[str, Floats], Ints]:
    """Read the state at the end of each 30-day month before ``as_of``; payments count in their month.

    Also return which accounts were seen at all. The column after the last month is what went before.
    """
    shape = (accounts.height, MONTHS + 1)
    age = (pl.lit(as_of) - pl.col("business_date")).dt.total_days()
    known = frames.snapshots.filter(pl.col("business_date") <= as_of).sort("business_date")
    inside, cells = _placed(known, accounts, (age // DAYS_PER_MONTH).clip(upper_bound=MONTHS), shape[1])
    dpd, balance, arrears = (
        _carried(_last(cells, inside[c], shape)) for c in ("dpd", "balance_amount", "arrears_amount")
    )
    # An event of the day a month ends on belongs to the next one, hence one day less.
    paid_age = ((pl.lit(as_of) - pl.col("value_on")).dt.total_days() - 1) // DAYS_PER_MONTH
    payments, paid_cells = _placed(frames.payments.filter(pl.col("known_on") <= as_of), accounts, paid_age, MONTHS)
    size = shape[0] * MONTHS
    amounts = np.bincount(paid_cells, weights=payments["amount"].to_numpy(), minlength=size).reshape(-1, MONTHS)
    some = np.bincount(paid_cells, minlength=size).reshape(-1, MONTHS) > 0
    # No payment row means "paid nothing" only where the month was watched from its start.
    watched = ~np.isnan(dpd[:, 1:]) & accounts["has_payment_feed"].to_numpy()[:, None]
    paid = np.where(some | watched, amounts, np.nan)
    owed = watched & (dpd[:, 1:] >= 1) & (arrears[:, 1:] > 0)
    months = owed.sum(axis=1)
    part = (owed & (paid > 0) & (paid < arrears[:, 1:])).sum(axis=1)
    states = {
        "past_due": np.ceil(dpd[:, :MONTHS] / DAYS_PER_MONTH),
        "statement": balance[:, :MONTHS],
        "paid": paid,
        "partial": np.divide(part, months, out=np.full(len(part), np.nan), where=months > 0)[:, None],
    }
    return states, ~np.isnan(dpd[:, 0])


def _carried(table: Floats) -> Floats:
    """Carry a state on into the newer months that were told nothing (months run from new to old)."""
    for k in range(table.shape[1] - 2, -1, -1):
        empty = np.isnan(table[:, k])
        table[empty, k] = table[empty, k + 1]
    return table
