"""Read test vectors of contact law: one JSON object a line, strictly, into the gate's own facts.

A key that the format does not know, a missing key, a wrong type or a naive instant is an error that names
the line; nothing is evaluated of a file that is wrong anywhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from collections_app.domain.contact import Channel, CollectorRole, Mode, PointKind, Purpose, StopCode
from collections_app.domain.errors import InvalidInput
from collections_app.domain.gate import (
    ConsentFact,
    ContactProposal,
    CustomerFacts,
    DebtFacts,
    GateInput,
    OptOutFact,
    PointFacts,
    Preference,
    StopFact,
    Touch,
    TouchResult,
    Verdict,
)
from collections_app.intake.strict_json import (
    Record,
    Wrong,
    boolean,
    clock_time,
    day,
    instant,
    member_of,
    one_of,
    read_record,
    text,
    texts,
    utc,
    weekdays,
    whole,
    zone,
    zones,
)  # fmt: skip


class MalformedVectors(InvalidInput):
    """The file is not in the format; the message names file, line and key."""

    code = "malformed_vectors"


@dataclass(frozen=True)
class Expectation:
    """What a vector's author expects; ``eligible_given`` tells an expected null from no word about it."""

    decision: Verdict
    hits: tuple[str, ...]
    next_eligible_at: datetime | None = None
    eligible_given: bool = False


@dataclass(frozen=True)
class GateVector:
    """One line: facts, instant, and perhaps the expected answer."""

    id: str
    now: datetime
    facts: GateInput
    law_only: bool = False
    expect: Expectation | None = None


def read_vectors(path: Path) -> list[GateVector]:
    """Read a whole file; raise MalformedVectors at the first line that is wrong."""
    vectors: list[GateVector] = []
    seen: dict[str, int] = {}
    for number, line in _lines(path):
        try:
            vector = parse_vector(line)
        except Wrong as error:
            raise MalformedVectors(f"{path.name} line {number}: {error}") from error
        if vector.id in seen:
            raise MalformedVectors(f"{path.name} line {number}: id {vector.id!r} was used on line {seen[vector.id]}")
        seen[vector.id] = number
        vectors.append(vector)
    if not vectors:
        raise MalformedVectors(f"{path.name} line 1: the file holds no vector")
    return vectors


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that hold something, decoded one by one so that a bad byte is found on its line."""
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                try:
                    line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                except UnicodeDecodeError as error:
                    place = f"{path.name} line {number}"
                    raise MalformedVectors(f"{place}: not UTF-8 ({error.reason})") from error
                if line:
                    yield number, line
    except OSError as error:
        raise MalformedVectors(f"{path}: cannot be read ({error.strerror})") from error


def parse_vector(line: str) -> GateVector:
    """Read one line."""
    top = read_record(line)
    actor = top.one("actor", lambda o: (o.need("role", member_of(CollectorRole)), o.need("id", text)))
    vector = GateVector(
        id=top.need("id", text),
        now=top.need("now", utc),
        law_only=top.get("law_only", boolean, False),
        facts=GateInput(
            actor_role=actor[0],
            actor_id=actor[1],
            customer=top.one("customer", _customer),
            debts=top.each("debts", _debt),
            points=top.each("points", _point),
            proposal=top.one("proposal", _proposal),
            history=top.each("history", _touch, optional=True),
        ),
        expect=top.maybe_one("expect", _expect),
    )
    top.finish()
    return vector


def _customer(o: Record) -> CustomerFacts:
    agreed = o.maybe_one("agreed_hours", lambda a: (a.need("start", clock_time), a.need("end", clock_time)))
    return CustomerFacts(
        country=o.need("country", text),
        regions=o.get("regions", texts, ()),
        zones=o.get("zones", zones, ()),
        stop_flags=o.each("stop_flags", _stop, optional=True),
        preferences=o.each("preferences", _preference, optional=True),
        is_lost=o.get("lost", boolean, False),
        employer_forbids=o.get("employer_forbids", boolean, False),
        agreed_start=agreed[0] if agreed else None,
        agreed_end=agreed[1] if agreed else None,
    )


def _stop(o: Record) -> StopFact:
    return StopFact(
        code=o.need("kind", member_of(StopCode)), from_at=o.need("from", instant),
        until=o.maybe("until", instant), reference=o.maybe("reference", text),
    )  # fmt: skip


def _preference(o: Record) -> Preference:
    return Preference(
        zone=o.need("zone", zone), allow=o.need("allow", boolean), weekdays=o.maybe("dow", weekdays) or (),
        start=o.maybe("start", clock_time), end=o.maybe("end", clock_time),
    )  # fmt: skip


def _debt(o: Record) -> DebtFacts:
    return DebtFacts(
        id=o.need("id", text), product=o.need("product", text), currency=o.need("currency", text),
        arrears_minor=o.need("arrears_minor", whole), role=o.maybe("role", text),
        moratorium_until=o.maybe("moratorium_until", instant),
        validation_ends=o.maybe("validation_ends", day),
        is_disputed=o.maybe("disputed", boolean) or False,
        is_time_barred=o.maybe("time_barred", boolean) or False,
        has_pending_payment=o.maybe("pending_payment", boolean) or False,
    )  # fmt: skip


def _point(o: Record) -> PointFacts:
    answers = ("yes", "no", "no_data")
    rnd = o.maybe_one("rnd", lambda r: (r.need("answer", one_of(*answers)), r.need("at", instant)))
    return PointFacts(
        id=o.need("id", text),
        kind=o.get("kind", member_of(PointKind), PointKind.UNKNOWN),
        owner=o.get("owner", one_of("debtor", "guarantor", "third_party", "unknown"), "unknown"),
        consents=o.each("consents", _consent, optional=True),
        opt_outs=o.each("opt_outs", _opt_out, optional=True),
        last_inbound_at=o.maybe("last_inbound_at", instant),
        rnd_answer=rnd[0] if rnd else None,
        rnd_at=rnd[1] if rnd else None,
        quality=o.maybe("quality", one_of("ok", "disconnected", "wrong_party")) or "ok",
    )


def _consent(o: Record) -> ConsentFact:
    return ConsentFact(
        kind=o.need("kind", one_of("prior_express", "sms_direct", "email_notice")),
        at=o.need("at", instant),
        given_to=o.need("given_to", one_of("collector", "creditor")),
        revoked_at=o.maybe("revoked_at", instant),
    )  # fmt: skip


def _opt_out(o: Record) -> OptOutFact:
    scope = o.need("scope", one_of("point", "medium", "all"))
    return OptOutFact(at=o.need("at", instant), scope=scope, raw=o.maybe("raw", text))


def _proposal(o: Record) -> ContactProposal:
    return ContactProposal(
        channel=o.need("channel", member_of(Channel)), mode=o.need("mode", member_of(Mode)),
        purpose=o.need("purpose", member_of(Purpose)), point=o.need("point", text),
        debts=o.need("debts", texts),
        leaves_voicemail=o.maybe("leaves_voicemail", boolean) or False,
        is_reply=o.maybe("reply_to_inbound", boolean) or False,
    )  # fmt: skip


def _touch(o: Record) -> Touch:
    return Touch(
        at=o.need("at", instant),
        channel=o.need("channel", member_of(Channel)),
        mode=o.need("mode", member_of(Mode)),
        direction=o.need("direction", one_of("outbound", "inbound")),
        point=o.need("point", text),
        debts=o.need("debts", texts),
        actor=o.need("actor", text),
        result=o.need("result", member_of(TouchResult)),
    )  # fmt: skip


def _expect(o: Record) -> Expectation:
    return Expectation(
        decision=o.need("decision", member_of(Verdict)), hits=o.get("hits", texts, ()),
        next_eligible_at=o.maybe("next_eligible_at", instant), eligible_given=o.has("next_eligible_at"),
    )  # fmt: skip
