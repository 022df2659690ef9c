"""``collections day``: run a business day by hand."""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from collections_app.jobs.runner import run_day

if TYPE_CHECKING:
    from collections_app.wiring import App


@click.group("day")
def group() -> None:
    """Run the business day."""


@group.command("run")
@click.option("--business-date", required=True, type=click.DateTime(formats=["%Y-%m-%d"]))
@click.option("--manifest", "manifests", multiple=True, type=click.Path(path_type=Path),
              help="a feed manifest to import; without it, those in VAR_DIR/inbox")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
@click.pass_obj
def run(app: "App", business_date: datetime, manifests: tuple[Path, ...], as_json: bool) -> None:
    """Run the steps of a day that are not done yet, in order. Running it twice changes nothing."""
    day = app.day(app.begun(business_date.date()), manifests or None)
    result = run_day(app.units, day, progress=lambda step: click.echo(f"{step} ...", err=True))
    if as_json:
        click.echo(json.dumps(result))
        return
    for step in result["steps"]:
        facts = ", ".join(f"{k} {v}" for k, v in step["result"].items() if v)
        click.echo(f"{step['name']:12}{step['seconds']:8.2f} s  {facts}")
    click.echo(f"{'total':12}{result['seconds']:8.2f} s")
