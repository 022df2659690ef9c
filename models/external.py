"""Multi-lending features from vendors' answers (domain brief §3.3).

Windows arrive nested (12 months contain the last 7 days): they are differenced before use. No hit,
not asked and vendor error are three different codes, and in none of them is a count known.
"""

from datetime import date

import polars as pl

from models.schema import SIGNAL_FIELDS, WINDOW_DAYS, RawFrames

STATUS = {"hit": 1.0, "no_hit": -1.0, "not_queried": -2.0, "error": -3.0}
"""What ``ml_status`` says: only a hit has counts; no hit is an answer, the other two are silence."""
_ACCEL_GUARD = 0.5
_MONTH = 30
# The disjoint spans of the slope, the oldest first: (inner, outer) window.
_SPANS: tuple[tuple[str | None, str], ...] = (("6m", "12m"), ("3m", "6m"), ("1m", "3m"), (None, "1m"))


def external_features(frames: RawFrames, as_of: date) -> pl.DataFrame:
    """Return one row per account with the ``ml_*`` features of its customer as known at ``as_of``."""
    answers = _latest_answers(frames.signals, as_of)
    joined = frames.accounts.select("account_id", "customer_id").join(answers, on="customer_id", how="left")
    known = joined.with_columns(pl.when(pl.col("hit_status") == "hit").then(pl.col(c)) for c in SIGNAL_FIELDS)
    apps, orgs = "ml_id_all_apps_{}", "ml_id_all_orgs_{}"
    return known.select(
        "account_id",
        ml_status=pl.col("hit_status").fill_null("not_queried")
        .replace_strict(STATUS, default=STATUS["error"], return_dtype=pl.Float64),
        ml_apps_12m=pl.col(apps.format("12m")),
        ml_orgs_12m=pl.col(orgs.format("12m")),
        ml_orgs_24m=pl.col(orgs.format("24m")),
        ml_loans_open_24m=pl.col("ml_id_all_loans_open_24m"),
        ml_loans_open=pl.col("ml_id_all_loans_open"),
        ml_months_since_app=pl.coalesce(
            pl.col("ml_id_all_days_since_last_app") / _MONTH, "ml_id_all_months_since_app"
        ),
        ml_months_since_first_app=pl.col("ml_id_all_days_since_first_app") / _MONTH,
        ml_overdue_orgs_12m=pl.col("ml_id_all_overdue_orgs_12m"),
        ml_apps_7d=pl.col(apps.format("7d")),
        ml_apps_8d_1m=_between(apps, "7d", "1m"),
        ml_apps_2m_3m=_between(apps, "1m", "3m"),
        ml_apps_4m_6m=_between(apps, "3m", "6m"),
        ml_apps_7m_12m=_between(apps, "6m", "12m"),
        ml_orgs_1m=pl.col(orgs.format("1m")),
        ml_orgs_2m_12m=_between(orgs, "1m", "12m"),
        ml_accel=pl.col(orgs.format("7d")) / (pl.col(orgs.format("1m")) * 7 / 30 + _ACCEL_GUARD),
        ml_slope=_slope(apps),
        ml_nbank_share_12m=_share("ml_id_nbank_orgs_12m", orgs.format("12m")),
        ml_night_share_3m=_share("ml_id_all_night_apps_3m", apps.format("3m")),
        ml_new_orgs_30d=pl.col("ml_id_all_new_orgs_30d"),
        ml_orgs_since_entry=pl.col("ml_id_all_orgs_since_entry"),
    )  # fmt: skip


def _latest_answers(signals: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Keep each customer's newest answer in force; a vendor's failure never hides an earlier answer.

    Of several versions of one answer only the newest received counts, also where it took a hit back.
    """
    known = signals.filter((pl.col("snapshot_on") <= as_of) & (pl.col("received_on") <= as_of))
    if known["customer_id"].n_unique() < known.height:
        known = (
            known.sort("received_on")
            .unique(["customer_id", "provider", "snapshot_on"], keep="last", maintain_order=True)
            .filter(pl.col("usable_until") >= as_of)
            .with_columns(answered=pl.col("hit_status").is_in(["hit", "no_hit"]))
            .sort("answered", "snapshot_on", "received_on", "provider")
            .unique("customer_id", keep="last", maintain_order=True)
        )
    return known.filter(pl.col("usable_until") >= as_of).select("customer_id", "hit_status", *SIGNAL_FIELDS)


def _between(stem: str, inner: str, outer: str) -> pl.Expr:
    """Difference two nested windows; an outer count below the inner one is a vendor's error, so unknown."""
    difference = pl.col(stem.format(outer)) - pl.col(stem.format(inner))
    return pl.when(difference >= 0).then(difference)


def _share(part: str, whole: str) -> pl.Expr:
    return pl.when(pl.col(whole) > 0).then(pl.col(part) / pl.col(whole))


def _slope(stem: str) -> pl.Expr:
    """Least squares of the counts per 30 days in the disjoint spans 6m-12m, 3m-6m, 1m-3m and the last month.

    Over the middle of each span, in months: rising > 0 (domain brief §3.3). Unknown when one span is.
    """
    days = [(WINDOW_DAYS[inner] if inner else 0, WINDOW_DAYS[outer]) for inner, outer in _SPANS]
    middles = [-(near + far) / 2 / _MONTH for near, far in days]
    mean = sum(middles) / len(middles)
    spread = sum((m - mean) ** 2 for m in middles)
    slope = pl.lit(0.0)
    for (inner, outer), (near, far), middle in zip(_SPANS, days, middles, strict=True):
        count = _between(stem, inner, outer) if inner else pl.col(stem.format(outer))
        slope = slope + count * (_MONTH / (far - near) * (middle - mean) / spread)
    return slope
