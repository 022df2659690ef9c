"""Events and feedback from tables to features: as known on the day, one by one as all at once."""

from datetime import date, datetime, time, timedelta
from itertools import count
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from sqlalchemy.orm import Session

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.cases import EpisodeEnd
from collections_app.domain.contact import AttemptStatus, Channel, Mode
from collections_app.domain.outcomes import Disposition, Outcome
from collections_app.queries.feature_frames import frames_at, raw_frames
from models.features import build_features
from models.schema import BEHAVIOUR_FRAMES
from tests.factories import NOW, TODAY, make_account, make_attempt, make_case, make_episode, make_standing

_number = count()


def back(days: int) -> date:
    return TODAY - timedelta(days=days)


def at(on: date, hour: int = 12) -> datetime:
    return datetime.combine(on, time(hour), tzinfo=NOW.tzinfo)


def batch(session: Session, on: date, *, accepted: int = 5) -> int:
    row = t.FeedBatch(
        source="test", entity="events", mapping="own", mapping_version=3, business_date=on, file_name="f",
        sha256=f"{next(_number)}", rows=5, accepted=accepted, quarantined=0, unchanged=0, imported_at=at(on),
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row.id


def told(session: Session, account_id: int, kind: str, on: date, *, known: date | None = None, hour: int = 12) -> None:
    known = known or on + timedelta(days=1)
    session.add(t.CustomerEvent(
        source="test", event_ref=f"E{next(_number)}", account_id=account_id, kind=kind, occurred_at=at(on, hour),
        occurred_on=on, local_hour=hour, amount=900 if kind == "spend" else None, known_on=known,
        batch_id=batch(session, known),
    ))  # fmt: skip
    session.flush()


def make_known_account(session: Session) -> t.Account:
    """Make an account that was worked in an earlier episode, and is good again."""
    case = make_case(session, account=False)
    account = make_account(session, customer_id=case.customer_id, dpd=0)
    make_episode(session, account_id=account.id, case_id=case.id, entry_on=back(80), ended_on=back(60), max_dpd=20,
                 end_reason=EpisodeEnd.CURED)  # fmt: skip
    make_standing(session, account_id=account.id, from_on=back(200), dpd=0)
    make_standing(session, account_id=account.id, from_on=back(80), dpd=1, is_ageing=True)
    make_standing(session, account_id=account.id, from_on=back(60), dpd=0)
    make_attempt(session, case_id=case.id, channel=Channel.VOICE, mode=Mode.LIVE_AGENT,
                 status=AttemptStatus.DELIVERED, dispatched_at=at(back(70)), settled_at=at(back(70), 13),
                 outcome=Outcome.RPC, disposition=Disposition.HARDSHIP)  # fmt: skip
    return account


def features(session: Session, account_id: int, as_of: date = TODAY) -> dict[str, Any]:
    frames = raw_frames(session, account_ids=[account_id], as_of=as_of, also=BEHAVIOUR_FRAMES)
    return build_features(frames, as_of).row(0, named=True)


def test_events_and_earlier_outcomes_reach_their_features(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        account = make_known_account(uow.session)
        batch(uow.session, back(90))
        for on, kind, hour in ((2, "login", 3), (2, "repay_page", 12), (20, "login", 12), (5, "spend", 12)):
            told(uow.session, account.id, kind, back(on), hour=hour)
        row = features(uow.session, account.id)
    assert (row["app_logins_7d"], row["app_logins_8d_30d"], row["app_days_since_login"]) == (1, 1, 2)
    assert row["app_night_share_30d"] == pytest.approx(1 / 3)
    assert row["app_spend_change"] == pytest.approx(30 / 7 if 30 / 7 < 5 else 5)
    assert (row["fb_max_dpd"], row["fb_cure_effort"], row["fb_rpc"], row["fb_hardship"]) == (20, 3, 1, 1)
    assert row["dpd"] == 0


def test_what_was_told_or_learned_later_changes_nothing(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        account = make_known_account(uow.session)
        told(uow.session, account.id, "login", back(40))
        told(uow.session, account.id, "login", back(3))
        before = features(uow.session, account.id)
        told(uow.session, account.id, "repay_page", back(4), known=TODAY + timedelta(days=1))
        told(uow.session, account.id, "card_unbound", TODAY, known=TODAY)
        case = uow.session.query(t.Case).filter_by(customer_id=account.customer_id).one()
        uow.session.add(t.StopFlag(customer_id=case.customer_id, code="complaint", set_at=at(TODAY), set_by="x"))
        uow.session.flush()
        assert features(uow.session, account.id) == before


def test_a_lender_without_events_or_who_fell_silent_says_nothing(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        account = make_known_account(uow.session)
        assert features(uow.session, account.id)["app_logins_7d"] is None
        told(uow.session, account.id, "login", back(50))
        assert features(uow.session, account.id)["app_logins_7d"] is None  # the last file is weeks old
        batch(uow.session, back(1), accepted=0)
        assert features(uow.session, account.id)["app_logins_7d"] is None  # a file of which nothing was taken
        batch(uow.session, back(1))
        row = features(uow.session, account.id)
    assert (row["app_logins_7d"], row["app_logins_8d_30d"], row["app_days_since_login"]) == (0, 0, 30)


def test_many_days_at_once_read_as_each_day_by_itself(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        session = uow.session
        ids = [make_known_account(session).id for _ in range(2)]
        for account_id, days in zip(ids, ((3, 9, 31, 58), (1, 20)), strict=True):
            for on in days:
                told(session, account_id, "login" if on % 2 else "repay_page", back(on))
        days = [TODAY, back(7), back(30), back(70)]
        rows = [(n, i, on) for n, (i, on) in enumerate((i, on) for i in ids for on in days)]
        asked = pl.DataFrame(rows, schema={"row": pl.Int64, "account_id": pl.Int64, "observed_on": pl.Date},
                             orient="row")  # fmt: skip
        frames, anchor = frames_at(session, asked, also=BEHAVIOUR_FRAMES)
        together = build_features(frames, anchor)
        for n, account_id, on in rows:
            alone = build_features(raw_frames(session, account_ids=[account_id], as_of=on, also=BEHAVIOUR_FRAMES), on)
            one = together.filter(pl.col("account_id") == n).with_columns(account_id=pl.lit(account_id, pl.Int64))
            assert_frame_equal(one.select(alone.columns), alone)
    assert alone["fb_max_dpd"][0] is None  # while it was overdue nothing had been learned


def test_who_does_not_ask_for_them_gets_none(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        account = make_known_account(uow.session)
        told(uow.session, account.id, "login", back(3))
        frames = raw_frames(uow.session, account_ids=[account.id], as_of=TODAY)
    assert (frames.events.height, frames.event_feeds.height, frames.feedback.height) == (0, 0, 0)
