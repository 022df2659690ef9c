"""Three people do their work in a real browser, and every page is fit for everybody."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from flask import Flask
from playwright.sync_api import Browser, expect

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.contact import CampaignStatus
from collections_app.domain.outcomes import Disposition, Outcome
from collections_app.domain.plans import PlanStatus
from tests.web.browsing import CHROMIUM, Visitor, chromium, serving, violations
from tests.web.scene import LONG_NAME, Scene

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="browser: Debian's package chromium is not installed"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def address(app: Flask, scene: Scene) -> Iterator[str]:
    app.config["WTF_CSRF_ENABLED"] = True
    with serving(app) as found:
        yield found


@pytest.fixture
def visitor(browser: Browser, address: str) -> Iterator[Visitor]:
    """Yield somebody at a desk; whatever the browser complains about fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    someone = Visitor(context.new_page(), address)
    yield someone
    context.close()
    assert someone.complaints == []


def test_an_agent_works_the_top_case_by_keyboard(units: UnitsOfWork, scene: Scene, visitor: Visitor) -> None:
    page = visitor.page
    visitor.log_in("mara")
    visitor.press("n")
    expect(page.get_by_role("heading", level=1)).to_have_text(LONG_NAME)
    visitor.press("c")
    expect(page.get_by_role("group", name="What happened?")).to_be_visible()
    expect(page.get_by_role("group", name="The promise")).to_be_hidden()
    visitor.press("1")
    visitor.press("p")
    promise = page.get_by_role("group", name="The promise")
    expect(promise).to_be_visible()
    promise.get_by_role("button", name="Fri 6 Mar").click()
    promise.get_by_label("Amount").fill("500.00")
    visitor.press("Control+Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("王小明")
    with units.database.reading() as session:
        promised = session.scalars(sa.select(t.Promise).order_by(t.Promise.id.desc())).first()
        assert promised is not None
        attempt = session.get_one(t.ContactAttempt, promised.attempt_id)
    assert (promised.amount, promised.due_on.isoformat()) == (50_000, "2026-03-06")
    assert (attempt.outcome, attempt.disposition) == (Outcome.RPC, Disposition.PTP)


def test_a_supervisor_plays_a_flagged_call_and_judges_it(units: UnitsOfWork, scene: Scene, visitor: Visitor) -> None:
    page = visitor.page
    visitor.log_in("sofia")
    page.get_by_role("link", name="Listen to the next call").click()
    sound = page.locator("#sound")
    sound.evaluate(_until("s.readyState >= 2"))
    assert sound.evaluate("s => s.paused"), "nothing plays by itself"
    visitor.press("l")
    assert 9 < sound.evaluate("s => s.currentTime") < 12
    visitor.press("Space")
    sound.evaluate(_until("s.currentTime > 10.6"))
    expect(page.locator(".said.now .who")).to_have_text("Agent")
    visitor.press("Space")
    assert sound.evaluate("s => s.paused")
    visitor.press("1")
    expect(page.get_by_role("status")).to_contain_text("Verdict recorded")
    with units.database.reading() as session:
        review = session.scalars(sa.select(t.Review)).one()
    assert (review.verdict, review.finding_id) == ("confirmed", scene.findings[0])


def test_a_scheduler_runs_a_campaign_and_pauses_it(units: UnitsOfWork, scene: Scene, visitor: Visitor) -> None:
    page = visitor.page
    visitor.log_in("tom")
    page.get_by_role("link", name="First reminder").click()
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("status")).to_contain_text("Started")
    visitor.press("p")
    expect(page.get_by_role("status")).to_contain_text("Paused")
    expect(page.get_by_text("Nothing leaves until it is resumed")).to_be_visible()
    with units.database.reading() as session:
        assert session.get_one(t.Campaign, scene.campaign).status is CampaignStatus.PAUSED


def test_a_settlement_is_proposed_approved_and_shown(units: UnitsOfWork, scene: Scene, visitor: Visitor) -> None:
    page, case = visitor.page, f"/cases/{scene.top_case}"
    visitor.log_in("mara")
    visitor.go(case)
    page.get_by_text("Payment plan or settlement").click()
    form = page.locator("form.form-plan")
    expect(form.get_by_label("Nothing is due until")).to_be_hidden()
    form.get_by_label("What is arranged").select_option(label="Settle for less than is owed")
    form.get_by_label("The customer pays in all").fill("8,000.00")
    form.get_by_label("Payments").fill("1")
    expect(form.locator(".preview")).to_contain_text("One payment of 8,000.00 USD")
    expect(form.locator(".preview")).to_contain_text("It needs the word of a supervisor.")
    form.get_by_label("Why it helps").fill("Her brother pays once")
    form.get_by_role("button", name="Propose the plan").click()
    expect(page.get_by_role("status").first).to_contain_text("A supervisor decides")
    arranged = page.get_by_role("region", name="Arrangements and protections")
    expect(arranged).to_contain_text("Waits for approval")
    assert violations(page) == []
    page.context.clear_cookies()
    visitor.log_in("sofia")
    page.get_by_role("link", name="Decide").click()
    expect(page.get_by_role("article")).to_contain_text("22.1% of principal waived; the agent's limit is 0%")
    assert violations(page) == []
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("status").first).to_contain_text("Approved")
    visitor.go(case)
    expect(arranged).to_contain_text("Active")
    expect(arranged).to_contain_text("2,276.00 USD to be waived")
    page.get_by_text("1 payment", exact=True).last.click()
    with units.database.reading() as session:
        plan = session.scalars(sa.select(t.PaymentPlan)).one()
    assert (plan.status, plan.decided_by, plan.waived_principal_amount) == (PlanStatus.ACTIVE, "sofia", 227_600)


def test_the_list_is_walked_with_j_and_k_and_keys_are_explained(scene: Scene, visitor: Visitor) -> None:
    page = visitor.page
    visitor.log_in("mara")
    visitor.go("/worklist")
    visitor.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    visitor.press("Escape")
    visitor.press("j")
    visitor.press("j")
    visitor.press("k")
    visitor.press("j")
    visitor.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("王小明")
    visitor.press("/")
    page.keyboard.type("wilhelmina")
    visitor.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(LONG_NAME)


def test_the_work_can_be_done_without_javascript(scene: Scene, browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844})
    visitor = Visitor(context.new_page(), address)
    page = visitor.page
    visitor.log_in("mara")
    page.get_by_role("link", name="Work the next case").click()
    page.get_by_role("button", name="Call").first.click()
    page.get_by_role("radio", name="Spoke with the customer").check()
    page.get_by_role("radio", name="Promised to pay").check()
    promise = page.get_by_role("group", name="The promise")
    promise.get_by_label("Will pay on").fill("2026-03-06")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Recorded")
    context.close()


PAGES = {
    "mara": ("/", "/worklist", "/worklist?show=worked", "/promises", "/cases/{top_case}", "/cases/{closed_case}"),
    "sofia": (
        "/",
        "/recordings",
        "/recordings?show=done",
        "/recordings/{flagged}",
        "/recordings/{audited}",
        "/cases/{other_case}",
        "/approvals",
        "/clocks",
    ),
    "tom": ("/", "/campaigns", "/campaigns/{campaign}", "/runs", "/runs/{run}", "/worklist", "/nothing-here"),
    "adam": ("/", "/people"),
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("username", list(PAGES))
def test_every_page_is_accessible_in_both_themes_and_fits_a_phone(
    scene: Scene, browser: Browser, address: str, username: str, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    visitor = Visitor(context.new_page(), address)
    visitor.log_in(username)
    page, found = visitor.page, []
    for path in PAGES[username]:
        visitor.go(path.format(**vars(scene)))
        if "cases" in path and (call := page.locator("[data-key=c]")).count():
            call.click()
            visitor.press("1")
            visitor.press("p")
        found += [(path, *violation) for violation in violations(page)]
        page.set_viewport_size({"width": 390, "height": 844})
        wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wider <= 0, f"{path} is {wider} px wider than a phone"
        page.set_viewport_size({"width": 1280, "height": 900})
    context.close()
    assert found == []


def test_the_login_page_is_accessible(address: str, visitor: Visitor) -> None:
    visitor.go("/login")
    assert violations(visitor.page) == []


def _until(condition: str) -> str:
    """Return a script that waits for a condition; the page's policy forbids Playwright's own way, eval."""
    return f"s => new Promise(done => {{ const look = () => {condition} ? done() : setTimeout(look, 50); look(); }})"
