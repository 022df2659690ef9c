"""The feature road: point in time, one meaning for both kinds of book, unknown is never zero."""

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from collections_app.domain.multi_lending import KeyType, derive
from models.feature_list import BEHAVIOUR_NAMES, FEATURE_NAMES, REASONS, SPECS
from models.features import build_features
from models.schema import FRAMES, SIGNAL_FIELDS, WINDOW_DAYS, RawFrames
from strategies.signals import lending_rules

AS_OF = date(2026, 3, 2)


def day(back: int) -> date:
    return AS_OF - timedelta(days=back)


def frame(name: str, *rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=dict(FRAMES[name])) if rows else pl.DataFrame(schema=dict(FRAMES[name]))


def snapshot(back: int = 0, **over: Any) -> dict[str, Any]:
    return {"account_id": 1, "business_date": day(back), "dpd": 10, "balance_amount": 100_00,
            "arrears_amount": 20_00, "limit_amount": 200_00, **over}  # fmt: skip


def signal(back: int = 5, **over: Any) -> dict[str, Any]:
    empty = dict.fromkeys(SIGNAL_FIELDS)
    return {"customer_id": 7, "provider": "bureau", "snapshot_on": day(back), "received_on": day(back),
            "usable_until": day(back - 179), "hit_status": "hit", **empty, **over}  # fmt: skip


def attempt(back: int, **over: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(("is_connect", "is_rpc", "is_refusal", "is_dead_end"), False)
    return {"customer_id": 7, "at_on": day(back), "settled_on": day(back), **nothing, **over}


def episode(entry: int, ended: int, **over: Any) -> dict[str, Any]:
    return {"account_id": 1, "entry_on": day(entry), "ended_on": day(ended), "max_dpd": 9, "is_cured": True, **over}


def built(**frames: pl.DataFrame) -> dict[str, Any]:
    account = {"account_id": 1, "customer_id": 7, "opened_on": date(2025, 3, 2), "has_payment_feed": True}
    given = {"accounts": frame("accounts", account), "snapshots": frame("snapshots", snapshot()), **frames}
    return build_features(RawFrames.of(**given), AS_OF).row(0, named=True)


def test_every_feature_has_its_column_and_its_sentence() -> None:
    row = built()
    assert list(row) == ["account_id", *FEATURE_NAMES, *BEHAVIOUR_NAMES]
    assert set(row) - {"account_id"} <= set(SPECS)
    assert {f.reason for f in SPECS.values()} <= set(REASONS)


def test_an_account_not_seen_by_then_has_no_features() -> None:
    late = frame("snapshots", snapshot(-1))
    accounts = frame("accounts", {"account_id": 1, "customer_id": 7, "opened_on": None, "has_payment_feed": True})
    assert build_features(RawFrames.of(accounts=accounts, snapshots=late), AS_OF).is_empty()


def full_frames(*, tomorrow: bool) -> RawFrames:
    """Return frames with something in each; with ``tomorrow``, each also knows the future."""
    now = {
        "snapshots": [snapshot(60, dpd=0), snapshot(20, dpd=3), snapshot()],
        "cycles": [
            {
                "account_id": 1,
                "cycle_end_on": day(2),
                "cycles_past_due": 1,
                "statement_amount": 90_00,
                "paid_amount": 10_00,
            }
        ],
        "payments": [{"account_id": 1, "value_on": day(9), "known_on": day(8), "amount": 5_00}],
        "signals": [signal(ml_id_all_apps_12m=3)],
        "attempts": [attempt(3, is_connect=True, is_rpc=True)],
        "promises": [{"account_id": 1, "settled_on": day(4), "is_kept": False, "is_broken": True}],
        "episodes": [episode(48, 40)],
    }
    future = {
        "snapshots": [snapshot(-1, dpd=99, balance_amount=1)],
        "cycles": [{"account_id": 1, "cycle_end_on": day(-1), "cycles_past_due": 9, "statement_amount": 1,
                    "paid_amount": 99}],
        "payments": [
            {"account_id": 1, "value_on": AS_OF, "known_on": AS_OF, "amount": 77_00},
            # a bounced payment, told tomorrow with the value date of last week
            {"account_id": 1, "value_on": day(9), "known_on": day(-1), "amount": -5_00},
        ],
        "signals": [signal(-1, ml_id_all_apps_12m=50), signal(0, received_on=day(-2), ml_id_all_apps_12m=60)],
        "attempts": [attempt(0, is_connect=True, is_rpc=True, is_refusal=True)],
        "promises": [{"account_id": 1, "settled_on": AS_OF, "is_kept": True, "is_broken": False}],
        "episodes": [episode(12, 0, max_dpd=88)],
    }  # fmt: skip
    rows = {name: now[name] + (future[name] if tomorrow else []) for name in now}
    account = frame(
        "accounts",
        {"account_id": 1, "customer_id": 7, "opened_on": date(2025, 3, 2), "has_payment_feed": True},
    )
    return RawFrames.of(accounts=account, **{name: frame(name, *r) for name, r in rows.items()})


def test_nothing_known_later_changes_any_feature() -> None:
    assert_frame_equal(
        build_features(full_frames(tomorrow=True), AS_OF), build_features(full_frames(tomorrow=False), AS_OF)
    )


def test_what_came_of_an_attempt_counts_from_the_day_after_it_was_settled() -> None:
    row = built(attempts=frame("attempts", attempt(1, settled_on=AS_OF, is_connect=True, is_rpc=True)))
    assert (row["attempts_30d"], row["connects_30d"], row["days_since_rpc"]) == (1, 0, None)


def test_reported_cycles_and_snapshots_tell_the_same_story() -> None:
    """Three months: 60.00 then 80.00 then 100.00 owed, 15.00 paid in the last month, late only now."""
    cycles = [
        {"account_id": 1, "cycle_end_on": day(30 * k), "cycles_past_due": late, "statement_amount": bill,
         "paid_amount": paid}
        for k, (late, bill, paid) in enumerate([(1, 100_00, 15_00), (0, 80_00, 0), (0, 60_00, None)])
    ]  # fmt: skip
    snapshots = [
        snapshot(60, dpd=0, balance_amount=60_00),
        snapshot(30, dpd=0, balance_amount=80_00),
        snapshot(),
    ]
    payment = {"account_id": 1, "value_on": day(12), "known_on": day(11), "amount": 15_00}
    told = built(snapshots=frame("snapshots", *snapshots), cycles=frame("cycles", *cycles))
    derived = built(snapshots=frame("snapshots", *snapshots), payments=frame("payments", payment))
    for name in ("past_due_0", "past_due_1", "utilisation_0", "utilisation_2", "pay_ratio_0", "pay_ratio_1",
                 "months_late", "past_due_max", "paid_of_limit_0"):  # fmt: skip
        assert told[name] == pytest.approx(derived[name]), name
    assert told["pay_ratio_0"] == pytest.approx(15 / 80)


def test_a_month_before_the_first_sight_is_unknown_not_paid_nothing() -> None:
    row = built(payments=frame("payments", {"account_id": 2, "value_on": day(9), "known_on": day(8), "amount": 1}))
    assert row["past_due_0"] == 1
    assert row["past_due_1"] is None
    assert row["paid_of_limit_0"] is None


def test_cycles_of_a_lender_that_stopped_reporting_are_not_taken_for_today() -> None:
    old = {
        "account_id": 1,
        "cycle_end_on": day(80),
        "cycles_past_due": 5,
        "statement_amount": 1,
        "paid_amount": 1,
    }
    assert built(cycles=frame("cycles", old))["past_due_0"] == 1


def test_a_book_without_a_payment_feed_does_not_say_that_nothing_was_paid() -> None:
    account = {"account_id": 1, "customer_id": 7, "opened_on": None}
    silent = built(accounts=frame("accounts", {**account, "has_payment_feed": False}))
    assert silent["paid_30d_of_arrears"] is None
    assert built(accounts=frame("accounts", {**account, "has_payment_feed": True}))["paid_30d_of_arrears"] == 0


@pytest.mark.parametrize(
    ("signals", "code"),
    [
        ([], -2),
        ([{"hit_status": "no_hit"}], -1),
        ([{"hit_status": "error"}], -3),
        ([{"hit_status": "not_queried"}], -2),
    ],
)
def test_t28_no_hit_and_not_asked_are_codes_and_their_counts_are_unknown(
    signals: list[dict[str, Any]], code: int
) -> None:
    row = built(signals=frame("signals", *(signal(**dict.fromkeys(SIGNAL_FIELDS, 0), **s) for s in signals)))
    assert row["ml_status"] == code
    assert [n for n in FEATURE_NAMES if n.startswith("ml_") and n != "ml_status" and row[n] is not None] == []


def test_nested_windows_are_differenced_and_an_impossible_pair_is_unknown() -> None:
    counts = {"ml_id_all_apps_7d": 1, "ml_id_all_apps_1m": 4, "ml_id_all_apps_3m": 3, "ml_id_all_apps_6m": 9,
              "ml_id_all_apps_12m": 12}  # fmt: skip
    row = built(signals=frame("signals", signal(**counts)))
    assert row["ml_apps_8d_1m"] == 3
    assert row["ml_apps_2m_3m"] is None
    assert row["ml_apps_7m_12m"] == 3
    assert row["ml_apps_12m"] == 12


NESTED = {"7d": 1, "15d": 2, "1m": 4, "3m": 6, "6m": 9, "12m": 15}


def test_no_application_is_counted_in_two_windows() -> None:
    row = built(signals=frame("signals", signal(**{f"ml_id_all_apps_{w}": n for w, n in NESTED.items()})))
    parts = ("ml_apps_7d", "ml_apps_8d_1m", "ml_apps_2m_3m", "ml_apps_4m_6m", "ml_apps_7m_12m")
    assert [row[p] for p in parts] == [1, 3, 2, 3, 6]
    assert sum(row[p] for p in parts) == row["ml_apps_12m"]


def test_the_slope_and_the_shares_are_those_of_the_case_page() -> None:
    counts = {f"ml_id_all_apps_{w}": n for w, n in NESTED.items()} | {
        f"ml_id_all_orgs_{w}": n for w, n in NESTED.items()
    } | {"ml_id_nbank_orgs_12m": 5, "ml_id_all_night_apps_3m": 3}  # fmt: skip
    said = derive(counts, key=KeyType.ID, rules=lending_rules(AS_OF))
    row = built(signals=frame("signals", signal(**counts)))
    assert row["ml_slope"] == pytest.approx(said.slope)
    assert row["ml_accel"] == pytest.approx(said.accel)
    assert (row["ml_nbank_share_12m"], row["ml_night_share_3m"]) == (said.ratio_nbank, said.night_share)
    assert lending_rules(AS_OF).windows == tuple(WINDOW_DAYS.items())


def test_only_the_years_own_counts_make_no_slope() -> None:
    assert built(signals=frame("signals", signal(ml_id_all_apps_12m=6)))["ml_slope"] is None


def test_an_answer_that_was_taken_back_counts_no_more() -> None:
    answers = frame("signals", signal(9, ml_id_all_apps_12m=4), signal(9, received_on=day(3), hit_status="error"))
    assert built(signals=answers)["ml_apps_12m"] is None


@pytest.mark.parametrize(("left", "status"), [(0, 1), (-1, -2)])
def test_an_answer_is_used_up_to_its_last_day(left: int, status: int) -> None:
    answer = signal(9, usable_until=day(-left), ml_id_all_apps_12m=4)
    assert built(signals=frame("signals", answer))["ml_status"] == status


def test_our_own_count_in_days_goes_before_the_bureaus_in_months() -> None:
    told = signal(ml_id_all_days_since_last_app=15, ml_id_all_months_since_app=3, ml_id_all_days_since_first_app=90)
    row = built(signals=frame("signals", told))
    assert (row["ml_months_since_app"], row["ml_months_since_first_app"]) == (0.5, 3)


def test_earlier_episodes_tell_at_which_dpd_they_were_cured_and_how_long_they_lasted() -> None:
    earlier = [
        episode(400, 360, max_dpd=40),
        episode(60, 50, max_dpd=10),
        episode(40, 30, max_dpd=28, is_cured=False),
    ]
    row = built(episodes=frame("episodes", *earlier))
    assert (row["earlier_episodes"], row["earlier_max_dpd"], row["earlier_cure_dpd"]) == (3, 40, 25)
    assert row["late_days_12m"] == 5 + 10 + 10  # of the oldest only the days within the year


def test_months_with_arrears_in_which_a_part_was_paid() -> None:
    """Two months began with 20.00 overdue: in one 5.00 came, in the other nothing; an earlier one began with none."""
    states = [snapshot(95, dpd=0, arrears_amount=0), snapshot(65, dpd=5), snapshot(30, dpd=9), snapshot()]
    payment = {"account_id": 1, "value_on": day(12), "known_on": day(11), "amount": 5_00}
    row = built(snapshots=frame("snapshots", *states), payments=frame("payments", payment))
    assert row["partial_share"] == 0.5


def test_dead_numbers_and_the_last_answer_are_told() -> None:
    tried = [attempt(20, is_connect=True), attempt(9, is_dead_end=True), attempt(4)]
    row = built(attempts=frame("attempts", *tried))
    assert (row["attempts_30d"], row["dead_ends_90d"], row["days_since_connect"]) == (3, 1, 20)


def test_a_bureau_that_knows_only_the_year_still_counts() -> None:
    row = built(signals=frame("signals", signal(ml_id_all_apps_12m=6, ml_id_all_loans_open_24m=5)))
    assert (row["ml_status"], row["ml_apps_12m"], row["ml_loans_open_24m"]) == (1, 6, 5)
    assert row["ml_apps_7d"] is None


def test_a_vendor_failure_does_not_hide_the_answer_before_it() -> None:
    answers = frame("signals", signal(9, ml_id_all_apps_12m=4), signal(1, hit_status="error"))
    assert built(signals=answers)["ml_apps_12m"] == 4


def test_features_do_not_depend_on_the_scale_of_money() -> None:
    small = built()
    large = built(snapshots=frame("snapshots", snapshot(balance_amount=100_00_000, arrears_amount=20_00_000,
                                                        limit_amount=200_00_000)))  # fmt: skip
    assert small == large


def test_a_frame_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="snapshots: dpd must be"):
        RawFrames.of(snapshots=frame("snapshots", snapshot()).with_columns(pl.col("dpd").cast(pl.String)))
