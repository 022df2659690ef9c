"""What the models say of a case, as an agent reads it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.web.models.words import chance
from tests.factories import NOW, TODAY, make_assignment
from tests.web import quick, scene_rows
from tests.web.scene_rows import add
from tests.web.test_models_pages import text_of


@pytest.fixture
def top_case(units: UnitsOfWork) -> int:
    """Return a case of mara's, scored today."""
    agent = quick.add_people(units)
    with units.begin() as uow:
        where = {"version": scene_rows.book(uow.session), "run": scene_rows.score_run(uow.session)}
        row = scene_rows.case(uow.session, **where, name="Pat", priority=1.0, rule="Q-RISK", dpd=12, arrears=25_000)
        make_assignment(uow.session, case_id=row.id, agent_id=agent)
        return row.id


@pytest.fixture
def said(app: Flask, units: UnitsOfWork, top_case: int) -> Callable[[], str]:
    """Return a function that reads the block as mara does."""

    def read() -> str:
        page = quick.enter(app, units, "mara").get(f"/cases/{top_case}").text
        return text_of(page[page.index('id="scores"') : page.index('id="outside"')])

    return read


def another(units: UnitsOfWork, case_id: int, *, name: str, **over: Any) -> None:
    """Add a model with its run and a score of it for the case."""
    with units.begin() as uow:
        session = uow.session
        purpose = over.get("purpose", "risk")
        model = add(session, t.ModelVersion(
            name=name, version="v1", stage="shadow" if over.get("is_shadow") else "champion", bundle_key="x",
            purpose=purpose, card={"reasons": {"far": "Staff only"}, "sayable": {}, "event_is": "good"}, trained_at=NOW,
            trained_by="system"))  # fmt: skip
        run = add(session, t.ScoreRun(model_version_id=model.id, business_date=TODAY, rows=1, created_at=NOW))
        account = session.scalars(sa.select(t.Score.account_id).where(t.Score.case_id == case_id)).first()
        values: dict[str, Any] = {
            "score_run_id": run.id, "case_id": case_id, "account_id": account, "business_date": TODAY,
            "p_event": 0.62, "event_name": "cured_10d", "horizon_days": 10, "score": 470, "band": "S2",
            "reason_codes": ["far"], "available_from": NOW,
        }  # fmt: skip
        add(session, t.Score(**(values | over)))


def test_the_agent_reads_band_chance_reasons_and_what_may_be_said(top_case: int, said: Callable[[], str]) -> None:
    block = said()
    assert "Band S4" in block
    assert "About 31 of 100 accounts like this one go more than 30 days past due within 30 days." in block
    assert "c-card 2026-02-11, as of Mon 2 Mar" in block
    assert "The account is far past due now" in block
    assert "You may say “Your payment has been open for some time.”" in block
    # What came from outside has no sentence for the customer: it is read, not said.
    why, say = block.split("You may say")
    assert "Borrows from many lenders" in why
    assert "lenders" not in say


def test_a_fallback_is_marked(units: UnitsOfWork, top_case: int, said: Callable[[], str]) -> None:
    assert "was not available" not in said()
    with units.begin() as uow:
        uow.session.execute(sa.update(t.Score).values(is_fallback=True))
    assert "outside information was not available" in said()


def test_other_questions_are_answered_below_with_their_own_date(
    units: UnitsOfWork, top_case: int, said: Callable[[], str]
) -> None:
    another(units, top_case, name="self-cure", purpose="self_cure", business_date=TODAY - timedelta(days=1))
    block = said()
    assert "Self-cure" in block
    assert "About 62 of 100 self-cure v1, Sun 1 Mar" in block


@pytest.mark.parametrize(
    ("purpose", "details", "says"),
    [
        ("best_time", {"best_hour": 19, "hours": {"9": 0.21, "17": 0.3, "19": 0.34}},
         "from 19:00 (34 of 100), 17:00 to 19:00 (30 of 100)"),
        ("recovery", {"share": 0.31, "expected_amount": 7_750}, "77.50 USD (31%)"),
        ("uplift", {"uplift_worked": 0.04, "p_left_alone": 0.5}, "+4% by work"),
        ("promise", {"made_on": "2026-02-26"}, "About 62 of 100"),
    ],
)  # fmt: skip
def test_each_question_is_answered_in_its_own_words(
    units: UnitsOfWork, top_case: int, said: Callable[[], str], purpose: str, details: dict[str, Any], says: str
) -> None:
    another(units, top_case, name=purpose, purpose=purpose, details=details)
    assert says in said()


def test_a_shadow_is_never_shown(units: UnitsOfWork, top_case: int, said: Callable[[], str]) -> None:
    another(units, top_case, name="c-shadow", is_shadow=True, score=111, band="S5")
    block = said()
    assert "c-shadow" not in block
    assert "Score 541" in block


def test_the_latest_word_of_the_newest_day_speaks(units: UnitsOfWork, top_case: int, said: Callable[[], str]) -> None:
    another(units, top_case, name="c-old", business_date=TODAY - timedelta(days=3), score=300, band="S5")
    assert "Score 541" in said()
    another(units, top_case, name="c-new", score=480, band="S4", details={"said": "S5", "since": "2026-02-27"})
    block = said()
    assert "Score 480" in block
    assert "The score alone says S5; the band moves slowly on purpose." in block


def test_a_case_without_a_score_says_what_applies(units: UnitsOfWork, top_case: int, said: Callable[[], str]) -> None:
    with units.begin() as uow:
        uow.session.execute(sa.delete(t.Score))
    assert "The rules for cases without a score apply" in said()


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.0001, "Fewer than 1 of 100"), (0.004, "Fewer than 1"), (0.31, "About 31 of 100"), (0.999, "More than 99")],
)
def test_a_chance_is_a_count_of_a_hundred_and_never_certain(p: float, text: str) -> None:
    assert chance(p, "rolled_m2", 21).startswith(text)
    assert chance(p, "rolled_m2", 21).endswith("accounts like this one roll into M2 within 21 days")


def test_no_chance_is_told_of_what_has_happened_already(
    units: UnitsOfWork, top_case: int, said: Callable[[], str]
) -> None:
    assert "go more than 30 days past due within 30 days" in said()
    with units.begin() as uow:
        account = uow.session.scalars(sa.select(t.Score.account_id).where(t.Score.case_id == top_case)).first()
        uow.session.execute(sa.update(t.Account).where(t.Account.id == account).values(dpd=67))
    assert "expects who reaches 31 days past due, and this account is at 67" in said()
    assert "of 100 accounts like this one" not in said()
