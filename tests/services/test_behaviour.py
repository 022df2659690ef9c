"""B-cards: labels of good accounts, and scores that belong to no case."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.errors import NotAllowed, NotConfigured
from collections_app.domain.permissions import Actor, Role
from collections_app.services import behaviour_scoring, labelling, training
from models.registry import Bundle, ModelStore
from tests.factories import TODAY, make_account, make_customer, make_standing, make_user
from tests.model_books import made_bundle, register, renamed

WEEK = date(2026, 1, 25)  # a Sunday; its 30 days and 3 for posting are over on 27 February
DUE = WEEK + timedelta(days=33)


def add_account(units: UnitsOfWork, *spans: tuple[int, int], opened: int = 400, status: str = "active") -> int:
    """Add an account that was good from long before WEEK on, with (days after WEEK, DPD) of what came then."""
    with units.begin() as uow:
        account = make_account(uow.session, opened_on=WEEK - timedelta(days=opened), dpd=0)
        make_standing(uow.session, account_id=account.id, from_on=WEEK - timedelta(days=300), dpd=0, status=status)
        for after, dpd in spans:
            make_standing(uow.session, account_id=account.id, from_on=WEEK + timedelta(days=after), dpd=dpd,
                          is_ageing=dpd > 0, status=status)  # fmt: skip
        return account.id


def begin_the_book(units: UnitsOfWork, on: date) -> None:
    with units.begin() as uow:
        uow.session.add(t.FeedBatch(
            source="test", entity="accounts", mapping="own", mapping_version=3, business_date=on, file_name="f",
            sha256="x", rows=1, accepted=1, quarantined=0, unchanged=0, imported_at=uow.now,
        ))  # fmt: skip


def labels(units: UnitsOfWork) -> list[tuple[str, int, date, int]]:
    with units.database.reading() as session:
        rows = session.scalars(sa.select(t.TrainingLabel).order_by(t.TrainingLabel.id))
        return [(r.label, r.account_id, r.observed_on, r.outcome) for r in rows]


def test_good_accounts_are_labelled_when_their_weeks_are_over_and_once(units: UnitsOfWork) -> None:
    begin_the_book(units, WEEK - timedelta(days=3))
    cured = add_account(units, (2, 1), (8, 0))
    bad = add_account(units, (2, 1))
    late = add_account(units, (-3, 1))
    gone = add_account(units, status="closed")
    with units.begin() as uow:
        labelling.mature(uow, business_date=DUE - timedelta(days=1))
    assert labels(units) == []
    for _ in range(2):
        with units.begin() as uow:
            labelling.mature(uow, business_date=DUE)
    assert labels(units) == [("bad7_30d", cured, WEEK, 0), ("bad7_30d", bad, WEEK, 1)]
    assert {late, gone} & {row[1] for row in labels(units)} == set()


def test_missed_weeks_are_made_up_for_back_to_the_beginning_of_the_book(units: UnitsOfWork) -> None:
    begin_the_book(units, WEEK - timedelta(days=8))
    add_account(units)
    with units.begin() as uow:
        labelling.mature(uow, business_date=DUE + timedelta(days=8))
    assert {row[2] for row in labels(units)} == {WEEK + timedelta(weeks=n) for n in (-1, 0, 1)}


def test_the_monthly_card_wants_three_months_on_book(units: UnitsOfWork) -> None:
    begin_the_book(units, date(2026, 1, 31))
    old, young = add_account(units), add_account(units, opened=80)
    with units.begin() as uow:
        labelling.mature(uow, business_date=date(2026, 1, 31) + timedelta(days=183))
    monthly = [row for row in labels(units) if row[0] == "bad30_6m"]
    assert monthly == [("bad30_6m", old, date(2026, 1, 31), 0)]
    assert young in {row[1] for row in labels(units)}


def test_of_a_large_book_as_many_are_drawn_whatever_became_of_them(
    units: UnitsOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labelling.behaviour, "SAMPLED_ACCOUNTS", 4)
    begin_the_book(units, WEEK)
    ids = [add_account(units, *(((2, 1),) if n % 2 else ())) for n in range(10)]
    with units.begin() as uow:
        labelling.mature(uow, business_date=DUE)
    assert len(labels(units)) == 4
    assert {row[1] for row in labels(units)} < set(ids)


@pytest.fixture(scope="module")
def card() -> Bundle:
    return made_bundle()


def scores(units: UnitsOfWork) -> list[t.Score]:
    with units.database.reading() as session:
        return list(session.scalars(sa.select(t.Score).order_by(t.Score.account_id, t.Score.id)))


def test_without_a_champion_nobody_is_scored(units: UnitsOfWork, tmp_path: Path, card: Bundle) -> None:
    add_account(units)
    store = ModelStore(tmp_path)
    register(units, store, renamed(card, "b-classic"), stage="shadow")
    register(units, store, card)  # a C-card is no B-card
    with units.begin() as uow:
        assert behaviour_scoring.score_good(uow, business_date=TODAY, models=store) == {"scored": 0}


def test_good_accounts_get_a_score_without_a_case_once_a_month(
    units: UnitsOfWork, tmp_path: Path, card: Bundle
) -> None:
    good, young = add_account(units), add_account(units, opened=30)
    add_account(units, (20, 1))  # overdue by now
    store = ModelStore(tmp_path)
    register(units, store, renamed(card, "b-classic"))
    register(units, store, renamed(card, "b-classic"), version="v2", stage="shadow")
    for business_date in (TODAY, TODAY + timedelta(days=5)):
        with units.begin() as uow:
            told = behaviour_scoring.score_good(uow, business_date=business_date, models=store, chunk=1)
    assert told == {"scored": 0}  # March was scored already
    made = scores(units)
    assert [(s.account_id, s.case_id, s.purpose, s.is_shadow, s.event_name) for s in made] == [
        (good, None, "behaviour", False, "bad30_6m"),
        (good, None, "behaviour", True, "bad30_6m"),
    ]
    with units.begin() as uow:
        later = behaviour_scoring.score_good(uow, business_date=date(2026, 4, 1), models=store)
    assert (later["behaviour"], later["beside"]) == (2, 2)  # the young one is three months old by now
    assert {s.account_id for s in scores(units)} == {good, young}


def test_the_weekly_card_reads_what_customers_did_in_the_app(units: UnitsOfWork, tmp_path: Path, card: Bundle) -> None:
    account = add_account(units)
    store = ModelStore(tmp_path)
    register(units, store, renamed(card, "b-high-frequency"))
    with units.begin() as uow:
        told = behaviour_scoring.score_good(uow, business_date=TODAY, models=store)
    assert (told["behaviour_hf"], scores(units)[0].account_id) == (1, account)
    with units.begin() as uow:
        again = behaviour_scoring.score_good(uow, business_date=TODAY + timedelta(days=5), models=store)
        after = behaviour_scoring.score_good(uow, business_date=TODAY + timedelta(days=6), models=store)
    assert (again["scored"], after["scored"]) == (0, 1)


def test_a_champion_that_is_cut_short_stops_the_step_and_a_shadow_is_told(
    units: UnitsOfWork, tmp_path: Path, card: Bundle
) -> None:
    add_account(units)
    store = ModelStore(tmp_path)
    register(units, store, renamed(card, "b-classic"))
    register(units, store, renamed(card, "b-classic"), version="v2", stage="shadow")
    (tmp_path / "b-classic" / "v2" / "card.json").write_bytes(b"{}")
    with units.begin() as uow:
        told = behaviour_scoring.score_good(uow, business_date=TODAY, models=ModelStore(tmp_path))
    assert (told["scored"], list(told["failed"])) == (1, ["b-classic v2"])
    (tmp_path / "b-classic" / "v1" / "card.json").write_bytes(b"{}")
    with pytest.raises(NotConfigured), units.begin() as uow:
        behaviour_scoring.score_good(uow, business_date=TODAY + timedelta(days=31), models=ModelStore(tmp_path))


def test_only_a_job_scores(units: UnitsOfWork, tmp_path: Path) -> None:
    agent = Actor(id=1, name="a", role=Role.AGENT)
    with pytest.raises(NotAllowed), units.begin(agent) as uow:
        behaviour_scoring.score_good(uow, business_date=TODAY, models=ModelStore(tmp_path))


def make_app_book(units: UnitsOfWork, *, accounts: int) -> None:
    """Make good accounts of which those look at their bill in vain who will mostly be late, and their labels."""
    with units.begin() as uow:
        batches = [t.FeedBatch(
            source="test", entity="events", mapping="own", mapping_version=3, business_date=on, file_name="f",
            sha256=f"{on}", rows=1, accepted=1, quarantined=0, unchanged=0, imported_at=uow.now,
        ) for on in (WEEK - timedelta(days=60), WEEK)]  # fmt: skip
        uow.session.add_all(batches)
        uow.session.flush()
        for n in range(accounts):
            # Named by us: who is in the test part follows from the name.
            owner = make_customer(uow.session, customer_ref=f"B{n}").id
            account = make_account(uow.session, customer_id=owner, opened_on=WEEK - timedelta(days=500), dpd=0)
            make_standing(uow.session, account_id=account.id, from_on=WEEK - timedelta(days=300), dpd=0)
            looks = n % 3 == 0
            is_bad = n % 5 != 0 if looks else n % 7 == 0
            for k in range(1 + n % 4):
                on = WEEK - timedelta(days=2 + 2 * k)
                uow.session.add(t.CustomerEvent(
                    source="test", event_ref=f"E{n}-{k}", account_id=account.id, occurred_on=on, local_hour=9,
                    kind="repay_page" if looks else "login", known_on=WEEK, batch_id=batches[1].id,
                    occurred_at=datetime.combine(on, time(9), tzinfo=UTC),
                ))  # fmt: skip
            uow.session.add(t.TrainingLabel(
                label="bad7_30d", account_id=account.id, observed_on=WEEK, horizon_days=30, outcome=int(is_bad),
                matured_on=WEEK + timedelta(days=30), origin="computed",
            ))  # fmt: skip


def test_the_weekly_card_is_built_by_the_one_command_and_learns_from_the_app(
    units: UnitsOfWork, tmp_path: Path
) -> None:
    make_app_book(units, accounts=200)
    with units.begin() as uow:
        made = make_user(uow.session, role=Role.STRATEGIST)
        strategist = Actor(id=made.id, name=made.username, role=Role.STRATEGIST)
    built = training.build(
        units, actor=strategist, models=ModelStore(tmp_path), name="b-high-frequency", algorithm="scorecard",
        threads=1, min_events=15,
    )  # fmt: skip
    card = built.card
    assert (card["event_name"], card["sample"]["rows"]) == ("bad7_30d", 200)
    assert any(name.startswith("app_") for name in card["importance"] if card["importance"][name] > 0)
    assert card["test"]["auc"] > 0.7
