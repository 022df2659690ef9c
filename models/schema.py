"""The contract of the feature road: raw frames in, named features out.

``FRAMES`` says which columns each raw frame has; ``FeatureSpec`` says of one feature where it comes
from, what a missing value means, which way it may push the risk, and what to tell a person when it
did. Training and serving share both, so a card can never read a column that serving lacks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any

import polars as pl

WINDOW_DAYS: dict[str, int] = {"7d": 7, "15d": 15, "1m": 30, "3m": 90, "6m": 180, "12m": 365}
"""Nested look-back windows of a multi-lending answer in days, narrowest first (domain brief §3.3)."""

SIGNAL_WINDOWS: tuple[str, ...] = tuple(WINDOW_DAYS)

SIGNAL_FIELDS: tuple[str, ...] = (
    *(f"ml_id_all_apps_{w}" for w in SIGNAL_WINDOWS),
    *(f"ml_id_all_orgs_{w}" for w in SIGNAL_WINDOWS),
    *(f"ml_id_nbank_orgs_{w}" for w in SIGNAL_WINDOWS),
    "ml_id_all_orgs_24m",
    "ml_id_all_loans_open_24m",
    "ml_id_all_loans_open",
    "ml_id_all_overdue_orgs_12m",
    "ml_id_all_months_since_app",
    "ml_id_all_night_apps_3m",
    "ml_id_all_days_since_last_app",
    "ml_id_all_days_since_first_app",
    "ml_id_all_new_orgs_30d",
    "ml_id_all_orgs_since_entry",
)
"""Fields of a vendor's answer that the feature road reads, in our own canonical names."""

Schema = Mapping[str, Any]

FRAMES: dict[str, Schema] = {
    "accounts": {
        "account_id": pl.Int64, "customer_id": pl.Int64, "opened_on": pl.Date, "has_payment_feed": pl.Boolean,
    },
    "snapshots": {
        "account_id": pl.Int64, "business_date": pl.Date, "dpd": pl.Int64, "balance_amount": pl.Int64,
        "arrears_amount": pl.Int64, "limit_amount": pl.Int64,
    },
    "cycles": {
        "account_id": pl.Int64, "cycle_end_on": pl.Date, "cycles_past_due": pl.Int64,
        "statement_amount": pl.Int64, "paid_amount": pl.Int64,
    },
    "payments": {"account_id": pl.Int64, "value_on": pl.Date, "known_on": pl.Date, "amount": pl.Int64},
    "signals": {
        "customer_id": pl.Int64, "provider": pl.String, "snapshot_on": pl.Date, "received_on": pl.Date,
        "usable_until": pl.Date, "hit_status": pl.String, **dict.fromkeys(SIGNAL_FIELDS, pl.Float64),
    },
    "attempts": {
        "customer_id": pl.Int64, "at_on": pl.Date, "settled_on": pl.Date, "is_connect": pl.Boolean,
        "is_rpc": pl.Boolean, "is_refusal": pl.Boolean, "is_dead_end": pl.Boolean,
    },
    "promises": {
        "account_id": pl.Int64, "settled_on": pl.Date, "is_kept": pl.Boolean, "is_broken": pl.Boolean,
    },
    "episodes": {
        "account_id": pl.Int64, "entry_on": pl.Date, "ended_on": pl.Date, "max_dpd": pl.Int64,
        "is_cured": pl.Boolean,
    },
    "event_feeds": {"account_id": pl.Int64, "events_from": pl.Date},
    "events": {
        "account_id": pl.Int64, "kind": pl.String, "occurred_on": pl.Date, "known_on": pl.Date, "events": pl.Int64,
        "night_events": pl.Int64, "amount": pl.Int64,
    },
    "feedback": {
        "account_id": pl.Int64, "ended_on": pl.Date, "available_on": pl.Date, "max_dpd": pl.Int64,
        "cure_dpd": pl.Int64, "cure_mode": pl.String, "n_rpc": pl.Int64, "ptp_kept_ratio": pl.Float64,
        "hardship_flag": pl.Boolean, "lost_flag": pl.Boolean, "complaint_flag": pl.Boolean, "qa_flags": pl.Int64,
    },
}  # fmt: skip

BEHAVIOUR_FRAMES: tuple[str, ...] = ("event_feeds", "events", "feedback")
"""Frames that only the B-cards read; who scores without them does not pay for them."""


@dataclass(frozen=True)
class RawFrames:
    """Raw rows of a set of accounts, as known; ``build_features`` cuts them at its ``as_of`` itself.

    ``has_payment_feed`` says whether this account's lender sends payments at all: only then does no
    payment mean that nothing was paid. A reversal is a row with a negative amount and the value date
    of what it reverses; ``known_on`` is when we were told, so that yesterday's view is not rewritten. What came of
    an attempt is believed from the day after ``settled_on``, a vendor's answer up to and including ``usable_until``.

    ``event_feeds`` names the accounts whose lender sends customer events, and since when; an ``events`` row is a
    day's events of one kind, by the customer's clock. ``feedback`` holds finished episodes as the feed to the
    B-cards tells them; ``available_on`` is the day on which the last fact of the row became known.
    """

    accounts: pl.DataFrame
    snapshots: pl.DataFrame
    cycles: pl.DataFrame
    payments: pl.DataFrame
    signals: pl.DataFrame
    attempts: pl.DataFrame
    promises: pl.DataFrame
    episodes: pl.DataFrame
    event_feeds: pl.DataFrame = field(default_factory=lambda: empty_frame("event_feeds"))
    events: pl.DataFrame = field(default_factory=lambda: empty_frame("events"))
    feedback: pl.DataFrame = field(default_factory=lambda: empty_frame("feedback"))

    def __post_init__(self) -> None:
        """Refuse a frame with a missing column or another type: a wrong join must not become a score."""
        for each in fields(self):
            frame: pl.DataFrame = getattr(self, each.name)
            wanted = FRAMES[each.name]
            for column, dtype in wanted.items():
                found = frame.schema.get(column)
                if found != dtype:
                    raise ValueError(f"raw frame {each.name}: {column} must be {dtype}, found {found}")

    @classmethod
    def of(cls, **frames: pl.DataFrame) -> "RawFrames":
        """Take the frames given and put empty ones in place of the others."""
        return cls(**{name: frames.get(name, empty_frame(name)) for name in FRAMES})


def empty_frame(name: str) -> pl.DataFrame:
    """Return the raw frame of this name without rows."""
    return pl.DataFrame(schema=dict(FRAMES[name]))


class Direction(IntEnum):
    """How the business expects a rising value to move the risk; the card is held to it."""

    SAFER = -1
    FREE = 0
    RISKIER = 1


@dataclass(frozen=True)
class FeatureSpec:
    """One feature: ``missing`` says what a null means, ``reason`` names the sentence told to people."""

    name: str
    source: str
    missing: str
    direction: Direction
    reason: str
