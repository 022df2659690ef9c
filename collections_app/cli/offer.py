"""``collections offer``: whom to make an offer, by value and never by response alone."""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from collections_app.domain.errors import InvalidInput

if TYPE_CHECKING:
    from collections_app.wiring import App

_MONEY = click.IntRange(min=0, max=10**15)
_DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.group("offer")
def group() -> None:
    """Offers: response times risk, in money."""


@group.command("make")
@click.option("--date", "day", required=True, type=_DAY, help="business date, YYYY-MM-DD")
@click.option("--margin", required=True, type=_MONEY, help="earned on a customer who pays, minor units")
@click.option("--exposure", required=True, type=_MONEY, help="owed at default (EAD), minor units")
@click.option("--lgd", required=True, type=click.FloatRange(0, 1), help="share of the exposure lost at default")
@click.option("--contact-cost", required=True, type=_MONEY, help="one contact, minor units")
@click.option("--capacity", required=True, type=click.IntRange(min=0), help="contacts at most")
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
@click.pass_obj
def make(
    app: "App", day: datetime, margin: int, exposure: int, lgd: float, contact_cost: int, capacity: int, as_json: bool
) -> None:
    """Value an offer to every customer who owes nothing overdue and list the most valuable that the B-card passes."""
    from collections_app.services.offers import make_list  # brings the models
    from models.deal_closing import Offer

    try:
        offer = Offer(margin=margin, exposure=exposure, loss_given_default=lgd, contact_cost=contact_cost)
    except ValueError as error:  # a share that is no number passes the range of the option
        raise InvalidInput(str(error)) from None
    with app.units.begin() as uow:
        told = make_list(uow, business_date=day.date(), models=app.models, offer=offer, capacity=capacity)
    if as_json:
        click.echo(json.dumps(told))
        return
    click.echo(
        f"{told['listed']:,} of {told['accounts']:,} accounts listed, expected value {told.get('value_minor', 0):,} "
        f"minor units{'; ' + told['reason'] if 'reason' in told else ''}"
    )


@group.command("export")
@click.option("--date", "day", required=True, type=_DAY, help="the day on which the list was made, YYYY-MM-DD")
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="the CSV file to write")
@click.pass_obj
def export(app: "App", day: datetime, out: Path) -> None:
    """Write a list that was made, the most valuable first."""
    from collections_app.queries.offers import offer_list

    with app.database.reading() as session:
        rows = offer_list(session, made_on=day.date())
    try:
        rows.write_csv(out)
    except OSError as error:
        raise InvalidInput(f"{out} cannot be written: {error.strerror or error}") from None
    click.echo(f"{rows.height:,} accounts written to {out}")
