"""From rows to the facts of the gate."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.contact import AttemptStatus, Channel, CollectorRole, Mode, PointKind, StopCode
from collections_app.domain.gate import GateInput, Preference, TouchResult, Verdict, evaluate
from collections_app.domain.outcomes import Disposition, Outcome
from collections_app.queries.contact_history import Ask, best_points, gate_input, touch_result
from strategies.packs import DEFAULT_PACKS, load_packs
from tests.factories import (
    NOW,
    TODAY,
    make_account,
    make_attempt,
    make_case,
    make_customer,
    make_episode,
    make_point,
)

_S, _O, _R = AttemptStatus, Outcome, TouchResult


def _facts(units: UnitsOfWork, customer_id: int, point_id: int, channel: Channel = Channel.SMS) -> GateInput:
    mode = Mode.MESSAGE if channel is Channel.SMS else Mode.LIVE_AGENT
    with units.database.reading() as session:
        return gate_input(session, Ask(customer_id, point_id, channel, mode), now=NOW)


def _customer(units: UnitsOfWork, **over: Any) -> tuple[int, int, int]:
    """Make a customer with a case and a mobile; return customer, point and case."""
    with units.begin() as uow:
        customer = make_customer(uow.session, **over)
        case = make_case(uow.session, customer_id=customer.id)
        return customer.id, make_point(uow.session, customer_id=customer.id).id, case.id


@pytest.mark.parametrize(
    ("status", "outcome", "disposition", "channel", "expected"),
    [
        (_S.SENDING, None, None, Channel.VOICE, _R.IN_FLIGHT),
        (_S.SENT, None, None, Channel.VOICE, _R.IN_FLIGHT),
        (_S.UNCERTAIN, None, None, Channel.SMS, _R.IN_FLIGHT),
        (_S.SENT, None, None, Channel.SMS, _R.SENT),
        (_S.DELIVERED, None, None, Channel.SMS, _R.DELIVERED),
        (_S.FAILED, None, None, Channel.VOICE, _R.FAILED),
        (_S.DELIVERED, _O.RPC, Disposition.REFUSED, Channel.VOICE, _R.RPC),
        (_S.DELIVERED, _O.THIRD_PARTY, Disposition.REFUSED, Channel.VOICE, _R.THIRD_PARTY_REFUSED),
        (_S.DELIVERED, _O.THIRD_PARTY, None, Channel.VOICE, _R.ANSWERED),
        (_S.DELIVERED, _O.VOICEMAIL, None, Channel.VOICE, _R.VOICEMAIL),
        (_S.FAILED, _O.UNDELIVERED, None, Channel.SMS, _R.UNDELIVERED),
    ],
)
def test_what_we_do_not_know_of_a_touch_counts_in_full(
    status: AttemptStatus,
    outcome: Outcome | None,
    disposition: Disposition | None,
    channel: Channel,
    expected: TouchResult,
) -> None:
    assert touch_result(status, outcome, disposition, channel=channel) is expected


def test_every_outcome_of_the_catalogue_has_a_meaning_for_the_counters() -> None:
    for outcome in Outcome:
        assert touch_result(_S.DELIVERED, outcome, None, channel=Channel.VOICE)


def test_the_debts_are_the_accounts_in_an_open_episode_and_one_third_party_debt_makes_us_third_party(
    units: UnitsOfWork,
) -> None:
    customer_id, point_id, _ = _customer(units)
    assert _facts(units, customer_id, point_id).actor_role is CollectorRole.FIRST_PARTY
    with units.begin() as uow:
        placed = make_account(uow.session, customer_id=customer_id, collector_role="third_party")
        make_episode(uow.session, account_id=placed.id)
        make_account(uow.session, customer_id=customer_id)
        cured = make_account(uow.session, customer_id=customer_id)
        make_episode(uow.session, account_id=cured.id, ended_on=TODAY)
        placed_id = placed.id
    facts = _facts(units, customer_id, point_id)
    assert facts.actor_role is CollectorRole.THIRD_PARTY
    assert len(facts.debts) == 2
    assert str(placed_id) in facts.proposal.debts


def test_the_history_holds_the_last_month_of_touches_and_nothing_that_never_left(units: UnitsOfWork) -> None:
    customer_id, point_id, case_id = _customer(units)
    with units.begin() as uow:

        def touch(days: int, status: AttemptStatus) -> None:
            at = NOW - timedelta(days=days)
            make_attempt(
                uow.session,
                case_id=case_id,
                contact_point_id=point_id,
                status=status,
                scheduled_at=at,
                dispatched_at=at,
                account_ids=[5],
            )

        for status in AttemptStatus:
            touch(3, status)
        touch(31, _S.SENT)
        touch(40, _S.SENT)
    history = _facts(units, customer_id, point_id).history
    assert sorted((NOW - touch.at).days for touch in history) == [3, 3, 3, 3, 3, 31]
    assert {touch.debts for touch in history} == {("5",)}


def test_stop_flags_come_with_their_debt_and_end_when_the_date_has_ended_everywhere(
    units: UnitsOfWork,
) -> None:
    customer_id, point_id, _ = _customer(units)
    with units.begin() as uow:
        account = make_account(uow.session, customer_id=customer_id)
        uow.session.add_all(
            [
                t.StopFlag(
                    customer_id=customer_id,
                    account_id=account.id,
                    code=StopCode.DISPUTE,
                    set_at=NOW,
                    set_by="x",
                ),
                t.StopFlag(
                    customer_id=customer_id,
                    code=StopCode.MORATORIUM,
                    set_at=NOW,
                    set_by="x",
                    until_on=date(2026, 3, 9),
                ),
                t.StopFlag(customer_id=customer_id, code=StopCode.CEASE, set_at=NOW, set_by="x", released_at=NOW),
            ]
        )
        account_id = account.id
    flags = {f.code: f for f in _facts(units, customer_id, point_id).customer.stop_flags}
    assert set(flags) == {StopCode.DISPUTE, StopCode.MORATORIUM}
    assert flags[StopCode.DISPUTE].debt == str(account_id)
    assert flags[StopCode.MORATORIUM].until == datetime(2026, 3, 10, 12, tzinfo=UTC)


def test_preferences_are_read_and_one_that_cannot_be_read_forbids_every_hour(units: UnitsOfWork) -> None:
    stated = {"zone": "America/Chicago", "allow": False, "dow": [7], "start": "09:00", "end": "12:00"}
    customer_id, point_id, _ = _customer(units, preferences=[stated, {"zone": "America/Chicago"}, "mornings"])
    read = _facts(units, customer_id, point_id).customer.preferences
    assert read[0] == Preference("America/Chicago", allow=False, weekdays=(7,), start=time(9), end=time(12))
    assert read[1:] == (Preference("UTC", allow=False),) * 2


def test_a_pending_payment_is_a_fact_of_its_debt(units: UnitsOfWork) -> None:
    customer_id, point_id, _ = _customer(units)
    account_id = int(_facts(units, customer_id, point_id).debts[0].id)
    with units.begin() as uow:
        batch = t.FeedBatch(
            source="test",
            entity="payments",
            business_date=TODAY,
            mapping="own",
            mapping_version=1,
            file_name="p.csv",
            sha256="0" * 64,
            rows=1,
            accepted=1,
            quarantined=0,
            unchanged=0,
            imported_at=NOW,
        )
        uow.session.add(batch)
        uow.session.flush()
        uow.session.add(
            t.Payment(
                source="test",
                payment_ref="P1",
                account_id=account_id,
                batch_id=batch.id,
                amount=100,
                currency="USD",
                kind="payment",
                status="pending",
                value_on=TODAY,
            )
        )
    assert _facts(units, customer_id, point_id).debts[0].has_pending_payment


def test_a_point_of_another_customer_is_refused_by_the_gate(units: UnitsOfWork) -> None:
    customer_id, _, _ = _customer(units)
    _, foreign, _ = _customer(units)
    facts = _facts(units, customer_id, foreign)
    packs = load_packs(DEFAULT_PACKS)
    assert evaluate(facts, packs.select(facts, TODAY), NOW).verdict is Verdict.DENY


def test_only_mobiles_are_texted_and_landlines_may_be_called(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        point = make_point(uow.session, kind=PointKind.LANDLINE)
        assert best_points(uow.session, [point.customer_id], Channel.SMS) == {}
        assert best_points(uow.session, [point.customer_id], Channel.VOICE) == {point.customer_id: point.id}
