"""Episodes become labels once, when certain."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
import sqlalchemy as sa

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.cases import EpisodeEnd
from collections_app.domain.errors import NotAllowed
from collections_app.domain.permissions import Actor, Role
from collections_app.services import labelling
from tests.factories import make_account, make_episode, make_standing

ENTRY = date(2026, 1, 1)
MATURE = ENTRY + timedelta(days=33)


def add_episode(
    units: UnitsOfWork,
    *,
    days: int,
    ended: int | None = None,
    end_reason: EpisodeEnd | None = None,
    entry: date = ENTRY,
    heard_after: int = 0,
) -> int:
    """Add an episode that was seen every day for ``days`` days, one day later each time."""
    with units.begin() as uow:
        session = uow.session
        account = make_account(session)
        batch = t.FeedBatch(
            source="test",
            entity="accounts",
            mapping="own",
            mapping_version=1,
            business_date=entry,
            file_name="f",
            sha256=f"{account.id}",
            rows=1,
            accepted=1,
            quarantined=0,
            unchanged=0,
            imported_at=uow.now,
        )
        session.add(batch)
        session.flush()
        make_episode(
            session,
            account_id=account.id,
            entry_on=entry,
            max_dpd=days,
            ended_on=None if ended is None else entry + timedelta(days=ended),
            end_reason=end_reason,
        )
        # Heard of for so many days; after that the source said nothing more.
        for d in range(days):
            make_standing(
                session, account_id=account.id, batch_id=batch.id, from_on=entry + timedelta(days=d), dpd=d + 1,
                known_from=datetime.combine(entry + timedelta(days=heard_after), time(5), tzinfo=UTC),
            )  # fmt: skip
        return account.id


def mature(units: UnitsOfWork, on: date = MATURE) -> dict[str, int]:
    with units.begin() as uow:
        return labelling.mature(uow, business_date=on)


def labels(units: UnitsOfWork, name: str = "bad_30d") -> dict[int, t.TrainingLabel]:
    with units.database.reading() as session:
        found = session.scalars(sa.select(t.TrainingLabel).where(t.TrainingLabel.label == name))
        return {x.account_id: x for x in found.all()}


def test_a_roller_is_bad_a_payer_is_good_and_a_silent_account_is_left_out(units: UnitsOfWork) -> None:
    bad = add_episode(units, days=33)
    good = add_episode(units, days=12, ended=12, end_reason=EpisodeEnd.CURED)
    add_episode(units, days=4)
    assert mature(units)["bad_30d"] == 2
    found = labels(units)
    assert {account: x.outcome for account, x in found.items()} == {bad: 1, good: 0}
    label = found[bad]
    assert (label.label, label.origin, label.horizon_days) == ("bad_30d", "computed", 30)
    assert (label.observed_on, label.matured_on) == (ENTRY, ENTRY + timedelta(days=30))
    assert label.episode_id is not None


def test_the_day_before_maturity_there_is_no_label(units: UnitsOfWork) -> None:
    add_episode(units, days=33)
    assert "bad_30d" not in mature(units, MATURE - timedelta(days=1))
    assert mature(units)["bad_30d"] == 1


def test_maturing_twice_adds_nothing(units: UnitsOfWork) -> None:
    add_episode(units, days=33)
    assert mature(units) == {"matured": 5, "unknown": 0, "bad_30d": 1, "cured_10d": 1, "rolled_m2": 3}
    assert mature(units, MATURE + timedelta(days=5)) == {"matured": 0, "unknown": 0}
    with units.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(t.TrainingLabel)) == 5


def test_the_lenders_own_label_stands(units: UnitsOfWork) -> None:
    account_id = add_episode(units, days=33)
    with units.begin() as uow:
        uow.session.add(
            t.TrainingLabel(
                label="bad_30d",
                account_id=account_id,
                observed_on=ENTRY,
                horizon_days=30,
                outcome=0,
                matured_on=ENTRY,
                origin="lender",
            )
        )
    mature(units)
    assert labels(units)[account_id].origin == "lender"


def test_an_agent_may_not_mature_labels(units: UnitsOfWork) -> None:
    with units.begin(Actor(1, "ann", Role.AGENT, 1)) as uow, pytest.raises(NotAllowed):
        labelling.mature(uow, business_date=MATURE)


@pytest.mark.parametrize(("heard_after", "labelled"), [(0, 1), (3, 1), (4, 0), (20, 0)])
def test_of_days_before_an_account_was_first_heard_of_only_survivors_are_known_so_they_teach_nothing(
    units: UnitsOfWork, heard_after: int, labelled: int
) -> None:
    add_episode(units, days=31, heard_after=heard_after)
    told = mature(units)
    assert len(labels(units)) == labelled
    assert (told.get("before_our_time", 0) > 0) == (labelled == 0)
