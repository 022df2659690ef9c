"""Sending at most once: last look, claims, and the three ways in which a carrier fails us."""

import io
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import tables as t
from collections_app.db.session import Database
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.contact import AttemptStatus, CampaignStatus, Channel, Mode, StopCode
from collections_app.domain.outcomes import Outcome
from collections_app.domain.promises import PromiseStatus
from collections_app.gateways.sms import (
    GatewayError,
    GatewayRejected,
    GatewayUnavailable,
    GatewayUncertain,
    SendReceipt,
    SentQuery,
    SmsMessage,
    StatusReport,
)
from collections_app.gateways.sms_console import ConsoleSmsGateway
from collections_app.services import dispatch, receipts
from strategies.packs import DEFAULT_PACKS, PackLibrary, load_packs
from tests.conftest import FixedClock
from tests.factories import NOW, TODAY, make_attempt, make_case, make_point

_S = AttemptStatus


@pytest.fixture(scope="module")
def packs() -> PackLibrary:
    return load_packs(DEFAULT_PACKS)


@dataclass
class Carrier:
    """A carrier that does as the test says, and remembers what it was asked to send."""

    name: str = "console"
    answer: Callable[[SmsMessage], GatewayError | None] = lambda _: None
    before_answer: Callable[[SmsMessage], None] = lambda _: None
    known: StatusReport | None = None
    sent: list[SmsMessage] = field(default_factory=list)

    def send(self, message: SmsMessage) -> SendReceipt:
        self.sent.append(message)
        self.before_answer(message)
        if (error := self.answer(message)) is not None:
            raise error
        return SendReceipt(self.name, f"REF{message.attempt_id}")

    def find(self, query: SentQuery) -> StatusReport | None:
        return self.known


def _campaign(session: Session, **over: Any) -> t.Campaign:
    values: dict[str, Any] = {
        "name": "first_reminder", "business_date": TODAY, "channel": Channel.SMS, "mode": Mode.MESSAGE,
        "step": "first_reminder", "template_id": "payment_reminder@1", "status": CampaignStatus.RUNNING,
        "created_by": "test", "created_at": NOW - timedelta(hours=6),
    }  # fmt: skip
    campaign = t.Campaign(**(values | over))
    session.add(campaign)
    session.flush()
    return campaign


def _planned(units: UnitsOfWork, number: int = 1, *, campaign: dict[str, Any] | None = None, **over: Any) -> list[int]:
    """Make a running campaign with planned attempts of different customers; return the attempts' ids."""
    with units.begin() as uow:
        made = _campaign(uow.session, **(campaign or {}))
        rows = [
            make_attempt(uow.session, campaign_id=made.id, template_id=made.template_id, **over) for _ in range(number)
        ]
        return [r.id for r in rows]


def _send(units: UnitsOfWork, carrier: Any, packs: PackLibrary, **over: Any) -> dict[str, int]:
    return dispatch.dispatch_due(units, gateway=carrier, packs=packs, worker="w1", **over)


def _get(units: UnitsOfWork, attempt_id: int) -> t.ContactAttempt:
    with units.database.reading() as session:
        return session.get_one(t.ContactAttempt, attempt_id)


def test_a_due_attempt_is_sent_once_with_its_text_and_reference(units: UnitsOfWork, packs: PackLibrary) -> None:
    (attempt_id,) = _planned(units)
    carrier = Carrier()
    assert _send(units, carrier, packs) == {"claimed": 1, "sent": 1}
    assert _send(units, carrier, packs) == {}
    attempt = _get(units, attempt_id)
    assert (attempt.status, attempt.provider_ref, attempt.claim) == (_S.SENT, f"REF{attempt_id}", "w1")
    assert attempt.dispatched_at == NOW
    assert attempt.local_date == TODAY
    assert attempt.body == carrier.sent[0].body
    assert "Example Bank" in carrier.sent[0].body
    assert "STOP" in carrier.sent[0].body
    with units.database.reading() as session:
        phases = session.scalars(sa.select(t.GateDecision.phase)).all()
    assert phases == ["dispatch"]


def test_no_transaction_is_open_while_the_carrier_is_asked(units: UnitsOfWork, packs: PackLibrary) -> None:
    """Another writer gets in during the send: on SQLite, an open write transaction would block it."""
    _planned(units)
    seen: list[AttemptStatus] = []

    def write_meanwhile(message: SmsMessage) -> None:
        with units.begin() as uow:
            seen.append(uow.session.get_one(t.ContactAttempt, message.attempt_id).status)
            make_case(uow.session)

    _send(units, Carrier(before_answer=write_meanwhile), packs)
    assert seen == [_S.SENDING]
    assert units.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("status", [CampaignStatus.DRAFT, CampaignStatus.PAUSED, CampaignStatus.STOPPED])
def test_only_running_campaigns_send(units: UnitsOfWork, packs: PackLibrary, status: CampaignStatus) -> None:
    (attempt_id,) = _planned(units, campaign={"status": status})
    assert _send(units, Carrier(), packs) == {}
    assert _get(units, attempt_id).status is _S.PLANNED


def test_what_is_not_due_yet_waits(units: UnitsOfWork, packs: PackLibrary) -> None:
    _planned(units, scheduled_at=NOW + timedelta(seconds=1))
    assert _send(units, Carrier(), packs) == {}


def test_one_second_after_hours_the_attempt_waits_for_the_morning(
    units: UnitsOfWork, packs: PackLibrary, clock: FixedClock
) -> None:
    """T6: queued 20:59, the worker comes at 21:00:01 local."""
    (attempt_id,) = _planned(units, scheduled_at=datetime(2026, 3, 3, 2, 59, tzinfo=UTC))
    clock.now = datetime(2026, 3, 3, 3, 0, 1, tzinfo=UTC)
    carrier = Carrier()
    assert _send(units, carrier, packs) == {"deferred": 1, "claimed": 0}
    attempt = _get(units, attempt_id)
    assert (carrier.sent, attempt.status) == ([], _S.DEFERRED)
    assert attempt.scheduled_at == datetime(2026, 3, 3, 14, 0, tzinfo=UTC)


def test_a_stop_flag_set_after_planning_is_the_last_word(units: UnitsOfWork, packs: PackLibrary) -> None:
    (attempt_id,) = _planned(units)
    with units.begin() as uow:
        customer_id = uow.session.get_one(t.ContactAttempt, attempt_id).customer_id
        uow.session.add(t.StopFlag(customer_id=customer_id, code=StopCode.BANKRUPTCY, set_at=NOW, set_by="test"))
    carrier = Carrier()
    assert _send(units, carrier, packs) == {"denied": 1, "claimed": 0}
    assert (carrier.sent, _get(units, attempt_id).error_code) == ([], "HS-BANKRUPTCY")


def _pay(session: Session, case: t.Case) -> None:
    session.execute(sa.update(t.Account).where(t.Account.customer_id == case.customer_id).values(arrears_amount=0))


def _promise(session: Session, case: t.Case) -> None:
    account = session.scalars(sa.select(t.Account).where(t.Account.customer_id == case.customer_id)).one()
    session.add(
        t.Promise(
            account_id=account.id, case_id=case.id, amount=1000, currency="USD", grace_days=2,
            due_on=TODAY + timedelta(days=5), method="transfer", tolerance_percent=5, made_by="agent",
            status=PromiseStatus.OPEN, created_at=NOW - timedelta(minutes=5), created_on=TODAY, paid_amount=0,
        )
    )  # fmt: skip


def _cool(_session: Session, case: t.Case) -> None:
    case.cool_until_on = TODAY + timedelta(days=2)


def _close(_session: Session, case: t.Case) -> None:
    case.closed_on = TODAY


@pytest.mark.parametrize(
    ("change", "reason"), [(_pay, "paid"), (_promise, "promised"), (_cool, "paused"), (_close, "case_closed")]
)
def test_an_attempt_overtaken_by_events_is_cancelled_with_the_reason(
    units: UnitsOfWork, packs: PackLibrary, change: Callable[[Session, t.Case], None], reason: str
) -> None:
    (attempt_id,) = _planned(units)
    with units.begin() as uow:
        case = uow.session.get_one(t.Case, uow.session.get_one(t.ContactAttempt, attempt_id).case_id)
        change(uow.session, case)
    carrier = Carrier()
    assert _send(units, carrier, packs)["cancelled"] == 1
    attempt = _get(units, attempt_id)
    assert (carrier.sent, attempt.status, attempt.error_code) == ([], _S.CANCELLED, reason)


def test_a_promise_made_before_the_plan_does_not_silence_its_own_reminder(
    units: UnitsOfWork, packs: PackLibrary
) -> None:
    (attempt_id,) = _planned(
        units, campaign={"template_id": "promise_reminder@1", "created_at": NOW}, purpose="servicing"
    )
    with units.begin() as uow:
        _promise(
            uow.session,
            uow.session.get_one(t.Case, uow.session.get_one(t.ContactAttempt, attempt_id).case_id),
        )
    carrier = Carrier()
    _send(units, carrier, packs)
    assert "2026-03-07" in carrier.sent[0].body


def test_two_attempts_of_one_customer_are_never_in_one_batch_and_the_second_sees_the_first(
    units: UnitsOfWork, packs: PackLibrary
) -> None:
    with units.begin() as uow:
        case = make_case(uow.session)
        point = make_point(uow.session, customer_id=case.customer_id)
        for name in ("one", "two"):
            campaign = _campaign(uow.session, name=name)
            make_attempt(uow.session, case_id=case.id, contact_point_id=point.id, campaign_id=campaign.id,
                         template_id="payment_reminder@1")  # fmt: skip
    stats = _send(units, Carrier(), packs)
    assert (stats["sent"], stats["deferred"]) == (1, 1)


def test_an_unclear_answer_is_uncertain_and_never_sent_again(
    units: UnitsOfWork, packs: PackLibrary, clock: FixedClock
) -> None:
    (attempt_id,) = _planned(units)
    carrier = Carrier(answer=lambda _: GatewayUncertain("ReadTimeout", "no answer"))
    assert _send(units, carrier, packs)["uncertain"] == 1
    clock.now += timedelta(hours=1)
    _send(units, carrier, packs)
    dispatch.expire_stale_claims(units, older_than=timedelta(minutes=15))
    _send(units, carrier, packs)
    assert len(carrier.sent) == 1
    assert _get(units, attempt_id).status is _S.UNCERTAIN


def test_a_fault_in_the_adapter_costs_one_attempt_its_certainty_and_no_other_its_record(
    units: UnitsOfWork, packs: PackLibrary
) -> None:
    first, second = _planned(units, 2)

    def answer(message: SmsMessage) -> GatewayError | None:
        if message.attempt_id == first:
            raise KeyError("sid")
        return None

    assert _send(units, Carrier(answer=answer), packs) == {"claimed": 2, "uncertain": 1, "sent": 1}
    assert [_get(units, i).status for i in (first, second)] == [_S.UNCERTAIN, _S.SENT]


def test_a_carrier_that_is_away_gets_everything_later_and_is_not_hammered(
    units: UnitsOfWork, packs: PackLibrary, clock: FixedClock
) -> None:
    ids = _planned(units, 3)
    carrier = Carrier(answer=lambda _: GatewayUnavailable("20429", "slow down"))
    assert _send(units, carrier, packs) == {"claimed": 3, "given_back": 3, "sent": 0}
    assert len(carrier.sent) == 1
    assert {_get(units, i).status for i in ids} == {_S.DEFERRED}
    assert {_get(units, i).dispatched_at for i in ids} == {None}
    clock.now += timedelta(minutes=6)
    assert _send(units, Carrier(), packs)["sent"] == 3


def test_a_claim_older_than_a_minute_is_given_back_unsent(
    units: UnitsOfWork, packs: PackLibrary, clock: FixedClock
) -> None:
    """Invariant 3 (§8.20): the gate's word behind a send is at most 60 seconds old."""
    ids = _planned(units, 2)

    def slow(_message: SmsMessage) -> None:
        clock.now += timedelta(seconds=61)

    carrier = Carrier(before_answer=slow)
    stats = _send(units, carrier, packs, limit=2)
    assert (stats["sent"], stats["given_back"]) == (1, 1)
    assert sorted(_get(units, i).status for i in ids) == [_S.DEFERRED, _S.SENT]


def test_a_rejected_message_fails_with_the_carriers_code(units: UnitsOfWork, packs: PackLibrary) -> None:
    (attempt_id,) = _planned(units)
    _send(units, Carrier(answer=lambda _: GatewayRejected("21617", "too long")), packs)
    attempt = _get(units, attempt_id)
    assert (attempt.status, attempt.error_code, attempt.outcome) == (_S.FAILED, "21617", Outcome.UNDELIVERED)


def test_a_carriers_opt_out_becomes_ours(units: UnitsOfWork, packs: PackLibrary) -> None:
    (attempt_id,) = _planned(units)
    _send(units, Carrier(answer=lambda _: GatewayRejected("21610", "stop", is_opt_out=True)), packs)
    with units.database.reading() as session:
        opt_out = session.scalars(sa.select(t.OptOut)).one()
        consents = session.scalars(sa.select(t.Consent.revoked_at)).all()
    assert (opt_out.scope, opt_out.channel, opt_out.detected_by) == ("medium", "sms", "carrier")
    assert opt_out.contact_point_id == _get(units, attempt_id).contact_point_id
    assert consents == [NOW]


def test_a_claim_of_a_dead_worker_becomes_uncertain_and_a_late_answer_still_counts(
    units: UnitsOfWork, packs: PackLibrary, clock: FixedClock
) -> None:
    (attempt_id,) = _planned(units)

    def die(_message: SmsMessage) -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        _send(units, Carrier(before_answer=die), packs)
    assert _get(units, attempt_id).status is _S.SENDING
    clock.now += timedelta(minutes=20)
    assert dispatch.expire_stale_claims(units, older_than=timedelta(minutes=15)) == 1
    assert _get(units, attempt_id).status is _S.UNCERTAIN
    assert _send(units, Carrier(), packs) == {}


def test_an_agents_call_is_not_a_stale_claim(units: UnitsOfWork, clock: FixedClock) -> None:
    with units.begin() as uow:
        make_attempt(uow.session, status=_S.SENDING, actor_kind="agent", dispatched_at=NOW)
    clock.now += timedelta(hours=2)
    assert dispatch.expire_stale_claims(units, older_than=timedelta(minutes=15)) == 0


def test_an_uncertain_send_is_reconciled_by_asking_the_carrier(units: UnitsOfWork, packs: PackLibrary) -> None:
    (attempt_id,) = _planned(units)
    carrier = Carrier(answer=lambda _: GatewayUncertain("ReadTimeout", "no answer"))
    _send(units, carrier, packs)
    assert dispatch.reconcile_uncertain(units, gateway=carrier) == {"asked": 1, "known": 0}
    carrier.known = StatusReport("console", "REF9", "delivered", _S.DELIVERED)
    assert dispatch.reconcile_uncertain(units, gateway=carrier) == {"asked": 1, "known": 1}
    attempt = _get(units, attempt_id)
    assert (attempt.status, attempt.provider_ref, attempt.outcome) == (
        _S.DELIVERED,
        "REF9",
        Outcome.DELIVERED,
    )


def test_a_receipt_that_overtakes_the_record_of_its_send_is_not_lost(units: UnitsOfWork, packs: PackLibrary) -> None:
    (attempt_id,) = _planned(units)

    def deliver(report: StatusReport) -> None:
        with units.begin() as uow:
            assert receipts.apply_receipt(uow, report)

    _send(units, ConsoleSmsGateway(io.StringIO(), on_receipt=deliver), packs)
    attempt = _get(units, attempt_id)
    assert (attempt.status, attempt.outcome) == (_S.DELIVERED, Outcome.DELIVERED)
    assert attempt.provider_ref


def test_robot_attempts_wait_without_a_robot_and_are_handed_over_claimed_with_one(
    units: UnitsOfWork, packs: PackLibrary
) -> None:
    over: dict[str, Any] = {"channel": Channel.VOICE, "mode": Mode.AI_VOICE, "template_id": "reminder_call"}
    (attempt_id,) = _planned(units, campaign=over, channel=Channel.VOICE, mode=Mode.AI_VOICE, actor_kind="robot")
    assert _send(units, Carrier(), packs) == {}
    handed: list[tuple[int, AttemptStatus]] = []

    def robot(called: int) -> None:
        handed.append((called, _get(units, called).status))

    assert _send(units, Carrier(), packs, robot=robot)["called"] == 1
    assert handed == [(attempt_id, _S.SENDING)]


def test_a_robot_that_breaks_leaves_an_uncertain_attempt(units: UnitsOfWork, packs: PackLibrary) -> None:
    over: dict[str, Any] = {"channel": Channel.VOICE, "mode": Mode.AI_VOICE, "template_id": "reminder_call"}
    (attempt_id,) = _planned(units, campaign=over, channel=Channel.VOICE, mode=Mode.AI_VOICE, actor_kind="robot")

    def robot(_called: int) -> None:
        raise RuntimeError("line lost")

    _send(units, Carrier(), packs, robot=robot)
    assert _get(units, attempt_id).status is _S.UNCERTAIN


def test_a_missing_required_value_denies_rather_than_sends_half_a_text(units: UnitsOfWork, packs: PackLibrary) -> None:
    (attempt_id,) = _planned(units, campaign={"template_id": "promise_reminder@1"}, purpose="servicing")
    carrier = Carrier()
    _send(units, carrier, packs)
    assert (carrier.sent, _get(units, attempt_id).error_code) == ([], "content")


def test_a_template_that_no_longer_exists_denies_its_attempt_and_holds_nobody_else_up(
    units: UnitsOfWork, packs: PackLibrary
) -> None:
    (lost,) = _planned(units, campaign={"template_id": "withdrawn@1", "name": "old"})
    _planned(units)
    assert _send(units, Carrier(), packs) == {"claimed": 1, "denied": 1, "sent": 1}
    assert _get(units, lost).error_code == "content"


@pytest.mark.parametrize("workers", [8])
def test_workers_claiming_at_once_never_send_an_attempt_twice(
    database: Database, packs: PackLibrary, workers: int
) -> None:
    units = UnitsOfWork(database, FixedClock(NOW))
    ids = _planned(units, 160)
    carriers = [Carrier() for _ in range(workers)]

    def work(number: int) -> None:
        for _ in range(5):
            dispatch.dispatch_due(units, gateway=carriers[number], packs=packs, worker=f"w{number}")

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(workers)))
    sent = Counter(m.attempt_id for c in carriers for m in c.sent)
    assert sent == Counter(ids)
    with database.reading() as session:
        statuses = set(session.scalars(sa.select(t.ContactAttempt.status)))
    assert statuses == {_S.SENT}


def test_two_workers_cannot_both_get_the_last_allowed_touch_of_one_customer(
    database: Database, packs: PackLibrary
) -> None:
    """The counter is reserved under a lock: two campaigns, one customer, one message."""
    units = UnitsOfWork(database, FixedClock(NOW))
    with units.begin() as uow:
        case = make_case(uow.session)
        point = make_point(uow.session, customer_id=case.customer_id)
        for number in range(8):
            campaign = _campaign(uow.session, name=f"c{number}")
            make_attempt(uow.session, case_id=case.id, contact_point_id=point.id, campaign_id=campaign.id,
                         template_id="payment_reminder@1")  # fmt: skip
    carriers = [Carrier() for _ in range(8)]

    def work(number: int) -> None:
        for _ in range(4):
            dispatch.dispatch_due(units, gateway=carriers[number], packs=packs, worker=f"w{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert sum(len(c.sent) for c in carriers) == 1
