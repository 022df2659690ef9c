"""Due dates on days without business (domain brief §2.1)."""

from collections.abc import Container
from datetime import date, timedelta

from collections_app.domain.waterfalls import DueRoll

WEEKEND = frozenset({6, 7})
_STEP = {DueRoll.FOLLOWING: timedelta(days=1), DueRoll.PRECEDING: timedelta(days=-1)}


def roll_due(
    contract_due_on: date, roll: DueRoll, *, holidays: Container[date] = (), weekend: Container[int] = WEEKEND
) -> date:
    """Return the due date from which days past due count; ``weekend`` holds ISO weekdays (Monday = 1).

    FOLLOWING and PRECEDING cross month ends: a contract that wants otherwise says so in its own due dates.
    """
    if roll is DueRoll.NONE:
        return contract_due_on
    day = contract_due_on
    while day.isoweekday() in weekend or day in holidays:
        day += _STEP[roll]
    return day
