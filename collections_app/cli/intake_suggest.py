"""``collections intake suggest``: a first mapping for a lender's file that nobody has described."""

from pathlib import Path

import click

from collections_app.domain.errors import InvalidInput
from collections_app.intake.entities import ENTITIES
from collections_app.intake.proposal import Proposal, propose


@click.command("suggest")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--entity", type=click.Choice(list(ENTITIES)), help="what the rows are, when the columns do not say")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="where to write the mapping (YAML)")
def suggest(file: Path, entity: str | None, out: Path | None) -> None:
    """Propose a mapping for FILE (CSV, CSV.gz or Parquet): columns, types, words, and what a person must decide.

    When OUT exists, what was decided in it is kept and its version goes up by one.
    """
    try:
        before = out.read_text("utf-8") if out is not None and out.exists() else None
    except (OSError, UnicodeDecodeError):
        raise InvalidInput(f"{out}: cannot be read as a mapping; name another file") from None
    proposal = propose(file, entity=entity, before=before)
    if out is None:
        click.echo(proposal.text)
    else:
        try:
            out.write_text(proposal.text, encoding="utf-8")
        except OSError as error:
            raise InvalidInput(f"{out}: cannot be written ({error.strerror})") from None
        _report(proposal, out)


def _report(proposal: Proposal, out: Path) -> None:
    for entity, lines in proposal.lines.items():
        click.echo(entity)
        for line in lines:
            made = line.match.column if line.match else ""
            click.echo(f"  {line.name:24} {made:28} {line.remark}")
    if unread := proposal.findings.unread:
        click.echo(f"nothing reads: {', '.join(map(repr, unread))}")
    click.echo(f"wrote {out}, version {proposal.version}")
    if proposal.open:
        click.echo(f"still to be decided: {', '.join(proposal.open)}")
    else:
        click.echo("nothing is open; look at each CHECK, then import with it")
