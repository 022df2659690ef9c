"""``collections report``: the metrics of the book, as a table, CSV or JSON."""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from collections_app.domain.errors import InvalidInput, NotFound
from collections_app.domain.money import Money, exponent
from collections_app.queries.reports.registry import REPORTS, run
from collections_app.queries.reports.report import Column, Kind, Report, Scope, Value, as_csv, as_json

if TYPE_CHECKING:
    from collections_app.wiring import App


class Reports(click.Group):
    """A command for each report, and ``list``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return every name: the list first, then the reports in the order of the registry."""
        return ["list", *REPORTS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a report; refuse a name that is none in a sentence that tells those that are."""
        if cmd_name == "list":
            return list_
        if cmd_name not in REPORTS:
            raise NotFound(f"there is no report {cmd_name!r}; known are {', '.join(REPORTS)}")
        return _command(cmd_name)


@click.group("report", cls=Reports)
def group() -> None:
    """Compute metrics as of a date; `collections report list` names them."""


@click.command("list")
def list_() -> None:
    """Name every report with what it measures."""
    for name, metric in REPORTS.items():
        click.echo(f"{name:24}{metric.title} {metric.chinese}\n{'':24}{metric.definition}")


def _instant(_context: click.Context, _option: click.Parameter, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not an instant; write 2026-03-01T08:00:00Z") from None


def _command(name: str) -> click.Command:
    """Return the command that prints one report."""

    @click.command(name, help=REPORTS[name].definition, short_help=REPORTS[name].title)
    @click.option("--as-of", required=True, type=click.DateTime(formats=["%Y-%m-%d"]),
                  help="the day that the report speaks of (YYYY-MM-DD)")  # fmt: skip
    @click.option("--known-at", callback=_instant, help="as it was known at this instant; without it, as known now")
    @click.option("--source", help="only accounts of this source system")
    @click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
    @click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="write to this file")
    @click.pass_obj
    def show(
        app: "App", as_of: datetime, known_at: datetime | None, source: str | None, form: str, out: Path | None
    ) -> None:
        if as_of.date() > app.business_date:
            raise InvalidInput(f"{as_of.date()} lies in the future; today is {app.business_date}")
        with app.database.reading() as session:
            report = run(session, name, Scope(as_of.date(), known_at, source))
        text = _WRITERS[form](report)
        if out is None:
            click.echo(text, nl=False)
            return
        try:
            out.write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            raise InvalidInput(f"{out} cannot be written: {error.strerror}") from None
        click.echo(f"{len(report.rows):,} rows to {out}")

    return show


def as_table(report: Report) -> str:
    """Write a report for a person at a terminal: what it means, then its rows in columns."""
    scope = report.scope
    head = [f"{report.title}, as of {scope.as_of}", report.definition, f"Mind: {report.trap}", *report.notes, ""]
    if not report.rows:
        return "\n".join([*head, "Nothing to report for this date.", ""])
    cells = [[column.label for column in report.columns]]
    cells += [
        [said(record[column.name], column, str(record.get("currency"))) for column in report.columns]
        for record in report.records()
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    left = [column.kind in (Kind.TEXT, Kind.DATE) for column in report.columns]
    lines = (
        "  ".join(
            cell.ljust(w) if is_left else cell.rjust(w) for cell, w, is_left in zip(row, widths, left, strict=True)
        )
        for row in cells
    )
    return "\n".join([*head, *(line.rstrip() for line in lines), ""])


def said(value: Value, column: Column, currency: str) -> str:
    """Write one value for people: amounts in the currency's major unit, rates in per cent."""
    if value is None:
        return "-"
    if column.kind is Kind.MONEY:
        return f"{Money(int(str(value)), currency).decimal():,.{exponent(currency)}f}"
    if column.kind is Kind.RATE:
        return f"{value:.2%}"
    if column.kind is Kind.MEAN:
        return f"{value:.2f}"
    return f"{value:,}" if column.kind is Kind.COUNT else _plain(value)


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


_WRITERS: dict[str, Callable[[Report], str]] = {
    "table": as_table,
    "csv": as_csv,
    "json": lambda report: as_json(report) + "\n",
}
