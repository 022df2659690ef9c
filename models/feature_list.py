"""FEATURES: every feature as a row of data; the sentences behind the reason codes are in ``models.reasons``.

All are free of scale (ratios, counts, days, status codes), so that a card trained on one lender's
book can serve another's. No demographics, no treatment or assignment variables (domain brief §3.4).
Change the list or a meaning: raise FEATURE_SET_VERSION, and retrain; an old card refuses the new set.
"""

from collections.abc import Iterable

import polars as pl

from models.event_features import EVENT_FEATURES
from models.feedback_features import FEEDBACK_FEATURES
from models.promise_features import PROMISE_FEATURES
from models.reasons import REASONS as REASONS
from models.schema import BEHAVIOUR_FRAMES, Direction, FeatureSpec
from models.slot_features import SLOT_FEATURES

FEATURE_SET_VERSION = 2
MONTHS = 6
"""Months of history: month 0 is the last one that ended on or before the observation date."""

_UP, _DOWN, _FREE = Direction.RISKIER, Direction.SAFER, Direction.FREE
_SHORT = "history shorter than this, or no such month"
_NO_LIMIT = "no limit known, or " + _SHORT
_NO_BILL = "nothing was billed, or " + _SHORT
_NO_HIT = "vendor had no hit, was not asked, or failed: unknown, never 0"


def _monthly(stem: str, months: range, *, missing: str, direction: Direction, reason: str) -> list[FeatureSpec]:
    return [FeatureSpec(f"{stem}_{k}", "monthly states", missing, direction, reason) for k in months]


FEATURES: tuple[FeatureSpec, ...] = (
    FeatureSpec("dpd", "snapshots", "never", _UP, "late_now"),
    FeatureSpec("arrears_ratio", "snapshots", "no balance", _UP, "arrears_large"),
    *_monthly("past_due", range(1), missing=_SHORT, direction=_UP, reason="late_now"),
    *_monthly("past_due", range(1, MONTHS), missing=_SHORT, direction=_UP, reason="late_history"),
    FeatureSpec("past_due_max", "monthly states", _SHORT, _UP, "late_history"),
    FeatureSpec("past_due_mean", "monthly states", _SHORT, _UP, "late_history"),
    FeatureSpec("months_late", "monthly states", _SHORT, _UP, "late_history"),
    FeatureSpec("months_late_2", "monthly states", _SHORT, _UP, "late_history"),
    FeatureSpec("past_due_trend", "monthly states", _SHORT, _FREE, "getting_later"),
    *_monthly("utilisation", range(MONTHS), missing=_NO_LIMIT, direction=_FREE, reason="high_use"),
    FeatureSpec("utilisation_mean", "monthly states", _NO_LIMIT, _FREE, "high_use"),
    FeatureSpec("utilisation_change", "monthly states", _NO_LIMIT, _FREE, "use_rising"),
    *_monthly("pay_ratio", range(MONTHS - 1), missing=_NO_BILL, direction=_DOWN, reason="paid_little"),
    *_monthly("paid_of_limit", range(MONTHS), missing=_NO_LIMIT, direction=_DOWN, reason="paid_little"),
    FeatureSpec("pay_ratio_all", "monthly states", _NO_BILL, _DOWN, "paid_little"),
    FeatureSpec("paid_of_limit_all", "monthly states", _NO_LIMIT, _DOWN, "paid_little"),
    FeatureSpec("partial_share", "payments", "no month began with arrears, or the book tells cycles only", _FREE,
                "paid_little"),
    FeatureSpec("months_paid", "monthly states", _SHORT, _DOWN, "no_recent_payment"),
    FeatureSpec("days_since_payment", "payments", "no payment seen in 12 months", _UP, "no_recent_payment"),
    FeatureSpec("paid_30d_of_arrears", "payments", "no arrears, or no payment feed", _DOWN, "paid_little"),
    FeatureSpec("months_on_book", "accounts", "opening date unknown", _FREE, "young_account"),
    FeatureSpec("earlier_episodes", "episodes", "never", _UP, "earlier_episodes"),
    FeatureSpec("earlier_max_dpd", "episodes", "no earlier episode", _UP, "earlier_episodes"),
    FeatureSpec("earlier_cure_dpd", "episodes", "no earlier episode was cured", _UP, "earlier_episodes"),
    FeatureSpec("late_days_12m", "episodes", "never", _UP, "earlier_episodes"),
    FeatureSpec("days_since_cure", "episodes", "no earlier episode", _DOWN, "earlier_episodes"),
    FeatureSpec("attempts_30d", "attempts", "never", _FREE, "hard_to_reach"),
    FeatureSpec("connects_30d", "attempts", "never", _FREE, "hard_to_reach"),
    FeatureSpec("connect_ratio_90d", "attempts", "no attempt in 90 days", _FREE, "hard_to_reach"),
    FeatureSpec("days_since_connect", "attempts", "no connect in 12 months", _FREE, "hard_to_reach"),
    FeatureSpec("days_since_rpc", "attempts", "no right-party contact in 12 months", _FREE, "hard_to_reach"),
    FeatureSpec("refusals_90d", "attempts", "never", _FREE, "promises_broken"),
    FeatureSpec("dead_ends_90d", "attempts", "never: calls that found a dead or a wrong number", _FREE,
                "hard_to_reach"),
    FeatureSpec("promises_kept_12m", "promises", "never", _FREE, "promises_broken"),
    FeatureSpec("promises_broken_12m", "promises", "never", _UP, "promises_broken"),
    FeatureSpec("promise_kept_ratio", "promises", "no promise matured", _DOWN, "promises_broken"),
    FeatureSpec("ml_status", "signals", "never: 1 hit, -1 no hit, -2 not asked, -3 vendor failed", _FREE,
                "external_unknown"),
    FeatureSpec("ml_apps_12m", "signals", _NO_HIT, _UP, "many_lenders"),
    FeatureSpec("ml_orgs_12m", "signals", _NO_HIT, _UP, "many_lenders"),
    FeatureSpec("ml_orgs_24m", "signals", _NO_HIT, _UP, "many_lenders"),
    FeatureSpec("ml_loans_open_24m", "signals", _NO_HIT, _UP, "many_lenders"),
    FeatureSpec("ml_loans_open", "signals", _NO_HIT, _UP, "many_lenders"),
    FeatureSpec("ml_months_since_app", "signals", _NO_HIT, _DOWN, "recent_applications"),
    FeatureSpec("ml_months_since_first_app", "signals", _NO_HIT + "; also none in 12 months", _FREE, "many_lenders"),
    FeatureSpec("ml_overdue_orgs_12m", "signals", _NO_HIT, _UP, "many_lenders"),
    FeatureSpec("ml_apps_7d", "signals", _NO_HIT, _UP, "recent_applications"),
    FeatureSpec("ml_apps_8d_1m", "signals", _NO_HIT, _UP, "recent_applications"),
    FeatureSpec("ml_apps_2m_3m", "signals", _NO_HIT, _UP, "recent_applications"),
    FeatureSpec("ml_apps_4m_6m", "signals", _NO_HIT, _UP, "many_lenders"),
    FeatureSpec("ml_apps_7m_12m", "signals", _NO_HIT, _UP, "many_lenders"),
    FeatureSpec("ml_orgs_1m", "signals", _NO_HIT, _UP, "recent_applications"),
    FeatureSpec("ml_orgs_2m_12m", "signals", _NO_HIT, _UP, "many_lenders"),
    FeatureSpec("ml_accel", "signals", _NO_HIT, _FREE, "recent_applications"),
    FeatureSpec("ml_slope", "signals", _NO_HIT, _FREE, "recent_applications"),
    FeatureSpec("ml_nbank_share_12m", "signals", _NO_HIT, _FREE, "many_lenders"),
    FeatureSpec("ml_night_share_3m", "signals", _NO_HIT + "; also where hours were not told", _FREE,
                "recent_applications"),
    FeatureSpec("ml_new_orgs_30d", "signals", _NO_HIT, _UP, "recent_applications"),
    FeatureSpec("ml_orgs_since_entry", "signals", _NO_HIT + "; also not overdue when counted", _UP,
                "recent_applications"),
)  # fmt: skip

BEHAVIOUR_FEATURES: tuple[FeatureSpec, ...] = (*EVENT_FEATURES, *FEEDBACK_FEATURES)
"""What only the B-cards read besides: customer events, and what collections learned in earlier episodes."""

SPECS: dict[str, FeatureSpec] = {f.name: f for f in (*FEATURES, *BEHAVIOUR_FEATURES, *PROMISE_FEATURES, *SLOT_FEATURES)}
"""Every feature of the house by its name."""

FEATURE_NAMES: tuple[str, ...] = tuple(f.name for f in FEATURES)
BEHAVIOUR_NAMES: tuple[str, ...] = tuple(f.name for f in BEHAVIOUR_FEATURES)

_BUILT = (*FEATURE_NAMES, *BEHAVIOUR_NAMES)
FEATURE_SCHEMA = pl.Schema({"account_id": pl.Int64(), **dict.fromkeys(_BUILT, pl.Float64())})
"""What ``build_features`` makes: a card picks its own features out of it."""


def frames_of(names: Iterable[str]) -> frozenset[str]:
    """Return the raw frames beside the usual ones that these features are made of."""
    frames = {SPECS[name].source for name in names if name in SPECS} & set(BEHAVIOUR_FRAMES)
    return frozenset(frames | ({"event_feeds"} if "events" in frames else set()))
