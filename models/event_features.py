"""What customers do in the app and with the card, as features of an early warning (domain brief §3.3, §3.9).

Windows are nested (30 days contain the last 7): they are differenced before use. A window that the lender's
event feed does not cover from end to end is unknown, and so is everything where there is no event feed or where
it has fallen silent; only inside a covered window does no event mean that nothing was done.
"""

from datetime import date, timedelta

import polars as pl

from models.schema import Direction, FeatureSpec, RawFrames

WEEK, MONTH = 7, 30
EVENT_DAYS = MONTH
"""Days of events that the features look back on."""
_UNPAID_DAYS = 14
_RATIO_CAP = 5.0
_DAILY_GUARD = 1 / MONTH
"""One event a month: the rate that is added on both sides of a change, so that none and one are not a world apart."""

_UP, _DOWN, _FREE = Direction.RISKIER, Direction.SAFER, Direction.FREE
_NONE = "no event feed, fallen silent, or younger than the window"

EVENT_FEATURES: tuple[FeatureSpec, ...] = (
    FeatureSpec("app_logins_7d", "events", _NONE, _FREE, "app_silent"),
    FeatureSpec("app_logins_8d_30d", "events", _NONE, _FREE, "app_silent"),
    FeatureSpec("app_login_change", "events", _NONE, _FREE, "app_silent"),
    FeatureSpec("app_days_since_login", "events", _NONE + "; 30 = none in 30 days", _FREE, "app_silent"),
    FeatureSpec("app_repay_views_7d", "events", _NONE, _FREE, "looks_unpaid"),
    FeatureSpec("app_repay_views_8d_30d", "events", _NONE, _FREE, "looks_unpaid"),
    FeatureSpec("app_views_unpaid_14d", "events", _NONE + "; or no payment feed", _UP, "looks_unpaid"),
    FeatureSpec("app_views_per_login_30d", "events", _NONE + "; or no login", _UP, "looks_unpaid"),
    FeatureSpec("app_card_unbound_30d", "events", _NONE, _UP, "card_taken_off"),
    FeatureSpec("app_spends_7d", "events", _NONE, _FREE, "spends_less"),
    FeatureSpec("app_spends_8d_30d", "events", _NONE, _FREE, "spends_less"),
    FeatureSpec("app_spend_change", "events", _NONE + "; or nothing spent in 30 days", _FREE, "spends_less"),
    FeatureSpec("app_night_share_30d", "events", _NONE + "; or no visit", _UP, "restless_nights"),
)  # fmt: skip

EVENT_NAMES: tuple[str, ...] = tuple(f.name for f in EVENT_FEATURES)


def event_features(frames: RawFrames, as_of: date) -> pl.DataFrame:
    """Return one row per account: ``account_id`` and EVENT_NAMES, from events strictly before ``as_of``."""
    seen = frames.events.filter(
        (pl.col("occurred_on") < as_of)
        & (pl.col("occurred_on") >= as_of - timedelta(days=EVENT_DAYS))
        & (pl.col("known_on") <= as_of)
    ).join(_last_payments(frames, as_of), on="account_id", how="left")
    counted = seen.group_by("account_id").agg(**_counts(as_of))
    covered = (pl.lit(as_of) - pl.col("events_from")).dt.total_days()
    names = [name for name in counted.columns if name != "account_id"]
    known = (
        frames.accounts.select("account_id", "has_payment_feed")
        .join(frames.event_feeds, on="account_id", how="left")
        .join(counted, on="account_id", how="left")
        .with_columns(
            pl.when(covered >= (WEEK if name.endswith("_7d") else _UNPAID_DAYS if "unpaid" in name else MONTH)).then(
                pl.col(name).fill_null(MONTH if name == "days_since_login" else 0)
            )
            for name in names
        )
    )
    return known.select("account_id", **_made()).select("account_id", *EVENT_NAMES)


def _last_payments(frames: RawFrames, as_of: date) -> pl.DataFrame:
    return (
        frames.payments.filter((pl.col("value_on") < as_of) & (pl.col("known_on") <= as_of) & (pl.col("amount") > 0))
        .group_by("account_id")
        .agg(paid_on=pl.col("value_on").max())
    )


def _counts(as_of: date) -> dict[str, pl.Expr]:
    """Sum what happened per account; an ``events`` row is a day's events of one kind."""
    kind, events, day = pl.col("kind"), pl.col("events"), pl.col("occurred_on")
    login, view, spend, unbound = (kind == k for k in ("login", "repay_page", "spend", "card_unbound"))
    week = day >= as_of - timedelta(days=WEEK)
    fortnight = day >= as_of - timedelta(days=_UNPAID_DAYS)
    # A look on the day of a payment belongs to it.
    unpaid = fortnight & (pl.col("paid_on").is_null() | (day > pl.col("paid_on")))
    visit = login | view
    return {
        "logins_7d": events.filter(login & week).sum(),
        "logins_8d_30d": events.filter(login & ~week).sum(),
        "days_since_login": (pl.lit(as_of) - day.filter(login).max()).dt.total_days(),
        "views_7d": events.filter(view & week).sum(),
        "views_8d_30d": events.filter(view & ~week).sum(),
        "views_unpaid": events.filter(view & unpaid).sum(),
        "unbound_30d": events.filter(unbound).sum(),
        "spends_7d": events.filter(spend & week).sum(),
        "spends_8d_30d": events.filter(spend & ~week).sum(),
        "spent_7d": pl.col("amount").filter(spend & week).sum(),
        "spent_8d_30d": pl.col("amount").filter(spend & ~week).sum(),
        "nights_30d": pl.col("night_events").filter(visit).sum(),
        "visits_30d": events.filter(visit).sum(),
    }


def _made() -> dict[str, pl.Expr]:
    logins = pl.col("logins_7d") + pl.col("logins_8d_30d")
    rest = MONTH - WEEK
    login_change = (pl.col("logins_7d") / WEEK + _DAILY_GUARD) / (pl.col("logins_8d_30d") / rest + _DAILY_GUARD)
    spent = pl.col("spent_7d") + pl.col("spent_8d_30d")
    return {
        "app_logins_7d": pl.col("logins_7d"),
        "app_logins_8d_30d": pl.col("logins_8d_30d"),
        "app_login_change": login_change.clip(0, _RATIO_CAP),
        "app_days_since_login": pl.col("days_since_login"),
        "app_repay_views_7d": pl.col("views_7d"),
        "app_repay_views_8d_30d": pl.col("views_8d_30d"),
        "app_views_unpaid_14d": pl.when("has_payment_feed").then("views_unpaid"),
        "app_views_per_login_30d": _share(pl.col("views_7d") + pl.col("views_8d_30d"), logins),
        "app_card_unbound_30d": pl.col("unbound_30d"),
        "app_spends_7d": pl.col("spends_7d"),
        "app_spends_8d_30d": pl.col("spends_8d_30d"),
        # Of money, the last week's part of the month: free of scale, unlike the amounts.
        "app_spend_change": (_share(pl.col("spent_7d"), spent) * MONTH / WEEK).clip(0, _RATIO_CAP),
        "app_night_share_30d": _share(pl.col("nights_30d"), pl.col("visits_30d")),
    }


def _share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    return pl.when(whole > 0).then(part / whole)
