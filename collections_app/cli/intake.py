"""``collections intake``: lenders' files in."""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from collections_app.cli.intake_suggest import suggest
from collections_app.intake.mapping import SHIPPED, load_mapping
from collections_app.services import casework, ledger
from collections_app.services.intake import REJECT_LIMIT, import_file

if TYPE_CHECKING:
    from collections_app.wiring import App

_DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.group("intake")
def group() -> None:
    """Import lenders' files."""


group.add_command(suggest)


@group.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--mapping", "mapping_name", required=True, help="a shipped mapping's name, or a YAML file")
@click.option("--business-date", required=True, type=_DAY, help="the day that the file speaks for (YYYY-MM-DD)")
@click.option("--max-rejects", default=REJECT_LIMIT, show_default=True, type=click.FloatRange(0, 1),
              help="share of refused rows above which the whole file is refused")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
@click.pass_obj
def import_(
    app: "App", file: Path, mapping_name: str, business_date: datetime, max_rejects: float, as_json: bool
) -> None:
    """Import FILE (CSV, CSV.gz, Parquet, or a manifest.json): all of it or, with a reason, nothing."""
    mapping = load_mapping(mapping_name)
    day = business_date.date()
    with app.units.begin() as uow:
        result = import_file(uow, path=file, mapping=mapping, business_date=day, reject_limit=max_rejects)
        ledger.refresh(uow, business_date=day)
        casework.refresh(uow, business_date=day)
    if as_json:
        click.echo(json.dumps(result.as_dict()))
        return
    for name, value in result.as_dict().items():
        click.echo(f"{name.replace('_', ' '):20}{value:>12,}")


@group.command("mappings")
def mappings() -> None:
    """List the mappings that ship with the platform."""
    for path in sorted(SHIPPED.glob("*.yaml")):
        mapping = load_mapping(path.stem)
        click.echo(f"{mapping.name:24} version {mapping.version}, source {mapping.source}")


@group.command("rejects")
@click.option("--source", help="only this source system")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def rejects(app: "App", source: str | None, limit: int, as_json: bool) -> None:
    """Show the newest quarantined rows: file, line, column, reason."""
    from collections_app.queries.feeds import list_quarantined

    with app.database.reading() as session:
        rows = list_quarantined(session, source=source, limit=limit)
    if as_json:
        click.echo(json.dumps([r.as_dict() for r in rows], default=str))
    elif not rows:
        click.echo("nothing is quarantined")
    for row in rows if not as_json else ():
        click.echo(f"{row.business_date} {row.file_name} line {row.line}, column {row.column!r}: {row.reason}")
