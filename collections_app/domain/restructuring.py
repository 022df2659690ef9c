"""A schedule rearranged by a plan: what is overdue moves into the plan's terms, to the minor unit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from collections_app.domain.calendars import add_months
from collections_app.domain.errors import InvalidInput
from collections_app.domain.plans import Term

# In the order in which they move: what is paid first by the default waterfall (domain brief §2.1).
COMPONENTS = ("cost", "fee", "penalty", "interest", "principal")
Parts = Mapping[str, int]


@dataclass(frozen=True)
class Due:
    """One instalment: what is due and what payments covered, in minor units by component."""

    seq: int
    due_on: date
    due: Parts
    paid: Parts = field(default_factory=dict)

    @property
    def unpaid(self) -> dict[str, int]:
        """Return what is left by component."""
        return {c: self.due.get(c, 0) - self.paid.get(c, 0) for c in COMPONENTS}

    @property
    def unpaid_minor(self) -> int:
        """Return everything that is left."""
        return sum(self.unpaid.values())


def rearrange(dues: Sequence[Due], terms: Sequence[Term], *, as_of: date) -> tuple[tuple[Due, ...], tuple[Due, ...]]:
    """Move the oldest unpaid amounts into the terms; return the contract that is left and the plan's instalments.

    Nothing is lost or made: contract + plan = before, by component. The terms must take everything that is overdue,
    else days past due would go on counting from what they leave.
    """
    wanted = sum(term.amount_minor for term in terms)
    overdue = sum(d.unpaid_minor for d in dues if d.due_on < as_of)
    if wanted < overdue:
        raise InvalidInput("a plan that starts the account afresh must take in everything that is overdue")
    if wanted > sum(d.unpaid_minor for d in dues):
        raise InvalidInput("the amount of the plan is more than the schedule still holds")
    pool: list[tuple[str, int]] = []
    left: list[Due] = []
    for due in sorted(dues, key=lambda d: (d.due_on, d.seq)):
        remains = dict(due.due)
        for component in COMPONENTS:
            moved = min(wanted, due.unpaid[component])
            if moved > 0:
                pool.append((component, moved))
                remains[component] -= moved
                wanted -= moved
        left.append(replace(due, due=remains))
    return tuple(left), _fill(terms, pool, first_seq=max((d.seq for d in dues), default=0) + 1)


def _fill(terms: Sequence[Term], pool: list[tuple[str, int]], *, first_seq: int) -> tuple[Due, ...]:
    made, queue = [], list(reversed(pool))
    for seq, term in enumerate(terms, start=first_seq):
        parts, room = dict.fromkeys(COMPONENTS, 0), term.amount_minor
        while room:
            component, amount = queue.pop()
            taken = min(room, amount)
            parts[component] += taken
            room -= taken
            if amount > taken:
                queue.append((component, amount - taken))
        made.append(Due(seq, term.due_on, parts))
    return tuple(made)


def defer(dues: Sequence[Due], *, from_on: date, months: int) -> tuple[Due, ...]:
    """Move every unpaid instalment that falls due on or after ``from_on`` by whole months; what is overdue stays."""
    return tuple(
        replace(d, due_on=add_months(d.due_on, months)) if d.due_on >= from_on and d.unpaid_minor else d for d in dues
    )
