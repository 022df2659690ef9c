"""How often: counts over local calendar dates, waits after a talk, gaps (stage 5)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from collections_app.domain.contact import Channel, Mode, PointKind
from collections_app.domain.gate.facts import Force, RuleHit, Touch, TouchResult
from collections_app.domain.gate.reading import Reading, is_given
from collections_app.domain.gate.rules import Rule


class Per(StrEnum):
    """What a counter is kept for."""

    PERSON_DEBT = "person_debt"
    DEBT = "debt"
    PERSON = "person"
    POINT = "point"
    CUSTOMER = "customer"


@dataclass(frozen=True, kw_only=True)
class TouchFilter:
    """The touches that a counter counts; ``also`` and ``pools_actors`` are our policy's additions.

    ``own_actor``: the law counts each collector for itself.
    """

    per: Per
    results: frozenset[TouchResult]
    also: frozenset[TouchResult] = frozenset()
    channels: frozenset[Channel] | None = None
    modes: frozenset[Mode] | None = None
    kinds: frozenset[PointKind] | None = None
    own_actor: bool = False
    pools_actors: bool = False

    def select(self, reading: Reading, touches: list[Touch], *, since: datetime | None, debt: str | None
               ) -> list[tuple[datetime, bool]]:  # fmt: skip
        """List (instant, counted by the law itself) of the matching touches."""
        found = []
        person = self.per in (Per.PERSON, Per.PERSON_DEBT)
        not_person = reading.not_person if person else ()
        point = reading.point.id if self.per is Per.POINT else None
        actor = reading.facts.actor_id
        kinds = self.kinds
        for t in touches:
            if since is not None and t.at < since:
                continue
            lawful = t.result in self.results
            if not lawful and t.result not in self.also:
                continue
            if (
                (self.channels is not None and t.channel not in self.channels)
                or (self.modes is not None and t.mode not in self.modes)
                or (debt is not None and t.debts and debt not in t.debts)
                or (point is not None and t.point != point)
                or (person and t.point in not_person)
                or (kinds is not None and reading.kinds.get(t.point, PointKind.UNKNOWN) not in kinds)
            ):
                continue
            if self.own_actor and t.actor != actor:
                if not self.pools_actors:
                    continue
                lawful = False
            found.append((t.at, lawful))
        return found

    def debts(self, reading: Reading) -> tuple[str | None, ...]:
        """Return the debts to count for, one counter each, or a single None."""
        if self.per in (Per.DEBT, Per.PERSON_DEBT):
            return reading.proposal.debts or (None,)
        return (None,)


@dataclass(frozen=True, kw_only=True)
class Count(Rule):
    """At most ``limit`` touches in a window of ``days`` local dates that ends with today's.

    Calls asked for directly within ``direct_consent_days`` do not count and are not held back; a consent
    of the ``free_with`` kinds lifts the limit altogether.
    """

    limit: int
    days: int
    touches: TouchFilter
    direct_consent_days: int = 0
    free_with: frozenset[str] | None = None

    def check(self, reading: Reading) -> RuleHit | None:
        if self._is_asked_for(reading, reading.point.id, reading.now) or self._is_free(reading):
            return None
        since = reading.window_start(self.clock, self.days)
        worst: RuleHit | None = None
        for debt in self.touches.debts(reading):
            found = self.touches.select(reading, self._countable(reading), since=since, debt=debt)
            total = len(found)
            lawful = sum(1 for _, by_law in found if by_law)
            self._record(reading, total, lawful)
            if total >= self.limit:
                hit = self._hit(reading, sorted(at for at, _ in found), total, lawful)
                if worst is None or _release(hit) > _release(worst):
                    worst = hit
        return worst

    def _is_asked_for(self, reading: Reading, point: str, at: datetime) -> bool:
        return (
            self.direct_consent_days > 0
            and bool(reading.direct_consents)
            and reading.has_fresh_consent(point, at, self.direct_consent_days, self.clock)
        )

    def _is_free(self, reading: Reading) -> bool:
        """Tell whether a consent on the point lifts the limit."""
        free = self.free_with
        return free is not None and any(c.kind in free and is_given(c, reading.now) for c in reading.point.consents)

    def _countable(self, reading: Reading) -> list[Touch]:
        if not self.direct_consent_days or not reading.direct_consents:
            return reading.outbound
        return [t for t in reading.outbound if not self._is_asked_for(reading, t.point, t.at)]

    def _record(self, reading: Reading, total: int, lawful: int) -> None:
        counters = reading.counters
        counters[self.id] = max(total, counters.get(self.id, 0))
        if lawful != total:
            counters[f"{self.id}:law"] = max(lawful, counters.get(f"{self.id}:law", 0))

    def _hit(self, reading: Reading, ats: list[datetime], total: int, lawful: int) -> RuleHit:
        # Room appears when the limit-th newest touch has left the window.
        leaving = ats[-self.limit]
        force = self.force if lawful >= self.limit else Force.POLICY
        release = reading.release_after(leaving, self.days, self.clock)
        return self.defer(release, counter=total, limit=self.limit, force=force)


@dataclass(frozen=True, kw_only=True)
class Wait(Rule):
    """After a conversation about a debt, whoever called, no call for ``days`` dates (its own = day 1)."""

    days: int
    touches: TouchFilter
    direct_consent_days: int = 0

    def check(self, reading: Reading) -> RuleHit | None:
        since = reading.window_start(self.clock, self.days)
        history = list(reading.facts.history)
        talks: list[tuple[datetime, bool]] = []
        for debt in self.touches.debts(reading):
            talks += self.touches.select(reading, history, since=since, debt=debt)
        if not talks or (
            self.direct_consent_days
            and reading.has_fresh_consent(reading.point.id, reading.now, self.direct_consent_days, self.clock)
        ):
            return None
        latest = max(at for at, _ in talks)
        force = self.force if any(by_law for _, by_law in talks) else Force.POLICY
        return self.defer(reading.release_after(latest, self.days, self.clock), limit=self.days, force=force)


@dataclass(frozen=True, kw_only=True)
class Gap(Rule):
    """So many hours must lie between a touch with these results and the next."""

    minutes: int
    touches: TouchFilter

    def check(self, reading: Reading) -> RuleHit | None:
        gap = timedelta(minutes=self.minutes)
        since = reading.now - gap
        latest: datetime | None = None
        for debt in self.touches.debts(reading):
            for at, _ in self.touches.select(reading, reading.outbound, since=since, debt=debt):
                if at > since and (latest is None or at > latest):
                    latest = at
        return None if latest is None else self.defer(latest + gap, limit=self.minutes)


def _release(hit: RuleHit) -> datetime:
    assert hit.release_at is not None
    return hit.release_at
