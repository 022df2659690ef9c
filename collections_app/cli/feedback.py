"""``collections feedback``: what collections learned, back to the B-cards upstream."""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from collections_app.services.feedback import export_feedback

if TYPE_CHECKING:
    from collections_app.wiring import App


@click.group("feedback")
def group() -> None:
    """Feed the outcomes of episodes back upstream."""


@group.command("export")
@click.option("--as-of", required=True, type=click.DateTime(formats=["%Y-%m-%d"]),
              help="nothing known after this day appears")  # fmt: skip
@click.option("--out", required=True, type=click.Path(path_type=Path), help="the Parquet file to write")
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
@click.pass_obj
def export(app: "App", as_of: datetime, out: Path, as_json: bool) -> None:
    """Write the B-card feed as known at the end of a day (UTC): one row per episode."""
    with app.database.reading() as session:
        result = export_feedback(session, as_of=as_of.date(), out=out)
    if as_json:
        click.echo(json.dumps(result))
        return
    click.echo(f"{result['rows']:,} episodes ({result['ended']:,} ended, {result['open']:,} open) written to {out}")
