"""``collections strategy``: look at strategy books."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from collections_app.cli.numbers import ROW_NUMBER
from strategies.book import DEFAULT_BOOK, load_book
from strategies.lint import lint as lint_book
from strategies.table import BookError

if TYPE_CHECKING:
    from collections_app.wiring import App

_BOOK = click.argument("book", default=DEFAULT_BOOK, type=click.Path(path_type=Path))


@click.group("strategy")
def group() -> None:
    """Look at strategy books."""


@group.command("lint")
@_BOOK
@click.pass_context
def lint(ctx: click.Context, book: Path) -> None:
    """Check BOOK (a directory): it loads, and every example is decided by its own row."""
    try:
        problems = [str(p) for p in lint_book(load_book(book))]
    except BookError as error:
        problems = [str(error)]
    for problem in problems:
        click.echo(f"error: {problem}", err=True)
    if problems:
        ctx.exit(1)
    click.echo(f"{book}: every row is reached by its own examples")


@group.command("explain")
@click.argument("case_id", type=ROW_NUMBER)
@click.pass_obj
def explain(app: "App", case_id: int) -> None:
    """Explain the newest decisions on CASE_ID: the row, its why, the facts."""
    from collections_app.queries.decisions import list_decisions

    with app.database.reading() as session:
        decisions = list_decisions(session, case_id)
    if not decisions:
        click.echo(f"no decision on case {case_id}")
    for d in decisions:
        click.echo(f"{d.business_date} {d.kind}: {d.rule_id}: {d.why}")
        click.echo(f"  result {d.result}; arm {d.arm} (probability {d.propensity:.2f}); book {d.book} {d.digest[:12]}")
        click.echo("  facts  " + ", ".join(f"{k}={v}" for k, v in d.facts.items() if v not in (None, False, 0)))
