"""The pages of reports: who sees them, what they say, and that anybody can read them."""

import csv
import io
import json
import re
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest
from flask import Flask
from playwright.sync_api import Browser

from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.queries.reports.registry import REPORTS
from collections_app.web.reports.pages import DRAWINGS, FAMILIES
from tests.web import scene_book
from tests.web.browsing import CHROMIUM, Visitor, chromium, serving, violations
from tests.web.conftest import LogIn
from tests.web.scene import Scene


@pytest.fixture
def book(units: UnitsOfWork, scene: Scene) -> Scene:
    with units.begin() as uow:
        scene_book.build(uow.session)
    return scene


def test_every_report_has_a_family_and_a_drawing() -> None:
    assert set(DRAWINGS) == set(REPORTS)
    assert {m.family for m in REPORTS.values()} == set(FAMILIES)


def test_leads_find_the_reports_in_their_rail_and_agents_do_not(scene: Scene, log_in: LogIn) -> None:
    for username in ("sofia", "tom", "ines"):
        page = log_in(username).get("/reports").text
        assert '<a href="/reports" aria-current="page">' in page
        for metric in REPORTS.values():
            assert metric.definition.replace("'", "&#39;") in page
    agent = log_in("mara")
    assert "/reports" not in agent.get("/").text
    assert agent.get("/reports/roll-rates").status_code == 403


def test_every_report_is_drawn_tabled_and_sent_alike(book: Scene, log_in: LogIn) -> None:
    client = log_in("ines")
    for name, metric in REPORTS.items():
        page = client.get(f"/reports/{name}?as_of=2026-03-02")
        assert page.status_code == 200, name
        assert metric.trap.replace("'", "&#39;") in page.text
        sent = json.loads(client.get(f"/reports/{name}/rows.json?as_of=2026-03-02").text)
        rows = list(csv.DictReader(io.StringIO(client.get(f"/reports/{name}/rows.csv?as_of=2026-03-02").text)))
        table = re.search(r"<table.*</table>", page.text, re.DOTALL)
        assert table is not None, name
        assert len(rows) == len(sent["rows"]) == table.group().count("<tr>") - 1
        for column in sent["columns"]:
            assert f"{column['label']}: " in page.text
        drawings = re.findall(r"<svg role=\"img\".*?</svg>", page.text, re.DOTALL)
        assert drawings, name
        for drawn in drawings:
            ElementTree.fromstring(drawn)  # well-formed


def test_a_file_says_what_it_is_and_of_which_day(book: Scene, log_in: LogIn) -> None:
    answer = log_in("tom").get("/reports/vintage/rows.csv?as_of=2026-02-28")
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"] == "attachment; filename=vintage-2026-02-28.csv"
    assert log_in("tom").get("/reports/vintage/rows.xml").status_code == 404


def test_the_heat_map_writes_each_share_into_its_cell(book: Scene, log_in: LogIn) -> None:
    page = log_in("sofia").get("/reports/roll-rates?as_of=2026-02-28").text
    told = json.loads(log_in("sofia").get("/reports/roll-rates/rows.json?as_of=2026-02-28").text)
    shares = {(r["from_bucket"], r["to_state"]): r["share"] for r in told["rows"] if r["n"]}
    drawn = re.findall(r"<title>(\S+) to (.+?): \d+</title>.*?fill-opacity=\"([\d.]+)\".*?>([^<]*)</text></g>", page)
    cells = {(f, to.replace(" ", "_")): text for f, to, _, text in drawn[: len(told["rows"])]}
    assert {key: cells[key] for key in shares} == {key: f"{share:.1%}" for key, share in shares.items()}
    assert ("M1", "M2") in shares


def test_a_wrong_date_source_or_name_is_told_in_a_sentence(book: Scene, log_in: LogIn) -> None:
    client = log_in("ines")
    for address, status, sentence in (
        ("/reports/vintage?as_of=soon", 422, "&#39;soon&#39; is not a date"),
        ("/reports/vintage?as_of=2030-01-01", 422, "lies after the business date"),
        ("/reports/vintage?source=nowhere", 422, "There is no source &#39;nowhere&#39;; known are test"),
        ("/reports/nothing", 404, "There is nothing here"),
    ):
        answer = client.get(address)
        assert answer.status_code == status
        assert sentence in answer.text


def test_an_empty_report_says_so(scene: Scene, log_in: LogIn) -> None:
    assert "Nothing to report for this date" in log_in("ines").get("/reports/liquidation").text


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason="browser: Debian's package chromium is not installed")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_reports_are_accessible_in_both_themes_and_fit_a_phone(
    app: Flask, book: Scene, browser: Browser, scheme: str
) -> None:
    with serving(app) as address:
        context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        visitor = Visitor(context.new_page(), address)
        visitor.log_in("ines")
        found = []
        for path in ("/reports", *(f"/reports/{name}" for name in ("roll-rates", "liquidation", "promises"))):
            visitor.go(path)
            found += [(path, *violation) for violation in violations(visitor.page)]
            visitor.page.set_viewport_size({"width": 390, "height": 844})
            wider = visitor.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wider <= 0, f"{path} is {wider} px wider than a phone"
            visitor.page.set_viewport_size({"width": 1280, "height": 900})
        context.close()
    assert visitor.complaints == []
    assert found == []
