"""The case page says what was known from outside: not asked, not known, how many lenders, which list."""

from datetime import timedelta
from typing import Any

import pytest

from collections_app.db import tables as t
from collections_app.db.unit_of_work import UnitsOfWork
from tests.factories import TODAY
from tests.web.conftest import LogIn
from tests.web.scene import Scene


def add(units: UnitsOfWork, scene: Scene, *rows: Any) -> None:
    with units.begin() as uow:
        customer = uow.session.get_one(t.Case, scene.top_case).customer_id
        for row in rows:
            row.customer_id = customer
            uow.session.add(row)


def answer(**over: Any) -> t.ExternalSignal:
    yesterday = TODAY - timedelta(days=1)
    values: dict[str, Any] = {
        "provider": "bureau", "snapshot_on": yesterday, "received_on": yesterday, "hit_status": "hit",
        "purpose_code": "post_loan", "consent_ref": "K1", "fields": {},
    }  # fmt: skip
    return t.ExternalSignal(**(values | over))


def page(log_in: LogIn, scene: Scene) -> str:
    return log_in("mara").get(f"/cases/{scene.top_case}").text


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (None, "Not asked, or the answer has expired"),
        ("no_hit", "Asked: the bureau does not know the customer"),
        ("error", "Asked: the bureau&#39;s answer failed"),
    ],
)
def test_what_is_missing_is_said_in_words_and_has_no_figures(
    units: UnitsOfWork, scene: Scene, log_in: LogIn, status: str | None, says: str
) -> None:
    add(units, scene, *([answer(hit_status=status)] if status else []))
    html = page(log_in, scene)
    assert says in html
    assert "Applications for credit elsewhere" not in html


def test_windows_pace_and_lists_are_on_the_page(units: UnitsOfWork, scene: Scene, log_in: LogIn) -> None:
    fields = {"ml_id_all_apps_7d": 41, "ml_id_all_orgs_7d": 37, "ml_id_all_orgs_1m": 38}
    hit = t.ListHit(
        provider="court", hit_ref="H1", list_code="court_executed", severity=4, event_on=TODAY - timedelta(days=40),
        received_on=TODAY, is_confirmed=True,
    )  # fmt: skip
    add(units, scene, answer(fields=fields), answer(received_on=TODAY + timedelta(days=1), fields={}), hit)
    html = page(log_in, scene)
    assert '<td class="num">41</td><td class="num">37</td>' in html
    assert "speeding up" in html
    assert "not told" in html
    assert "Under enforcement by a court" in html
