"""Who may open what."""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from collections_app.db.tables import User
from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.permissions import GRANTS, Permission, Role
from collections_app.web.access import PUBLIC, SIGNED_IN, rule_of
from collections_app.web.auth.views import local_address
from tests.conftest import FixedClock
from tests.web.conftest import LogIn
from tests.web.scene import PASSWORD, Scene

# Inline style, inline script, and output that escapes nothing.
INLINE = r"\sstyle=|<style|\son[a-z]+=|<script(?![^>]*src=)|javascript:|\|safe"
WHO = {
    "mara": Role.AGENT,
    "sofia": Role.SUPERVISOR,
    "tom": Role.SCHEDULER,
    "ines": Role.STRATEGIST,
    "adam": Role.ADMIN,
}


def _addresses(app: Flask, scene: Scene) -> list[tuple[str, str, object]]:
    values = {
        "case_id": scene.top_case,
        "attempt_id": 1,
        "recording_id": scene.flagged,
        "campaign_id": scene.campaign,
        "run_id": scene.run,
        "step": "pause",
        "plan_id": 1,
        "item_id": 1,
        "kind": "hold",
        "verb": "release",
        "filename": "app.css",
        "name": "roll-rates",
        "version": "none",
        "table": "gains",
        "alert_id": 1,
        "form": "csv",
        "token": "x",
    }
    found = []
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            url = rule.build({k: values[k] for k in rule.arguments}, append_unknown=False)
            assert url is not None
            method = "POST" if "POST" in (rule.methods or set()) else "GET"
            found.append((method, url[1], rule_of(app.view_functions[rule.endpoint])))
    return found


def test_every_endpoint_says_whom_it_is_for(app: Flask) -> None:
    unmarked = [r.endpoint for r in app.url_map.iter_rules() if rule_of(app.view_functions[r.endpoint]) is None]
    assert unmarked == []


def test_a_stranger_is_asked_to_log_in_everywhere_but_on_public_pages(app: Flask, scene: Scene) -> None:
    client = app.test_client()
    for method, url, rule in _addresses(app, scene):
        answer = client.open(url, method=method)
        answer.close()
        if rule == PUBLIC:
            assert answer.status_code != 302 or "/login" not in answer.location, url
        else:
            assert answer.status_code == 302, url
            assert answer.location.startswith("/login"), url


@pytest.mark.parametrize("username", list(WHO))
def test_each_role_is_refused_what_it_has_no_permission_for(
    app: Flask, scene: Scene, log_in: LogIn, username: str
) -> None:
    client, granted = log_in(username), GRANTS[WHO[username]]
    for method, url, rule in _addresses(app, scene):
        if rule in (PUBLIC, SIGNED_IN):
            continue
        assert isinstance(rule, tuple)
        answer = client.open(url, method=method)
        answer.close()
        if all(permission in granted for permission in rule):
            assert answer.status_code not in (401, 403, 500), (url, answer.status_code)
        else:
            assert answer.status_code == 403, (url, answer.status_code)


def test_an_endpoint_without_a_mark_is_refused(app: Flask, log_in: LogIn) -> None:
    app.config["TESTING"] = False
    app.view_functions["forgotten"] = lambda: "secret"
    app.url_map.add(app.url_rule_class("/forgotten", endpoint="forgotten", methods=["GET"]))
    assert log_in("adam").get("/forgotten").status_code == 403


def test_an_agent_does_not_even_learn_that_a_foreign_case_exists(scene: Scene, log_in: LogIn) -> None:
    client = log_in("mara")
    assert client.get(f"/cases/{scene.top_case}").status_code == 200
    assert client.get(f"/cases/{scene.other_case}").status_code == 404
    assert client.get("/cases/999999").status_code == 404
    for path in ("calls", "promises", "notes"):
        answer = client.post(f"/cases/{scene.other_case}/{path}", data={"text": "hello"})
        assert answer.status_code == 404, path
    assert "Somebody Else" not in client.post("/search", data={"q": "somebody"}).text


def test_a_supervisor_reads_every_case_and_works_none(scene: Scene, log_in: LogIn) -> None:
    client = log_in("sofia")
    page = client.get(f"/cases/{scene.other_case}")
    assert page.status_code == 200
    assert "Record a promise" not in page.text
    assert client.post(f"/cases/{scene.other_case}/notes", data={"text": "x"}).status_code == 403


def test_an_unknown_name_and_a_wrong_password_get_the_same_answer(app: Flask, scene: Scene) -> None:
    client = app.test_client()
    wrong = client.post("/login", data={"username": "mara", "password": "not-this-one-at-all"})
    unknown = client.post("/login", data={"username": "nobody", "password": "not-this-one-at-all"})
    assert wrong.status_code == unknown.status_code == 422
    token = re.compile(r'name="csrf_token" value="[^"]*"')
    assert token.sub("", wrong.text).replace("mara", "nobody") == token.sub("", unknown.text)


def test_after_ten_wrong_passwords_the_name_rests_for_five_minutes(app: Flask, scene: Scene, clock: FixedClock) -> None:
    client = app.test_client()
    for _ in range(10):
        client.post("/login", data={"username": "mara", "password": "wrong-wrong-wrong"})
    right = {"username": "mara", "password": PASSWORD}
    assert client.post("/login", data=right).status_code == 429
    clock.now += timedelta(minutes=5, seconds=1)
    assert client.post("/login", data=right).status_code == 303


@pytest.mark.parametrize(
    "wanted",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "", "/a\nb"],
)
def test_login_never_sends_anybody_to_another_site(wanted: str) -> None:
    assert local_address(wanted) == ""


def test_login_returns_to_the_page_that_was_wanted(app: Flask, scene: Scene) -> None:
    client = app.test_client()
    asked = client.get("/runs?job=day")
    assert asked.location == "/login?next=/runs?job%3Dday"
    page = client.get(asked.location)
    assert 'name="next" value="/runs?job=day"' in page.text
    answer = client.post("/login", data={"username": "tom", "password": PASSWORD, "next": "/runs?job=day"})
    assert answer.location == "/runs?job=day"


def test_a_closed_login_ends_the_session(units: UnitsOfWork, log_in: LogIn) -> None:
    client = log_in("tom")
    assert client.get("/").status_code == 200
    with units.begin() as uow:
        uow.session.execute(sa.update(User).where(User.username == "tom").values(is_active=False))
    assert client.get("/").status_code == 302


def test_a_form_without_its_token_is_refused(app: Flask, log_in: LogIn) -> None:
    client = log_in("mara")
    app.config["WTF_CSRF_ENABLED"] = True
    answer = client.post("/logout")
    assert answer.status_code == 400
    assert "open for too long" in answer.text


def test_what_no_database_can_be_asked_for_is_refused_before_it_is_asked(log_in: LogIn, scene: Scene) -> None:
    mara, beyond = log_in("mara"), "9" * 20
    assert mara.get(f"/cases/{beyond}").status_code == 404
    assert mara.post(f"/cases/{beyond}/notes", data={"text": "x"}).status_code == 404
    assert mara.post(f"/cases/{scene.top_case}/calls", data={"point_id": beyond}).status_code == 400
    assert mara.post(f"/cases/{scene.top_case}/notes", data={"text": "a\0b"}).status_code == 400
    assert mara.get("/worklist?queue=%00").status_code == 400
    assert mara.post("/search", data={"q": beyond}).status_code == 200  # a reference may be long


def test_every_answer_carries_the_policy_that_forbids_foreign_code(log_in: LogIn) -> None:
    for url in ("/", "/worklist", "/nothing-here"):
        headers = log_in("mara").get(url).headers
        assert "script-src 'self';" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


def test_no_template_writes_style_or_script_into_the_page(app: Flask) -> None:
    loader = app.jinja_env.loader
    assert loader is not None
    for name in app.jinja_env.list_templates():
        source, _, _ = loader.get_source(app.jinja_env, name)
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|<script(?![^>]*src=)|javascript:|\|safe", source), name


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(app: Flask, scene: Scene) -> None:
    answer = app.test_client().post("/login", data={"username": "tom", "password": PASSWORD})
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_the_permissions_named_by_views_exist(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        mark = rule_of(app.view_functions[rule.endpoint])
        if isinstance(mark, tuple):
            assert mark
            assert all(isinstance(p, Permission) for p in mark)
