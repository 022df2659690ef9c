"""One feed row through the entire house: from a lender's file to a matured label and the feed upstream.

The book: forty-two customers who fell overdue forty days ago (half of them paid, half did not: they teach the
C-card), six who fell overdue a week ago (one reminder, then the robot), and two who are new.
"""

import io
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.contact import AttemptStatus, CampaignStatus, Channel
from collections_app.domain.model_stages import Stage
from collections_app.domain.outcomes import Disposition, Outcome
from collections_app.domain.permissions import SYSTEM, Actor, Role
from collections_app.domain.promises import PromiseStatus
from collections_app.gateways.blobs import BlobStore
from collections_app.gateways.sms import StatusReport
from collections_app.gateways.sms_console import ConsoleSmsGateway
from collections_app.jobs.daily import DAILY, Day
from collections_app.jobs.runner import run_day
from collections_app.services import (
    campaigns,
    contacting,
    dispatch,
    feedback,
    outcomes,
    promises,
    quality,
    receipts,
    recordings,
    robocalls,
    transcription,
)
from collections_app.services.model_stages import move
from collections_app.services.training import build
from collections_app.town.calls import CHANNEL_MAP, PlantedCall, planted_calls, render
from models.registry import ModelStore
from strategies.book import DEFAULT_BOOK, load_book
from strategies.packs import DEFAULT_PACKS, load_packs
from tests.conftest import FixedClock
from tests.factories import make_agent, make_user
from tests.feeds import Rows, account, customer, payment, point, write_feed
from voice.qa.checklist import load_checklist
from voice.recognition.vosk import VoskRecogniser
from voice.telephony.simulator import SimulatedCarrier

TODAY = date(2026, 3, 4)
LONG_AGO, LATELY, LAST_WEEK = TODAY - timedelta(days=40), TODAY - timedelta(days=9), TODAY - timedelta(days=6)
OLD = [f"old{n}" for n in range(200)]
YOUNG = [f"young{n}" for n in range(6)]
NEW = ["new0", "new1"]


@dataclass
class House:
    """The whole platform on a test database, with its people."""

    units: UnitsOfWork
    clock: FixedClock
    folder: Path
    agent: Actor
    supervisor: Actor
    scheduler: Actor
    strategist: Actor

    def __post_init__(self) -> None:
        self.book, self.packs = load_book(DEFAULT_BOOK), load_packs(DEFAULT_PACKS)
        self.models, self.blobs = ModelStore(self.folder / "models"), BlobStore(self.folder / "blobs")
        self.sent = io.StringIO()

    def at(self, day: date, hour: int) -> None:
        """Set the clock; 17:00 UTC is 11 in the morning in Texas."""
        self.clock.now = datetime.combine(day, time(hour), UTC)

    def day(self, day: date, **entities: Rows) -> dict:
        """Import the day's feed and run the day."""
        self.at(day, 12)
        manifests = (write_feed(self.folder, day, **entities),) if entities else ()
        return run_day(self.units, Day(day, self.book, self.packs, self.models, manifests))

    def send(self, day: date) -> dict:
        """Dispatch what is due at a lawful hour, by the console gateway and the simulated carrier."""
        self.at(day, 17)
        carrier = SimulatedCarrier()
        return dispatch.dispatch_due(
            self.units,
            gateway=ConsoleSmsGateway(self.sent, on_receipt=self._receipt),
            packs=self.packs,
            worker="w1",
            robot=lambda attempt_id: robocalls.run_call(self.units, attempt_id=attempt_id, carrier=carrier),
        )

    def _receipt(self, report: StatusReport) -> None:
        with self.units.begin() as uow:
            receipts.apply_receipt(uow, report)

    def one(self, statement: sa.Select) -> object:
        with self.units.database.reading() as session:
            return session.scalars(statement).one()

    def count(self, table: type, *where: sa.ColumnElement[bool]) -> int:
        with self.units.database.reading() as session:
            return session.scalar(sa.select(sa.func.count()).select_from(table).where(*where)) or 0


@pytest.fixture
def house(units: UnitsOfWork, clock: FixedClock, tmp_path: Path) -> House:
    with units.begin() as uow:
        agent = make_agent(uow.session)
        people = [
            make_user(uow.session, role=role, agent_id=agent.id if role is Role.AGENT else None)
            for role in (Role.AGENT, Role.SUPERVISOR, Role.SCHEDULER, Role.STRATEGIST)
        ]
        actors = [Actor(u.id, u.username, u.role, u.agent_id) for u in people]
    return House(units, clock, tmp_path, *actors)


def overdue(names: list[str], since: date, *, arrears: int = 25_000) -> list[dict]:
    return [account(f"{n}-4417", customer=n, due=since, arrears=arrears, dpd_source="") for n in names]


def cycles(names: list[str], until: date) -> list[dict]:
    """Half a year of statements; every other customer has been late before."""
    rows = []
    for number, name in enumerate(names):
        for month in range(1, 7):
            end = until - timedelta(days=30 * month)
            late = (number % 2) * (month < 4)
            rows.append(
                {
                    "account_id": f"{name}-4417",
                    "cycle_end_date": end.isoformat(),
                    "cycles_past_due": late,
                    "statement_amount": 100_000 + 10_000 * late,
                    "paid_amount": 12_500 * (1 - late),
                }
            )
    return rows


@pytest.mark.speech
def test_one_row_goes_from_the_lenders_file_to_a_label_and_the_feed_upstream(house: House) -> None:
    # 1-2. Intake and casework: forty days ago two hundred customers fall overdue.
    house.day(
        LONG_AGO,
        customers=[customer(n) for n in OLD],
        accounts=overdue(OLD, LONG_AGO - timedelta(days=1)),
        contact_points=[point(n, f"+1512556{i:04d}") for i, n in enumerate(OLD)],
        cycles=cycles(OLD, LONG_AGO),
    )
    assert house.count(t.Case, t.Case.closed_on.is_(None)) == 200
    good, bad = OLD[0::2], OLD[1::2]
    # One in five goes the other way, so that the card learns from a world with exceptions.
    good[::5], bad[::5] = bad[::5], good[::5]
    house.day(
        LONG_AGO + timedelta(days=12),
        accounts=[account(f"{n}-4417", customer=n, due=None, arrears=0) for n in good],
    )
    house.day(LATELY, accounts=overdue(bad, LONG_AGO - timedelta(days=1), arrears=50_000))
    assert house.count(t.Case, t.Case.close_reason == "cured") == 100

    # 3. A week ago six more; they get one reminder by text message, each at most once.
    house.day(
        LAST_WEEK,
        customers=[customer(n) for n in YOUNG],
        accounts=overdue(YOUNG, LAST_WEEK - timedelta(days=1)),
        contact_points=[point(n, f"+1512557{i:04d}") for i, n in enumerate(YOUNG)],
        cycles=cycles(YOUNG, LAST_WEEK),
    )
    house.send(LAST_WEEK)
    texts = (t.ContactAttempt.channel == Channel.SMS, t.ContactAttempt.status == AttemptStatus.DELIVERED)
    young = sa.select(t.Customer.id).where(t.Customer.customer_ref.in_(YOUNG))
    assert house.count(t.ContactAttempt, *texts, t.ContactAttempt.customer_id.in_(young)) == 6
    assert house.send(LAST_WEEK).get("sent", 0) == 0

    # 16. Labels mature from the first group; 17. a card is trained on them and a person lets it work.
    house.day(
        TODAY,
        customers=[customer(n) for n in NEW],
        accounts=overdue(NEW, TODAY - timedelta(days=1)),
        contact_points=[point(n, f"+1512558{i:04d}") for i, n in enumerate(NEW)],
    )
    with house.units.database.reading() as session:
        labels = dict(
            session.execute(
                sa.select(t.TrainingLabel.outcome, sa.func.count())
                .where(t.TrainingLabel.label == "bad_30d")
                .group_by(t.TrainingLabel.outcome)
            ).all()
        )
    assert labels == {0: 100, 1: 100}
    trained = build(
        house.units, actor=SYSTEM, models=house.models, name="c-card", algorithm="scorecard", min_events=5, threads=1
    )
    with house.units.begin(house.strategist) as uow:
        move(uow, name=trained.name, version=trained.version, to=Stage.CHAMPION, note="a made book of 200 rows")

    # 9-10. Today's campaigns: pausing holds every message, resuming lets them go, once.
    with house.units.database.reading() as session:
        running = list(
            session.scalars(
                sa.select(t.Campaign.id).where(
                    t.Campaign.status == CampaignStatus.RUNNING, t.Campaign.business_date == TODAY
                )
            )
        )
    for campaign_id in running:
        with house.units.begin(house.scheduler) as uow:
            campaigns.pause(uow, campaign_id)
    assert house.send(TODAY).get("sent", 0) == 0
    for campaign_id in running:
        with house.units.begin(house.scheduler) as uow:
            campaigns.resume(uow, campaign_id)
    sent = house.send(TODAY)
    assert sent.get("sent", 0) >= 2
    # The robot called those whom the reminder a week ago did not move.
    assert house.count(t.RobotCall) == sent.get("called", 0) == 6
    # No attempt without an ALLOW at the moment of sending (domain brief §8.20).
    left = (t.ContactAttempt.status.in_((AttemptStatus.SENT, AttemptStatus.DELIVERED)),)
    allowed = sa.exists().where(
        t.GateDecision.attempt_id == t.ContactAttempt.id,
        t.GateDecision.phase == "dispatch",
        t.GateDecision.decision == "ALLOW",
    )
    assert house.count(t.ContactAttempt, *left, ~allowed) == 0

    # A reply of STOP takes effect at once.
    with house.units.begin() as uow:
        receipts.receive_message(
            uow,
            provider="console",
            provider_ref="in-1",
            sender="+15125580000",
            body="pls dont txt me anymore",
        )
    assert house.count(t.OptOut) == 1

    # 4-8. The next day: scores, queues, an assignment, each with its reason.
    tomorrow = TODAY + timedelta(days=1)
    run = house.day(tomorrow)
    assert [s["name"] for s in run["steps"]] == [s.name for s in DAILY]
    open_cases = house.count(t.Case, t.Case.closed_on.is_(None))
    assert house.count(t.Score, t.Score.business_date == tomorrow) == open_cases
    assert house.count(t.QueueEntry, t.QueueEntry.removed_on.is_(None)) == open_cases
    assert house.count(t.Decision, t.Decision.business_date == tomorrow, t.Decision.kind == "queueing") == open_cases

    # An agent works the first case of the list: speaks with the customer, who promises to pay.
    assignment = agent_speaks_and_gets_a_promise(house, tomorrow)

    # 11-14. The call was recorded; the machine hears a threat, a supervisor confirms it.
    the_recording_is_heard_and_reviewed(house, assignment)

    # 15. The payment arrives and keeps the promise, ends the episode, closes the case.
    later = tomorrow + timedelta(days=3)
    name = customer_of(house, assignment.case_id)
    house.day(
        later,
        payments=[payment("P1", f"{name}-4417", 50_000, later - timedelta(days=1))],
        accounts=[account(f"{name}-4417", customer=name, due=None, arrears=0)],
    )
    assert house.count(t.Promise, t.Promise.status == PromiseStatus.KEPT) == 1
    assert house.count(t.Case, t.Case.id == assignment.case_id, t.Case.close_reason == "cured") == 1

    # What collections learned goes upstream, as it was known on the day.
    out = house.folder / "feed.parquet"
    with house.units.database.reading() as session:
        feedback.export_feedback(session, as_of=later, out=out)
    feed = pl.read_parquet(out)
    assert feed.filter(pl.col("ptp_kept_ratio") == 1.0).height == 1
    assert feed["available_from"].max().date() <= later  # type: ignore[union-attr]

    # Running a finished day again changes nothing.
    before = (
        house.count(t.Decision),
        house.count(t.ContactAttempt),
        house.count(t.CaseEvent),
        house.count(t.JobRun),
    )
    house.day(later)
    assert before == (
        house.count(t.Decision),
        house.count(t.ContactAttempt),
        house.count(t.CaseEvent),
        house.count(t.JobRun),
    )


def customer_of(house: House, case_id: int) -> str:
    found = house.one(
        sa.select(t.Customer.customer_ref).join(t.Case, t.Case.customer_id == t.Customer.id).where(t.Case.id == case_id)
    )
    return str(found)


def agent_speaks_and_gets_a_promise(house: House, day: date) -> t.Assignment:
    house.at(day, 18)
    with house.units.database.reading() as session:
        assignment = session.scalars(
            sa.select(t.Assignment)
            .join(t.QueueEntry, t.QueueEntry.case_id == t.Assignment.case_id)
            .where(
                t.Assignment.agent_id == house.agent.agent_id,
                t.Assignment.to_at.is_(None),
                t.QueueEntry.removed_on.is_(None),
                t.QueueEntry.queue == "mid",
            )
            .order_by(t.QueueEntry.priority.desc())
        ).first()
        assert assignment is not None
        case = session.get_one(t.Case, assignment.case_id)
        point_id = session.scalars(
            sa.select(t.ContactPoint.id).where(t.ContactPoint.customer_id == case.customer_id)
        ).one()
        account_id = session.scalars(sa.select(t.Account.id).where(t.Account.customer_id == case.customer_id)).one()
    with house.units.begin(house.agent) as uow:
        attempt = contacting.start_agent_call(uow, case_id=case.id, contact_point_id=point_id, packs=house.packs)
        assert attempt.status is AttemptStatus.SENDING
        outcomes.record_call(
            uow, attempt_id=attempt.id, outcome=Outcome.RPC, disposition=Disposition.PTP, talk_seconds=95
        )
        promises.record(
            uow,
            case_id=case.id,
            account_id=account_id,
            amount_minor=50_000,
            due_on=day + timedelta(days=4),
            attempt_id=attempt.id,
            business_date=day,
        )
    return assignment


def threatening_call() -> PlantedCall:
    return next(c for c in planted_calls(3, 40) if any(b.rule_id == "threat_of_arrest" for b in c.breaches))


def the_recording_is_heard_and_reviewed(house: House, assignment: t.Assignment) -> None:
    attempt_id = house.one(
        sa.select(t.ContactAttempt.id).where(
            t.ContactAttempt.case_id == assignment.case_id, t.ContactAttempt.actor_kind == "agent"
        )
    )
    with house.units.begin() as uow:
        recordings.store_recording(
            uow,
            house.blobs,
            audio=render(threatening_call()),
            channel_map=CHANNEL_MAP,
            started_at=house.clock.now,
            attempt_id=attempt_id,
            case_id=assignment.case_id,
            agent_id=assignment.agent_id,
        )
    transcription.transcribe_pending(house.units, recogniser=VoskRecogniser(), blobs=house.blobs)
    quality.check_pending(house.units, checklist=load_checklist())
    finding = house.one(sa.select(t.Finding).where(t.Finding.rule_id == "threat_of_arrest"))
    assert isinstance(finding, t.Finding)
    assert finding.speaker == "agent"
    assert finding.end_ms > finding.start_ms
    with house.units.begin(house.supervisor) as uow:
        quality.review(uow, recording_id=finding.recording_id, finding_id=finding.id, verdict="confirmed")
    assert house.count(t.Review) == 1


def test_a_day_that_died_is_resumed_where_it_stopped(house: House) -> None:
    people = {
        "customers": [customer("C1")],
        "accounts": overdue(["C1"], TODAY - timedelta(days=5)),
        "contact_points": [point("C1", "+15125559999")],
    }
    manifest = write_feed(house.folder, TODAY, **people)
    day = Day(TODAY, house.book, house.packs, house.models, (manifest, house.folder / "missing/manifest.json"))
    with pytest.raises(Exception, match="no such file"):
        run_day(house.units, day)
    assert house.count(t.Account) == 0
    result = run_day(house.units, Day(TODAY, house.book, house.packs, house.models, (manifest,)))
    assert result["attempts"] == 2
    assert house.count(t.Case) == 1
