"""The facts of one evaluation, prepared once for all the rules that read them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from collections_app.domain.calendars import dates_start, day_start, local_date
from collections_app.domain.contact import Channel, PointKind
from collections_app.domain.errors import InvalidInput
from collections_app.domain.gate.facts import ConsentFact, GateInput, OptOutFact, PointFacts, Touch

Clock = tuple[ZoneInfo, ...]

OUTBOUND = "outbound"
INBOUND = "inbound"
DEBTOR = "debtor"
UNKNOWN = "unknown"
COLLECTOR = "collector"

# What a point can carry; a stop of "the medium" without a named channel means all of these.
CARRIES: dict[PointKind, frozenset[Channel]] = {
    PointKind.MOBILE: frozenset({Channel.VOICE, Channel.SMS}),
    PointKind.LANDLINE: frozenset({Channel.VOICE, Channel.SMS}),
    PointKind.VOIP: frozenset({Channel.VOICE, Channel.SMS}),
    PointKind.UNKNOWN: frozenset({Channel.VOICE, Channel.SMS}),
    PointKind.WORK_PHONE: frozenset({Channel.VOICE, Channel.SMS}),
    PointKind.EMAIL: frozenset({Channel.EMAIL}),
    PointKind.POSTAL: frozenset({Channel.LETTER, Channel.VISIT}),
}


class UnreadableFacts(InvalidInput):
    """The facts do not hold together (no such point, no such zone): the gate stays shut."""


class Reading:
    """One evaluation's facts, with what several rules need worked out once.

    A touch on a point that is no longer known counts as a touch of the debtor, and a touch without debts
    as one about every debt: what we do not know is read as the law would read it against us.
    """

    __slots__ = (
        "_starts", "counters", "customer", "direct_consents", "facts", "kinds", "not_person", "now",
        "outbound", "point", "proposal", "zones",
    )  # fmt: skip

    def __init__(self, facts: GateInput, now: datetime, default_zones: Clock) -> None:
        self.facts = facts
        self.customer = facts.customer
        self.proposal = facts.proposal
        self.now = now
        self.point = self._find_point(facts)
        known = {debt.id for debt in facts.debts}
        if not known.issuperset(facts.proposal.debts):
            raise UnreadableFacts("the proposal names a debt that is not given")
        self.zones = tuple(zone_named(z) for z in facts.customer.zones) or default_zones
        self.outbound = [t for t in facts.history if t.direction != INBOUND]
        self.kinds = {p.id: p.kind for p in facts.points}
        person = _person(self.point)
        self.not_person = {p.id for p in facts.points if _person(p) != person}
        self.direct_consents = [
            (p.id, c) for p in facts.points for c in p.consents if c.kind == "prior_express" and c.given_to == COLLECTOR
        ]
        self.counters: dict[str, int] = {}
        self._starts: dict[tuple[Clock, int], datetime] = {}

    @staticmethod
    def _find_point(facts: GateInput) -> PointFacts:
        for point in facts.points:
            if point.id == facts.proposal.point:
                return point
        raise UnreadableFacts(f"contact point {facts.proposal.point!r} of the proposal is not given")

    def clock(self, clock: Clock) -> Clock:
        """Return the rule's own zones, or the customer's candidates where the rule names none."""
        return clock or self.zones

    def window_start(self, clock: Clock, days: int) -> datetime:
        """Return where a window of local dates begins: the earliest over all candidate zones."""
        key = (clock, days)
        start = self._starts.get(key)
        if start is None:
            start = min(dates_start(self.now, days, zone) for zone in self.clock(clock))
            self._starts[key] = start
        return start

    def release_after(self, at: datetime, days: int, clock: Clock) -> datetime:
        """Return when ``at``'s local date leaves a window of ``days`` dates, in every candidate zone."""
        return max(day_start(local_date(at, z) + timedelta(days=days), z) for z in self.clock(clock))

    def has_fresh_consent(self, point: str, at: datetime, days: int, clock: Clock) -> bool:
        """Tell whether a call at ``at`` was asked for directly; the day of asking is day 1."""
        for point_id, consent in self.direct_consents:
            if (
                point_id == point
                and is_given(consent, at)
                and at < min(
                    day_start(local_date(consent.at, z) + timedelta(days=days), z) for z in self.clock(clock)
                )
            ):  # fmt: skip
                return True
        return False

    def stop_requests(self) -> list[OptOutFact]:
        """List the stop requests that reach the proposed point and channel and were not taken back."""
        found = []
        for point in self.facts.points:
            for request in point.opt_outs:
                if request.at <= self.now and self._reaches(point, request):
                    found.append(request)
        return found

    def _reaches(self, point: PointFacts, request: OptOutFact) -> bool:
        if request.scope == "all":
            return True
        if request.scope == "medium":
            media = {request.channel} if request.channel else CARRIES[point.kind]
            reached = self.proposal.channel in media
        else:
            reached = point.id == self.point.id
        return reached and not self._taken_back(request)

    def _taken_back(self, request: OptOutFact) -> bool:
        """A later consent, given to us on this point for this channel, opens it again (the word START)."""
        kind = "sms_direct" if self.proposal.channel is Channel.SMS else "prior_express"
        return any(
            c.kind == kind and c.given_to == COLLECTOR and c.at > request.at and is_given(c, self.now)
            for c in self.point.consents
        )

    def touches_of(self, direction: str) -> list[Touch]:
        """List the history on the proposed point in one direction."""
        return [
            t for t in self.facts.history
            if t.point == self.point.id and (t.direction == INBOUND) == (direction == INBOUND)
        ]  # fmt: skip

    def last_inbound(self) -> datetime | None:
        """Return when the person last wrote to us from the proposed point, on the proposed channel."""
        heard = [
            t.at for t in self.touches_of(INBOUND)
            if t.channel is self.proposal.channel and is_about(t, self.proposal.debts)
        ]  # fmt: skip
        if self.point.last_inbound_at is not None and self.point.last_inbound_at <= self.now:
            heard.append(self.point.last_inbound_at)
        return max(heard, default=None)

    def local_times(self) -> dict[str, str]:
        """Return what the candidates' clocks show, for the record."""
        return {z.key: self.now.astimezone(z).isoformat(timespec="seconds") for z in self.zones}


def is_given(consent: ConsentFact, at: datetime) -> bool:
    """Tell whether a consent existed and was not revoked at an instant."""
    return consent.at <= at and (consent.revoked_at is None or at < consent.revoked_at)


def is_about(touch: Touch, debts: tuple[str, ...]) -> bool:
    """Tell whether a touch concerned one of the debts; a touch or proposal without debts means all."""
    return not touch.debts or not debts or any(debt in touch.debts for debt in debts)


def utc_days_since(at: datetime, now: datetime) -> int:
    """Count whole UTC calendar dates from ``at`` to ``now``."""
    return (now.astimezone(UTC).date() - at.astimezone(UTC).date()).days


def _person(point: PointFacts) -> str:
    """Name the person behind a point; an unknown owner is counted with the debtor."""
    if point.owner in (DEBTOR, UNKNOWN):
        return DEBTOR
    return point.owner if point.owner == "guarantor" else point.id


def zone_named(name: str) -> ZoneInfo:
    """Return the IANA zone, or refuse the facts."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise UnreadableFacts(f"time zone {name!r} is not an IANA zone") from error
