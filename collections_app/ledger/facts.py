"""The facts of a book laid out for the engine: instalments in the order of payment, bookings netted."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from collections_app.domain.allocation import CASH, MOVING, SETTLED, UNDOING
from collections_app.domain.standing import GONE
from collections_app.domain.waterfalls import NANO, InstalmentKind, Waterfall
from collections_app.ledger import frames
from collections_app.ledger.days import NEVER, Ints, PausedDays, day_number, day_numbers
from collections_app.ledger.terms import place, resolve

# How a booking moves an account.
CASH_IN, WAIVED, CASH_OUT = 0, 1, 2
_BOOKING = {**dict.fromkeys(CASH, CASH_IN), "waiver": WAIVED, "refund": CASH_OUT}
_NO_LIMIT = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Slots:
    """Instalments as arrays, sorted by account position and by the order in which the waterfall's tiers pay them.

    ``due``: NEVER for what is never past due. ``fallen``: the due date of any kind, NEVER if it has none.
    ``payable_after``: -NEVER if any payment may cover it. ``dues``: amounts by component, (rows, 5).
    """

    version: Ints
    seq: Ints
    position: Ints
    slot: Ints
    tier: Ints
    due: Ints
    fallen: Ints
    payable_after: Ints
    tolerance: Ints
    dues: Ints


@dataclass(frozen=True)
class Bookings:
    """What moves accounts until as_of, as arrays sorted by account position, value date and reference."""

    payment_id: Ints
    position: Ints
    day: Ints
    amount: Ints
    booking: Ints


@dataclass(frozen=True)
class Facts:
    """A book, laid out. ``accounts`` has one row per position; days are day numbers, NEVER = no such day."""

    as_of: int
    accounts: pl.DataFrame
    waterfalls: tuple[Waterfall, ...]
    slots: Slots
    bookings: Bookings
    payments: pl.DataFrame
    pauses: PausedDays
    gone: Ints
    charged_off: Ints


def share_of(amount: Ints, rate: Ints) -> Ints:
    """Return ``rate`` billionths of amounts, rounded down and exact (domain.waterfalls.share_of)."""
    whole, rest = np.divmod(np.maximum(amount, 0), NANO)
    shares: Ints = whole * rate + rest * rate // NANO
    return shares


def lay_out(book: frames.Book, as_of: date) -> Facts:
    """Return the facts that the engine works on. ValueError: an account twice, or a profile nobody knows."""
    instalments = frames.typed(book.instalments, frames.INSTALMENTS)
    accounts, waterfalls = place(resolve(frames.typed(book.accounts, frames.ACCOUNTS), as_of), instalments)
    places = accounts.select("account_id", "position", "waterfall", "tolerance_amount", "tolerance_rate")
    today = day_number(as_of)
    since = day_numbers(accounts["status_since_on"], null=today)
    status = accounts["status"]
    written_off = day_numbers(accounts["charged_off_on"])
    payments = _netted(frames.typed(book.payments, frames.PAYMENTS).join(places, on="account_id"), as_of)
    return Facts(
        as_of=today,
        accounts=accounts,
        waterfalls=waterfalls,
        slots=_slots(instalments.join(places, on="account_id"), waterfalls),
        bookings=_bookings(payments),
        payments=payments,
        pauses=PausedDays(frames.typed(book.pauses, frames.PAUSES).join(places, on="account_id")),
        gone=np.where(status.is_in(list(GONE)).to_numpy(), since, NEVER),
        charged_off=np.where((written_off == NEVER) & (status == "charged_off").to_numpy(), since, written_off),
    )


def _slots(instalments: pl.DataFrame, waterfalls: tuple[Waterfall, ...]) -> Slots:
    tiers = pl.DataFrame(
        [
            {"waterfall": number, "kind": str(kind), "tier": tier, "by_rate": entry.highest_rate_first}
            for number, waterfall in enumerate(waterfalls)
            for tier, entry in enumerate(waterfall.tiers)
            for kind in entry.kinds
        ],
        schema={"waterfall": pl.Int64, "kind": pl.String, "tier": pl.Int64, "by_rate": pl.Boolean},
    )
    due = pl.col("due_on").cast(pl.Int32).cast(pl.Int64).fill_null(NEVER)
    is_asked_for = pl.col("kind") != InstalmentKind.SCHEDULED
    after = pl.col("cycle_end_on").cast(pl.Int32).cast(pl.Int64).fill_null(-NEVER)
    laid = (
        instalments.join(tiers, on=["waterfall", "kind"], how="left")
        .select(
            "position",
            "tier",
            "schedule_version",
            "seq",
            "tolerance_amount",
            "tolerance_rate",
            *(pl.col(f"{component}_due_amount").fill_null(0) for component in frames.COMPONENTS),
            rank=pl.when("by_rate").then(-pl.col("rate").fill_null(0)).otherwise(0),
            fallen=due,
            due=pl.when(pl.col("kind") == InstalmentKind.BALANCE).then(NEVER).otherwise(due),
            payable_after=pl.when(is_asked_for).then(after).otherwise(-NEVER),
        )
        .sort("position", "tier", "rank", "fallen", "schedule_version", "seq")
    )
    if laid["tier"].null_count():
        raise ValueError("an instalment is of a kind that nobody knows")
    dues = laid.select(f"{component}_due_amount" for component in frames.COMPONENTS).to_numpy().astype(np.int64)
    relative = share_of(dues.sum(axis=1), laid["tolerance_rate"].fill_null(0).to_numpy())
    no_rate, no_amount = (laid[f"tolerance_{limit}"].is_null().to_numpy() for limit in ("rate", "amount"))
    lower = np.minimum(laid["tolerance_amount"].fill_null(_NO_LIMIT).to_numpy(), np.where(no_rate, _NO_LIMIT, relative))
    position = laid["position"].to_numpy()
    return Slots(
        version=laid["schedule_version"].to_numpy(),
        seq=laid["seq"].to_numpy(),
        position=position,
        slot=np.arange(position.size) - np.searchsorted(position, position),
        tier=laid["tier"].to_numpy(),
        due=laid["due"].to_numpy(),
        fallen=laid["fallen"].to_numpy(),
        payable_after=laid["payable_after"].to_numpy(),
        tolerance=np.where(no_rate & no_amount, 0, lower),
        dues=dues,
    )


def _netted(payments: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Add what each booking moves (domain.allocation.effective_amounts); a booking told twice is one."""
    payments = payments.unique("payment_id")
    is_settled = (pl.col("status") == SETTLED) & (pl.col("value_on") <= as_of)
    undone = (
        payments.filter(is_settled, pl.col("kind").is_in(UNDOING), pl.col("reverses_ref").is_not_null())
        .group_by("position", pl.col("reverses_ref").alias("payment_ref"))
        .agg(undone_amount=pl.col("amount").sum())
    )
    left = (pl.col("amount") - pl.col("undone_amount").fill_null(0)).clip(0)
    return payments.join(undone, on=["position", "payment_ref"], how="left").with_columns(
        effective_amount=pl.when(is_settled & pl.col("kind").is_in(MOVING)).then(left).otherwise(0)
    )


def _bookings(payments: pl.DataFrame) -> Bookings:
    moving = (
        payments.filter(pl.col("effective_amount") > 0)
        .select(
            "payment_id",
            "position",
            "payment_ref",
            "effective_amount",
            day=pl.col("value_on").cast(pl.Int32).cast(pl.Int64),
            booking=pl.col("kind").replace_strict(_BOOKING, return_dtype=pl.Int64),
        )
        .sort("position", "day", "payment_ref")
    )
    return Bookings(
        payment_id=moving["payment_id"].to_numpy(),
        position=moving["position"].to_numpy(),
        day=moving["day"].to_numpy(),
        amount=moving["effective_amount"].to_numpy(),
        booking=moving["booking"].to_numpy(),
    )
