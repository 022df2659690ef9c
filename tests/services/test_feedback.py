"""The feed to the B-cards: what each episode taught, and nothing that was not known then."""

from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from sqlalchemy.orm import Session

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.cases import EpisodeEnd
from collections_app.domain.contact import AttemptStatus, Channel, Mode, StopCode
from collections_app.domain.outcomes import Disposition, Outcome
from collections_app.domain.permissions import Role
from collections_app.domain.promises import PromiseStatus
from collections_app.queries import episode_feedback
from collections_app.services import feedback
from tests.factories import make_account, make_attempt, make_case, make_episode, make_standing, make_user

AS_OF = date(2026, 2, 1)
ENTRY = AS_OF - timedelta(days=20)
_number = count()


def day(after_entry: int) -> date:
    return ENTRY + timedelta(days=after_entry)


def at(on: date, hour: int = 15) -> datetime:
    return datetime(on.year, on.month, on.day, hour, tzinfo=UTC)


def open_episode(session: Session, *, seen: dict[int, int], **over: Any) -> tuple[t.Case, t.Account]:
    """Make a case with one account seen with these DPDs on these days after entry."""
    case = make_case(session, account=False)
    account = make_account(session, customer_id=case.customer_id)
    make_episode(session, account_id=account.id, case_id=case.id, entry_on=ENTRY, **over)
    batch = t.FeedBatch(
        source="test",
        entity="accounts",
        mapping="own",
        mapping_version=1,
        business_date=ENTRY,
        file_name="f",
        sha256=f"{next(_number)}",
        rows=1,
        accepted=1,
        quarantined=0,
        unchanged=0,
        imported_at=at(ENTRY),
    )
    session.add(batch)
    session.flush()
    for n, dpd in seen.items():
        add_snapshot(session, account.id, batch.id, day(n), dpd)
    return case, account


def add_snapshot(session: Session, account_id: int, batch_id: int, on: date, dpd: int) -> None:
    make_standing(session, account_id=account_id, batch_id=batch_id, from_on=on, dpd=dpd)


def call(session: Session, case: t.Case, on: date, outcome: Outcome, **over: Any) -> t.ContactAttempt:
    values: dict[str, Any] = {
        "channel": Channel.VOICE,
        "mode": Mode.LIVE_AGENT,
        "status": AttemptStatus.DELIVERED,
        "dispatched_at": at(on),
        "settled_at": at(on, 16),
        "outcome": outcome,
    }
    return make_attempt(session, case_id=case.id, **(values | over))


def promise(session: Session, case: t.Case, account: t.Account, on: date, **over: Any) -> None:
    values: dict[str, Any] = {
        "amount": 1_000,
        "currency": "USD",
        "due_on": on,
        "method": "x",
        "grace_days": 2,
        "tolerance_percent": 5,
        "status": PromiseStatus.OPEN,
        "made_by": "agent",
        "created_at": at(on),
        "created_on": on,
        "paid_amount": 0,
    }
    session.add(t.Promise(account_id=account.id, case_id=case.id, **(values | over)))
    session.flush()


def confirmed_finding(session: Session, attempt: t.ContactAttempt, reviewed: date, code: str) -> None:
    recording = t.Recording(
        attempt_id=attempt.id,
        blob_key="k",
        sha256=f"r{next(_number)}",
        sample_rate=8000,
        channels=2,
        channel_map=["customer", "agent"],
        duration_ms=1,
        started_at=attempt.dispatched_at,
        status="checked",
        retention_until_on=date(2030, 1, 1),
    )
    session.add(recording)
    session.flush()
    finding = t.Finding(
        recording_id=recording.id,
        item_code=code,
        rule_id="r",
        checklist_version="1",
        severity="C",
        speaker="agent",
        start_ms=0,
        end_ms=1,
        evidence="",
        probability=1.0,
        created_at=at(reviewed),
    )
    session.add(finding)
    session.flush()
    session.add(
        t.Review(
            recording_id=recording.id,
            finding_id=finding.id,
            verdict="confirmed",
            mode="triage",
            reviewer_id=make_user(session, role=Role.SUPERVISOR).id,
            sampling_probability=1.0,
            created_at=at(reviewed),
        )
    )
    session.flush()


def rows(session: Session, as_of: date = AS_OF) -> list[dict[str, Any]]:
    return episode_feedback.build(session, as_of=as_of).to_dicts()


def test_a_cured_episode_tells_what_it_took(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        session = uow.session
        case, account = open_episode(
            session, seen={0: 1, 4: 5, 9: 10, 10: 0}, ended_on=day(10), end_reason=EpisodeEnd.CURED
        )
        attempt = call(session, case, day(3), Outcome.RPC, disposition=Disposition.HARDSHIP)
        call(session, case, day(4), Outcome.NO_ANSWER)
        promise(session, case, account, day(3), status=PromiseStatus.KEPT, settled_on=day(10))
        confirmed_finding(session, attempt, day(12), "Q03")
        (row,) = rows(session)
    assert (row["max_dpd"], row["cure_dpd"], row["cure_mode"]) == (10, 10, "promise")
    assert (row["n_attempts"], row["n_rpc"], row["ptp_kept_ratio"]) == (2, 1, 1.0)
    assert (row["hardship_flag"], row["lost_flag"], row["complaint_flag"]) == (True, False, False)
    assert row["qa_flags"] == ["Q03"]
    assert row["available_from"] == at(day(12))
    assert row["schema_version"] == episode_feedback.SCHEMA_VERSION


@pytest.mark.parametrize(
    ("mode", "outcome", "expected"),
    [
        (None, None, "self"),
        (Mode.MESSAGE, Outcome.DELIVERED, "reminder"),
        (Mode.AI_VOICE, Outcome.RPC, "robot"),
        (Mode.LIVE_AGENT, Outcome.RPC, "agent"),
    ],
)
def test_only_an_untouched_episode_cured_itself(
    units: UnitsOfWork, mode: Mode | None, outcome: Outcome | None, expected: str
) -> None:
    with units.begin() as uow:
        case, _ = open_episode(uow.session, seen={0: 1, 5: 6}, ended_on=day(6), end_reason=EpisodeEnd.CURED)
        if mode and outcome:
            call(uow.session, case, day(2), outcome, mode=mode)
        (row,) = rows(uow.session)
    assert row["cure_mode"] == expected


def test_an_open_episode_has_no_cure_and_no_promise_no_ratio(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        open_episode(uow.session, seen={0: 1, 20: 21})
        (row,) = rows(uow.session)
    assert (row["ended_on"], row["cure_mode"], row["cure_dpd"], row["ptp_kept_ratio"]) == (
        None,
        None,
        None,
        None,
    )
    assert row["max_dpd"] == 21


def test_a_customer_whom_nobody_reached_by_phone_is_lost(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        case, _ = open_episode(uow.session, seen={0: 1})
        for n in range(episode_feedback.LOST_ATTEMPTS):
            call(uow.session, case, day(n), Outcome.NO_ANSWER)
        assert rows(uow.session)[0]["lost_flag"]
        call(uow.session, case, day(9), Outcome.THIRD_PARTY)
        assert not rows(uow.session)[0]["lost_flag"]


def test_nothing_known_after_the_day_appears(units: UnitsOfWork) -> None:
    """Every kind of fact arrives one day late, in every table; the file of the day before must not move."""
    with units.begin() as uow:
        session = uow.session
        case, account = open_episode(session, seen={0: 1, 10: 11})
        attempt = call(session, case, day(2), Outcome.ANSWERED_UNVERIFIED)
        promise(session, case, account, day(5))
        before = episode_feedback.build(session, as_of=AS_OF)
        tomorrow = AS_OF + timedelta(days=1)

        batch_id = session.query(t.FeedBatch).first().id
        add_snapshot(session, account.id, batch_id, tomorrow, 99)
        call(session, case, tomorrow, Outcome.RPC, disposition=Disposition.HARDSHIP)
        call(session, case, day(6), Outcome.RPC, disposition=Disposition.HARDSHIP, settled_at=at(tomorrow))
        confirmed_finding(session, attempt, tomorrow, "Q01")
        session.add(t.StopFlag(customer_id=case.customer_id, code=StopCode.COMPLAINT, set_at=at(tomorrow), set_by="x"))
        for row in session.query(t.Promise):
            row.status, row.settled_on = PromiseStatus.KEPT, tomorrow
        for episode in session.query(t.Episode):
            episode.ended_on, episode.end_reason, episode.max_dpd = tomorrow, EpisodeEnd.CURED, 99
        other, _ = open_episode(session, seen={})
        for episode in session.query(t.Episode).filter_by(case_id=other.id):
            episode.entry_on = tomorrow
        session.flush()

        after = episode_feedback.build(session, as_of=AS_OF)
        later = episode_feedback.build(session, as_of=tomorrow)
    # The call of day 6 was placed by then, so it counts as an attempt; its outcome was not yet told.
    assert after["n_attempts"].to_list() == [2]
    unmoved = [c for c in before.columns if c != "n_attempts"]
    assert_frame_equal(after.select(unmoved).drop("available_from"), before.select(unmoved).drop("available_from"))
    assert after["available_from"].dt.date().max() <= AS_OF
    assert later.height == 2
    assert later.row(0, named=True)["qa_flags"] == ["Q01"]
    assert later.row(0, named=True)["complaint_flag"]


def test_every_row_says_since_when_it_could_be_used(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        open_episode(uow.session, seen={0: 1, 10: 11})
        open_episode(uow.session, seen={0: 1, 3: 4}, ended_on=day(6), end_reason=EpisodeEnd.CURED)
        frame = episode_feedback.build(uow.session, as_of=AS_OF)
    # An open episode tells how it stands on the day of asking: no sooner could that be known.
    assert [x.date() for x in frame["available_from"].to_list()] == [AS_OF, day(6)]


def test_the_file_carries_its_schema_version_and_leaves_no_scrap(units: UnitsOfWork, tmp_path: Path) -> None:
    out = tmp_path / "feed" / "b.parquet"
    with units.begin() as uow:
        open_episode(uow.session, seen={0: 1})
        result = feedback.export_feedback(uow.session, as_of=AS_OF, out=out)
        feedback.export_feedback(uow.session, as_of=AS_OF, out=out)
    metadata = pl.read_parquet_metadata(out)
    assert (metadata["schema_version"], metadata["as_of"]) == ("1", "2026-02-01")
    assert (result["rows"], result["open"], result["ended"]) == (1, 1, 0)
    assert pl.read_parquet(out).schema == episode_feedback.COLUMNS
    assert [p.name for p in out.parent.iterdir()] == ["b.parquet"]


def test_an_empty_book_gives_an_empty_file_with_its_columns(units: UnitsOfWork, tmp_path: Path) -> None:
    out = tmp_path / "b.parquet"
    with units.begin() as uow:
        assert feedback.export_feedback(uow.session, as_of=AS_OF, out=out)["rows"] == 0
    assert pl.read_parquet(out).schema == episode_feedback.COLUMNS
