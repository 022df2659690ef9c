"""Outside signals as written and as known on a day: missing is not zero, late is not known, nothing is added twice."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.errors import InvalidInput, NotFound
from collections_app.domain.money import Money
from collections_app.domain.multi_lending import HitStatus
from collections_app.domain.special_lists import Hit, in_force
from collections_app.queries.signals import (
    OutsideSignals,
    get_customer_id,
    hits_as_of,
    list_bureaus,
    list_costs,
    outside_signals,
)
from collections_app.services import signals
from strategies.signals import list_rules
from tests.factories import TODAY, make_account, make_customer, make_episode

OWN = "own_enquiries:bureau"


def back(days: int) -> date:
    return TODAY - timedelta(days=days)


def answer(ref: str = "C1", **over: Any) -> dict[str, Any]:
    values = {
        "customer_ref": ref, "provider": "bureau", "snapshot_on": back(2), "received_on": back(1),
        "hit_status": "hit", "purpose_code": "post_loan", "consent_ref": "K1", "cost_amount": 150,
        "cost_currency": "CNY", "ml_id_all_apps_7d": 3, "ml_id_all_apps_12m": 9, "ml_id_all_orgs_7d": 2,
    }  # fmt: skip
    return values | over


def no_counts(status: str, ref: str = "C1", **over: Any) -> dict[str, Any]:
    nothing = {c: None for c in answer() if c.startswith("ml_")}
    return answer(ref, hit_status=status, **nothing, **over)


def enquiry(number: int, days: int, ref: str = "C1", **over: Any) -> dict[str, Any]:
    on = back(days)
    values = {
        "enquiry_ref": f"E{number}", "customer_ref": ref, "provider": "bureau", "key_type": "id",
        "institution": f"i{number}", "institution_type": "p2p", "local_hour": 23, "is_own": False,
        "enquired_at": datetime(on.year, on.month, on.day, 15, tzinfo=UTC),
    }  # fmt: skip
    return values | over


def tell(session: Session, *rows: dict[str, Any], on: date = TODAY) -> int:
    frame = pl.DataFrame(list(rows), infer_schema_length=None)
    return signals.write_signals(session, frame, source="test", business_date=on)


def tell_enquiries(session: Session, *rows: dict[str, Any], on: date = TODAY) -> int:
    return signals.write_enquiries(session, pl.DataFrame(list(rows)), source="test", business_date=on)


def asked(session: Session, status: str = "hit", ref: str = "C1", **over: Any) -> None:
    """The bureau's answer that goes with raw enquiries: asked yesterday about the day before."""
    tell(session, no_counts(status, ref, product="enquiries", **over))


def known(session: Session, ref: str = "C1", *, on: date = TODAY) -> OutsideSignals:
    return outside_signals(session, get_customer_id(session, ref), as_of=on)


@pytest.fixture
def session(units: UnitsOfWork) -> Any:
    with units.begin() as uow:
        for ref in ("C1", "C2", "C3"):
            make_customer(uow.session, customer_ref=ref)
        yield uow.session


def stored(session: Session) -> list[t.ExternalSignal]:
    session.expire_all()
    return list(session.scalars(sa.select(t.ExternalSignal).order_by(t.ExternalSignal.id)))


def test_no_hit_error_and_not_queried_carry_no_counts_and_are_told_apart(session: Session) -> None:
    assert tell(session, no_counts("no_hit"), no_counts("error", "C2"), no_counts("not_queried", "C3")) == 3
    assert [row.fields for row in stored(session)] == [{}, {}, {}]
    statuses = [known(session, ref).status for ref in ("C1", "C2", "C3")]
    assert statuses == [HitStatus.NO_HIT, HitStatus.ERROR, HitStatus.NOT_QUERIED]
    assert len({known(session, ref).words for ref in ("C1", "C2", "C3")}) == 3


def test_nobody_asked_is_not_queried(session: Session) -> None:
    assert known(session).status is HitStatus.NOT_QUERIED
    assert known(session).last_asked_on is None


@pytest.mark.parametrize("missing", ["purpose_code", "consent_ref"])
@pytest.mark.parametrize("status", ["hit", "no_hit", "error"])
def test_a_question_without_purpose_or_consent_is_refused(session: Session, missing: str, status: str) -> None:
    row = answer(**{missing: None}) if status == "hit" else no_counts(status, **{missing: None})
    with pytest.raises(InvalidInput) as refusal:
        tell(session, row)
    assert refusal.value.code == "query_without_consent"


def test_who_was_not_asked_needs_no_consent(session: Session) -> None:
    assert tell(session, no_counts("not_queried", purpose_code=None, consent_ref=None)) == 1


@pytest.mark.parametrize("missing", ["purpose_code", "consent_ref"])
def test_the_table_itself_refuses_a_hit_without_purpose_or_consent(session: Session, missing: str) -> None:
    values: dict[str, Any] = {"purpose_code": "post_loan", "consent_ref": "K1"} | {missing: None}
    row = t.ExternalSignal(
        customer_id=get_customer_id(session, "C1"), provider="b", snapshot_on=TODAY, received_on=TODAY,
        hit_status="hit", fields={}, **values,
    )  # fmt: skip
    session.add(row)
    with pytest.raises(IntegrityError):
        session.flush()
    session.rollback()


def test_the_same_answer_told_again_is_not_a_new_answer(session: Session) -> None:
    assert tell(session, answer()) == 1
    assert tell(session, answer()) == 0
    assert tell(session, answer(received_on=TODAY)) == 0
    assert len(stored(session)) == 1


def test_a_correction_is_a_later_row_and_is_read_from_its_day_on(session: Session) -> None:
    tell(session, answer())
    assert tell(session, answer(received_on=TODAY, ml_id_all_apps_7d=1, ml_id_all_orgs_7d=1)) == 1
    assert len(stored(session)) == 2
    assert [known(session, on=day).answers[0].windows[0].apps for day in (back(1), TODAY)] == [3, 1]


def test_a_withdrawn_answer_does_not_live_on_in_its_first_version(session: Session) -> None:
    tell(session, answer())
    tell(session, no_counts("error", received_on=TODAY))
    assert known(session, on=back(1)).status is HitStatus.HIT
    assert known(session).status is HitStatus.ERROR


def test_a_snapshot_that_was_received_later_than_the_day_is_invisible(session: Session) -> None:
    tell(session, answer())
    assert known(session, on=back(2)).status is HitStatus.NOT_QUERIED
    assert known(session, on=back(1)).status is HitStatus.HIT


def test_an_expired_answer_is_not_used(session: Session) -> None:
    tell(session, answer(expires_on=TODAY))
    assert known(session, on=back(1)).status is HitStatus.HIT
    assert known(session).status is HitStatus.NOT_QUERIED
    tell(session, answer("C2", snapshot_on=back(180), received_on=back(180)))
    assert known(session, "C2", on=back(1)).status is HitStatus.HIT
    assert known(session, "C2").status is HitStatus.NOT_QUERIED


def test_a_failure_does_not_hide_an_earlier_answer(session: Session) -> None:
    tell(session, answer(), no_counts("error", snapshot_on=back(1), received_on=TODAY))
    assert known(session).status is HitStatus.HIT


def test_id_and_mobile_are_two_answers(session: Session) -> None:
    mobile = no_counts("hit", key_type="mobile") | {"ml_mobile_all_apps_7d": 5}
    tell(session, answer(key_type="id") | {"ml_mobile_all_apps_7d": None}, mobile)
    told = {a.key_type: a.windows[0].apps for a in known(session).answers}
    assert told == {"id": 3, "mobile": 5}


def test_an_answer_that_contradicts_itself_is_the_vendors_error_and_keeps_its_evidence(session: Session) -> None:
    tell(session, answer(ml_id_all_apps_7d=12), answer("C2"), no_counts("no_hit", "C3") | {"ml_id_all_apps_7d": 0})
    first, second, third = stored(session)
    assert (first.hit_status, second.hit_status, third.hit_status) == ("error", "hit", "no_hit")
    assert first.fields["flag_contradiction"] == "a narrow window above a wider one"
    assert first.fields["told"]["ml_id_all_apps_7d"] == 12
    assert third.fields["flag_contradiction"] == "no_hit with a count"
    assert known(session).answers[0].note == "a narrow window above a wider one"
    assert known(session).answers[0].windows == ()


def compute(session: Session, units: UnitsOfWork, on: date = TODAY) -> dict[str, int]:
    session.commit()
    with units.begin() as uow:
        return signals.compute(uow, as_of=on, provider="bureau")


def own(session: Session, ref: str = "C1") -> dict[str, Any]:
    session.expire_all()
    customer = get_customer_id(session, ref)
    rows = session.scalars(
        sa.select(t.ExternalSignal)
        .where(t.ExternalSignal.provider == OWN, t.ExternalSignal.customer_id == customer)
        .order_by(t.ExternalSignal.received_on.desc())
    )
    newest = rows.first()
    return {} if newest is None else {"hit_status": newest.hit_status, **newest.fields}


def test_raw_enquiries_become_an_answer_of_our_own(session: Session, units: UnitsOfWork) -> None:
    account = make_account(session, customer_id=get_customer_id(session, "C1"))
    make_episode(session, account_id=account.id, entry_on=back(20))
    asked(session)
    assert tell_enquiries(
        session, enquiry(1, 3), enquiry(2, 8, institution="i1"), enquiry(3, 15), enquiry(4, 100),
        enquiry(5, 3, is_own=True), enquiry(6, 3, key_type="mobile"), enquiry(7, 1),
    ) == 7  # fmt: skip
    assert compute(session, units) == {
        "asked": 1, "counted": 1, "hit": 1, "no_hit": 0, "error": 0, "written": 1, "without_query": 0
    }  # fmt: skip
    told = own(session)
    # Windows end two days ago, the day that the bureau spoke of: yesterday's enquiry is not in them.
    assert (told["ml_id_all_apps_7d"], told["ml_id_all_orgs_7d"]) == (2, 1)
    assert (told["ml_id_all_apps_12m"], told["ml_id_all_orgs_12m"]) == (4, 3)
    assert (told["ml_id_nbank_orgs_12m"], told["ml_id_bank_orgs_12m"]) == (3, 0)
    assert (told["ml_id_all_orgs_since_entry"], told["ml_id_all_night_apps_12m"]) == (2, 4)
    assert not [name for name in told if name.startswith("ml_mobile")]


def test_computing_twice_a_day_changes_nothing_and_late_enquiries_make_a_later_row(
    session: Session, units: UnitsOfWork
) -> None:
    asked(session)
    tell_enquiries(session, enquiry(1, 3))
    assert compute(session, units)["written"] == 1
    assert compute(session, units)["written"] == 0
    tell_enquiries(session, enquiry(2, 4), on=TODAY + timedelta(days=1))
    assert compute(session, units)["written"] == 0  # not known on the day, whenever it is counted
    assert compute(session, units, TODAY + timedelta(days=1))["written"] == 1
    assert own(session)["ml_id_all_orgs_7d"] == 2
    before = outside_signals(session, get_customer_id(session, "C1"), as_of=TODAY)
    assert next(a for a in before.answers if a.provider == OWN).windows[0].orgs == 1


def test_only_customers_of_whom_there_is_news_are_counted_again(session: Session, units: UnitsOfWork) -> None:
    for ref in ("C1", "C2", "C3"):
        asked(session, "hit", ref)
    tell_enquiries(session, enquiry(1, 3), enquiry(2, 3, "C2"))
    assert compute(session, units)["counted"] == 3
    later = TODAY + timedelta(days=5)
    assert compute(session, units, later)["counted"] == 0
    tell_enquiries(session, enquiry(3, 4), on=later)
    account = make_account(session, customer_id=get_customer_id(session, "C2"))
    make_episode(session, account_id=account.id, entry_on=later)
    asked(session, "hit", "C3", snapshot_on=TODAY, received_on=later)
    assert compute(session, units, later)["counted"] == 3
    assert own(session)["ml_id_all_orgs_7d"] == 2
    assert own(session, "C2")["ml_id_all_orgs_since_entry"] == 0


def test_no_hit_not_queried_and_a_true_zero_are_three_things(session: Session, units: UnitsOfWork) -> None:
    asked(session, "no_hit", "C1")
    asked(session, "hit", "C2")
    tell_enquiries(session, enquiry(1, 3, "C2", is_own=True), enquiry(2, 3, "C3"))
    said = compute(session, units)
    assert (said["hit"], said["no_hit"], said["without_query"]) == (1, 1, 1)
    assert own(session, "C1") == {"hit_status": "no_hit"}
    assert own(session, "C2")["ml_id_all_apps_12m"] == 0
    assert own(session, "C2")["ml_id_all_days_since_last_app"] is None
    assert own(session, "C3") == {}


def test_a_failed_question_stays_an_error_and_an_expired_one_is_no_question(
    session: Session, units: UnitsOfWork
) -> None:
    asked(session, "error", "C1")
    asked(session, "hit", "C2", expires_on=TODAY)
    tell_enquiries(session, enquiry(1, 3, "C1"), enquiry(2, 3, "C2"))
    assert compute(session, units)["error"] == 1
    assert own(session, "C1") == {"hit_status": "error"}
    assert own(session, "C2") == {}


def test_a_portfolio_computed_in_parts_is_complete(
    session: Session, units: UnitsOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "_CUSTOMERS", 2)
    for ref in ("C1", "C2", "C3"):
        asked(session, "hit", ref)
        asked(session, "no_hit", ref, key_type="mobile")
        tell_enquiries(session, enquiry(int(ref[1]), 3, ref))
    said = compute(session, units)
    assert (said["asked"], said["hit"], said["no_hit"], said["written"]) == (6, 3, 3, 6)
    assert list_bureaus(session, as_of=TODAY) == ("bureau",)
    assert list_bureaus(session, as_of=back(5)) == ()


def hit(ref: str = "H1", customer: str = "C1", **over: Any) -> dict[str, Any]:
    values = {
        "hit_ref": ref, "customer_ref": customer, "provider": "court", "list_code": "court_executed", "severity": 4,
        "event_on": back(30), "is_confirmed": True, "removed_on": None,
    }  # fmt: skip
    return values | over


def tell_hits(session: Session, *rows: dict[str, Any], on: date = TODAY) -> int:
    frame = pl.DataFrame(list(rows), schema_overrides={"removed_on": pl.Date}, infer_schema_length=None)
    return signals.write_list_hits(session, frame, source="test", business_date=on)


def test_the_worst_confirmed_hit_speaks_and_an_unconfirmed_one_only_weighs(session: Session) -> None:
    tell_hits(session, hit(), hit("H2", list_code="fraud", severity=5, is_confirmed=False), hit("H3", "C2"))
    seen = known(session)
    assert seen.worst_severity == 4
    assert seen.list_weight == pytest.approx(6 + 5)
    assert [h.list_code for h in seen.hits] == ["fraud", "court_executed"]
    assert seen.hits[1].words == "under enforcement by a court"


def test_a_hit_told_again_is_one_hit_and_its_removal_counts_from_when_we_knew(session: Session) -> None:
    assert tell_hits(session, hit(), on=back(10)) == 1
    assert tell_hits(session, hit(), on=back(9)) == 0
    assert tell_hits(session, hit(removed_on=back(8)), on=back(3)) == 1
    seen = {days: known(session, on=back(days)).worst_severity for days in (11, 10, 8, 4, 3, 0)}
    assert seen == {11: None, 10: 4, 8: 4, 4: 4, 3: None, 0: None}


def test_a_severity_that_was_not_told_is_the_lists_own(session: Session) -> None:
    tell_hits(session, {c: v for c, v in hit(list_code="fraud").items() if c != "severity"})
    assert known(session).worst_severity == 5


def test_the_portfolios_hits_in_force_are_those_of_the_definition(session: Session) -> None:
    rules = list_rules()
    rows = [
        hit(f"H{n}-{code}", event_on=back(days), list_code=code, removed_on=removed)
        for n, (days, removed) in enumerate(
            [(0, None), (179, None), (180, None), (730, None), (3649, None), (3650, None), (5, TODAY), (5, back(-1)),
             (-1, None)]
        )
        for code in (*rules.lists, "unknown")
    ]  # fmt: skip
    tell_hits(session, *rows)
    told = set(session.scalars(sa.select(hits_as_of(TODAY).c.hit_ref)))
    expected = {
        r["hit_ref"]
        for r in rows
        if in_force(Hit(r["list_code"], 4, r["event_on"], True, r["removed_on"]), on=TODAY, rules=rules)
    }
    assert told == expected
    assert 0 < len(told) < len(rows)


def test_costs_are_summed_once_for_each_question(session: Session) -> None:
    tell(session, answer(), no_counts("no_hit", "C2"), no_counts("not_queried", "C3", cost_amount=None))
    tell(session, answer(received_on=TODAY, ml_id_all_apps_7d=2))  # a correction is free
    tell(session, answer("C3", snapshot_on=back(30), received_on=back(29), cost_amount=None, cost_currency=None))
    tell(session, answer("C2", provider=OWN, cost_amount=None, cost_currency=None))
    february, march = (r for r in list_costs(session, as_of=TODAY) if r.queries)
    assert (february.month, february.queries, february.unpriced, february.spent) == (date(2026, 2, 1), 1, 1, None)
    assert (march.month, march.queries, march.hits) == (date(2026, 3, 1), 2, 1)
    assert (march.spent, march.per_hit) == (Money(300, "CNY"), Money(300, "CNY"))
    assert list_costs(session, as_of=back(2))[0].month == date(2026, 2, 1)
    assert len(list_costs(session, as_of=back(2))) == 1


def test_a_reference_that_two_sources_use_needs_its_source(session: Session) -> None:
    other = make_customer(session, customer_ref="C1", source="other")
    with pytest.raises(InvalidInput):
        get_customer_id(session, "C1")
    assert get_customer_id(session, "C1", source="other") == other.id
    with pytest.raises(NotFound):
        get_customer_id(session, "C9")
