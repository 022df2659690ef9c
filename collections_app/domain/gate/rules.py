"""What every rule of the gate has in common, and the rule pack that holds them.

A rule is data with one question, ``check``. All numbers and names come from the rule packs of the
``strategies`` room; nothing here knows a jurisdiction.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import datetime

from collections_app.domain.contact import Channel, Mode, PointKind, Purpose
from collections_app.domain.gate.facts import ContactProposal, Force, PointFacts, RuleHit, Verdict
from collections_app.domain.gate.reading import Clock, Reading


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The proposals that a rule speaks about; ``None`` means every one."""

    channels: frozenset[Channel] | None = None
    modes: frozenset[Mode] | None = None
    purposes: frozenset[Purpose] | None = None
    kinds: frozenset[PointKind] | None = None
    owners: frozenset[str] | None = None
    voicemail: bool | None = None

    def covers(self, proposal: ContactProposal, point: PointFacts) -> bool:
        """Tell whether the rule speaks about this proposal."""
        return (
            (self.channels is None or proposal.channel in self.channels)
            and (self.modes is None or proposal.mode in self.modes)
            and (self.purposes is None or proposal.purpose in self.purposes)
            and (self.kinds is None or point.kind in self.kinds)
            and (self.owners is None or point.owner in self.owners)
            and (self.voicemail is None or proposal.leaves_voicemail == self.voicemail)
        )


@dataclass(frozen=True, kw_only=True)
class Rule(ABC):
    """One rule of contact law. ``clock`` empty = the customer's candidate zones."""

    id: str
    force: Force
    message: str
    scope: Scope = field(default_factory=Scope)
    clock: Clock = ()

    @abstractmethod
    def check(self, reading: Reading) -> RuleHit | None:
        """Return what speaks against the touch, or None."""

    def deny(self, *, counter: int | None = None, limit: int | None = None) -> RuleHit:
        """Refuse until a new fact is known."""
        return RuleHit(
            rule_id=self.id, force=self.force, message=self.message, verdict=Verdict.DENY,
            counter=counter, limit=limit, clock=self.clock_name,
        )  # fmt: skip

    def defer(
        self, release: datetime, *, counter: int | None = None, limit: int | None = None,
        force: Force | None = None,
    ) -> RuleHit:  # fmt: skip
        """Refuse until an instant, with no new fact needed."""
        return RuleHit(
            rule_id=self.id, force=force or self.force, message=self.message, verdict=Verdict.DEFER,
            counter=counter, limit=limit, clock=self.clock_name, release_at=release,
        )  # fmt: skip

    @property
    def clock_name(self) -> str:
        """Name the rule's clock for the record."""
        return "+".join(z.key for z in self.clock) or "customer"


class TimeRule(Rule):
    """A rule that depends on the hour alone, so that it can say when it opens next."""

    @abstractmethod
    def next_allowed(self, reading: Reading, at: datetime) -> datetime | None:
        """Return ``at`` if allowed then, else the next instant that may be; None = never."""

    def check(self, reading: Reading) -> RuleHit | None:
        release = self.next_allowed(reading, reading.now)
        if release is None:
            return self.deny()
        return None if release == reading.now else self.defer(release)


@dataclass(frozen=True, kw_only=True)
class Forbidden(Rule):
    """Whatever the scope covers is not done at all."""

    def check(self, reading: Reading) -> RuleHit | None:
        return self.deny()


class Disclosure(Rule):
    """A rule that asks for words instead of speaking against the touch."""

    content: str

    def check(self, reading: Reading) -> RuleHit | None:
        return None

    @abstractmethod
    def is_due(self, reading: Reading) -> bool:
        """Tell whether this touch must carry the content."""


@dataclass(frozen=True)
class _Shape:
    """The rules that speak about one form of proposal, sorted by what is asked of them."""

    judging: tuple[Rule, ...]
    hours: tuple[TimeRule, ...]
    disclosures: tuple[Disclosure, ...]


@dataclass(frozen=True)
class RulePack:
    """The contact law that applies to one person and collector on one date, ready to evaluate.

    ``binding`` are the rules without policy and carrier terms, and with the law's own counting.
    """

    version: str
    rules: tuple[Rule, ...]
    binding: tuple[Rule, ...]
    default_zones: Clock = ()
    _shapes: dict[tuple[object, ...], _Shape] = field(default_factory=dict, compare=False, repr=False)

    def shape(self, proposal: ContactProposal, point: PointFacts, *, law_only: bool) -> _Shape:
        """Return the rules for proposals of this form; worked out once per form."""
        key = (
            law_only, proposal.channel, proposal.mode, proposal.purpose, point.kind, point.owner,
            proposal.leaves_voicemail,
        )  # fmt: skip
        shape = self._shapes.get(key)
        if shape is None:
            rules = tuple(r for r in (self.binding if law_only else self.rules) if r.scope.covers(proposal, point))
            shape = _Shape(
                judging=tuple(r for r in rules if not isinstance(r, Disclosure)),
                hours=tuple(r for r in rules if isinstance(r, TimeRule)),
                disclosures=tuple(r for r in rules if isinstance(r, Disclosure)),
            )
            self._shapes[key] = shape
        return shape
