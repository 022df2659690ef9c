"""``collections model report``: a model's card as one file, for those who have no login."""

import json
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from collections_app.domain.errors import InvalidInput
from collections_app.queries.model_pages import get_model_file

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
    try:
        out.write_text(text, "utf-8")
    except OSError as error:
        raise InvalidInput(f"{out} cannot be written: {error.strerror}") from None
    click.echo(f"{name} {version} is in {out}")
