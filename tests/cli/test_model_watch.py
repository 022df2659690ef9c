"""``collections model stage | monitor | alerts | close-alert | explain``: one road, clear refusals."""

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from collections_app.cli import cli
from collections_app.config import Settings
from collections_app.db import tables as t
from collections_app.domain.permissions import Actor, Role
from collections_app.services import scoring
from collections_app.services.users import create_user
from collections_app.wiring import App
from models.registry import Bundle
from tests.factories import NOW, TODAY, make_account, make_case, make_episode, make_standing
from tests.model_books import made_bundle, register

ADMIN = Actor(id=1, name="root", role=Role.ADMIN)


@pytest.fixture(scope="module", params=["boosted", "scorecard"])
def bundle(request: pytest.FixtureRequest) -> Bundle:
    return made_bundle(request.param, rows=1_500)


@pytest.fixture
def app(tmp_path: Path) -> App:
    made = App(Settings.from_env({"VAR_DIR": str(tmp_path / "var")}), clock=lambda: NOW)
    with made.units.begin(ADMIN) as uow:
        create_user(uow, username="sam", display_name="Sam", password="correct horse", role=Role.STRATEGIST)
    return made


def run(app: App, *arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(cli, arguments, obj=app, input=typed)


def scored_case(app: App, *, dpd: int = 70) -> int:
    with app.units.begin() as uow:
        case = make_case(uow.session, account=False, dpd=dpd)
        account = make_account(uow.session, customer_id=case.customer_id, dpd=dpd)
        make_episode(uow.session, account_id=account.id, case_id=case.id)
        make_standing(uow.session, account_id=account.id, from_on=TODAY, dpd=dpd)
        case_id: int = case.id
    with app.units.begin() as uow:
        scoring.score_open(uow, business_date=TODAY, models=app.models, threads=1)
    return case_id


def test_a_score_is_laid_open_and_its_parts_add_up(app: App, bundle: Bundle) -> None:
    register(app.units, app.models, bundle)
    case_id = scored_case(app)
    told: dict[str, Any] = json.loads(run(app, "model", "explain", str(case_id), "--json").output)
    total = told["base"] + sum(part["points"] for part in told["parts"])
    assert total == pytest.approx(told["score"], abs=0.51)
    assert told["is_fallback"]  # nobody was asked about this customer
    late = next(p for p in told["parts"] if p["feature"] == "dpd")
    assert late["value"] == 70.0
    assert not [p for p in told["parts"] if p["feature"].startswith("ml_")]
    plain = run(app, "model", "explain", str(case_id)).output
    assert "dpd" in plain
    assert f"score {told['score']}" in plain
    assert (told["dpd"], told["reached"]) == (70, 31)
    assert "P(bad_30d)" not in plain, "it has happened"
    assert "expects who reaches 31 days past due, and this account was at 70" in plain
    early = run(app, "model", "explain", str(scored_case(app, dpd=5))).output
    assert "P(bad_30d) 0." in early
    lifted = next(p for p in told["parts"] if p["points"] > 0.05)
    assert f"{lifted['feature']:28}" in plain
    assert not [line for line in plain.splitlines() if line.lstrip().startswith("+") and len(line.split()) > 3]


def test_a_model_is_moved_by_a_person_with_a_word(app: App, bundle: Bundle) -> None:
    register(app.units, app.models, bundle, stage="challenger")
    order = ("model", "stage", "c-card", "v1")
    shadow = run(app, *order, "shadow", "--by", "sam", "--note", "to watch", typed="correct horse\n")
    assert "c-card v1 is shadow now" in shadow.output
    refused = run(app, *order, "champion", "--by", "sam", typed="correct horse\n")
    assert "what was inspected" in refused.output
    assert refused.exit_code == 1
    crowned = run(app, *order, "champion", "--by", "sam", "--note", "looked at dpd", typed="correct horse\n")
    assert "is the champion now" in crowned.output
    back = run(app, *order, "shadow", "--by", "sam", typed="correct horse\n")
    assert "does not become shadow" in back.output


def test_what_fires_is_listed_and_closed_by_a_person(app: App, bundle: Bundle) -> None:
    model = register(app.units, app.models, bundle)
    with app.units.begin() as uow:
        uow.session.add(
            t.ScoreRun(model_version_id=model, business_date=TODAY, rows=900, created_at=NOW,
                       figures={"rows": 900, "fallback": 900, "external": {"error": 900}})
        )  # fmt: skip
    assert "no alert is open" in run(app, "model", "alerts").output
    assert "alerts raised 1" in run(app, "model", "monitor", "--as-of", TODAY.isoformat()).output
    (alert,) = json.loads(run(app, "model", "alerts", "--json").output)
    assert (alert["trigger"], alert["closed_at"]) == ("vendor_outage", None)
    close = ("model", "close-alert", str(alert["id"]), "--by", "sam", "--note", "vendor called")
    assert "wrong password" in run(app, *close, typed="guess\n").output
    assert "is closed" in run(app, *close, typed="correct horse\n").output
    assert "no alert is open" in run(app, "model", "alerts").output
    assert "vendor called" in run(app, "model", "alerts", "--all").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("model", "explain", "99"), "case 99 has no score"),
        (("model", "monitor", "--as-of", "2030-01-01"), "lies in the future"),
        (("model", "stage", "c-card", "v1", "king", "--by", "sam"), "is not one of"),
    ],
)
def test_a_refusal_is_one_sentence(app: App, arguments: tuple[str, ...], message: str) -> None:
    result = run(app, *arguments)
    assert result.exit_code != 0
    assert message in result.output
    assert "Traceback" not in result.output


def test_a_damaged_bundle_cannot_be_explained_and_says_so(app: App, bundle: Bundle) -> None:
    register(app.units, app.models, bundle)
    case_id = scored_case(app)
    for part in bundle.parts:
        (app.models.root / "c-card" / "v1" / part).write_bytes(b"")
    fresh = App(app.settings, clock=lambda: NOW)
    assert "cut or altered" in run(fresh, "model", "explain", str(case_id)).output
    with app.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(t.Score)) == 1
