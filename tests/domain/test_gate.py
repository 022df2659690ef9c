"""The acceptance vectors (domain brief §9: T1-T15, T26), and what the gate will not guess."""

from dataclasses import replace
from datetime import date, datetime, time

import pytest

from collections_app.domain.contact import Channel, Mode, PointKind, Purpose, StopCode
from collections_app.domain.gate import (
    DebtFacts,
    Force,
    GateDecision,
    OptOutFact,
    PointFacts,
    Preference,
    StopFact,
    Verdict,
    evaluate,
)
from tests.gate_facts import EMAIL, ROBOT, TEXT, ask, consent, facts, hits, packs, touch, utc

ALLOW, DENY, DEFER = Verdict.ALLOW, Verdict.DENY, Verdict.DEFER
MON_TO_SUN = tuple(touch(f"2026-03-0{day} 18:00") for day in range(2, 9))


def is_(decision: GateDecision, verdict: Verdict, *rule_ids: str) -> bool:
    return decision.verdict is verdict and hits(decision) == set(rule_ids)


# --- T1-T4: how often Regulation F lets a collector call -------------------------------------------------


def test_t1_the_eighth_call_in_seven_days_waits_for_monday_morning() -> None:
    decision = ask("2026-03-08 23:00", facts(history=MON_TO_SUN))
    assert is_(decision, DEFER, "USF-7IN7")
    assert decision.next_eligible_at == utc("2026-03-09 13:00")
    assert (decision.hits[0].counter, decision.hits[0].limit) == (7, 7)


def test_t1_on_monday_the_window_holds_six_and_the_call_is_allowed() -> None:
    decision = ask("2026-03-09 18:00", facts(history=MON_TO_SUN))
    assert is_(decision, ALLOW)
    assert decision.counters["USF-7IN7"] == 6


def test_t1_a_lender_who_calls_for_itself_is_not_bound_by_regulation_f() -> None:
    assert is_(ask("2026-03-08 23:00", facts(role="first_party", history=MON_TO_SUN)), ALLOW)


def test_t1_all_numbers_of_the_person_count_together_but_another_person_does_not() -> None:
    second = PointFacts(id="P2", kind=PointKind.MOBILE, owner="debtor")
    guarantor = PointFacts(id="P3", kind=PointKind.MOBILE, owner="guarantor")
    history = tuple(replace(t, point="P2") for t in MON_TO_SUN)
    both = facts(history=history, more_points=(second, guarantor))
    assert is_(ask("2026-03-08 23:00", both), DEFER, "USF-7IN7")
    to_guarantor = facts(history=history, more_points=(second, guarantor), proposal={"point": "P3"})
    assert is_(ask("2026-03-08 23:00", to_guarantor), ALLOW)


def test_t1_calls_of_another_collector_count_by_our_policy_only() -> None:
    given_ = facts(history=tuple(replace(t, actor="A2") for t in MON_TO_SUN))
    assert is_(ask("2026-03-08 23:00", given_), ALLOW)
    decision = ask("2026-03-08 23:00", given_, law_only=False)
    assert is_(decision, DEFER, "USF-7IN7")
    assert decision.hits[0].force is Force.POLICY
    assert decision.counters["USF-7IN7:law"] == 0


def test_t1_a_touch_on_a_point_that_is_gone_still_counts() -> None:
    gone = tuple(replace(t, point="P9") for t in MON_TO_SUN)
    assert is_(ask("2026-03-08 23:00", facts(history=gone)), DEFER, "USF-7IN7")


def test_t1_a_reserved_call_counts_before_its_outcome_is_known() -> None:
    history = (*MON_TO_SUN[:6], touch("2026-03-08 22:55", "in_flight"))
    assert is_(ask("2026-03-08 23:00", facts(history=history)), DEFER, "USF-7IN7")


@pytest.mark.parametrize(
    ("now", "verdict"),
    [("2026-03-04 21:00", DEFER), ("2026-03-10 16:00", DEFER), ("2026-03-11 16:00", ALLOW)],
    ids=["the same Wednesday", "next Tuesday", "next Wednesday"],
)
def test_t2_a_talk_on_wednesday_rests_until_next_wednesday(now: str, verdict: Verdict) -> None:
    decision = ask(now, facts(history=(touch("2026-03-04 16:00", "conversation"),)))
    assert decision.verdict is verdict
    assert decision.next_eligible_at == (utc("2026-03-11 13:00") if verdict is DEFER else None)


def test_t3_an_inbound_talk_starts_the_wait_on_its_own_debt_and_is_no_call_of_ours() -> None:
    other = DebtFacts(id="D2", product="card", currency="USD", arrears_minor=9_000)
    history = (touch("2026-03-04 16:00", "conversation", direction="inbound"),)
    about_a = facts(history=history, more_debts=(other,))
    about_b = facts(history=history, more_debts=(other,), proposal={"debts": ("D2",)})
    first = ask("2026-03-06 16:00", about_a)
    assert is_(first, DEFER, "USF-7WAIT")
    assert first.counters["USF-7IN7"] == 0
    assert is_(ask("2026-03-06 16:00", about_b), ALLOW)


def test_t3_a_call_about_two_debts_needs_room_on_both() -> None:
    other = DebtFacts(id="D2", product="card", currency="USD", arrears_minor=9_000)
    both = facts(more_debts=(other,), proposal={"debts": ("D2", "D1")}, history=MON_TO_SUN)
    assert is_(ask("2026-03-08 23:00", both), DEFER, "USF-7IN7")


def test_t4_busy_tones_count_under_our_policy_only_and_both_counts_are_kept() -> None:
    busy = tuple(touch(f"2026-03-08 {hour}:00", "busy") for hour in (14, 15, 16))
    given_ = facts(history=(*MON_TO_SUN[:6], *busy))
    assert is_(ask("2026-03-08 23:00", given_), ALLOW)
    decision = ask("2026-03-08 23:00", given_, law_only=False)
    assert is_(decision, DEFER, "USF-7IN7")
    assert (decision.counters["USF-7IN7"], decision.counters["USF-7IN7:law"]) == (9, 6)


def test_a_call_that_the_customer_asked_us_for_is_free_for_seven_dates() -> None:
    asked = {"consents": (consent(at="2026-03-03 18:00", given_to="collector"),)}
    history = (touch("2026-03-02 18:00", "conversation"),)
    assert is_(ask("2026-03-05 18:00", facts(point=asked, history=history)), ALLOW)
    late = {"consents": (consent(at="2026-02-26 18:00", given_to="collector"),)}
    assert is_(ask("2026-03-05 18:00", facts(point=late, history=history)), DEFER, "USF-7WAIT")


# --- T5, T6, T13, T26: hours ------------------------------------------------------------------------------


def test_t5_all_candidate_zones_must_allow() -> None:
    zones = {"zones": ("America/New_York", "America/Los_Angeles")}
    decision = ask("2026-03-04 14:00", facts(customer=zones))
    assert is_(decision, DEFER, "USF-HOURS", "UST-HOURS")
    assert decision.next_eligible_at == utc("2026-03-04 16:00")
    assert decision.local_times["America/Los_Angeles"] == "2026-03-04T06:00:00-08:00"


def test_t6_a_text_that_was_queued_at_2059_is_not_sent_at_2100() -> None:
    fresh = {"consents": (consent("sms_direct", "2026-02-20 15:00", "collector"),)}
    given_ = facts(point=fresh, proposal=TEXT)
    assert is_(ask("2026-03-05 02:59", given_), ALLOW)
    late = ask("2026-03-05 03:00:01", given_)
    assert late.verdict is DEFER
    assert late.next_eligible_at == utc("2026-03-05 14:00")


def test_t13_no_call_is_started_two_minutes_before_the_end_by_our_policy() -> None:
    given_ = facts("CN", proposal=ROBOT)
    late = ask("2026-03-04 13:58:00", given_, law_only=False)
    assert is_(late, DEFER, "CN-HOURS")
    assert late.next_eligible_at == utc("2026-03-05 00:00")
    assert is_(ask("2026-03-04 13:57:59", given_, law_only=False), ALLOW)
    assert is_(ask("2026-03-04 13:58:00", given_), ALLOW)


def test_t26_the_night_that_loses_an_hour_is_no_exception() -> None:
    decision = ask("2026-03-08 08:30", facts())  # 3:30 local; 2:30 did not exist
    assert is_(decision, DEFER, "USF-HOURS", "UST-HOURS")
    assert decision.next_eligible_at == utc("2026-03-08 13:00")
    assert is_(ask("2026-03-09 01:57", facts()), ALLOW)


# --- T7-T10: texts ----------------------------------------------------------------------------------------

OLD_TEXTING = (consent(), consent("sms_direct", "2026-01-02 15:00", "collector"))


@pytest.mark.parametrize(
    ("now", "answer", "verdict"),
    [
        ("2026-03-03 16:00", None, ALLOW),
        ("2026-03-04 16:00", None, DENY),
        ("2026-03-04 16:00", "no", ALLOW),
        ("2026-03-04 16:00", "no_data", DENY),
    ],
    ids=["60 days", "T7: 61 days", "T7: 61 days, checked", "T8: no data is no safe harbour"],
)
def test_t7_t8_a_text_needs_a_basis_of_sixty_days_or_a_check(now: str, answer: str | None, verdict: Verdict) -> None:
    checked = utc("2026-03-03 10:00") if answer else None
    decision = ask(now, facts(
        point={"consents": OLD_TEXTING, "rnd_answer": answer, "rnd_at": checked}, proposal=TEXT
    ))  # fmt: skip
    assert is_(decision, verdict, *(["USF-SMS60"] if verdict is DENY else []))


FRESH_TEXTING = (consent(), consent("sms_direct", "2026-02-20 15:00", "collector"))
STOPPED = (OptOutFact(utc("2026-03-03 15:00"), "point", "pls dont txt me anymore"),)


def test_t9_a_stop_in_any_words_stops() -> None:
    given_ = facts(point={"consents": FRESH_TEXTING, "opt_outs": STOPPED}, proposal=TEXT)
    assert is_(ask("2026-03-04 16:00", given_), DENY, "USF-MEDIUM", "UST-REVOKE")


def test_t9_one_confirmation_may_go_out_within_five_minutes_and_no_second() -> None:
    confirm = TEXT | {"purpose": Purpose.OPT_OUT_CONFIRMATION}
    point = {"consents": FRESH_TEXTING, "opt_outs": STOPPED}
    assert is_(ask("2026-03-03 15:04", facts(point=point, proposal=confirm)), ALLOW)
    assert "UST-CONF" in hits(ask("2026-03-03 15:06", facts(point=point, proposal=confirm)))
    sent = touch("2026-03-03 15:01", "sent", channel=Channel.SMS, mode=Mode.MESSAGE)
    again = facts(point=point, proposal=confirm, history=(sent,))
    assert ask("2026-03-03 15:04", again).verdict is DENY


def test_t10_one_reply_is_allowed_by_law_and_blocked_by_the_carrier() -> None:
    asked = {"consents": FRESH_TEXTING, "opt_outs": STOPPED, "last_inbound_at": utc("2026-03-04 15:50")}
    reply = TEXT | {"is_reply": True}
    assert is_(ask("2026-03-04 16:00", facts(point=asked, proposal=reply)), ALLOW)
    assert "CAR-SMS-STOPPED" in hits(
        ask("2026-03-04 16:00", facts(role="first_party", point=asked, proposal=reply), law_only=False)
    )
    answered = touch("2026-03-04 15:55", "sent", channel=Channel.SMS, mode=Mode.MESSAGE)
    second = facts(point=asked, proposal=reply, history=(answered,))
    assert is_(ask("2026-03-04 16:00", second), DENY, "USF-MEDIUM", "UST-REVOKE")


def test_the_stop_itself_is_no_invitation_to_reply() -> None:
    stopped = {"consents": FRESH_TEXTING, "opt_outs": STOPPED, "last_inbound_at": utc("2026-03-03 15:00")}
    decision = ask("2026-03-03 16:00", facts(point=stopped, proposal=TEXT | {"is_reply": True}))
    assert decision.verdict is DENY


def test_the_word_start_opens_the_number_again() -> None:
    started = (*FRESH_TEXTING, consent("sms_direct", "2026-03-04 15:00", "collector"))
    given_ = facts(point={"consents": started, "opt_outs": STOPPED}, proposal=TEXT)
    assert is_(ask("2026-03-04 16:00", given_), ALLOW)


@pytest.mark.parametrize(
    ("scope", "channel", "reached"),
    [("all", None, True), ("medium", None, True), ("medium", Channel.SMS, False), ("point", None, False)],
)
def test_a_stop_on_one_number_reaches_the_other_as_far_as_it_says(
    scope: str, channel: Channel | None, reached: bool
) -> None:
    other = PointFacts(
        id="P2", kind=PointKind.MOBILE, owner="debtor",
        opt_outs=(OptOutFact(utc("2026-03-01 15:00"), scope, None, channel),),
    )  # fmt: skip
    decision = ask("2026-03-04 16:00", facts(more_points=(other,)))
    assert ("USF-MEDIUM" in hits(decision)) is reached


# --- T11-T15: China, United Kingdom, New York -------------------------------------------------------------


def test_t11_connects_of_lender_and_agencies_count_together_per_debtor() -> None:
    history = (
        touch("2026-03-04 01:00", "answered", actor="L"),
        touch("2026-03-04 02:00", "rpc", actor="L"),
        touch("2026-03-04 03:00", "voicemail", actor="A2"),
    )
    decision = ask("2026-03-04 06:00", facts("CN", history=history))
    assert is_(decision, DEFER, "CN-CONN3")
    assert decision.next_eligible_at == utc("2026-03-05 00:00")
    inbound = tuple(replace(t, direction="inbound") for t in history)
    assert is_(ask("2026-03-04 06:00", facts("CN", history=inbound)), ALLOW)


def test_t12_six_unanswered_attempts_close_one_number_not_the_other() -> None:
    history = tuple(touch(f"2026-03-04 0{hour}:00") for hour in range(6))
    second = PointFacts(id="P2", kind=PointKind.MOBILE, owner="debtor")
    one = facts("CN", history=history, more_points=(second,))
    assert is_(ask("2026-03-04 08:00", one), DEFER, "CN-ATT6")
    other = facts("CN", history=history, more_points=(second,), proposal={"point": "P2"})
    assert is_(ask("2026-03-04 08:00", other), ALLOW)


def test_t14_a_moratorium_stops_a_queued_text_at_once_until_it_ends() -> None:
    pause = StopFact(StopCode.MORATORIUM, utc("2026-03-04 14:00"), utc("2026-05-03 23:00"), "BS-1")
    given_ = facts("GB", role="first_party", customer={"stop_flags": (pause,)}, proposal=TEXT)
    assert is_(ask("2026-03-04 13:59", given_), ALLOW)
    decision = ask("2026-03-04 14:05", given_)
    assert is_(decision, DENY, "HS-MORATORIUM")
    assert decision.next_eligible_at is None
    assert is_(ask("2026-05-04 09:00", given_), ALLOW)


def test_t15_in_new_york_city_every_channel_counts_for_a_lender_too_since_september() -> None:
    city = {"regions": ("US-NY", "US-NY-NYC"), "zones": ("America/New_York",)}
    emails = tuple(touch(f"2026-10-0{d} 16:00", "delivered", **EMAIL) for d in (5, 6))
    given_ = facts(role="first_party", customer=city, history=(*emails, touch("2026-10-07 16:00")))
    decision = ask("2026-10-08 16:00", given_)
    assert is_(decision, DEFER, "NYC-3IN7")
    assert decision.next_eligible_at == utc("2026-10-12 12:00")
    assert is_(ask("2026-10-08 16:00", given_, on=date(2026, 8, 31)), ALLOW)


# --- what is not known is refused -------------------------------------------------------------------------


def test_a_country_without_a_pack_is_refused() -> None:
    decision = ask("2026-03-04 16:00", facts(customer={"country": "FR", "regions": (), "zones": ()}))
    assert is_(decision, DENY, "GATE-COUNTRY")


def test_unknown_zones_are_all_zones_of_the_country() -> None:
    given_ = facts(customer={"zones": ()})
    assert is_(ask("2026-03-04 18:00", given_), ALLOW)  # 13:00 in New York, 8:00 in Honolulu
    decision = ask("2026-03-04 17:59", given_)
    assert decision.verdict is DEFER
    assert decision.next_eligible_at == utc("2026-03-04 18:00")


def test_an_unknown_region_is_under_every_profile_of_the_country() -> None:
    history = (touch("2026-03-02 18:00"), touch("2026-03-03 18:00"))
    decision = ask("2026-03-04 18:00", facts(customer={"regions": ()}, history=history))
    assert is_(decision, DEFER, "MA-2IN7")


def test_an_unknown_owner_is_a_third_person_and_an_unknown_line_a_mobile() -> None:
    assert is_(ask("2026-03-04 16:00", facts(point={"owner": "unknown"})), DENY, "USF-THIRD")
    line = {"kind": PointKind.UNKNOWN, "consents": ()}
    assert "UST-CONSENT" in hits(ask("2026-03-04 16:00", facts(point=line, proposal=ROBOT)))


@pytest.mark.parametrize(
    "broken",
    [
        {"proposal": {"point": "P9"}},
        {"proposal": {"debts": ("D9",)}},
        {"customer": {"zones": ("Mars/Base",)}},
    ],
    ids=["no such point", "no such debt", "no such zone"],
)
def test_facts_that_do_not_hold_together_are_refused(broken: dict[str, dict[str, object]]) -> None:
    assert is_(ask("2026-03-04 16:00", facts(**broken)), DENY, "GATE-FACTS")  # type: ignore[arg-type]


def test_a_naive_instant_is_an_error_of_the_caller() -> None:
    given_ = facts()
    pack = packs().select(given_, date(2026, 3, 4))
    with pytest.raises(ValueError, match="aware"):
        evaluate(given_, pack, datetime(2026, 3, 4, 16, 0))


def test_hours_that_never_meet_are_a_no_and_not_a_later() -> None:
    never = (Preference(zone="America/Chicago", allow=False),)
    decision = ask("2026-03-04 16:00", facts(customer={"preferences": never}))
    assert is_(decision, DENY, "USF-INCONV")
    assert decision.next_eligible_at is None


def test_the_release_of_a_counter_is_moved_into_hours_that_suit_the_customer() -> None:
    evenings = (Preference(zone="America/Chicago", allow=True, weekdays=(2,), start=time(18), end=time(20)),)
    given_ = facts(customer={"preferences": evenings}, history=MON_TO_SUN)
    assert ask("2026-03-08 23:00", given_).next_eligible_at == utc("2026-03-10 23:00")


def test_a_decision_names_its_words_its_clock_and_its_law() -> None:
    decision = ask("2026-03-04 16:00", facts(point={"consents": (consent(),)}, proposal=ROBOT))
    assert {"mini_miranda", "business_identity", "recording_notice"} <= set(decision.required_content)
    assert decision.local_times == {"America/Chicago": "2026-03-04T10:00:00-06:00"}
    assert "us_reg_f" in decision.pack_version
    talked = (touch("2026-02-04 16:00", "conversation"),)
    later = ask("2026-03-04 16:00", facts(history=talked)).required_content
    assert "debt_collector_notice" in later
    assert "mini_miranda" not in later
