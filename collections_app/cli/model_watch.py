"""``collections model monitor | alerts | close-alert``: how the models at work are doing."""

import json
from datetime import datetime
from typing import TYPE_CHECKING

import click

from collections_app.cli.numbers import ROW_NUMBER
from collections_app.domain.errors import NotAllowed
from collections_app.domain.permissions import Actor
from collections_app.queries.model_pages import AlertLine, list_alerts
from collections_app.services import model_alerts, users

if TYPE_CHECKING:
    from collections_app.wiring import App

_DAY = click.DateTime(formats=["%Y-%m-%d"])
_JSON = click.option("--json", "as_json", is_flag=True, help="print the result as JSON")


def person(app: "App", username: str, password: str) -> Actor:
    """Return who logs in; raise NotAllowed for an unknown name or a wrong password."""
    with app.units.begin() as uow:
        actor = users.authenticate(uow, username, password)
    if actor is None:
        raise NotAllowed("unknown username or wrong password")
    return actor


@click.command("monitor")
@click.option("--as-of", type=_DAY, help="the day to measure; today when not given")
@_JSON
@click.pass_obj
def monitor(app: "App", as_of: datetime | None, as_json: bool) -> None:
    """Measure every model that is scored and raise alerts; the daily step does the same. Repeatable."""
    from collections_app.services import monitoring  # brings numpy and polars

    day = app.begun(as_of.date()) if as_of else app.business_date
    with app.units.begin() as uow:
        told = monitoring.refresh(uow, business_date=day)
    if as_json:
        click.echo(json.dumps(told))
        return
    click.echo(f"{day}: {told['models']} models, {told['figures']} figures, {told['act']} ask for action")
    click.echo(f"alerts raised {told['alerts']}, closed {told['closed']}; open ones: collections model alerts")


@click.command("alerts")
@click.option("--all", "everything", is_flag=True, help="closed ones too")
@_JSON
@click.pass_obj
def alerts(app: "App", everything: bool, as_json: bool) -> None:
    """List what fired and waits for a person."""
    with app.database.reading() as session:
        found = [a for a in list_alerts(session) if everything or a.closed_at is None]
    if as_json:
        click.echo(json.dumps([_plain(a) for a in found]))
    elif not found:
        click.echo("no alert is open")
    for alert in found if not as_json else ():
        state = f"closed by {alert.closed_by}: {alert.note}" if alert.closed_at else "open"
        click.echo(f"{alert.id:>5}  {alert.raised_on}  {alert.model} {alert.version}  {alert.trigger}  {state}")
        click.echo(f"       {alert.sentence}")


@click.command("close-alert")
@click.argument("alert_id", type=ROW_NUMBER)
@click.option("--by", "username", required=True, help="the person who closes it; needs a strategist's login")
@click.option("--note", required=True, help="what was found and done")
@click.password_option(confirmation_prompt=False)
@click.pass_obj
def close_alert(app: "App", alert_id: int, username: str, note: str, password: str) -> None:
    """Close an alert with a word on what was found and done."""
    with app.units.begin(person(app, username, password)) as uow:
        model_alerts.close(uow, alert_id=alert_id, note=note)
    click.echo(f"alert {alert_id} is closed")


def _plain(alert: AlertLine) -> dict[str, object]:
    return {
        "id": alert.id, "model": alert.model, "version": alert.version, "trigger": alert.trigger,
        "sentence": alert.sentence, "raised_on": alert.raised_on.isoformat(),
        "closed_at": alert.closed_at.isoformat() if alert.closed_at else None, "closed_by": alert.closed_by,
        "note": alert.note,
    }  # fmt: skip
