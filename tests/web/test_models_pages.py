"""The pages of models: what they say, who sees them, and that a stage moves by a person's word alone."""

import csv
import io
import re
from collections.abc import Iterator
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa
from flask import Flask
from playwright.sync_api import Browser, expect

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.web.models.tables import SEGMENT_ROWS
from collections_app.web.models.words import PURPOSES
from models import figures
from tests.factories import TODAY
from tests.web import quick, scene_model, scene_rows
from tests.web.browsing import CHROMIUM, Visitor, chromium, serving, violations
from tests.web.conftest import LogIn
from tests.web.scene import Scene
from tests.web.scene_model import ALARM, CHALLENGER, RETIRED

PAGE = f"/models/c-card/{CHALLENGER}"


@pytest.fixture
def house(units: UnitsOfWork) -> UnitsOfWork:
    """Return a house with people, and a champion of an older release."""
    quick.add_people(units)
    with units.begin() as uow:
        scene_rows.score_run(uow.session)
    return units


@pytest.fixture
def shelf(house: UnitsOfWork) -> UnitsOfWork:
    """Return the house with a full card on trial beside the champion."""
    with house.begin() as uow:
        scene_model.build(uow.session)
    return house


@pytest.fixture
def log_in(app: Flask, units: UnitsOfWork) -> LogIn:
    return lambda username: quick.enter(app, units, username)


def stage_of(units: UnitsOfWork, version: str) -> str:
    with units.database.reading() as session:
        return session.scalars(sa.select(t.ModelVersion.stage).where(t.ModelVersion.version == version)).one()


def text_of(page: str) -> str:
    """Return what a page says, without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page)).replace("&#39;", "'")


def test_leads_find_the_models_in_their_rail_and_agents_see_nothing_of_them(shelf: UnitsOfWork, log_in: LogIn) -> None:
    for username in ("sofia", "tom", "ines"):
        assert '<a href="/models" aria-current="page">' in log_in(username).get("/models").text
    agent = log_in("mara")
    assert "/models" not in agent.get("/").text
    for address in ("/models", "/models/alerts", PAGE, f"{PAGE}/gains.csv"):
        assert agent.get(address).status_code == 403


def test_the_list_says_how_good_each_model_is_and_what_happens_where_none_is(shelf: UnitsOfWork, log_in: LogIn) -> None:
    page = log_in("ines").get("/models").text
    said = text_of(page)
    assert "C-card, any account overdue c-card 9f31c07be2aa" in said
    assert "0.739 0.720–0.761 on 2025-12-02" in said
    assert "37.6% 34.8%–42.0%" in said
    assert "4,772 rows, 1,541 events" in said
    assert "68,180 accounts, 12 by fallback" in said
    assert "0.322" in said
    assert "2 open alerts" in said
    assert "1 retired" in said
    # A shadow answers nobody: its question has no champion, and the others have no model at all.
    for purpose in PURPOSES.values():
        assert (purpose.without in said) is (purpose is not PURPOSES["risk"]), purpose.title


def test_without_any_model_the_list_says_how_to_get_one(house: UnitsOfWork, log_in: LogIn) -> None:
    with house.begin() as uow:
        for table in (t.ScoreRun, t.ModelVersion):
            uow.session.execute(sa.delete(table))
    said = text_of(log_in("ines").get("/models").text)
    assert "No model yet" in said
    assert all(purpose.without in said for purpose in PURPOSES.values())


def test_a_model_page_tells_every_figure_with_its_date_version_and_definition(
    shelf: UnitsOfWork, log_in: LogIn
) -> None:
    page = log_in("tom").get(PAGE).text
    said = text_of(page)
    for expected in (
        "0.739 0.720 to 0.761", "37.6% 34.8% to 42.0%", "Measured when it was trained", f"version {CHALLENGER}",
        "learnt from 4,772 rows (1,541 with the event)", "2,000 test rows", "Split: customer hash, 30% test.",
        "Inspect before approval", ALARM, "external hit 1,400 500 0.740 38.0% 34.0% 35.0%",
        "past_due_0 0.620 suspicious", "sex 2 1,180 31.0% – – 0.740 inspect", "Your payment has been open",
        "Dev to challenger by ines", "Expected over paid 1.040 0.970 to 1.120",
        "12 480 24.0% 25.2% 0.740 0.750 0.720 0.780 0.100", "tenth 10, observed", "PSI above 0.25 on three days",
        "CSI", "Cumulative incidence",
    ):  # fmt: skip
        assert expected in said, expected
    drawn = re.findall(r"<svg role=\"img\".*?</svg>", page, re.DOTALL)
    assert len(drawn) == 9
    for one in drawn:
        ElementTree.fromstring(one)  # well-formed
    assert page.count('aria-label="Calibration; every figure stands in the table calibration"') == 1
    assert "Change its stage" not in said, "a scheduler reads and moves nothing"


def test_every_plot_and_table_has_its_csv(shelf: UnitsOfWork, log_in: LogIn) -> None:
    client = log_in("sofia")
    page = client.get(PAGE).text
    addresses = sorted(set(re.findall(rf'href="({PAGE}/[a-z-]+\.csv)"', page)))
    assert len(addresses) == 19
    for address in addresses:
        answer = client.get(address)
        assert answer.mimetype == "text/csv", address
        assert list(csv.DictReader(io.StringIO(answer.text))), address
    gains = list(csv.DictReader(io.StringIO(client.get(f"{PAGE}/gains.csv").text)))
    assert [r["share"] for r in gains] == [str((k + 1) / 10) for k in range(10)]
    assert gains[-1]["captured"] == "1.0"
    name = f"attachment; filename=c-card-{CHALLENGER}-gains.csv"
    assert client.get(f"{PAGE}/gains.csv").headers["Content-Disposition"] == name
    assert client.get(f"{PAGE}/nothing.csv").status_code == 404
    assert client.get("/models/c-card/unknown").status_code == 404


def test_a_band_that_breaks_the_order_is_marked(shelf: UnitsOfWork, log_in: LogIn) -> None:
    in_order = log_in("ines").get(PAGE).text
    assert in_order.count("in order") == 4
    with shelf.begin() as uow:
        row = uow.session.scalars(sa.select(t.ModelVersion).where(t.ModelVersion.version == CHALLENGER)).one()
        card = scene_model.card()
        card["figures"]["bands"][3]["observed"] = 0.01
        row.card = card
    said = text_of(log_in("ines").get(PAGE).text)
    assert said.count("in order") == 3
    assert " 1.0% breaks S5" in said


def test_a_figure_stands_beside_that_of_development_and_a_gap_says_why(shelf: UnitsOfWork, log_in: LogIn) -> None:
    with shelf.begin() as uow:
        model = uow.session.scalars(sa.select(t.ModelVersion.id).where(t.ModelVersion.version == CHALLENGER)).one()
        uow.session.add(
            t.ModelFigure(
                model_version_id=model,
                as_of=TODAY,
                cadence="daily",
                metric="missing_share",
                segment="pay_ratio_0",
                value=0.31,
                rows=4000,
                verdict="act",
                detail={"development": 0.04},
            )
        )
    said = text_of(log_in("ines").get(PAGE).text)
    assert "Missing pay_ratio_0 act 0.310 0.040 – – 4,000" in said
    assert "no external hit 150 40 – – – –" in said
    assert "too few rows or events to measure (fewer than 200 test rows, or all with one outcome)" in said
    few, enough = (
        figures.segments(pl.DataFrame({"ml_status": [1] * n}), np.arange(n) % 2, np.linspace(0, 1, n), {})
        for n in (SEGMENT_ROWS - 1, SEGMENT_ROWS)
    )
    assert ("auc" in few["external_hit"], "auc" in enough["external_hit"]) == (False, True)


def test_abbreviations_keep_their_capitals(shelf: UnitsOfWork, log_in: LogIn) -> None:
    made = log_in("ines").get(PAGE).text.partition('id="provenance"')[2]
    assert "<dt>AUC</dt><dd>0.7412</dd>" in made


def test_a_card_of_an_older_release_is_shown_with_what_it_has(house: UnitsOfWork, log_in: LogIn) -> None:
    page = log_in("ines").get("/models/c-card/2026-02-11")
    assert page.status_code == 200
    assert "The card does not say." in text_of(page.text)


def test_a_person_moves_a_model_and_the_move_is_written_down(shelf: UnitsOfWork, log_in: LogIn) -> None:
    client = log_in("ines")
    answer = client.post(f"{PAGE}/stage", data={"to": "champion", "note": "the IV was looked at: no leak"})
    assert answer.status_code == 303
    assert (stage_of(shelf, CHALLENGER), stage_of(shelf, "2026-02-11")) == ("champion", "retired")
    said = text_of(client.get(PAGE).text)
    assert "is champion now" in said
    assert "Challenger to champion by ines: the IV was looked at: no leak" in said
    assert re.search(r"Inspected by ines on today \d\d:\d\d: the IV was looked at: no leak " + re.escape(ALARM), said)
    assert "Inspect before approval" not in said
    assert "to be inspected" not in text_of(client.get("/models").text)


def test_a_card_with_alarms_does_not_become_champion_without_a_note(shelf: UnitsOfWork, log_in: LogIn) -> None:
    answer = log_in("ines").post(f"{PAGE}/stage", data={"to": "champion", "note": " "})
    assert answer.status_code == 422
    assert "has alarms that must be inspected first" in text_of(answer.text)
    assert re.search(r'value="champion" required checked', answer.text), "what was chosen comes back"
    assert stage_of(shelf, CHALLENGER) == "challenger"


def test_who_trained_a_model_does_not_make_it_the_champion(shelf: UnitsOfWork, log_in: LogIn) -> None:
    with shelf.begin() as uow:
        uow.session.execute(sa.update(t.ModelVersion).values(trained_by="ines"))
    answer = log_in("ines").post(f"{PAGE}/stage", data={"to": "champion", "note": "looked at"})
    assert answer.status_code == 422
    assert "Ines trained c-card 9f31c07be2aa: another person approves it." in text_of(answer.text)
    assert stage_of(shelf, CHALLENGER) == "challenger"


@pytest.mark.parametrize(("to", "sentence"), [("", "Choose a stage."), ("dev", "it does not become dev")])
def test_a_move_that_is_none_is_told_in_a_sentence(shelf: UnitsOfWork, log_in: LogIn, to: str, sentence: str) -> None:
    answer = log_in("ines").post(f"{PAGE}/stage", data={"to": to, "note": "kept"})
    assert answer.status_code == 422
    assert sentence in text_of(answer.text)
    assert ">kept</textarea>" in answer.text


def test_only_those_who_may_approve_move_or_close(shelf: UnitsOfWork, log_in: LogIn) -> None:
    with shelf.database.reading() as session:
        alert = session.scalars(sa.select(t.ModelAlert.id)).first()
    for username in ("sofia", "tom", "adam", "mara"):
        client = log_in(username)
        assert client.post(f"{PAGE}/stage", data={"to": "champion", "note": "x"}).status_code == 403
        assert client.post(f"/models/alerts/{alert}", data={"note": "x"}).status_code == 403
    assert stage_of(shelf, CHALLENGER) == "challenger"


def test_an_alert_is_closed_with_what_was_found_and_only_once(shelf: UnitsOfWork, log_in: LogIn) -> None:
    client = log_in("ines")
    with shelf.database.reading() as session:
        alert = session.scalars(sa.select(t.ModelAlert.id).where(t.ModelAlert.trigger == "psi")).one()
    empty = client.post(f"/models/alerts/{alert}", data={"note": "  "})
    assert empty.status_code == 422
    assert "what was found and done" in text_of(empty.text)
    assert client.post(f"/models/alerts/{alert}", data={"note": "A new product came in."}).status_code == 303
    said = text_of(client.get("/models/alerts").text)
    assert "Closed by ines on Mon 2 Mar: A new product came in." in said
    again = client.post(f"/models/alerts/{alert}", data={"note": "once more"}, follow_redirects=True)
    assert "was closed by ines" in text_of(again.text)
    assert client.post("/models/alerts/99999", data={"note": "x"}).status_code == 404
    assert "1 open alert" in text_of(client.get("/models").text)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason="browser: Debian's package chromium is not installed")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_models_are_accessible_in_both_themes_and_fit_a_phone(
    app: Flask, scene: Scene, units: UnitsOfWork, browser: Browser, scheme: str
) -> None:
    with units.begin() as uow:
        scene_model.build(uow.session)
    with serving(app) as address:
        context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        visitor = Visitor(context.new_page(), address)
        visitor.log_in("ines")
        found = []
        for path in ("/models", "/models/alerts", PAGE, f"/models/c-card/{RETIRED}"):
            visitor.go(path)
            for fold in visitor.page.locator("details.fold > summary").all():
                fold.click()
            found += [(path, *violation) for violation in violations(visitor.page)]
            visitor.page.set_viewport_size({"width": 390, "height": 844})
            wider = visitor.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wider <= 0, f"{path} is {wider} px wider than a phone"
            visitor.page.set_viewport_size({"width": 1280, "height": 900})
        context.close()
    assert visitor.complaints == []
    assert found == []


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason="browser: Debian's package chromium is not installed")
def test_a_stage_is_changed_by_keyboard_alone(app: Flask, scene: Scene, units: UnitsOfWork, browser: Browser) -> None:
    with units.begin() as uow:
        scene_model.build(uow.session)
    with serving(app) as address:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        visitor = Visitor(context.new_page(), address)
        visitor.log_in("ines")
        visitor.go(PAGE)
        page = visitor.page
        page.get_by_role("link", name="Change its stage").press("Enter")
        page.keyboard.press("Tab")
        expect(page.get_by_role("radio", name="Champion its scores decide")).to_be_focused()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Tab")
        page.keyboard.type("beside the champion for a month")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text("is shadow now")
        context.close()
    assert stage_of(units, CHALLENGER) == "shadow"
