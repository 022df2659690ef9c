"""Consent, revocation and what may be sent on which medium (stage 2)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from collections_app.domain.contact import Purpose
from collections_app.domain.gate.facts import RuleHit
from collections_app.domain.gate.reading import COLLECTOR, OUTBOUND, Reading, is_given, utc_days_since
from collections_app.domain.gate.rules import Rule


def answers_inbound(reading: Reading, *, after: datetime | None = None) -> bool:
    """Tell whether this is the one reply to what the person wrote on this point (after ``after``)."""
    if not reading.proposal.is_reply:
        return False
    heard = reading.last_inbound()
    if heard is None or (after is not None and heard <= after):
        return False
    return not any(t.at > heard for t in reading.touches_of(OUTBOUND))


def confirms_stop(reading: Reading, *, minutes: int) -> bool:
    """Tell whether this is the one confirmation of a stop request, still in time."""
    if reading.proposal.purpose is not Purpose.OPT_OUT_CONFIRMATION:
        return False
    moments = [request.at for request in reading.stop_requests()]
    moments += [c.revoked_at for c in reading.point.consents if c.revoked_at and c.revoked_at <= reading.now]
    if not moments:
        return False
    stopped = max(moments)
    in_time = reading.now - stopped <= timedelta(minutes=minutes)
    return in_time and not any(t.at >= stopped for t in reading.touches_of(OUTBOUND))


@dataclass(frozen=True, kw_only=True)
class StopRequest(Rule):
    """The person asked us to stop using this point, this medium, or anything."""

    confirmation_minutes: int = 0
    allows_reply: bool = False

    def check(self, reading: Reading) -> RuleHit | None:
        requests = reading.stop_requests()
        if not requests or confirms_stop(reading, minutes=self.confirmation_minutes):
            return None
        if self.allows_reply and answers_inbound(reading, after=max(r.at for r in requests)):
            return None
        return self.deny()


@dataclass(frozen=True, kw_only=True)
class Confirmation(Rule):
    """A stop is confirmed once, within minutes, or not at all."""

    minutes: int

    def check(self, reading: Reading) -> RuleHit | None:
        return None if confirms_stop(reading, minutes=self.minutes) else self.deny(limit=self.minutes)


@dataclass(frozen=True, kw_only=True)
class ConsentNeeded(Rule):
    """The way of contact needs a consent that is on file and not revoked."""

    accepts: frozenset[str]

    def check(self, reading: Reading) -> RuleHit | None:
        if any(c.kind in self.accepts and is_given(c, reading.now) for c in reading.point.consents):
            return None
        return None if answers_inbound(reading) else self.deny()


@dataclass(frozen=True, kw_only=True)
class ConsentRevoked(Rule):
    """A consent that this way of contact rests on was revoked and not given anew."""

    accepts: frozenset[str]

    def check(self, reading: Reading) -> RuleHit | None:
        consents = [c for c in reading.point.consents if c.kind in self.accepts]
        revoked = [c.revoked_at for c in consents if c.revoked_at is not None and c.revoked_at <= reading.now]
        if not revoked:
            return None
        newest = max(revoked)
        if any(c.at > newest and is_given(c, reading.now) for c in consents):
            return None
        return None if answers_inbound(reading, after=newest) else self.deny()


@dataclass(frozen=True, kw_only=True)
class TextingBasis(Rule):
    """A text needs the person's own texting or consent, fresh or backed by a reassignment check."""

    days: int

    def check(self, reading: Reading) -> RuleHit | None:
        given = [
            c.at for c in reading.point.consents
            if c.kind == "sms_direct" and c.given_to == COLLECTOR and is_given(c, reading.now)
        ]  # fmt: skip
        heard = reading.last_inbound()
        basis = max([*given, *([heard] if heard else [])], default=None)
        if basis is None:
            return self.deny(limit=self.days)
        age = utc_days_since(basis, reading.now)
        point = reading.point
        if point.rnd_answer == "yes" and point.rnd_at is not None and point.rnd_at > basis:
            return self.deny(counter=age, limit=self.days)  # whoever texted then is not who has it now
        if age <= self.days:
            return None
        is_checked = (
            point.rnd_answer == "no"
            and point.rnd_at is not None
            and point.rnd_at <= reading.now
            and utc_days_since(point.rnd_at, reading.now) <= self.days
        )
        return None if is_checked else self.deny(counter=age, limit=self.days)


@dataclass(frozen=True, kw_only=True)
class EmailNotice(Rule):
    """An address that the creditor handed over needs a notice whose opt-out period has run out."""

    days: int

    def check(self, reading: Reading) -> RuleHit | None:
        consents = [c for c in reading.point.consents if is_given(c, reading.now)]
        if reading.last_inbound() is not None or any(
            c.given_to == COLLECTOR and c.kind == "prior_express" for c in consents
        ):
            return None
        sent = min((c.at for c in consents if c.kind == "email_notice"), default=None)
        if sent is None:
            return self.deny(limit=self.days)
        # The last day of the period still belongs to the customer.
        release = reading.release_after(sent, self.days + 1, self.clock)
        return None if reading.now >= release else self.defer(release, limit=self.days)


@dataclass(frozen=True, kw_only=True)
class Reassigned(Rule):
    """The database of reassigned numbers did not clear this number, and nobody confirmed it since."""

    answers: frozenset[str]

    def check(self, reading: Reading) -> RuleHit | None:
        point = reading.point
        if point.rnd_answer not in self.answers:
            return None
        asked = point.rnd_at
        if asked is None:
            return self.deny()
        heard = reading.last_inbound()
        given = (c.at for c in point.consents if c.given_to == COLLECTOR and is_given(c, reading.now))
        confirmed = max([*given, *([heard] if heard else [])], default=None)
        return None if confirmed is not None and confirmed > asked else self.deny()
