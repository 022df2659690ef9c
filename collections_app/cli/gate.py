"""``collections gate``: ask the contact law, without any database."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from collections_app.domain.errors import InvalidInput
from collections_app.domain.gate import GateDecision, evaluate
from collections_app.intake.gate_vectors import Expectation, GateVector, read_vectors
from strategies.packs import DEFAULT_PACKS, load_packs

FALSE, MALFORMED = 1, 2


@click.group(name="gate")
def group() -> None:
    """Ask the contact law."""


@group.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--packs", "directory", type=click.Path(file_okay=False, path_type=Path), default=DEFAULT_PACKS,
              help="Directory of rule packs.")  # fmt: skip
@click.pass_context
def check(context: click.Context, file: Path, directory: Path) -> None:
    """Evaluate every vector of FILE (JSON Lines); print one answer a line.

    Exit status: 0 = all as expected, 1 = a vector differs, 2 = the file is malformed.
    """
    try:
        packs = load_packs(directory)
        vectors = read_vectors(file)
    except InvalidInput as error:
        click.echo(error.message, err=True)
        context.exit(MALFORMED)
    is_false = False
    for vector in vectors:
        pack = packs.select(vector.facts, vector.now.date())
        decision = evaluate(vector.facts, pack, vector.now, law_only=vector.law_only)
        answer = answer_of(vector, decision)
        is_false |= answer.get("ok") is False
        click.echo(json.dumps(answer))
    context.exit(FALSE if is_false else 0)


def answer_of(vector: GateVector, decision: GateDecision) -> dict[str, Any]:
    """Return the line that answers a vector."""
    answer: dict[str, Any] = {
        "id": vector.id,
        "decision": decision.verdict,
        "hits": list(dict.fromkeys(hit.rule_id for hit in decision.hits)),
        "next_eligible_at": _instant(decision.next_eligible_at),
    }
    if vector.expect is not None:
        answer["ok"] = is_as_expected(vector.expect, decision)
    return answer


def is_as_expected(expect: Expectation, decision: GateDecision) -> bool:
    """Tell whether the decision is the expected one: verdict, named hits, and the instant if it was given."""
    hits = {hit.rule_id for hit in decision.hits}
    return (
        decision.verdict is expect.decision
        and hits.issuperset(expect.hits)
        and (not expect.eligible_given or decision.next_eligible_at == expect.next_eligible_at)
    )


def _instant(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None
