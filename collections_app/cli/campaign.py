"""``collections campaign``: see and steer the day's campaigns."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from collections_app.cli.numbers import ROW_NUMBER
from collections_app.domain.permissions import Actor, Role
from collections_app.queries.campaigns import CampaignRow, get_campaign, list_campaigns
from collections_app.services import campaigns

if TYPE_CHECKING:
    from collections_app.wiring import App

_OPERATOR = Actor(id=None, name="command line", role=Role.SYSTEM)
_DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.group("campaign")
def group() -> None:
    """See, start, pause, resume and stop campaigns."""


@group.command("list")
@click.option("--business-date", type=_DAY, help="only this day's campaigns")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
@click.pass_obj
def list_(app: "App", business_date: datetime | None, as_json: bool) -> None:
    """List campaigns, newest first, with their attempts by status."""
    on = business_date.date() if business_date else None
    with app.database.reading() as session:
        rows = list_campaigns(session, on=on)
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], default=str))
        return
    table = Table("id", "day", "campaign", "by", "status", "attempts")
    for row in rows:
        table.add_row(
            str(row.id),
            str(row.business_date),
            row.name,
            f"{row.channel}/{row.mode}",
            row.status,
            _counts(row),
        )
    Console().print(table)


@group.command()
@click.argument("campaign_id", type=ROW_NUMBER)
@click.pass_obj
def show(app: "App", campaign_id: int) -> None:
    """Show one campaign and the rules that held attempts back."""
    with app.database.reading() as session:
        detail = get_campaign(session, campaign_id)
    row = detail.campaign
    click.echo(f"{row.name} of {row.business_date}: {row.status}; {_counts(row)}")
    for held in detail.held_back:
        click.echo(f"  {held.attempts:>6}  {held.decision:<5} {held.rule_id}: {held.message}")


def _command(name: str, act: Callable[..., Any], said: str) -> None:
    @group.command(name, help=(act.__doc__ or "").splitlines()[0])
    @click.argument("campaign_id", type=ROW_NUMBER)
    @click.pass_obj
    def run(app: "App", campaign_id: int) -> None:
        with app.units.begin(_OPERATOR) as uow:
            campaign = act(uow, campaign_id)
        click.echo(f"{campaign.name} of {campaign.business_date} {said}")


_command("start", campaigns.start, "is running")
_command("pause", campaigns.pause, "is paused")
_command("resume", campaigns.resume, "is running again")
_command("stop", campaigns.stop, "is stopped; what it had not sent is cancelled")


def _counts(row: CampaignRow) -> str:
    return ", ".join(f"{number} {status}" for status, number in sorted(row.counts.items())) or "nobody"
