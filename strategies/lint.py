"""What is wrong with a book although it loads: examples that miss their row, rows that nothing reaches."""

from dataclasses import dataclass

from strategies.book import FACTS, StrategyBook, facts_frame
from strategies.table import DecisionTable


@dataclass(frozen=True)
class Problem:
    """One thing to mend, with the table and row it is in."""

    kind: str
    rule_id: str
    message: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.rule_id}: {self.message}"


def lint(book: StrategyBook) -> list[Problem]:
    """Run every row's own examples against the whole table and list what does not hold."""
    return [problem for table in (book.queueing, book.treatment) for problem in _lint_table(table)]


def _lint_table(table: DecisionTable) -> list[Problem]:
    problems: list[Problem] = []
    for row in table.rows:
        for number, example in enumerate(row.examples, start=1):
            unknown = set(example) - set(FACTS)
            if unknown:
                problems.append(Problem(table.kind, row.id, f"example {number} states unknown facts {sorted(unknown)}"))
                continue
            hit = table.evaluate(facts_frame(example))["rule_id"][0]
            if hit != row.id:
                problems.append(Problem(table.kind, row.id, f"example {number} is decided by {hit} instead"))
    return problems
