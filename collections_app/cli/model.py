"""``collections model``: build, look at, move and watch the models."""

import json
from typing import TYPE_CHECKING

import click

from collections_app.cli import model_build, model_watch
from collections_app.cli.model_report import report, sql
from collections_app.cli.numbers import ROW_NUMBER
from collections_app.domain.model_stages import Stage
from collections_app.queries.model_versions import get_model, list_models
from collections_app.services import model_stages

if TYPE_CHECKING:
    from collections_app.wiring import App

_DAY = click.DateTime(formats=["%Y-%m-%d"])
_SHOWN_POINTS = 0.05


@click.group("model")
def group() -> None:
    """Build, look at, move and watch predictive models."""


@group.command("list")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def list_(app: "App", as_json: bool) -> None:
    """List the models: stage, figures on test rows, who approved."""
    with app.database.reading() as session:
        rows = list_models(session)
    if as_json:
        click.echo(json.dumps([r.as_dict() for r in rows]))
    elif not rows:
        click.echo("no model yet: collections model install-generic, or build one: collections model build NAME")
    for row in rows if not as_json else ():
        test = row.card["test"]
        approved = f"approved by {row.approved_by}" if row.approved_by else "not approved"
        measured = f"AUC {test['auc']:.4f}  KS {test['ks']:.4f}" if "auc" in test else "not measured"
        click.echo(f"{row.name} {row.version}  {row.stage:10} {measured}  {approved}")


@group.command("show")
@click.argument("name")
@click.argument("version")
@click.pass_obj
def show(app: "App", name: str, version: str) -> None:
    """Print a model's card as JSON."""
    with app.database.reading() as session:
        click.echo(json.dumps(get_model(session, name, version).as_dict(), indent=1))


_PASSWORD = click.password_option(confirmation_prompt=False)
_BY = click.option("--by", "username", required=True, help="the person who orders it; needs a strategist's login")
_NOTE = click.option("--note", default="", help="why; for a card with alarms: what was inspected")


@group.command("stage")
@click.argument("name")
@click.argument("version")
@click.argument("stage", type=click.Choice([s.value for s in Stage]))
@_BY
@_NOTE
@_PASSWORD
@click.pass_obj
def stage(app: "App", name: str, version: str, stage: str, username: str, note: str, password: str) -> None:
    """Move a model to another stage of its life. Only the champion decides; shadow and challenger are scored too."""
    _move(app, (name, version), Stage(stage), by=(username, password), note=note)


@group.command("approve")
@click.argument("name")
@click.argument("version")
@_BY
@_NOTE
@_PASSWORD
@click.pass_obj
def approve(app: "App", name: str, version: str, username: str, note: str, password: str) -> None:
    """Let a model work from the next scoring on; the one before it retires. Short for ``stage ... champion``."""
    _move(app, (name, version), Stage.CHAMPION, by=(username, password), note=note)


def _move(app: "App", model: tuple[str, str], to: Stage, *, by: tuple[str, str], note: str) -> None:
    with app.units.begin(model_watch.person(app, *by)) as uow:
        model_stages.move(uow, name=model[0], version=model[1], to=to, note=note)
    click.echo(f"{model[0]} {model[1]} is {'the champion now' if to == Stage.CHAMPION else f'{to} now'}")


@group.command("explain")
@click.argument("case_id", type=ROW_NUMBER)
@click.option("--all", "everything", is_flag=True, help="features that moved nothing too")
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
@click.pass_obj
def explain(app: "App", case_id: int, everything: bool, as_json: bool) -> None:
    """Lay a case's score open: what each feature was that day and by how many points it moved the score."""
    from collections_app.queries.score_explanations import explain_score  # brings polars

    with app.database.reading() as session:
        told = explain_score(session, app.models, case_id)
    if as_json:
        click.echo(json.dumps(told.as_dict()))
        return
    click.echo(f"case {case_id}, account {told.account_ref}, {told.as_of}: {told.model} {told.version}")
    chance = "no chance told" if told.reached is not None else f"P({told.event_name}) {told.p_event:.4f}"
    click.echo(f"score {told.score} ({told.band}), {chance}, without any of it {told.base:.1f}")
    if told.reached is not None:
        click.echo(
            f"{told.event_name} expects who reaches {told.reached} days past due, and this account was at {told.dpd} "
            "that day: the score orders it among others"
        )
    for row in told.parts:
        if everything or abs(row.points) >= _SHOWN_POINTS:
            value = "missing" if row.value is None else f"{row.value:g}"
            reason = row.reason if row.points < 0 else ""  # what lifted the score is no reason against it
            click.echo(f"{row.points:+8.2f}  {row.feature:28} {value:>12}  {reason}".rstrip())


for _command in (
    model_build.build,
    model_build.ready,
    model_build.install_generic,
    model_watch.monitor,
    model_watch.alerts,
    model_watch.close_alert,
    report,
    sql,
):
    group.add_command(_command)
