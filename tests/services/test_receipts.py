"""What comes back: late, twice, out of order, and in the customers' own words."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.contact import AttemptStatus, Purpose
from collections_app.domain.events import EventKind
from collections_app.domain.outcomes import Outcome
from collections_app.gateways.sms import SendReceipt, SentQuery, SmsMessage, StatusReport
from collections_app.gateways.twilio_codes import status_report
from collections_app.services import dispatch, receipts
from strategies.inbound import Intent
from strategies.packs import DEFAULT_PACKS, PackLibrary, load_packs
from tests.conftest import FixedClock
from tests.factories import NOW, make_attempt, make_case, make_customer, make_point

_S = AttemptStatus


@pytest.fixture(scope="module")
def packs() -> PackLibrary:
    return load_packs(DEFAULT_PACKS)


def _sent(units: UnitsOfWork, **over: object) -> int:
    with units.begin() as uow:
        values = {"status": _S.SENT, "provider": "twilio", "provider_ref": "SM1", "dispatched_at": NOW} | over
        return make_attempt(uow.session, **values).id


def _apply(units: UnitsOfWork, word: str, **over: object) -> bool:
    values = {"provider_ref": "SM1", "error_code": None} | over
    with units.begin() as uow:
        return receipts.apply_receipt(uow, status_report(word=word, **values))  # type: ignore[arg-type]


def _get(units: UnitsOfWork, attempt_id: int) -> t.ContactAttempt:
    with units.database.reading() as session:
        return session.get_one(t.ContactAttempt, attempt_id)


def _events(units: UnitsOfWork, kind: EventKind) -> int:
    with units.database.reading() as session:
        return len(session.scalars(sa.select(t.CaseEvent).where(t.CaseEvent.kind == kind)).all())


def test_delivery_settles_the_attempt_and_the_case_remembers_it(units: UnitsOfWork) -> None:
    attempt_id = _sent(units)
    assert _apply(units, "delivered")
    attempt = _get(units, attempt_id)
    assert (attempt.status, attempt.outcome, attempt.settled_at) == (_S.DELIVERED, Outcome.DELIVERED, NOW)
    assert _events(units, EventKind.ATTEMPT_RECORDED) == 1


def test_a_duplicate_and_a_late_receipt_change_nothing(units: UnitsOfWork, clock: FixedClock) -> None:
    """T25: delivered twice, then sent: one settlement, state unchanged."""
    attempt_id = _sent(units)
    assert _apply(units, "delivered")
    clock.now += timedelta(minutes=1)
    assert not _apply(units, "delivered")
    assert not _apply(units, "sent")
    assert not _apply(units, "undelivered", error_code="30003")
    attempt = _get(units, attempt_id)
    assert (attempt.status, attempt.settled_at, attempt.error_code) == (_S.DELIVERED, NOW, None)
    assert _events(units, EventKind.ATTEMPT_RECORDED) == 1
    with units.database.reading() as session:
        stored = session.execute(sa.select(t.Receipt.status, t.Receipt.applied).order_by(t.Receipt.id)).all()
    assert [tuple(r) for r in stored] == [("delivered", True), ("sent", False), ("undelivered", False)]


def test_a_receipt_of_an_unknown_message_is_kept_unapplied(units: UnitsOfWork) -> None:
    assert not _apply(units, "delivered", provider_ref="SM404")
    with units.database.reading() as session:
        receipt = session.scalars(sa.select(t.Receipt)).one()
    assert (receipt.attempt_id, receipt.applied) == (None, False)


def test_a_receipt_resolves_an_uncertain_send_by_the_number_in_its_callback(units: UnitsOfWork) -> None:
    attempt_id = _sent(units, status=_S.UNCERTAIN, provider=None, provider_ref=None)
    assert not _apply(units, "queued", provider_ref="SM7", attempt_id=attempt_id)
    assert _get(units, attempt_id).provider_ref == "SM7"
    assert _apply(units, "delivered", provider_ref="SM7", attempt_id=attempt_id)
    assert _get(units, attempt_id).status is _S.DELIVERED


def test_a_callback_cannot_move_an_attempt_that_has_another_reference(units: UnitsOfWork) -> None:
    attempt_id = _sent(units)
    assert not _apply(units, "delivered", provider_ref="SM2", attempt_id=attempt_id)
    assert _get(units, attempt_id).status is _S.SENT


def test_a_number_that_fails_for_good_twice_is_retired(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        case = make_case(uow.session)
        point_id = make_point(uow.session, customer_id=case.customer_id).id
        case_id = case.id
    for ref in ("SM1", "SM2"):
        _sent(units, case_id=case_id, contact_point_id=point_id, provider_ref=ref)
    qualities = []
    for ref in ("SM1", "SM2"):
        _apply(units, "undelivered", provider_ref=ref, error_code="30005")
        with units.database.reading() as session:
            qualities.append(session.get_one(t.ContactPoint, point_id).quality)
    assert qualities == ["ok", "disconnected"]


def test_a_passing_failure_retires_nothing(units: UnitsOfWork) -> None:
    attempt_id = _sent(units)
    _apply(units, "undelivered", error_code="30003")
    attempt = _get(units, attempt_id)
    assert (attempt.status, attempt.outcome, attempt.error_code) == (_S.FAILED, Outcome.UNDELIVERED, "30003")


def _customer(units: UnitsOfWork, **over: object) -> tuple[int, int, str]:
    """Make a customer with a case and a mobile; return customer, point and number."""
    with units.begin() as uow:
        case = make_case(uow.session)
        point = make_point(uow.session, customer_id=case.customer_id, **over)
        return case.customer_id, point.id, point.value


def _write(units: UnitsOfWork, sender: str, body: str, ref: str = "SMin1") -> Intent | None:
    with units.begin() as uow:
        return receipts.receive_message(uow, provider="twilio", provider_ref=ref, sender=sender, body=body)


def _opt_outs(session: Session) -> list[t.OptOut]:
    return list(session.scalars(sa.select(t.OptOut).order_by(t.OptOut.id)))


def _replies(session: Session) -> list[t.ContactAttempt]:
    return list(session.scalars(sa.select(t.ContactAttempt).where(t.ContactAttempt.campaign_id.is_(None))))


def test_a_stop_in_any_words_opts_out_at_once_and_plans_one_confirmation(units: UnitsOfWork) -> None:
    """T9."""
    customer_id, point_id, number = _customer(units)
    assert _write(units, number, "pls dont txt me anymore") is Intent.OPT_OUT
    with units.database.reading() as session:
        (opt_out,) = _opt_outs(session)
        (reply,) = _replies(session)
        revoked = session.scalars(sa.select(t.Consent.revoked_at)).all()
        message = session.scalars(sa.select(t.InboundMessage)).one()
    assert (opt_out.customer_id, opt_out.contact_point_id) == (customer_id, point_id)
    assert (opt_out.scope, opt_out.channel, opt_out.raw_text) == ("medium", "sms", "pls dont txt me anymore")
    assert opt_out.detected_by == "inbound_words@1"
    assert revoked == [NOW]
    assert (reply.purpose, reply.status) == (Purpose.OPT_OUT_CONFIRMATION, _S.PLANNED)
    assert message.intent == "opt_out"
    assert _events(units, EventKind.OPT_OUT_RECORDED) == 1


def test_a_second_stop_is_kept_but_not_confirmed_again(units: UnitsOfWork) -> None:
    _, _, number = _customer(units)
    _write(units, number, "STOP", "SMin1")
    assert _write(units, number, "STOP", "SMin1") is None
    _write(units, number, "stop!!", "SMin2")
    with units.database.reading() as session:
        assert len(_opt_outs(session)) == 1
        assert len(_replies(session)) == 1
        assert len(session.scalars(sa.select(t.InboundMessage)).all()) == 2


def test_a_number_shared_by_two_customers_stops_for_both_and_is_answered_once(units: UnitsOfWork) -> None:
    first, _, number = _customer(units)
    second, _, _ = _customer(units, value=number)
    _write(units, number, "退订")
    with units.database.reading() as session:
        assert {o.customer_id for o in _opt_outs(session)} == {first, second}
        assert len(_replies(session)) == 1


def test_start_takes_the_stop_back_with_a_fresh_consent(units: UnitsOfWork, clock: FixedClock) -> None:
    _, point_id, number = _customer(units)
    _write(units, number, "STOP", "SMin1")
    clock.now += timedelta(hours=1)
    assert _write(units, number, "START", "SMin2") is Intent.START
    with units.database.reading() as session:
        fresh = session.scalars(sa.select(t.Consent).where(t.Consent.revoked_at.is_(None))).all()
    assert {(c.contact_point_id, c.kind, c.given_to) for c in fresh} == {
        (point_id, "sms_direct", "collector"), (point_id, "prior_express", "collector"),
    }  # fmt: skip
    clock.now += timedelta(hours=1)
    _write(units, number, "STOP", "SMin3")
    with units.database.reading() as session:
        assert len(_opt_outs(session)) == 2


def test_a_yes_without_a_stop_gives_no_consent(units: UnitsOfWork) -> None:
    _, _, number = _customer(units)
    _write(units, number, "Yes")
    with units.database.reading() as session:
        assert len(session.scalars(sa.select(t.Consent)).all()) == 1


def test_a_message_from_an_unknown_number_is_kept(units: UnitsOfWork) -> None:
    assert _write(units, "+15125559999", "who is this") is Intent.OTHER
    with units.database.reading() as session:
        message = session.scalars(sa.select(t.InboundMessage)).one()
    assert message.customer_id is None


def test_a_customer_without_any_case_is_stopped_but_gets_no_confirmation(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        number = make_point(uow.session, customer_id=make_customer(uow.session).id).value
    _write(units, number, "STOP")
    with units.database.reading() as session:
        assert (len(_opt_outs(session)), _replies(session)) == (1, [])


class _Carrier:
    name = "console"

    def __init__(self) -> None:
        self.sent: list[SmsMessage] = []

    def send(self, message: SmsMessage) -> SendReceipt:
        self.sent.append(message)
        return SendReceipt(self.name, f"REF{message.attempt_id}")

    def find(self, query: SentQuery) -> StatusReport | None:
        return None


def _dispatch(units: UnitsOfWork, packs: PackLibrary) -> list[str]:
    carrier = _Carrier()
    dispatch.dispatch_due(units, gateway=carrier, packs=packs, worker="w1")
    return [m.body for m in carrier.sent]


def test_the_confirmation_leaves_through_the_gate_exactly_once_and_nothing_after_it(
    units: UnitsOfWork, packs: PackLibrary, clock: FixedClock
) -> None:
    _, _, number = _customer(units)
    _write(units, number, "STOP")
    clock.now += timedelta(minutes=1)
    bodies = _dispatch(units, packs)
    assert len(bodies) == 1
    assert "no more text messages" in bodies[0]
    _write(units, number, "STOP", "SMin2")
    assert _dispatch(units, packs) == []


def test_a_confirmation_that_is_late_is_not_sent(units: UnitsOfWork, packs: PackLibrary, clock: FixedClock) -> None:
    _, _, number = _customer(units)
    _write(units, number, "STOP")
    clock.now += timedelta(minutes=6)
    assert _dispatch(units, packs) == []
    with units.database.reading() as session:
        assert (_replies(session)[0].status, _replies(session)[0].error_code) == (_S.CANCELLED, "too_late")


def test_after_a_stop_a_planned_reminder_is_denied(units: UnitsOfWork, packs: PackLibrary) -> None:
    """Invariant 8 (§8.20): a revocation means zero later sends on that scope."""
    with units.begin() as uow:
        attempt = make_attempt(uow.session, template_id="payment_reminder@1", status=_S.PLANNED)
        campaign = t.Campaign(
            name="c", business_date=NOW.date(), channel=attempt.channel, mode=attempt.mode, step="c",
            template_id="payment_reminder@1", status="running", created_by="t", created_at=NOW,
        )  # fmt: skip
        uow.session.add(campaign)
        uow.session.flush()
        attempt.campaign_id = campaign.id
        number = uow.session.get_one(t.ContactPoint, attempt.contact_point_id).value
        attempt_id = attempt.id
    _write(units, number, "STOP")
    bodies = _dispatch(units, packs)
    assert ["no more text messages" in b for b in bodies] in ([True], [])
    _dispatch(units, packs)
    assert _get(units, attempt_id).status is _S.DENIED


def test_help_is_answered(units: UnitsOfWork, packs: PackLibrary) -> None:
    _, _, number = _customer(units)
    assert _write(units, number, "HELP") is Intent.HELP
    assert ["call the number" in b for b in _dispatch(units, packs)] == [True]
