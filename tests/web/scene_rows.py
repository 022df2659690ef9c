"""The rows of the scene: a book of rules, cases with their history, a campaign, a run."""

from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import tables as t
from collections_app.domain.contact import AttemptStatus, CampaignStatus, Channel, Mode, StopCode
from collections_app.domain.events import EventKind
from collections_app.domain.outcomes import Disposition, Outcome
from collections_app.domain.promises import PromiseStatus
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

BOOK = {
    "queueing": {
        "rows": [
            {"id": "Q-BROKEN", "why": "A promise was broken; a person should ask why."},
            {"id": "Q-RISK", "why": "The score says that this case is likely to get worse."},
        ]
    },
    "treatment": {"rows": [{"id": "T-AGENT", "why": "What remains is done by people."}]},
}


def add(session: Session, row: Any) -> Any:
    """Add one row and return it with its id."""
    session.add(row)
    session.flush()
    return row


def book(session: Session) -> int:
    """Add a strategy book with the sentences of its rules."""
    return add(
        session,
        t.StrategyVersion(
            name="default",
            digest="0" * 64,
            content=BOOK,
            effective_from=date(2026, 1, 1),
            published_at=NOW,
            published_by="setup",
        ),
    ).id


def score_run(session: Session) -> int:
    """Add a champion model and its run of today."""
    model = add(
        session,
        t.ModelVersion(
            name="c-card",
            version="2026-02-11",
            stage="champion",
            bundle_key="models/c-card",
            card={
                "reasons": {
                    "late_now": "The account is far past due now",
                    "many_lenders": "Borrows from many lenders",
                },
                "sayable": {"late_now": "Your payment has been open for some time."},
                "event_name": "bad_30d",
                "event_is": "bad",
            },
            trained_at=NOW,
            trained_by="ines",
            approved_at=NOW,
            approved_by="ines",
        ),
    )
    return add(session, t.ScoreRun(model_version_id=model.id, business_date=TODAY, rows=3, psi=0.02, created_at=NOW)).id


def case(
    session: Session,
    *,
    version: int,
    run: int,
    name: str,
    priority: float,
    rule: str,
    dpd: int,
    arrears: int,
) -> t.Case:
    """Add a case that was scored, queued and decided today."""
    queue = {"Q-BROKEN": "broken_promise", "Q-RISK": "early_risk"}[rule]
    customer = make_customer(session, full_name=name)
    case = make_case(
        session,
        customer_id=customer.id,
        dpd=dpd,
        arrears_amount=arrears,
        balance_amount=arrears * 8,
        account=False,
    )
    account = make_account(
        session,
        customer_id=customer.id,
        dpd=dpd,
        arrears_amount=arrears,
        balance_amount=arrears * 8,
        oldest_unpaid_due_on=TODAY - timedelta(days=dpd),
    )
    make_episode(session, account_id=account.id, case_id=case.id)
    make_point(session, customer_id=customer.id)
    make_point(session, customer_id=customer.id, rank=2, consent=None, kind="landline", quality="disconnected")
    placed = {"queue": queue, "base": 300.0, "works": "agent", "priority": priority}
    decision = add(
        session,
        t.Decision(
            case_id=case.id,
            kind="queueing",
            business_date=TODAY,
            strategy_version_id=version,
            rule_id=rule,
            result=placed,
            facts={},
            arm="champion",
            propensity=0.97,
            decided_at=NOW,
        ),
    )
    add(
        session,
        t.Decision(
            case_id=case.id,
            kind="treatment",
            business_date=TODAY,
            strategy_version_id=version,
            rule_id="T-AGENT",
            result={"step": "agent"},
            facts={},
            arm="champion",
            propensity=0.97,
            decided_at=NOW,
        ),
    )
    add(
        session,
        t.QueueEntry(case_id=case.id, queue=queue, priority=priority, decision_id=decision.id, placed_on=TODAY),
    )
    add(
        session,
        t.Score(
            score_run_id=run,
            case_id=case.id,
            account_id=account.id,
            business_date=TODAY,
            p_event=0.31,
            event_name="bad_30d",
            horizon_days=30,
            score=541,
            band="S4",
            reason_codes=["late_now", "many_lenders"],
            available_from=NOW,
        ),
    )
    return case


def history(session: Session, case: t.Case) -> None:
    """Give a case a past: statements, a payment, a call, a broken promise, notes."""
    account = session.scalars(sa.select(t.Account).where(t.Account.customer_id == case.customer_id)).one()
    batch = add(
        session,
        t.FeedBatch(
            source="test",
            entity="accounts",
            mapping="house",
            mapping_version=1,
            business_date=TODAY,
            file_name="f.csv",
            sha256="a" * 64,
            rows=1,
            accepted=1,
            quarantined=0,
            unchanged=0,
            imported_at=NOW,
        ),
    )
    for i, (billed, paid) in enumerate(
        ((41_000, 41_000), (43_500, 43_500), (42_000, 30_000), (44_200, 0), (42_100, 9_000))
    ):
        add(
            session,
            t.AccountCycle(
                account_id=account.id,
                cycle_end_on=date(2025, 10, 15) + timedelta(days=30 * i),
                cycles_past_due=max(0, i - 2),
                statement_amount=billed,
                paid_amount=paid,
            ),
        )
    add(
        session,
        t.Payment(
            source="test",
            payment_ref="P1",
            account_id=account.id,
            batch_id=batch.id,
            amount=9_000,
            currency="USD",
            kind="payment",
            status="settled",
            value_on=TODAY - timedelta(days=20),
            channel="transfer",
        ),
    )
    point = session.scalars(
        sa.select(t.ContactPoint).where(t.ContactPoint.customer_id == case.customer_id, t.ContactPoint.rank == 1)
    ).one()
    call = make_attempt(
        session,
        case_id=case.id,
        contact_point_id=point.id,
        channel=Channel.VOICE,
        mode=Mode.LIVE_AGENT,
        status=AttemptStatus.DELIVERED,
        actor_kind="agent",
        actor_ref="mara",
        dispatched_at=NOW - timedelta(days=9),
        outcome=Outcome.RPC,
        disposition=Disposition.PTP,
    )
    make_attempt(
        session,
        case_id=case.id,
        contact_point_id=point.id,
        status=AttemptStatus.DELIVERED,
        dispatched_at=NOW - timedelta(days=14),
        outcome=Outcome.DELIVERED,
        body="Example Bank: a message about your account. Reply STOP to opt out.",
    )
    add(
        session,
        t.Promise(
            account_id=account.id,
            case_id=case.id,
            attempt_id=call.id,
            amount=42_000,
            currency="USD",
            due_on=TODAY - timedelta(days=4),
            method="transfer",
            grace_days=2,
            tolerance_percent=5,
            status=PromiseStatus.BROKEN,
            made_by="agent",
            created_at=NOW - timedelta(days=9),
            created_on=TODAY - timedelta(days=9),
            paid_amount=0,
            settled_on=TODAY - timedelta(days=1),
        ),
    )
    for kind, days, actor, payload in (
        (EventKind.CASE_OPENED, 40, "system", {}),
        (
            EventKind.ATTEMPT_RECORDED,
            9,
            "mara",
            {"attempt_id": call.id, "note": "Lost a shift, gets paid on Friday."},
        ),
        (
            EventKind.PROMISE_RECORDED,
            9,
            "mara",
            {"amount_minor": 42_000, "currency": "USD", "due_on": "2026-02-26"},
        ),
        (EventKind.PROMISE_JUDGED, 1, "system", {"status": "broken", "paid_minor": 0}),
        (EventKind.NOTE_ADDED, 1, "mara", {"text": "Prefers to be called after five in the afternoon."}),
    ):
        add(
            session,
            t.CaseEvent(case_id=case.id, kind=kind, at=NOW - timedelta(days=days), actor=actor, payload=payload),
        )


def campaign(session: Session) -> t.Campaign:
    """Add a campaign of texts that waits to be started."""
    campaign = add(
        session,
        t.Campaign(
            name="first_reminder",
            business_date=TODAY,
            channel=Channel.SMS,
            mode=Mode.MESSAGE,
            step="first_reminder",
            template_id="payment_reminder@1",
            status=CampaignStatus.DRAFT,
            created_by="system",
            created_at=NOW,
        ),
    )
    statuses = (
        (AttemptStatus.PLANNED, 14),
        (AttemptStatus.DELIVERED, 9),
        (AttemptStatus.DENIED, 3),
        (AttemptStatus.DEFERRED, 2),
        (AttemptStatus.FAILED, 1),
    )
    for status, number in statuses:
        for _ in range(number):
            attempt = make_attempt(session, campaign_id=campaign.id, status=status)
            if status in (AttemptStatus.DENIED, AttemptStatus.DEFERRED):
                denied = status is AttemptStatus.DENIED
                hit = {
                    "rule_id": "HS-DISPUTE" if denied else "UST-HOURS",
                    "message": "An open dispute stops collection" if denied else "No text before 08:00 or after 21:00",
                }
                add(
                    session,
                    t.GateDecision(
                        attempt_id=attempt.id,
                        phase="plan",
                        decision="DENY" if denied else "DEFER",
                        hits=[hit],
                        required_content=[],
                        local_times={},
                        pack_version="test",
                        decided_at=NOW,
                    ),
                )
    return campaign


def run(session: Session) -> t.JobRun:
    """Add a finished run of the day."""
    steps = [
        {
            "name": "intake",
            "status": "done",
            "seconds": 1.2,
            "result": {"rows": 2000, "accepted": 1998, "quarantined": 2},
        },
        {"name": "scoring", "status": "done", "seconds": 0.9, "result": {"scored": 512}},
        {"name": "assignment", "status": "done", "seconds": 0.4, "result": {"waiting": 57, "assigned": 57}},
    ]
    return add(
        session,
        t.JobRun(
            job="day",
            slot=TODAY.isoformat(),
            business_date=TODAY,
            status="done",
            steps=steps,
            started_at=NOW - timedelta(hours=11),
            finished_at=NOW - timedelta(hours=11) + timedelta(seconds=4),
            stats={},
        ),
    )


def stop(session: Session, case_id: int) -> None:
    """Put a hard stop on the customer of a case."""
    case = session.get_one(t.Case, case_id)
    add(session, t.StopFlag(customer_id=case.customer_id, code=StopCode.DISPUTE, set_at=NOW, set_by="mara"))
