"""Everything the gate may look at, read for a whole audience in a handful of set queries."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute, Session

from collections_app.db.tables import (
    Account,
    Consent,
    ContactAttempt,
    ContactPoint,
    Customer,
    Episode,
    InboundMessage,
    OptOut,
    Payment,
    StopFlag,
)
from collections_app.domain.contact import (
    AttemptStatus,
    Channel,
    CollectorRole,
    Mode,
    PointKind,
    Purpose,
)
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
)
from collections_app.domain.outcomes import Disposition, Outcome

# The longest window of any rule is 30 dates (UST-LAND3, MA); two more for zones and the day's ends.
HISTORY_DAYS = 32
_CHUNK = 5_000  # identifiers in one IN list; SQLite allows 32,766 variables

# Who acts is one house: what its agents, robots and campaigns did counts together.
HOUSE = "house"

_TOUCHED = (AttemptStatus.SENDING, AttemptStatus.SENT, AttemptStatus.DELIVERED, AttemptStatus.FAILED,
            AttemptStatus.UNCERTAIN)  # fmt: skip

_RESULT_OF_OUTCOME: Mapping[Outcome, TouchResult] = {
    Outcome.NO_ANSWER: TouchResult.NO_ANSWER,
    Outcome.BUSY: TouchResult.BUSY,
    Outcome.FAILED: TouchResult.FAILED,
    Outcome.VOICEMAIL: TouchResult.VOICEMAIL,
    Outcome.ANSWERED_UNVERIFIED: TouchResult.ANSWERED,
    Outcome.RPC: TouchResult.RPC,
    Outcome.THIRD_PARTY: TouchResult.ANSWERED,
    Outcome.WRONG_PARTY: TouchResult.ANSWERED,
    Outcome.DELIVERED: TouchResult.DELIVERED,
    Outcome.UNDELIVERED: TouchResult.UNDELIVERED,
}

_KINDS_BY_CHANNEL: Mapping[Channel, tuple[PointKind, ...]] = {
    # In order of preference. A text to a landline is lost, so only mobiles are texted.
    Channel.SMS: (PointKind.MOBILE,),
    Channel.VOICE: (PointKind.MOBILE, PointKind.LANDLINE, PointKind.VOIP, PointKind.UNKNOWN),
    Channel.EMAIL: (PointKind.EMAIL,),
    Channel.LETTER: (PointKind.POSTAL,),
    Channel.VISIT: (PointKind.POSTAL,),
}


@dataclass(frozen=True)
class Ask:
    """A contact that somebody wants to make, as rows know it."""

    customer_id: int
    contact_point_id: int
    channel: Channel
    mode: Mode
    purpose: Purpose = Purpose.COLLECTION
    is_reply: bool = False


@dataclass
class _Rows:
    """What the set queries brought, by customer."""

    customers: dict[int, Any] = field(default_factory=dict)
    points: dict[int, list[Any]] = field(default_factory=lambda: defaultdict(list))
    consents: dict[int, list[ConsentFact]] = field(default_factory=lambda: defaultdict(list))
    opt_outs: dict[int, list[Any]] = field(default_factory=lambda: defaultdict(list))
    inbound: dict[int, datetime] = field(default_factory=dict)
    stops: dict[int, list[StopFact]] = field(default_factory=lambda: defaultdict(list))
    debts: dict[int, list[DebtFacts]] = field(default_factory=lambda: defaultdict(list))
    touches: dict[int, list[Touch]] = field(default_factory=lambda: defaultdict(list))


def gate_inputs(session: Session, asks: Sequence[Ask], *, now: datetime) -> list[GateInput]:
    """Return the gate's facts for each ask, in order. About ten queries for any number of customers.

    The debts are every account of the customer in an open episode; the history holds every touch of
    the customer in the last month, in-flight ones included.
    What cannot be read is given as the law would read it against us: the gate then refuses.
    """
    rows = _load(session, {ask.customer_id for ask in asks}, now=now)
    return [_facts(rows, ask) for ask in asks]


def gate_input(session: Session, ask: Ask, *, now: datetime) -> GateInput:
    """Return the gate's facts for one ask."""
    return gate_inputs(session, [ask], now=now)[0]


def best_points(session: Session, customer_ids: Collection[int], channel: Channel) -> dict[int, int]:
    """Choose for each customer the point to use: their own, in working order, of the best kind and rank."""
    kinds = _KINDS_BY_CHANNEL[channel]
    best: dict[int, tuple[tuple[int, int, int], int]] = {}
    for ids in _chunks(customer_ids):
        rows = session.execute(
            sa.select(ContactPoint.id, ContactPoint.customer_id, ContactPoint.kind, ContactPoint.rank).where(
                _one_of(session, ContactPoint.customer_id, ids),
                ContactPoint.kind.in_(kinds),
                ContactPoint.owner == "debtor",
                ContactPoint.quality == "ok",
                ContactPoint.withdrawn_at.is_(None),
            )
        )
        for point_id, customer_id, kind, rank in rows:
            order = (kinds.index(kind), rank, point_id)
            if customer_id not in best or order < best[customer_id][0]:
                best[customer_id] = (order, point_id)
    return {customer_id: point_id for customer_id, (_, point_id) in best.items()}


def _chunks(ids: Collection[int]) -> Iterator[list[int]]:
    ordered = sorted(ids)
    for start in range(0, len(ordered), _CHUNK):
        yield ordered[start : start + _CHUNK]


def _one_of(session: Session, column: InstrumentedAttribute[int], ids: list[int]) -> sa.ColumnElement[bool]:
    """Return ``column IN ids``; on PostgreSQL as one array parameter, which thousands of them are not."""
    if session.get_bind().dialect.name == "postgresql":
        return column == sa.any_(sa.cast(ids, ARRAY(sa.BigInteger)))
    return column.in_(ids)


def _load(session: Session, customer_ids: Collection[int], *, now: datetime) -> _Rows:
    rows = _Rows()
    for ids in _chunks(customer_ids):
        _load_people(session, rows, ids)
        _load_permissions(session, rows, ids)
        _load_debts(session, rows, ids, today=now.date())
        _load_touches(session, rows, ids, since=now - timedelta(days=HISTORY_DAYS))
    return rows


def _load_people(session: Session, rows: _Rows, ids: list[int]) -> None:
    for row in session.execute(
        sa.select(Customer.id, Customer.country, Customer.regions, Customer.zones, Customer.preferences).where(
            _one_of(session, Customer.id, ids)
        )
    ):
        rows.customers[row.id] = row
    for row in session.execute(
        sa.select(
            ContactPoint.id, ContactPoint.customer_id, ContactPoint.kind, ContactPoint.owner,
            sa.case((ContactPoint.withdrawn_at.is_not(None), "withdrawn"), else_=ContactPoint.quality).label("quality"),
        ).where(_one_of(session, ContactPoint.customer_id, ids))
    ):  # fmt: skip
        rows.points[row.customer_id].append(row)
    for row in session.execute(
        sa.select(
            StopFlag.customer_id, StopFlag.account_id, StopFlag.code, StopFlag.set_at, StopFlag.reference,
            StopFlag.until_on,
        ).where(_one_of(session, StopFlag.customer_id, ids), StopFlag.released_at.is_(None))
    ):  # fmt: skip
        rows.stops[row.customer_id].append(
            StopFact(
                code=row.code,
                from_at=row.set_at,
                until=_end_everywhere(row.until_on),
                reference=row.reference,
                debt=None if row.account_id is None else str(row.account_id),
            )
        )


def _load_permissions(session: Session, rows: _Rows, ids: list[int]) -> None:
    consents = (
        sa.select(Consent.contact_point_id, Consent.kind, Consent.captured_at, Consent.given_to, Consent.revoked_at)
        .join(ContactPoint, ContactPoint.id == Consent.contact_point_id)
        .where(_one_of(session, ContactPoint.customer_id, ids))
    )
    for row in session.execute(consents):
        rows.consents[row.contact_point_id].append(
            ConsentFact(row.kind, at=row.captured_at, given_to=row.given_to, revoked_at=row.revoked_at)
        )
    for opt_out in session.execute(
        sa.select(
            OptOut.customer_id, OptOut.contact_point_id, OptOut.channel, OptOut.scope, OptOut.at,
            OptOut.raw_text,
        ).where(_one_of(session, OptOut.customer_id, ids))
    ):  # fmt: skip
        rows.opt_outs[opt_out.customer_id].append(opt_out)
    inbound = (
        sa.select(InboundMessage.contact_point_id, sa.func.max(InboundMessage.received_at))
        .join(ContactPoint, ContactPoint.id == InboundMessage.contact_point_id)
        .where(_one_of(session, ContactPoint.customer_id, ids))
        .group_by(InboundMessage.contact_point_id)
    )
    rows.inbound.update((point_id, at) for point_id, at in session.execute(inbound) if point_id is not None)


def _load_debts(session: Session, rows: _Rows, ids: list[int], *, today: date) -> None:
    pending = (
        sa.select(Payment.id)
        .where(
            Payment.account_id == Account.id,
            Payment.status.in_(("initiated", "pending")),
            Payment.value_on >= today - timedelta(days=2),
        )
        .exists()
    )
    in_episode = sa.select(Episode.id).where(Episode.account_id == Account.id, Episode.ended_on.is_(None)).exists()
    statement = (
        sa.select(
            Account.id, Account.customer_id, Account.product_family, Account.currency, Account.arrears_amount,
            Account.collector_role, pending.label("has_pending_payment"),
        )
        .where(_one_of(session, Account.customer_id, ids), in_episode)
        .order_by(Account.id)
    )  # fmt: skip
    for row in session.execute(statement):
        rows.debts[row.customer_id].append(
            DebtFacts(
                id=str(row.id),
                product=row.product_family,
                currency=row.currency,
                arrears_minor=row.arrears_amount,
                role=row.collector_role,
                has_pending_payment=bool(row.has_pending_payment),
            )
        )


def _load_touches(session: Session, rows: _Rows, ids: list[int], *, since: datetime) -> None:
    a = ContactAttempt
    statement = (
        sa.select(
            a.customer_id, a.contact_point_id, a.account_ids, a.channel, a.mode, a.direction, a.status,
            a.outcome, a.disposition, sa.func.coalesce(a.dispatched_at, a.scheduled_at).label("at"),
        )
        .where(_one_of(session, a.customer_id, ids), a.scheduled_at >= since, a.status.in_(_TOUCHED))
        .order_by(a.scheduled_at)
    )  # fmt: skip
    for row in session.execute(statement):
        rows.touches[row.customer_id].append(
            Touch(
                at=row.at,
                channel=row.channel,
                mode=row.mode,
                direction=row.direction,
                point=str(row.contact_point_id),
                debts=tuple(str(i) for i in row.account_ids),
                actor=HOUSE,
                result=touch_result(row.status, row.outcome, row.disposition, channel=row.channel),
            )
        )


def touch_result(
    status: AttemptStatus, outcome: Outcome | None, disposition: Disposition | None, *, channel: Channel
) -> TouchResult:
    """Translate an attempt for the law's counters. What we do not know counts fully, as in flight."""
    if outcome is Outcome.THIRD_PARTY and disposition is Disposition.REFUSED:
        return TouchResult.THIRD_PARTY_REFUSED
    if outcome is not None:
        return _RESULT_OF_OUTCOME[outcome]
    if status is AttemptStatus.FAILED:
        return TouchResult.FAILED
    if status in (AttemptStatus.SENT, AttemptStatus.DELIVERED) and channel is not Channel.VOICE:
        return TouchResult.SENT if status is AttemptStatus.SENT else TouchResult.DELIVERED
    return TouchResult.IN_FLIGHT


def _facts(rows: _Rows, ask: Ask) -> GateInput:
    customer = rows.customers[ask.customer_id]
    debts = tuple(rows.debts[ask.customer_id])
    third = any(d.role == CollectorRole.THIRD_PARTY for d in debts)
    return GateInput(
        actor_role=CollectorRole.THIRD_PARTY if third else CollectorRole.FIRST_PARTY,
        actor_id=HOUSE,
        customer=CustomerFacts(
            country=customer.country,
            regions=tuple(customer.regions),
            zones=tuple(customer.zones),
            stop_flags=tuple(rows.stops[ask.customer_id]),
            preferences=tuple(_preference(p) for p in customer.preferences),
        ),
        debts=debts,
        points=tuple(_point(rows, p) for p in rows.points[ask.customer_id]),
        proposal=ContactProposal(
            channel=ask.channel,
            mode=ask.mode,
            purpose=ask.purpose,
            point=str(ask.contact_point_id),
            debts=tuple(d.id for d in debts),
            is_reply=ask.is_reply,
        ),
        history=tuple(rows.touches[ask.customer_id]),
    )


def _point(rows: _Rows, point: Any) -> PointFacts:
    return PointFacts(
        id=str(point.id),
        kind=point.kind,
        owner=point.owner,
        consents=tuple(rows.consents[point.id]),
        opt_outs=tuple(
            OptOutFact(at=o.at, scope=o.scope, raw=o.raw_text, channel=Channel(o.channel) if o.channel else None)
            for o in rows.opt_outs[point.customer_id]
            if o.contact_point_id in (point.id, None)
        ),
        last_inbound_at=rows.inbound.get(point.id),
        quality=point.quality,
    )


def _preference(row: Any) -> Preference:
    """Read a stated preference; one that cannot be read forbids every hour until somebody repairs it."""
    try:
        return Preference(
            zone=str(row["zone"]),
            allow=bool(row["allow"]),
            weekdays=tuple(int(day) for day in row.get("dow") or ()),
            start=time.fromisoformat(row["start"]) if row.get("start") else None,
            end=time.fromisoformat(row["end"]) if row.get("end") else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return Preference(zone="UTC", allow=False)


def _end_everywhere(day: date | None) -> datetime | None:
    """Return the instant at which a date has ended in every zone of the world."""
    if day is None:
        return None
    return datetime.combine(day + timedelta(days=1), time(12), tzinfo=UTC)
