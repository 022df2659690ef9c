"""What the app tells: windows differenced, uncovered ones unknown, tomorrow left out."""

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from models.event_features import EVENT_NAMES
from models.feature_list import BEHAVIOUR_NAMES, frames_of
from models.features import build_features
from models.feedback_features import FEEDBACK_NAMES
from models.schema import FRAMES, RawFrames

AS_OF = date(2026, 3, 2)


def day(back: int) -> date:
    return AS_OF - timedelta(days=back)


def frame(name: str, *rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=dict(FRAMES[name]))


def event(kind: str, back: int, n: int = 1, *, known: int | None = None, night: int = 0, amount: int = 0,
          account: int = 1) -> dict[str, Any]:  # fmt: skip
    return {"account_id": account, "kind": kind, "occurred_on": day(back),
            "known_on": day(back - 1 if known is None else known), "events": n, "night_events": night,
            "amount": amount}  # fmt: skip


def told(back: int, **over: Any) -> dict[str, Any]:
    return {"account_id": 1, "ended_on": day(back), "available_on": day(back), "max_dpd": 20, "cure_dpd": 18,
            "cure_mode": "agent", "n_rpc": 2, "ptp_kept_ratio": None, "hardship_flag": False, "lost_flag": False,
            "complaint_flag": False, "qa_flags": 0, **over}  # fmt: skip


def frames(*events: dict[str, Any], since: int | None = 90, pays: bool = True, **others: pl.DataFrame) -> RawFrames:
    feeds = [] if since is None else [{"account_id": 1, "events_from": day(since)}]
    snapshot = {"account_id": 1, "business_date": AS_OF, "dpd": 0, "balance_amount": 1, "arrears_amount": 0,
                "limit_amount": 1}  # fmt: skip
    return RawFrames.of(
        accounts=frame("accounts", {"account_id": 1, "customer_id": 7, "opened_on": None, "has_payment_feed": pays}),
        snapshots=frame("snapshots", snapshot), event_feeds=frame("event_feeds", *feeds),
        events=frame("events", *events), **others,
    )  # fmt: skip


def built(*events: dict[str, Any], **over: Any) -> dict[str, Any]:
    return build_features(frames(*events, **over), AS_OF).row(0, named=True)


def test_nested_windows_are_differenced() -> None:
    row = built(event("login", 1, 2), event("login", 7), event("login", 8, 4), event("login", 30), event("login", 31))
    assert (row["app_logins_7d"], row["app_logins_8d_30d"], row["app_days_since_login"]) == (3, 5, 1)
    assert row["app_login_change"] == pytest.approx((3 / 7 + 1 / 30) / (5 / 23 + 1 / 30))


def test_looks_at_the_bill_count_until_something_is_paid() -> None:
    looks = [event("repay_page", back) for back in (2, 6, 13, 20)]
    payment = {"account_id": 1, "value_on": day(6), "known_on": day(5), "amount": 5}
    assert built(*looks)["app_views_unpaid_14d"] == 3
    row = built(*looks, payments=frame("payments", payment))
    assert (row["app_views_unpaid_14d"], row["app_repay_views_7d"], row["app_repay_views_8d_30d"]) == (1, 2, 2)
    assert built(*looks, pays=False)["app_views_unpaid_14d"] is None


def test_spending_of_the_week_is_held_against_the_month() -> None:
    row = built(event("spend", 3, amount=100), event("spend", 20, 2, amount=600))
    assert row["app_spend_change"] == pytest.approx(100 / 700 * 30 / 7)
    assert (row["app_spends_7d"], row["app_spends_8d_30d"]) == (1, 2)
    assert built()["app_spend_change"] is None


def test_nights_are_a_share_of_visits_and_a_card_taken_off_is_counted() -> None:
    row = built(event("login", 3, 3, night=1), event("repay_page", 4, night=1), event("card_unbound", 9))
    assert (row["app_night_share_30d"], row["app_card_unbound_30d"]) == (0.5, 1)
    assert row["app_views_per_login_30d"] == pytest.approx(1 / 3)


def test_no_event_is_nothing_done_only_where_the_feed_covers_the_window() -> None:
    covered, young, never = built(), built(since=10), built(since=None)
    assert (covered["app_logins_7d"], covered["app_days_since_login"]) == (0, 30)
    assert (young["app_logins_7d"], young["app_logins_8d_30d"], young["app_views_unpaid_14d"]) == (0, None, None)
    assert [never[name] for name in EVENT_NAMES] == [None] * len(EVENT_NAMES)


def test_the_last_finished_episode_speaks_and_all_of_them_are_asked_for_trouble() -> None:
    earlier = told(200, max_dpd=70, cure_dpd=70, hardship_flag=True, ptp_kept_ratio=0.5, qa_flags=1)
    lost = told(40, cure_dpd=None, cure_mode=None, n_rpc=0, lost_flag=True, ptp_kept_ratio=1.0)
    row = built(feedback=frame("feedback", lost, earlier))
    assert (row["fb_max_dpd"], row["fb_cure_dpd"], row["fb_cure_effort"], row["fb_rpc"]) == (70, 70, 3, 0)
    assert (row["fb_kept_ratio"], row["fb_hardship"], row["fb_lost"], row["fb_complaint"]) == (0.75, 1, 1, 0)
    assert [built()[name] for name in FEEDBACK_NAMES] == [None] * len(FEEDBACK_NAMES)


def test_nothing_that_happened_or_became_known_later_changes_any_feature() -> None:
    before = (event("login", 3), event("repay_page", 2), event("spend", 9, amount=50))
    known = told(20)
    later = (
        event("login", 0), event("card_unbound", -1, known=-2), event("repay_page", 5, 9, known=-1),
        event("spend", 4, amount=999, known=-3),
    )  # fmt: skip
    payment = {"account_id": 1, "value_on": AS_OF, "known_on": AS_OF, "amount": 5}
    future = [told(0, max_dpd=99), told(10, available_on=AS_OF, max_dpd=99), told(-5, max_dpd=99)]
    assert_frame_equal(
        build_features(frames(*before, feedback=frame("feedback", known)), AS_OF),
        build_features(
            frames(*before, *later, payments=frame("payments", payment),
                   feedback=frame("feedback", known, *future)), AS_OF),
    )  # fmt: skip


def test_who_reads_no_behaviour_asks_for_no_frame_of_it() -> None:
    assert frames_of(("dpd", "ml_apps_7d")) == frozenset()
    assert frames_of(("dpd", "app_logins_7d")) == {"events", "event_feeds"}
    assert frames_of(BEHAVIOUR_NAMES) == {"events", "event_feeds", "feedback"}
