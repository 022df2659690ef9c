"""One small day at a collections house, for the tests of the site: people, cases, a campaign, a flagged call."""

import io
import math
import struct
import wave
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy.orm import Session

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.cases import CaseStage
from collections_app.domain.contact import AttemptStatus, CampaignStatus, Channel, Mode, StopCode
from collections_app.domain.events import EventKind
from collections_app.domain.outcomes import Disposition, Outcome
from collections_app.domain.permissions import Role
from collections_app.domain.promises import PromiseStatus
from collections_app.gateways.blobs import BlobStore
from collections_app.services.users import create_user
from tests.factories import (
    NOW,
    TODAY,
    make_account,
    make_agent,
    make_assignment,
    make_attempt,
    make_case,
    make_customer,
    make_episode,
    make_point,
)

PASSWORD = "correct-horse-battery"
SECONDS = 24
BOOK = {
    "queueing": {
        "rows": [
            {"id": "Q-BROKEN", "why": "A promise was broken; a person should ask why and find what is possible."},
            {"id": "Q-RISK", "why": "The score says that this case is likely to get worse without a conversation."},
        ]
    },
    "treatment": {"rows": [{"id": "T-AGENT", "why": "What remains is done by people, in the order of their queue."}]},
}
WORDS = (
    ("agent", 0, "good morning this is a call from example bank on a recorded line"),
    ("customer", 5200, "yes this is pat speaking"),
    ("agent", 8000, "you owe two hundred and fifty dollars and if you do not pay today the police will come"),
    ("customer", 15000, "that is not right i can pay on friday"),
    ("agent", 19000, "thank you we will wait until friday goodbye"),
)


@dataclass(frozen=True)
class Scene:
    """What the tests need to name."""

    agent_id: int
    top_case: int
    other_case: int
    closed_case: int
    campaign: int
    flagged: int
    audited: int
    findings: tuple[int, ...]
    run: int


def build(units: UnitsOfWork, blobs: BlobStore) -> Scene:
    """Write the day through factories and services, in one unit of work."""
    with units.begin() as uow:
        session = uow.session
        agent, other = make_agent(session, name="Mara Lindt"), make_agent(session, name="Jonas Okafor")
        for username, name, role, agent_id in (
            ("mara", "Mara Lindt", Role.AGENT, agent.id),
            ("sofia", "Sofia Berg", Role.SUPERVISOR, None),
            ("tom", "Tom Ahmed", Role.SCHEDULER, None),
            ("ines", "Ines Roth", Role.STRATEGIST, None),
            ("adam", "Adam Novak", Role.ADMIN, None),
        ):
            with_id = {"username": username, "display_name": name, "password": PASSWORD, "role": role}
            create_user_as_admin(uow, agent_id=agent_id, **with_id)
        version = _book(session)
        run = _score_run(session)
        top = _case(session, version, run, name="Wilhelmina Alexandra van der Bergh-Castellanos y Montenegro",
                    priority=352.4, rule="Q-BROKEN", queue="broken_promise", dpd=43, arrears=128_450)  # fmt: skip
        _history(session, top, agent.name)
        second = _case(session, version, run, name="王小明", priority=221.0, rule="Q-RISK", queue="early_risk", dpd=12,
                       arrears=25_000)  # fmt: skip
        stranger = _case(session, version, run, name="Somebody Else", priority=300.0, rule="Q-RISK",
                         queue="early_risk", dpd=9, arrears=999_999_999_900)  # fmt: skip
        for case, owner in ((top, agent), (second, agent), (stranger, other)):
            make_assignment(session, case_id=case.id, agent_id=owner.id)
        closed = make_case(session, account=False, stage=CaseStage.CLOSED, closed_on=TODAY, close_reason="cured")
        make_assignment(session, case_id=closed.id, agent_id=agent.id)
        campaign = _campaign(session)
        flagged, findings = _recording(session, blobs, top.id, agent.id, pitch=220.0)
        audited, _ = _recording(session, blobs, second.id, agent.id, pitch=330.0, stream="random", findings=False)
        job = _run(session)
        return Scene(agent.id, top.id, stranger.id, closed.id, campaign.id, flagged.id, audited.id,
                     tuple(findings), job.id)  # fmt: skip


def create_user_as_admin(uow, **values):  # type: ignore[no-untyped-def]
    """Make a login as the system's own set-up does."""
    from collections_app.domain.permissions import Actor

    acting, uow.actor = uow.actor, Actor(id=None, name="setup", role=Role.ADMIN)
    create_user(uow, **values)
    uow.actor = acting


def _add(session: Session, row):  # type: ignore[no-untyped-def]
    session.add(row)
    session.flush()
    return row


def _book(session: Session) -> int:
    return _add(session, t.StrategyVersion(
        name="default", digest="0" * 64, content=BOOK, effective_from=date(2026, 1, 1), published_at=NOW,
        published_by="setup")).id  # fmt: skip


def _score_run(session: Session) -> int:
    model = _add(session, t.ModelVersion(
        name="c-card", version="2026-02-11", stage="champion", bundle_key="models/c-card", card={}, trained_at=NOW,
        trained_by="ines", approved_at=NOW, approved_by="ines"))  # fmt: skip
    return _add(session, t.ScoreRun(
        model_version_id=model.id, business_date=TODAY, rows=3, psi=0.02, created_at=NOW)).id  # fmt: skip


def _case(  # type: ignore[no-untyped-def]
    session: Session, version: int, run: int, *, name: str, priority: float, rule: str, queue: str, dpd: int, arrears: int
):  # fmt: skip
    customer = make_customer(session, full_name=name)
    case = make_case(session, customer_id=customer.id, dpd=dpd, arrears_amount=arrears,
                     balance_amount=arrears * 8, account=False)  # fmt: skip
    account = make_account(session, customer_id=customer.id, dpd=dpd, arrears_amount=arrears,
                           balance_amount=arrears * 8, oldest_unpaid_due_on=TODAY - timedelta(days=dpd))  # fmt: skip
    make_episode(session, account_id=account.id, case_id=case.id)
    make_point(session, customer_id=customer.id)
    make_point(session, customer_id=customer.id, rank=2, consent=None, kind="landline", quality="disconnected")
    placed = {"queue": queue, "base": 300.0, "works": "agent", "priority": priority}
    decision = _add(session, t.Decision(
        case_id=case.id, kind="queueing", business_date=TODAY, strategy_version_id=version, rule_id=rule, result=placed,
        facts={}, arm="champion", propensity=0.97, decided_at=NOW))  # fmt: skip
    _add(session, t.Decision(
        case_id=case.id, kind="treatment", business_date=TODAY, strategy_version_id=version, rule_id="T-AGENT",
        result={"step": "agent"}, facts={}, arm="champion", propensity=0.97, decided_at=NOW))  # fmt: skip
    _add(session, t.QueueEntry(case_id=case.id, queue=queue, priority=priority, decision_id=decision.id, placed_on=TODAY))
    _add(session, t.Score(
        score_run_id=run, case_id=case.id, account_id=account.id, business_date=TODAY, p_event=0.31, event_name="roll",
        horizon_days=30, score=541, band="S4", reason_codes=["dpd", "ml_orgs_12m"], available_from=NOW))  # fmt: skip
    return case


def _history(session: Session, case, agent_name: str) -> None:  # type: ignore[no-untyped-def]
    account = session.query(t.Account).filter_by(customer_id=case.customer_id).one()
    batch = _add(session, t.FeedBatch(
        source="test", entity="accounts", mapping="house", mapping_version=1, business_date=TODAY, file_name="f.csv",
        sha256="a" * 64, rows=1, accepted=1, quarantined=0, unchanged=0, imported_at=NOW))  # fmt: skip
    for i, (billed, paid) in enumerate(((41_000, 41_000), (43_500, 43_500), (42_000, 30_000), (44_200, 0), (42_100, 9_000))):
        _add(session, t.AccountCycle(account_id=account.id, cycle_end_on=date(2025, 10, 15) + timedelta(days=30 * i),
                                     cycles_past_due=max(0, i - 2), statement_amount=billed, paid_amount=paid))  # fmt: skip
    _add(session, t.Payment(
        source="test", payment_ref="P1", account_id=account.id, batch_id=batch.id, amount=9_000, currency="USD",
        kind="payment", status="settled", value_on=TODAY - timedelta(days=20), channel="transfer"))  # fmt: skip
    point = session.query(t.ContactPoint).filter_by(customer_id=case.customer_id, rank=1).one()
    call = make_attempt(session, case_id=case.id, contact_point_id=point.id, channel=Channel.VOICE,
                        mode=Mode.LIVE_AGENT, status=AttemptStatus.DELIVERED, actor_kind="agent", actor_ref="mara",
                        dispatched_at=NOW - timedelta(days=9), outcome=Outcome.RPC, disposition=Disposition.PTP)  # fmt: skip
    make_attempt(session, case_id=case.id, contact_point_id=point.id, status=AttemptStatus.DELIVERED,
                 dispatched_at=NOW - timedelta(days=14), outcome=Outcome.DELIVERED,
                 body="Example Bank: a message about your account. Reply STOP to opt out.")  # fmt: skip
    _add(session, t.Promise(
        account_id=account.id, case_id=case.id, attempt_id=call.id, amount=42_000, currency="USD",
        due_on=TODAY - timedelta(days=4), method="transfer", grace_days=2, tolerance_percent=5,
        status=PromiseStatus.BROKEN, made_by="agent", created_at=NOW - timedelta(days=9),
        created_on=TODAY - timedelta(days=9), paid_amount=0, settled_on=TODAY - timedelta(days=1)))  # fmt: skip
    for kind, days, actor, payload in (
        (EventKind.CASE_OPENED, 40, "system", {}),
        (EventKind.ATTEMPT_RECORDED, 9, "mara", {"attempt_id": call.id, "note": "Lost a shift, gets paid on Friday."}),
        (EventKind.PROMISE_RECORDED, 9, "mara", {"amount_minor": 42_000, "currency": "USD", "due_on": "2026-02-26"}),
        (EventKind.PROMISE_JUDGED, 1, "system", {"status": "broken", "paid_minor": 0}),
        (EventKind.NOTE_ADDED, 1, "mara", {"text": "Prefers to be called after five in the afternoon."}),
    ):  # fmt: skip
        _add(session, t.CaseEvent(case_id=case.id, kind=kind, at=NOW - timedelta(days=days), actor=actor, payload=payload))


def _campaign(session: Session):  # type: ignore[no-untyped-def]
    campaign = _add(session, t.Campaign(
        name="first_reminder", business_date=TODAY, channel=Channel.SMS, mode=Mode.MESSAGE, step="first_reminder",
        template_id="payment_reminder@1", status=CampaignStatus.DRAFT, created_by="system", created_at=NOW))  # fmt: skip
    statuses = (
        (AttemptStatus.PLANNED, 14), (AttemptStatus.DELIVERED, 9), (AttemptStatus.DENIED, 3), (AttemptStatus.DEFERRED, 2),
        (AttemptStatus.FAILED, 1),
    )  # fmt: skip
    for status, number in statuses:
        for _ in range(number):
            attempt = make_attempt(session, campaign_id=campaign.id, status=status)
            if status in (AttemptStatus.DENIED, AttemptStatus.DEFERRED):
                denied = status is AttemptStatus.DENIED
                hit = {"rule_id": "HS-DISPUTE" if denied else "UST-HOURS", "message":
                       "An open dispute stops collection" if denied else "No text before 08:00 or after 21:00"}  # fmt: skip
                _add(session, t.GateDecision(
                    attempt_id=attempt.id, phase="plan", decision="DENY" if denied else "DEFER", hits=[hit],
                    required_content=[], local_times={}, pack_version="test", decided_at=NOW))  # fmt: skip
    return campaign


def _recording(  # type: ignore[no-untyped-def]
    session: Session, blobs: BlobStore, case_id: int, agent_id: int, *, pitch: float, stream: str = "flagged",
    findings: bool = True,
):  # fmt: skip
    key = f"recordings/2026/03/01/{int(pitch)}.wav"
    blobs.put(key, tone(pitch))
    recording = _add(session, t.Recording(
        case_id=case_id, agent_id=agent_id, blob_key=key, sha256=f"{int(pitch):064d}", sample_rate=8000, channels=2,
        channel_map=["agent", "customer"], duration_ms=SECONDS * 1000, started_at=NOW - timedelta(days=1),
        status="checked", risk=0.94 if findings else 0.0, stream=stream, sampling_probability=1.0,
        retention_until_on=date(2029, 3, 1)))  # fmt: skip
    peaks = {s: [int(60 * abs(math.sin(i / 7)) * abs(math.sin(i / 31 + shift))) for i in range(240)]
             for s, shift in (("agent", 0.0), ("customer", 1.6))}  # fmt: skip
    utterances = [
        {"speaker": who, "start_ms": at, "end_ms": at + 330 * len(text.split()), "text": text, "words": [
            {"text": w, "start_ms": at + 330 * i, "end_ms": at + 330 * (i + 1), "confidence": 0.5 if w == "police" else 0.97}
            for i, w in enumerate(text.split())]}
        for who, at, text in WORDS
    ]  # fmt: skip
    _add(session, t.Transcript(recording_id=recording.id, engine="vosk", model_version="demo-1", utterances=utterances,
                               peaks=peaks, created_at=NOW))  # fmt: skip
    ids = []
    if findings:
        for code, rule, start, end, evidence, severity in (
            ("Q06", "threat_police", 11_600, 14_500, "if you do not pay today the police will come", "critical"),
            ("Q03", "disclosure_before_identity", 8_000, 11_000, "you owe two hundred and fifty dollars", "critical"),
        ):
            ids.append(_add(session, t.Finding(
                recording_id=recording.id, item_code=code, rule_id=rule, checklist_version="en_us@1", severity=severity,
                speaker="agent", start_ms=start, end_ms=end, evidence=evidence, probability=0.88, created_at=NOW)).id)  # fmt: skip
    return recording, ids


def tone(pitch: float) -> bytes:
    """Return a stereo WAV: one tone per channel, taking turns."""
    rate = 8000
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(rate)
        frames = bytearray()
        for i in range(rate * SECONDS):
            speaks = (i // (rate * 3)) % 2
            value = int(9000 * math.sin(2 * math.pi * pitch * i / rate))
            frames += struct.pack("<hh", 0 if speaks else value, value if speaks else 0)
        file.writeframes(bytes(frames))
    return out.getvalue()


def _run(session: Session):  # type: ignore[no-untyped-def]
    steps = [
        {"name": "intake", "status": "done", "seconds": 1.2, "result": {"rows": 2000, "accepted": 1998, "quarantined": 2}},
        {"name": "scoring", "status": "done", "seconds": 0.9, "result": {"scored": 512}},
        {"name": "assignment", "status": "done", "seconds": 0.4, "result": {"waiting": 57, "assigned": 57}},
    ]
    return _add(session, t.JobRun(
        job="day", slot=TODAY.isoformat(), business_date=TODAY, status="done", steps=steps,
        started_at=NOW - timedelta(hours=11), finished_at=NOW - timedelta(hours=11) + timedelta(seconds=4),
        stats={}))  # fmt: skip


def stop(session: Session, case_id: int) -> None:
    """Put a hard stop on the customer of a case."""
    case = session.get_one(t.Case, case_id)
    _add(session, t.StopFlag(customer_id=case.customer_id, code=StopCode.DISPUTE, set_at=NOW, set_by="mara"))
