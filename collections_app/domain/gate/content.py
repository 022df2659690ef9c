"""What must be said or shown if the touch is made (stage 6)."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from collections_app.domain.gate.facts import TouchResult
from collections_app.domain.gate.reading import Reading, is_about
from collections_app.domain.gate.rules import Disclosure

_R = TouchResult
_UNHEARD = frozenset({_R.BUSY, _R.FAILED, _R.NO_ANSWER, _R.UNDELIVERED, _R.IN_FLIGHT})


class When(StrEnum):
    """The circumstances in which a content is due."""

    ALWAYS = "always"
    FIRST_COMMUNICATION = "first_communication"
    LATER_COMMUNICATION = "later_communication"
    VALIDATION_PERIOD = "validation_period"
    TIME_BARRED = "time_barred"


def _is_first(reading: Reading) -> bool:
    actor = reading.facts.actor_id
    for t in reading.outbound:
        if (
            t.actor == actor
            and t.result not in _UNHEARD
            and t.point not in reading.not_person
            and is_about(t, reading.proposal.debts)
        ):
            return False
    return True


def _is_in_validation(reading: Reading) -> bool:
    return any(
        debt.validation_ends is not None
        and (not reading.proposal.debts or debt.id in reading.proposal.debts)
        and any(reading.now.astimezone(z).date() <= debt.validation_ends for z in reading.zones)
        for debt in reading.facts.debts
    )


def _is_time_barred(reading: Reading) -> bool:
    return any(
        debt.is_time_barred and (not reading.proposal.debts or debt.id in reading.proposal.debts)
        for debt in reading.facts.debts
    )


_HOLDS: dict[When, Callable[[Reading], bool]] = {
    When.ALWAYS: lambda _: True,
    When.FIRST_COMMUNICATION: _is_first,
    When.LATER_COMMUNICATION: lambda reading: not _is_first(reading),
    When.VALIDATION_PERIOD: _is_in_validation,
    When.TIME_BARRED: _is_time_barred,
}


@dataclass(frozen=True, kw_only=True)
class Content(Disclosure):
    """A disclosure that the template or script must carry."""

    content: str
    when: When = When.ALWAYS

    def is_due(self, reading: Reading) -> bool:
        return _HOLDS[self.when](reading)
