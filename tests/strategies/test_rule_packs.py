"""Every rule of the shipped packs, by one example that it refuses. A rule without an example fails here."""

from dataclasses import replace
from datetime import date, time
from typing import Any

import pytest

from collections_app.domain.contact import Channel, Mode, PointKind, Purpose, StopCode
from collections_app.domain.gate import OptOutFact, PointFacts, Preference, StopFact, Touch, Verdict
from tests.gate_facts import EMAIL, LOCATION, ROBOT, TEXT, VISIT, ask, consent, facts, hits, packs, touch, utc

DENY, DEFER = Verdict.DENY, Verdict.DEFER
NOON = "2026-03-04 18:00"  # a Wednesday: 12:00 in Chicago, 18:00 in London
CN_NOON = "2026-03-04 04:00"
LENDER: dict[str, Any] = {"role": "first_party"}
LINE = {"kind": PointKind.LANDLINE, "consents": ()}
WORK = {"kind": PointKind.WORK_PHONE}
THIRD = {"owner": "third_party"}
LUNCH_ZONES = {"US": "America/Chicago", "GB": "Europe/London", "CN": "Asia/Shanghai", "IN": "Asia/Kolkata"}
STOPPED = {"opt_outs": (OptOutFact(utc("2026-03-01 15:00"), "point"),)}
CONFIRM = TEXT | {"purpose": Purpose.OPT_OUT_CONFIRMATION}
TEXTING = {"consents": (consent("sms_direct", "2026-02-20 15:00", "collector"),)}
MA, WA, DC, FL, CA = ({"regions": (f"US-{state}",)} for state in ("MA", "WA", "DC", "FL", "CA"))
NYC = {"regions": ("US-NY", "US-NY-NYC"), "zones": ("America/New_York",)}
AUTUMN = "2026-10-08 16:00"


def stop(code: StopCode) -> dict[str, Any]:
    return {"customer": {"stop_flags": (StopFact(code, utc("2026-03-01 12:00")),)}}


def not_now(market: str) -> dict[str, Any]:
    return {"preferences": (Preference(LUNCH_ZONES[market], allow=False, weekdays=(3,)),)}


def text(at: str) -> Touch:
    return touch(at, "delivered", **TEXT)


def robots(*days: int) -> tuple[Touch, ...]:
    return tuple(touch(f"2026-03-0{d} 15:00", **ROBOT) for d in days)


def calls(*days: int, **over: Any) -> tuple[Touch, ...]:
    return tuple(touch(f"2026-03-0{d} 15:00", **over) for d in days)


# rule id, verdict, instant, market, law only, facts that differ from an ordinary call
Case = tuple[str, Verdict, str, str, bool, dict[str, Any]]
CASES: list[Case] = [
    ("HS-DECEASED", DENY, NOON, "US", True, stop(StopCode.DECEASED)),
    ("HS-BANKRUPTCY", DENY, NOON, "US", True, stop(StopCode.BANKRUPTCY)),
    ("HS-ATTORNEY", DENY, NOON, "US", True, stop(StopCode.ATTORNEY)),
    ("HS-CEASE", DENY, NOON, "US", True, stop(StopCode.CEASE)),
    ("HS-DISPUTE", DENY, NOON, "GB", True, stop(StopCode.DISPUTE)),
    ("HS-DISPUTE", DENY, NOON, "US", True,
     {"debt": {"is_disputed": True, "validation_ends": date(2026, 3, 4)}}),
    ("HS-DISPUTE", DENY, NOON, "US", False,
     {"debt": {"is_disputed": True, "validation_ends": date(2026, 3, 3)}}),
    ("HS-MORATORIUM", DENY, NOON, "GB", True, stop(StopCode.MORATORIUM)),
    ("HS-MORATORIUM", DENY, NOON, "GB", True, {"debt": {"moratorium_until": utc("2026-03-05 00:00")}}),
    ("HS-IDTHEFT", DENY, NOON, "US", True, stop(StopCode.ID_THEFT)),
    ("HS-WRONGPARTY", DENY, NOON, "US", True, {"point": {"quality": "wrong_party"}}),
    ("HS-COMPLAINT", DENY, NOON, "GB", False, stop(StopCode.COMPLAINT)),
    ("HS-VULN", DENY, NOON, "US", False, stop(StopCode.VULNERABLE)),
    ("HS-PAID", DENY, NOON, "US", False, stop(StopCode.PAID)),
    ("HS-PAID", DENY, NOON, "US", False, {"debt": {"has_pending_payment": True}}),
    ("POL-DEAD-POINT", DENY, NOON, "US", False, {"point": {"quality": "disconnected"}}),
    ("POL-OPTOUT", DENY, CN_NOON, "CN", False, {"point": STOPPED}),
    ("POL-THIRD", DENY, NOON, "US", False, LENDER | {"point": THIRD}),
    ("POL-WORK", DENY, NOON, "US", False, LENDER | {"point": WORK, "customer": {"employer_forbids": True}}),
    ("POL-INCONV", DEFER, NOON, "US", False, LENDER | {"customer": not_now("US")}),
    ("POL-SMS1", DEFER, NOON, "US", False,
     LENDER | {"proposal": TEXT, "history": (text("2026-03-04 15:00"),)}),
    ("POL-SMS3", DEFER, NOON, "US", False,
     LENDER | {"proposal": TEXT, "history": tuple(text(f"2026-03-0{d} 15:00") for d in (1, 2, 3))}),
    ("POL-ROBOT1", DEFER, NOON, "US", False,
     LENDER | {"proposal": ROBOT, "history": (touch("2026-03-04 15:00", "answered", **ROBOT),)}),
    ("POL-VOICEMAIL2", DEFER, NOON, "US", False,
     LENDER | {"proposal": {"leaves_voicemail": True}, "history": calls(2, 3, result="voicemail")}),
    ("POL-GAP", DEFER, NOON, "US", False, LENDER | {"history": (touch("2026-03-04 16:01", point="P9"),)}),
    ("POL-GAP-POINT", DEFER, NOON, "US", False, LENDER | {"history": (touch("2026-03-04 15:00"),)}),
    ("POL-COOL", DEFER, NOON, "US", False, LENDER | {"history": (touch("2026-03-02 15:00", "refused"),)}),
    ("USF-MEDIUM", DENY, NOON, "US", True, {"point": STOPPED}),
    ("USF-SMS60", DENY, NOON, "US", True, {"proposal": TEXT}),
    ("USF-SMS60", DENY, NOON, "US", True,
     {"point": TEXTING | {"rnd_answer": "yes", "rnd_at": utc("2026-03-01 12:00")}, "proposal": TEXT}),
    ("USF-EMAIL35", DENY, NOON, "US", True, {"proposal": EMAIL}),
    ("USF-EMAIL35", DEFER, NOON, "US", True,
     {"proposal": EMAIL, "point": {"consents": (consent("email_notice", "2026-02-10 15:00"),)}}),
    ("USF-LCM", DENY, NOON, "US", True, {"proposal": ROBOT | {"leaves_voicemail": True}}),
    ("UST-IDENT", DENY, NOON, "US", True, {"proposal": ROBOT | {"leaves_voicemail": True}}),
    ("USF-WORK", DENY, NOON, "US", True, {"point": WORK, "customer": {"employer_forbids": True}}),
    ("USF-THIRD", DENY, NOON, "US", True, {"point": THIRD}),
    ("USF-THIRD", DENY, NOON, "US", True,
     {"point": THIRD, "proposal": LOCATION, "history": (touch("2026-02-01 15:00", "answered"),)}),
    ("USF-HOURS", DEFER, "2026-03-04 13:59", "US", True, {}),
    ("USF-INCONV", DEFER, NOON, "US", True, {"customer": not_now("US")}),
    ("USF-7IN7", DEFER, "2026-03-07 18:00", "US", True, {"history": calls(1, 2, 3, 4, 5, 6, 7)}),
    ("USF-7WAIT", DEFER, NOON, "US", True, {"history": (touch("2026-02-26 18:00", "rpc"),)}),
    ("USF-HARASS", DENY, NOON, "US", False,
     {"point": TEXTING, "proposal": TEXT, "history": (text("2026-03-04 15:00"),)}),
    ("UST-CONSENT", DENY, NOON, "US", True, LENDER | {"point": {"consents": ()}, "proposal": ROBOT}),
    ("UST-CONSENT", DENY, NOON, "US", True, LENDER | {"point": {"consents": ()}, "proposal": TEXT}),
    ("UST-AIVOICE", DENY, NOON, "US", True, LENDER | {"point": {"consents": ()}, "proposal": ROBOT}),
    ("UST-REVOKE", DENY, NOON, "US", True, LENDER | {"point": STOPPED, "proposal": TEXT}),
    ("UST-REVOKE", DENY, NOON, "US", True,
     LENDER | {"point": {"consents": (consent(revoked_at=utc("2026-03-01 15:00")),)}, "proposal": ROBOT}),
    ("UST-CONF", DENY, NOON, "US", True, LENDER | {"proposal": CONFIRM}),
    ("UST-RND", DENY, NOON, "US", True, LENDER | {"point": {"rnd_answer": "yes", "rnd_at": utc(CN_NOON)}}),
    ("UST-RND", DENY, NOON, "US", False,
     LENDER | {"point": {"rnd_answer": "no_data", "rnd_at": utc(CN_NOON)}, "proposal": ROBOT}),
    ("UST-HOURS", DEFER, "2026-03-05 03:00", "US", True, LENDER),
    ("UST-LAND3", DEFER, NOON, "US", True,
     LENDER | {"point": LINE, "proposal": ROBOT, "history": robots(1, 2, 3)}),
    ("CAR-SMS-THIRD", DENY, NOON, "US", False, {"point": TEXTING, "proposal": TEXT}),
    ("CAR-SMS-STOPPED", DENY, NOON, "US", False, LENDER | {"point": STOPPED, "proposal": TEXT}),
    ("NYC-MEDIUM", DENY, AUTUMN, "US", True, LENDER | {"customer": NYC, "point": STOPPED, "proposal": EMAIL}),
    ("NYC-OPTIN", DENY, AUTUMN, "US", True,
     LENDER | {"customer": NYC, "point": {"consents": ()}, "proposal": EMAIL}),
    ("NYC-3IN7", DEFER, AUTUMN, "US", True,
     LENDER | {"customer": NYC, "history": tuple(touch(f"2026-10-0{d} 16:00", "failed") for d in (5, 6, 7))}),
    ("MA-2IN7", DEFER, NOON, "US", True, LENDER | {"customer": MA, "history": calls(1, 3)}),
    ("MA-2IN7", DEFER, NOON, "US", True,
     LENDER | {"customer": MA, "point": WORK, "history": (touch("2026-02-10 16:00"), *calls(3))}),
    ("WA-3WK", DEFER, NOON, "US", True, {"customer": WA, "history": calls(1, 2, 3)}),
    ("WA-3WK", DEFER, NOON, "US", True, {"customer": WA, "point": WORK, "history": calls(3)}),
    ("WA-HOURS", DEFER, "2026-03-04 13:45", "US", True, {"customer": WA}),
    ("DC-3IN7", DEFER, NOON, "US", True, LENDER | {"customer": DC, "history": calls(1, 2, 3)}),
    ("FL-FCCPA", DEFER, "2026-03-05 03:00", "US", True, LENDER | {"customer": FL}),
    ("CA-ROSENTHAL", DEFER, "2026-03-05 03:00", "US", True, LENDER | {"customer": CA, "proposal": EMAIL}),
    ("CA-ROSENTHAL", DEFER, NOON, "US", True, LENDER | {"customer": CA | not_now("US")}),
    ("CA-ROSENTHAL", DENY, NOON, "US", True,
     LENDER | {"customer": CA | {"employer_forbids": True}, "point": WORK}),
    ("CA-ROSENTHAL", DENY, NOON, "US", True, LENDER | {"customer": CA, "point": THIRD}),
    ("CN-DEBTOR", DENY, CN_NOON, "CN", True, {"point": THIRD, "customer": {"is_lost": True}}),
    ("CN-3RD", DENY, CN_NOON, "CN", True, {"point": THIRD, "customer": {"is_lost": True}}),
    ("CN-3RD", DENY, CN_NOON, "CN", True,
     {"point": THIRD, "customer": {"is_lost": True}, "proposal": LOCATION,
      "history": (touch("2026-02-01 04:00", "third_party_refused"),)}),
    ("CN-LOST", DENY, CN_NOON, "CN", True, {"point": THIRD, "proposal": LOCATION}),
    ("CN-HOURS", DEFER, "2026-03-04 14:00", "CN", True, {"proposal": VISIT}),
    ("CN-HOURS", DEFER, CN_NOON, "CN", True, {"customer": not_now("CN")}),
    ("CN-HOURS", DEFER, CN_NOON, "CN", True,
     {"customer": {"agreed_start": time(19), "agreed_end": time(23)}}),
    ("CN-CONN3", DEFER, CN_NOON, "CN", True,
     {"history": tuple(touch(f"2026-03-04 0{h}:00", "answered") for h in (1, 2, 3))}),
    ("CN-ATT6", DEFER, CN_NOON, "CN", True,
     {"history": tuple(touch(f"2026-03-04 03:{m}0", "busy") for m in range(6))}),
    ("UK-TIME", DENY, NOON, "GB", True, {"point": STOPPED}),
    ("UK-TIME", DEFER, NOON, "GB", True, {"customer": not_now("GB")}),
    ("UK-TIME", DEFER, "2026-03-08 12:00", "GB", False, {}),
    ("UK-TIME", DEFER, "2026-04-06 12:00", "GB", False, {}),
    ("UK-3RD", DENY, NOON, "GB", True, {"point": THIRD}),
    ("UK-VISIT", DENY, NOON, "GB", True, stop(StopCode.VULNERABLE) | {"proposal": VISIT}),
    ("UK-STATBAR", DENY, NOON, "GB", True,
     {"customer": {"regions": ("GB-SCT",)}, "debt": {"is_time_barred": True}}),
    ("UK-DIAL", DEFER, NOON, "GB", True,
     {"proposal": ROBOT, "history": (touch("2026-03-02 18:00", "abandoned"),)}),
    ("IN-DEBTOR", DENY, "2026-03-04 06:00", "IN", True, {"point": THIRD, "proposal": LOCATION}),
    ("IN-HOURS", DEFER, "2026-03-04 13:30", "IN", True, {}),
    ("IN-HOURS", DEFER, "2026-03-04 06:00", "IN", True, {"customer": not_now("IN")}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[f"{n}-{case[0]}" for n, case in enumerate(CASES)])
def test_the_rule_refuses_its_example(case: Case) -> None:
    rule_id, verdict, now, market, law_only, over = case
    decision = ask(now, facts(market, **over), law_only=law_only)
    assert rule_id in hits(decision)
    assert decision.verdict is verdict


def test_every_rule_that_can_refuse_has_an_example() -> None:
    written = {row.id for pack in packs().packs for row in pack.rows if row.kind != "content"}
    assert written == {case[0] for case in CASES}


def test_our_policy_never_speaks_when_the_law_alone_is_asked() -> None:
    for rule_id, _, now, market, law_only, over in CASES:
        if law_only:
            continue
        decision = ask(now, facts(market, **over), law_only=True)
        assert {hit.force for hit in decision.hits} <= {"LAW", "GUIDE"}, rule_id


ALLOWED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "an agent's call by a lender without any consent": (NOON, "US", LENDER | {"point": {"consents": ()}}),
    "a robot call with consent": (NOON, "US", LENDER | {"proposal": ROBOT}),
    "the third robot call to a landline": (NOON, "US", LENDER | {"point": LINE, "proposal": ROBOT,
                                                                 "history": robots(1, 2)}),
    "robot calls to a landline with consent": (NOON, "US", LENDER | {
        "point": {"kind": PointKind.LANDLINE}, "proposal": ROBOT, "history": robots(1, 2, 3)}),
    "the call that asks a third person for the location": (NOON, "US", {
        "point": THIRD, "proposal": LOCATION}),
    "a text after the notice of a disputed debt's end": (NOON, "US", {
        "debt": {"is_disputed": True, "validation_ends": date(2026, 3, 3)}}),
    "an e-mail after the opt-out period": (NOON, "US", {
        "proposal": EMAIL, "point": {"consents": (consent("email_notice", "2026-01-27 15:00"),)}}),
    "a statutory notice after a cease": (NOON, "US", stop(StopCode.CEASE) | {"proposal": {
        "channel": Channel.LETTER, "mode": Mode.MESSAGE, "purpose": Purpose.STATUTORY_NOTICE}}),
    "a letter at night": ("2026-03-05 07:00", "US", {"proposal": {"channel": Channel.LETTER,
                                                                   "mode": Mode.MESSAGE}}),
    "a late call that the customer agreed to": ("2026-03-05 03:30", "US", {
        "customer": {"agreed_start": time(20), "agreed_end": time(22)}}),
    "a late call that a Chinese debtor agreed to": ("2026-03-04 14:30", "CN", {
        "customer": {"agreed_start": time(20), "agreed_end": time(23)}}),
    "a guarantor in China": (CN_NOON, "CN", {"point": {"owner": "guarantor"}}),
    "a third person asked after documented loss": (CN_NOON, "CN", {
        "point": THIRD, "proposal": LOCATION, "customer": {"is_lost": True}}),
    "a Sunday in the United Kingdom, which no law forbids": ("2026-03-08 12:00", "GB", {}),
    "an English time-barred debt": (NOON, "GB", {"debt": {"is_time_barred": True}}),
    "another debt in a moratorium": (NOON, "GB", {"customer": {"stop_flags": (
        StopFact(StopCode.MORATORIUM, utc("2026-03-01 12:00"), debt="D2"),)}}),
    "an agent after an abandoned call": (NOON, "GB", {"history": (touch("2026-03-04 12:00", "abandoned"),)}),
    "a preference about another weekday": (NOON, "US", {"customer": {"preferences": (
        Preference("America/Chicago", allow=False, weekdays=(4,)),)}}),
    "a third call in Massachusetts where two lines were dead": (NOON, "US", LENDER | {
        "customer": MA, "history": calls(1, 2, 3, result="failed")}),
    "home calls in Massachusetts do not use up the calls at work": (NOON, "US", LENDER | {
        "customer": MA, "point": WORK, "history": calls(1, 2, point="P2"),
        "more_points": (PointFacts(id="P2", kind=PointKind.MOBILE, owner="debtor"),)}),
    "a lender in Washington": (NOON, "US", LENDER | {"customer": WA, "history": calls(1, 2, 3)}),
    "a reassigned number that the customer confirmed since": (NOON, "US", {"point": {
        "rnd_answer": "yes", "rnd_at": utc("2026-02-01 12:00"), "last_inbound_at": utc("2026-02-20 12:00")}}),
}  # fmt: skip


@pytest.mark.parametrize("name", ALLOWED)
def test_the_law_allows(name: str) -> None:
    now, market, over = ALLOWED[name]
    decision = ask(now, facts(market, **over))
    assert hits(decision) == set()
    assert decision.verdict is Verdict.ALLOW


def test_the_opt_out_period_of_an_address_ends_with_its_last_day() -> None:
    sent = {"point": {"consents": (consent("email_notice", "2026-02-10 15:00"),)}, "proposal": EMAIL}
    decision = ask(NOON, facts(**sent))
    assert decision.next_eligible_at == utc("2026-03-18 13:00")  # day 36, at 8:00 in Chicago


def test_a_preferred_morning_defers_to_the_customers_own_zone() -> None:
    mornings = {"preferences": (Preference("America/New_York", allow=True, start=time(9), end=time(11)),)}
    decision = ask(NOON, facts(customer=mornings))
    assert decision.next_eligible_at == utc("2026-03-05 14:00")


def test_texts_of_another_debt_do_not_count_in_massachusetts_but_texts_of_this_one_do() -> None:
    texts = tuple(replace(text(f"2026-03-0{d} 15:00"), debts=("D2",)) for d in (1, 2))
    other = facts(role="first_party", customer=MA, history=texts)
    assert ask(NOON, other).verdict is Verdict.ALLOW
    same = facts(role="first_party", customer=MA, history=tuple(replace(t, debts=("D1",)) for t in texts))
    assert hits(ask(NOON, same)) == {"MA-2IN7"}
