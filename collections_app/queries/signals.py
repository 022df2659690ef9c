"""Outside signals as they were known on a day: answers in force, special lists, what the questions cost (§3.3).

Point in time: an answer counts from the day we received it, a corrected one hides the version before it from that
day on, an expired one is not used. A vendor's failure never hides an earlier answer that still holds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.base import table_of
from collections_app.db.staged import within
from collections_app.db.tables import Customer, ExternalSignal, ListHit
from collections_app.domain.errors import InvalidInput, NotFound
from collections_app.domain.money import Money
from collections_app.domain.multi_lending import (
    ENQUIRIES,
    OWN_PROVIDER,
    PRODUCT,
    STATUS_WORDS,
    Derived,
    HitStatus,
    KeyType,
    accel_words,
    derive,
)
from collections_app.domain.special_lists import Hit, weight, worst_severity
from strategies.signals import lending_rules, list_rules


def answers_as_of(
    on: date,
    *,
    known_on: date | None = None,
    product: str | None = PRODUCT,
    key: KeyType | None = None,
    wanted: sa.FromClause | None = None,
) -> sa.Subquery:
    """Return the answers in force on a day as known on ``known_on`` (default: that day): the columns of the table.

    One row per customer, provider, product, key and snapshot: its newest version. ``product`` and ``key``
    None = of all; ``wanted`` limits the customers by a ``customer_id`` column.
    """
    answer = table_of(ExternalSignal)
    version = sa.func.row_number().over(
        partition_by=[answer.c[c] for c in ("customer_id", "provider", "product", "key_type", "snapshot_on")],
        order_by=[answer.c.received_on.desc(), answer.c.id.desc()],
    )
    rules = lending_rules(on)
    statement = sa.select(answer, version.label("version")).where(
        answer.c.snapshot_on <= on,
        answer.c.snapshot_on > on - timedelta(days=rules.longest_lifetime_days),
        answer.c.received_on <= (known_on or on),
    )
    if product is not None:
        statement = statement.where(answer.c.product == product)
    if key is not None:
        statement = statement.where(answer.c.key_type == key.value)
    if wanted is not None:
        statement = statement.where(
            answer.c.customer_id.in_(sa.select(wanted.c.customer_id)), within(answer.c.customer_id, wanted)
        )
    newest = statement.subquery()
    fresh = newest.c.snapshot_on > on - timedelta(days=rules.lifetime_days)
    return (
        sa.select(*(newest.c[c.name] for c in answer.c))
        .where(newest.c.version == 1, sa.case((newest.c.expires_on.is_(None), fresh), else_=newest.c.expires_on > on))
        .subquery()
    )


def newest_answers(answers: sa.Subquery, *, by: Iterable[str] = ("customer_id",)) -> sa.Subquery:
    """Return one of ``answers_as_of`` per customer (or per the columns ``by``): the newest that is a real answer."""
    answered = sa.case((answers.c.hit_status.in_((HitStatus.HIT, HitStatus.NO_HIT)), 1), else_=0)
    place = sa.func.row_number().over(
        partition_by=[answers.c[c] for c in by],
        order_by=[answered.desc(), *(answers.c[c].desc() for c in ("snapshot_on", "received_on", "provider", "id"))],
    )
    placed = sa.select(answers, place.label("place")).subquery()
    return sa.select(*(placed.c[c.name] for c in answers.c)).where(placed.c.place == 1).subquery()


def hits_as_of(on: date, *, known_on: date | None = None) -> sa.Subquery:
    """Return the list hits in force on a day as known then: the newest version of each, not removed or forgotten."""
    hit, rules = table_of(ListHit), list_rules()
    version = sa.func.row_number().over(
        partition_by=[hit.c.provider, hit.c.hit_ref], order_by=[hit.c.received_on.desc(), hit.c.id.desc()]
    )
    newest = sa.select(hit, version.label("version")).where(hit.c.received_on <= (known_on or on)).subquery()
    remembered = sa.or_(
        *(
            sa.and_(newest.c.list_code == rule.code, newest.c.event_on > on - timedelta(days=rule.forget_days))
            for rule in rules.lists.values()
        )
    )
    return (
        sa.select(*(newest.c[c.name] for c in hit.c))
        .where(
            newest.c.version == 1,
            newest.c.event_on <= on,
            sa.or_(newest.c.removed_on.is_(None), newest.c.removed_on > on),
            remembered,
        )
        .subquery()
    )


@dataclass(frozen=True)
class WindowRow:
    """One window of an answer; None = the vendor did not tell."""

    window: str
    days: int
    apps: int | None
    orgs: int | None
    nbank_orgs: int | None


@dataclass(frozen=True)
class AnswerView:
    """One vendor's answer for one key, as a person reads it. ``note``: why the answer was not believed."""

    provider: str
    product: str
    key_type: str
    status: HitStatus
    words: str
    snapshot_on: date
    received_on: date
    expires_on: date | None
    purpose: str | None
    windows: tuple[WindowRow, ...]
    derived: Derived
    accel_words: str
    days_since_last: int | None
    note: str | None

    @property
    def is_real(self) -> bool:
        """Tell whether the vendor answered at all."""
        return self.status in (HitStatus.HIT, HitStatus.NO_HIT)


@dataclass(frozen=True)
class HitView:
    """One list hit in words."""

    provider: str
    list_code: str
    words: str
    severity: int
    event_on: date
    received_on: date
    is_confirmed: bool


@dataclass(frozen=True)
class OutsideSignals:
    """All that was known of a customer from outside on a day."""

    customer_id: int
    as_of: date
    last_asked_on: date | None
    answers: tuple[AnswerView, ...]
    hits: tuple[HitView, ...]
    worst_severity: int | None
    list_weight: float

    @property
    def status(self) -> HitStatus:
        """Return the status of the answer that speaks; not_queried without one."""
        return self.speaks.status if self.speaks else HitStatus.NOT_QUERIED

    @property
    def words(self) -> str:
        """Say the status to a person."""
        return STATUS_WORDS[self.status]

    @property
    def speaks(self) -> AnswerView | None:
        """Return the answer that speaks for the customer: the newest real one."""
        told = [a for a in self.answers if a.product == PRODUCT]
        return max(told, key=lambda a: (a.is_real, a.snapshot_on, a.received_on, a.provider), default=None)


def outside_signals(session: Session, customer_id: int, *, as_of: date, known_on: date | None = None) -> OutsideSignals:
    """Return what was known of one customer; ``not_queried`` when no answer was in force."""
    of_one = sa.select(sa.literal(customer_id).label("customer_id")).subquery()
    known = answers_as_of(as_of, known_on=known_on, product=None, wanted=of_one)
    newest = newest_answers(known, by=("customer_id", "provider", "product", "key_type"))
    rows = session.execute(sa.select(newest).order_by(newest.c.provider, newest.c.product, newest.c.key_type)).all()
    hits, rules = _hits(session, customer_id, as_of, known_on or as_of), list_rules()
    plain = [Hit(h.list_code, h.severity, h.event_on, h.is_confirmed) for h in hits]
    return OutsideSignals(
        customer_id=customer_id,
        as_of=as_of,
        last_asked_on=max((r.received_on for r in rows if r.hit_status != HitStatus.NOT_QUERIED), default=None),
        answers=tuple(_answer(r, as_of) for r in rows),
        hits=hits,
        worst_severity=worst_severity(plain, on=as_of, rules=rules),
        list_weight=weight(plain, on=as_of, rules=rules),
    )


def _answer(row: Any, as_of: date) -> AnswerView:
    rules, key, status = lending_rules(as_of), KeyType(row.key_type), HitStatus(row.hit_status)
    fields: Mapping[str, Any] = row.fields
    told = {n: v for n, v in fields.items() if isinstance(v, int) and not isinstance(v, bool)}
    derived = derive(told, key=key, rules=rules)
    figures = [
        WindowRow(w, days, *(told.get(f"ml_{key}_{n}_{w}") for n in ("all_apps", "all_orgs", "nbank_orgs")))
        for w, days in rules.windows
    ]
    return AnswerView(
        provider=row.provider, product=row.product, key_type=row.key_type, status=status,
        words=STATUS_WORDS[status], snapshot_on=row.snapshot_on, received_on=row.received_on,
        expires_on=row.expires_on, purpose=row.purpose_code,
        windows=tuple(figures) if told else (), derived=derived, accel_words=accel_words(derived.accel),
        days_since_last=told.get(f"ml_{key}_all_days_since_last_app"), note=fields.get("flag_contradiction"),
    )  # fmt: skip


def _hits(session: Session, customer_id: int, on: date, known_on: date) -> tuple[HitView, ...]:
    hits, rules = hits_as_of(on, known_on=known_on), list_rules()
    rows = session.execute(
        sa.select(hits).where(hits.c.customer_id == customer_id).order_by(hits.c.severity.desc(), hits.c.event_on)
    ).all()
    return tuple(
        HitView(
            provider=r.provider, list_code=r.list_code, words=rules.lists[r.list_code].words, severity=r.severity,
            event_on=r.event_on, received_on=r.received_on, is_confirmed=r.is_confirmed,
        )
        for r in rows
    )  # fmt: skip


def get_customer_id(session: Session, customer_ref: str, *, source: str | None = None) -> int:
    """Return the customer of a lender's reference; raise NotFound, or InvalidInput when two sources use it."""
    statement = sa.select(Customer.id, Customer.source).where(Customer.customer_ref == customer_ref)
    found = session.execute(statement.where(Customer.source == source) if source else statement).all()
    if not found:
        raise NotFound(f"no customer {customer_ref!r}" + (f" of source {source}" if source else ""))
    if len(found) > 1:
        raise InvalidInput(f"customer {customer_ref!r} is known to {', '.join(r.source for r in found)}: name a source")
    return int(found[0].id)


@dataclass(frozen=True)
class CostRow:
    """What a vendor was paid in a month. ``per_hit`` None without a hit; ``unpriced`` questions told no price."""

    month: date
    provider: str
    product: str
    queries: int
    hits: int
    unpriced: int
    spent: Money | None
    per_hit: Money | None


def list_costs(session: Session, *, as_of: date) -> tuple[CostRow, ...]:
    """Return the spend by month, provider, product and currency up to a day.

    A question is paid once: the first version of an answer carries the price and the month, corrections are free.
    Answers of our own computation ask nobody.
    """
    answer = table_of(ExternalSignal)
    version = sa.func.row_number().over(
        partition_by=[answer.c[c] for c in ("customer_id", "provider", "product", "key_type", "snapshot_on")],
        order_by=[answer.c.received_on, answer.c.id],
    )
    first = (
        sa.select(answer, version.label("version"))
        .where(
            answer.c.received_on <= as_of,
            answer.c.hit_status != HitStatus.NOT_QUERIED,
            ~answer.c.provider.startswith(OWN_PROVIDER),
        )
        .subquery()
    )
    year, month = (sa.extract(part, first.c.received_on) for part in ("year", "month"))
    grouped = (year, month, first.c.provider, first.c.product, first.c.cost_currency)
    rows = session.execute(
        sa.select(
            year.label("year"), month.label("month"), first.c.provider, first.c.product, first.c.cost_currency,
            sa.func.count().label("queries"),
            sa.func.sum(sa.case((first.c.hit_status == HitStatus.HIT, 1), else_=0)).label("hits"),
            sa.func.sum(sa.case((first.c.cost_amount.is_(None), 1), else_=0)).label("unpriced"),
            sa.func.sum(first.c.cost_amount).label("spent"),
        )
        .where(first.c.version == 1).group_by(*grouped).order_by(*grouped)
    ).all()  # fmt: skip
    return tuple(
        CostRow(
            month=date(int(r.year), int(r.month), 1), provider=r.provider, product=r.product, queries=r.queries,
            hits=int(r.hits), unpriced=int(r.unpriced), spent=_money(r.spent, r.cost_currency),
            per_hit=_money(_rounded(int(r.spent), int(r.hits)) if r.hits and r.spent is not None else None,
                           r.cost_currency),
        )
        for r in rows
    )  # fmt: skip


def _money(minor: int | None, currency: str | None) -> Money | None:
    return None if minor is None or currency is None else Money(int(minor), currency)


def _rounded(whole: int, parts: int) -> int:
    """Divide minor units, half up."""
    return (2 * whole + parts) // (2 * parts)


def list_bureaus(session: Session, *, as_of: date) -> tuple[str, ...]:
    """Return the providers that were asked for raw enquiries up to a day, in order."""
    signal = table_of(ExternalSignal)
    rows = session.scalars(
        sa.select(signal.c.provider)
        .where(signal.c.product == ENQUIRIES, signal.c.received_on <= as_of)
        .distinct()
        .order_by(signal.c.provider)
    )
    return tuple(rows)
