"""What leaves the house of a model: its card as one file, a scorecard as SQL."""

import json
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from collections_app.domain.errors import InvalidInput
from collections_app.queries.model_pages import get_model_file
from collections_app.queries.model_versions import get_model

if TYPE_CHECKING:
    from collections_app.wiring import App

_FORMS = ("html", "md", "json")


@click.command("report")
@click.argument("name")
@click.argument("version")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="the file to write; else it is printed")
@click.option("--format", "form", type=click.Choice(_FORMS), help="else as the file's name ends, else html")
@click.pass_obj
def report(app: "App", name: str, version: str, out: Path | None, form: str | None) -> None:
    """Write a model's card: figures with intervals, plots, bands, reasons, features, monitoring, stages."""
    from collections_app.web.models.sheet import model_sheet  # brings the web's own libraries
    from collections_app.web.models.standalone import as_html, as_markdown

    with app.database.reading() as session:
        file = get_model_file(session, name, version)
    chosen = form or (out.suffix.lstrip(".") if out and out.suffix.lstrip(".") in _FORMS else "html")
    if chosen == "json":
        text = json.dumps(file.card, indent=1, ensure_ascii=False) + "\n"
    else:
        zone = ZoneInfo(app.settings.day_zone)
        sheet = model_sheet(file, today=app.units.clock().astimezone(zone).date(), zone=zone)
        text = as_html(sheet) if chosen == "html" else as_markdown(sheet)
    if out is None:
        click.echo(text, nl=False)
        return
    _write(out, text)
    click.echo(f"{name} {version} is in {out}")


@click.command("sql")
@click.argument("name")
@click.argument("version")
@click.option("--table", required=True, help="table with one column per feature of the card, NULL where unknown")
@click.option("--key", default="account_id", show_default=True, help="column that names a row")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="the file to write; else it is printed")
@click.pass_obj
def sql(app: "App", name: str, version: str, table: str, key: str, out: Path | None) -> None:
    """Write a scorecard as one portable SELECT: the same points in another system, to the last digit."""
    from collections_app.services.crews import load_bundle  # brings the libraries of the models
    from models.sql_export import scorecard_sql

    with app.database.reading() as session:
        bundle = load_bundle(app.models, get_model(session, name, version).bundle_key)
    try:
        statement = scorecard_sql(bundle, table, key=key)
    except ValueError as error:
        raise InvalidInput(str(error)) from None
    if out is None:
        click.echo(statement)
        return
    _write(out, statement + "\n")
    click.echo(f"{name} {version} is in {out}")


def _write(out: Path, text: str) -> None:
    try:
        out.write_text(text, "utf-8")
    except OSError as error:
        raise InvalidInput(f"{out} cannot be written: {error.strerror}") from None
