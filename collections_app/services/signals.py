"""Outside signals in: vendors' answers, raw enquiries, list hits; and answers of our own made of the enquiries.

Append-only: what was told stays, a correction is a later row, and what says nothing new writes nothing.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db import bulk
from collections_app.db.base import table_of
from collections_app.db.tables import Account, CreditEnquiry, Customer, Episode, ExternalSignal, ListHit
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.errors import InvalidInput
from collections_app.domain.multi_lending import ENQUIRIES, OWN_PROVIDER, PRODUCT, HitStatus, KeyType, LendingRules
from collections_app.domain.permissions import Permission
from collections_app.intake.plausibility import contradictions
from collections_app.queries.multi_lending import POINTS, count_parts, name_columns, read_enquiries
from collections_app.queries.signals import answers_as_of, list_bureaus, newest_answers
from strategies.signals import lending_rules, list_rules

_ANSWER = {
    "product": pl.String, "key_type": pl.String, "purpose_code": pl.String, "consent_ref": pl.String,
    "vendor_version": pl.String, "cost_amount": pl.Int64, "cost_currency": pl.String, "expires_on": pl.Date,
    "received_on": pl.Date,
}  # fmt: skip
_TERMS = ("purpose_code", "consent_ref", "vendor_version", "cost_amount", "cost_currency", "expires_on")
_QUESTION = ("customer_id", "provider", "product", "key_type", "snapshot_on")
_HIT = ("customer_id", "list_code", "severity", "event_on", "is_confirmed", "removed_on")
_ASKED = {
    "customer_id": pl.Int64, "key_type": pl.String, "snapshot_on": pl.Date, "hit_status": pl.String,
    "purpose_code": pl.String, "consent_ref": pl.String, "expires_on": pl.Date, "received_on": pl.Date,
}  # fmt: skip
# Customers whose enquiries are counted at once: the peak of memory.
_CUSTOMERS = 20_000


def write_signals(session: Session, frame: pl.DataFrame, *, source: str, business_date: date) -> int:
    """Append vendors' answers (entity ``signals``); return how many said something new.

    No hit is not zero (T28): only a hit carries counts. An answer that contradicts itself is kept as the vendor's
    error with what it told beside the reason. Raise InvalidInput when a question lacks purpose or consent.
    """
    told = _completed(frame, _ANSWER).with_columns(
        pl.col("product").fill_null(PRODUCT),
        pl.col("key_type").fill_null(KeyType.ID.value),
        pl.col("received_on").fill_null(business_date),
    )
    require_consent(told)
    counts = [c for c in told.columns if c.startswith("ml_")]
    told = _with_fields(told, counts, lending_rules(business_date)).drop(counts)
    return _append_answers(session, told, source=source)


def require_consent(answers: pl.DataFrame) -> None:
    """Raise InvalidInput unless every question that was asked names its purpose and its consent (§8.14)."""
    asked = answers.filter(pl.col("hit_status") != HitStatus.NOT_QUERIED)
    without = asked.filter(pl.col("purpose_code").is_null() | pl.col("consent_ref").is_null()).height
    if without:
        raise InvalidInput(
            f"{without} of {asked.height} answers name no purpose or no consent: a vendor may be asked only with both",
            code="query_without_consent",
        )


def write_enquiries(session: Session, frame: pl.DataFrame, *, source: str, business_date: date) -> int:
    """Append raw enquiries (entity ``enquiries``), known from ``business_date`` on; return how many are new."""
    told = _completed(frame, {"local_hour": pl.Int64})
    staged = bulk.stage(session, "staged_enquiry", told, index=("customer_ref",))
    names = ("provider", "enquiry_ref", "key_type", "institution", "institution_type", "enquired_at", "local_hour",
             "is_own")  # fmt: skip
    columns: dict[str, Any] = {c: staged.c[c] for c in names}
    columns |= {"customer_id": table_of(Customer).c.id, "received_on": sa.literal(business_date, sa.Date())}
    return bulk.upsert(
        session, table_of(CreditEnquiry), staged, keys=("provider", "enquiry_ref"), columns=columns,
        origin=_by_customer(staged, source),
    )  # fmt: skip


def write_list_hits(session: Session, frame: pl.DataFrame, *, source: str, business_date: date) -> int:
    """Append list hits (entity ``list_hits``), known from ``business_date`` on; return how many said something new."""
    usual = {rule.code: rule.severity for rule in list_rules().lists.values()}
    told = _completed(frame, {"severity": pl.Int64, "removed_on": pl.Date}).with_columns(
        severity=pl.col("severity").fill_null(
            pl.col("list_code").replace_strict(usual, default=1, return_dtype=pl.Int64)
        ),
        received_on=pl.lit(business_date),
    )
    staged = bulk.stage(session, "staged_list_hit", told, index=("customer_ref",))
    names = ("provider", "hit_ref", "list_code", "severity", "event_on", "is_confirmed", "removed_on", "received_on")
    columns: dict[str, Any] = {c: staged.c[c] for c in names} | {"customer_id": table_of(Customer).c.id}
    return _append(
        session, table_of(ListHit), staged, origin=_by_customer(staged, source), columns=columns,
        subject=("provider", "hit_ref"), said=_HIT,
    )  # fmt: skip


def _completed(frame: pl.DataFrame, optional: Mapping[str, Any]) -> pl.DataFrame:
    told = {c: pl.col(c) if c in frame.columns else pl.lit(None) for c in optional}
    return frame.with_columns(e.cast(optional[c]).alias(c) for c, e in told.items())


def _by_customer(staged: sa.Table, source: str) -> sa.FromClause:
    customer = table_of(Customer)
    owner = sa.and_(customer.c.source == source, customer.c.customer_ref == staged.c.customer_ref)
    return staged.join(customer, owner)


def _with_fields(told: pl.DataFrame, counts: list[str], rules: LendingRules) -> pl.DataFrame:
    """Pack the counts of hits as JSON ``fields``; a contradiction becomes the vendor's error and keeps its evidence."""
    nothing = pl.lit("{}")
    if not counts:
        return told.with_columns(fields=nothing)
    reason = contradictions(told, rules)
    packed = pl.struct(counts).struct.json_encode()
    evidence = pl.struct(flag_contradiction=reason, told=pl.struct(counts)).struct.json_encode()
    is_hit = pl.col("hit_status") == HitStatus.HIT
    fields = pl.when(is_hit).then(packed).otherwise(nothing)
    if reason.null_count() < reason.len():
        fields = pl.when(reason.is_not_null()).then(evidence).otherwise(fields)
    return told.with_columns(
        fields=fields,
        hit_status=pl.when(is_hit & reason.is_not_null()).then(pl.lit(HitStatus.ERROR.value)).otherwise("hit_status"),
    )


def _append_answers(session: Session, told: pl.DataFrame, *, source: str | None) -> int:
    """Append answers keyed by ``customer_ref`` of a source, or by ``customer_id`` without one."""
    key = "customer_ref" if source else "customer_id"
    staged = bulk.stage(session, "staged_signal", told, index=(key,))
    names = ("provider", "product", "key_type", "snapshot_on", "received_on", "hit_status", *_TERMS)
    columns: dict[str, Any] = {c: staged.c[c] for c in names}
    columns["customer_id"] = table_of(Customer).c.id if source else staged.c.customer_id
    columns["fields"] = bulk.as_json(session, staged.c.fields)
    return _append(
        session, table_of(ExternalSignal), staged, columns=columns, subject=_QUESTION,
        origin=_by_customer(staged, source) if source else staged, said=("hit_status", *_TERMS, "fields"),
    )  # fmt: skip


def _append(
    session: Session,
    target: sa.Table,
    staged: sa.Table,
    *,
    origin: sa.FromClause,
    columns: Mapping[str, Any],
    subject: tuple[str, ...],
    said: tuple[str, ...],
) -> int:
    """Insert versions that differ from the newest one known on their day; the same day's last word replaces itself."""
    before, newer = target.alias("before"), target.alias("newer")
    same = [before.c[c] == columns[c] for c in subject]
    latest = (
        sa.select(sa.func.max(newer.c.received_on))
        .where(*(newer.c[c] == columns[c] for c in subject), newer.c.received_on <= staged.c.received_on)
        .correlate(*_origin_tables(origin))
        .scalar_subquery()
    )
    known = (
        sa.exists()
        .where(*same, before.c.received_on == latest, *(before.c[c].is_not_distinct_from(columns[c]) for c in said))
        .correlate(*_origin_tables(origin))
    )
    # Filtered here and not in the upsert: a version that is known already is not written at all.
    fresh = sa.select(*(e.label(n) for n, e in columns.items())).select_from(origin).where(~known).subquery()
    keys = (*(c for c in subject if c in target.c), "received_on")
    return bulk.upsert(
        session, target, staged, keys=keys, columns={c: fresh.c[c] for c in columns}, update=tuple(said), origin=fresh
    )


def _origin_tables(origin: sa.FromClause) -> Iterator[sa.FromClause]:
    """Yield the tables that a join is made of: what a correlated subquery may refer to."""
    if isinstance(origin, sa.sql.expression.Join):
        yield from _origin_tables(origin.left)
        yield from _origin_tables(origin.right)
    else:
        yield origin


def refresh(uow: UnitOfWork, *, business_date: date) -> dict[str, int]:
    """Compute the answers of every bureau that hands over raw enquiries; return the sums of what ``compute`` says."""
    said: dict[str, int] = {}
    for bureau in list_bureaus(uow.session, as_of=business_date):
        for name, count in compute(uow, as_of=business_date, provider=bureau).items():
            said[name] = said.get(name, 0) + count
    return said


def compute(uow: UnitOfWork, *, as_of: date, provider: str) -> dict[str, int]:
    """Turn a bureau's raw enquiries into answers of our own, as known on ``as_of``; twice a day changes nothing.

    Whom the bureau was asked about, and whether it knew them, its answers of product ``enquiries`` say: their day is
    the day that the windows end on, and their purpose, consent and expiry are those of the result. Without such an
    answer in force a customer stays ``not_queried`` and has no row, whatever enquiries lie about. Only customers of
    whom there is news are counted again. Returns {asked, counted (of these), hit, no_hit, error (of the counted),
    written, without_query: customers with enquiries that nothing allows to use}.
    """
    uow.actor.require(Permission.FEED_IMPORT)
    session, rules = uow.session, lending_rules(as_of)
    answers = newest_answers(answers_as_of(as_of, product=ENQUIRIES), by=("customer_id", "provider", "key_type"))
    asked = bulk.read(
        session, sa.select(*(answers.c[c] for c in _ASKED)).where(answers.c.provider == provider), _ASKED
    ).filter(pl.col("hit_status") != HitStatus.NOT_QUERIED)
    asked = asked.join(_entries(session, as_of), on="customer_id", how="left")
    arrivals = _arrivals(session, provider, as_of)
    due = _due(session, asked, arrivals, provider=provider, as_of=as_of, rules=rules)
    said = {"asked": asked.height, "counted": due.height, "hit": 0, "no_hit": 0, "error": 0, "written": 0}
    for start, end in _ranges(due["customer_id"]):
        part = due.slice(start, end - start)
        told = pl.concat(_answers(session, part, provider=provider, as_of=as_of, rules=rules), how="diagonal")
        for status, count in told["hit_status"].value_counts().iter_rows():
            said[status] += count
        said["written"] += _append_answers(session, told, source=None)
    return said | {"without_query": arrivals.join(asked, on="customer_id", how="anti").height}


def _due(
    session: Session, asked: pl.DataFrame, arrivals: pl.DataFrame, *, provider: str, as_of: date, rules: LendingRules
) -> pl.DataFrame:
    """Return the questions, in order, that have no answer of ours yet, or of whom something came since we counted."""
    own = answers_as_of(as_of)
    counted = bulk.read(
        session,
        sa.select(
            own.c.customer_id, own.c.key_type, own.c.snapshot_on, own.c.received_on.label("counted_on"),
            own.c.vendor_version,
        ).where(own.c.provider == f"{OWN_PROVIDER}:{provider}"),
        {"customer_id": pl.Int64, "key_type": pl.String, "snapshot_on": pl.Date, "counted_on": pl.Date,
         "vendor_version": pl.String},
    )  # fmt: skip
    news = pl.max_horizontal("received_on", "arrived_on", "entry_on")
    # News of the day of counting itself may have come after it: that day is looked at twice.
    recent = (pl.col("counted_on") >= as_of - timedelta(days=1)) & (news == pl.col("counted_on"))
    stale = pl.col("counted_on").is_null() | (news > pl.col("counted_on")) | recent
    other_rules = pl.col("vendor_version") != _version(rules)
    return (
        asked.join(counted, on=["customer_id", "key_type", "snapshot_on"], how="left")
        .join(arrivals, on="customer_id", how="left")
        .filter(stale | other_rules)
        .select(asked.columns)
        .sort("customer_id", "key_type")
    )


def _arrivals(session: Session, provider: str, as_of: date) -> pl.DataFrame:
    """Return since when the newest enquiry of each customer is known."""
    enquiry = table_of(CreditEnquiry)
    statement = (
        sa.select(enquiry.c.customer_id, sa.func.max(enquiry.c.received_on).label("arrived_on"))
        .where(enquiry.c.provider == provider, enquiry.c.received_on <= as_of)
        .group_by(enquiry.c.customer_id)
    )
    return bulk.read(session, statement, {"customer_id": pl.Int64, "arrived_on": pl.Date})


def _version(rules: LendingRules) -> str:
    return f"windows {rules.version}"


def _ranges(customers: pl.Series) -> Iterator[tuple[int, int]]:
    """Yield slices of sorted customer ids that never part the keys of one customer."""
    starts = customers.rle().struct.field("len").cum_sum().to_list()
    last = 0
    for end in [*starts[_CUSTOMERS - 1 :: _CUSTOMERS], *starts[-1:]]:
        if end > last:
            yield last, end
        last = end


def _answers(
    session: Session, asked: pl.DataFrame, *, provider: str, as_of: date, rules: LendingRules
) -> Iterator[pl.DataFrame]:
    own = {
        "provider": f"{OWN_PROVIDER}:{provider}", "product": PRODUCT, "received_on": as_of,
        "vendor_version": _version(rules),
    }  # fmt: skip
    asked = _completed(asked, {"cost_amount": pl.Int64, "cost_currency": pl.String}).with_columns(
        *(pl.lit(v).alias(c) for c, v in own.items()), fields=pl.lit("{}")
    )
    yield asked.filter(pl.col("hit_status") == HitStatus.ERROR).drop("entry_on")
    points = asked.filter(pl.col("hit_status") != HitStatus.ERROR)
    if points.is_empty():
        return
    oldest: Any = points["snapshot_on"].min()
    since = oldest - timedelta(days=rules.look_back)
    events = read_enquiries(session, provider=provider, customers=points["customer_id"], since=since)
    wanted = points.rename({"snapshot_on": "as_of"}).select(list(POINTS))
    for counted in count_parts(events, wanted, known_on=as_of, rules=rules):
        for key in KeyType:
            named = name_columns(counted, key)
            counts = [c for c in named.columns if c.startswith("ml_")]
            fields = named.select("customer_id", "key_type", f"ml_{key}_all_apps_{rules.windows[-1][0]}",
                                  packed=pl.struct(counts).struct.json_encode())  # fmt: skip
            yield _judged(points, fields)


def _judged(points: pl.DataFrame, fields: pl.DataFrame) -> pl.DataFrame:
    """Put counts to the questions. Whom the bureau did not know has none, unless enquiries came that say otherwise."""
    seen = pl.col(fields.columns[2]) > 0
    is_hit = (pl.col("hit_status") == HitStatus.HIT) | seen
    return (
        points.join(fields, on=["customer_id", "key_type"])
        .with_columns(
            hit_status=pl.when(is_hit).then(pl.lit(HitStatus.HIT.value)).otherwise("hit_status"),
            fields=pl.when(is_hit).then("packed").otherwise("fields"),
        )
        .drop("packed", fields.columns[2], "entry_on")
    )


def _entries(session: Session, as_of: date) -> pl.DataFrame:
    """Return since when each customer is overdue: the first of the episodes that are open on the day."""
    statement = (
        sa.select(Account.customer_id, sa.func.min(Episode.entry_on).label("entry_on"))
        .join(Account, Account.id == Episode.account_id)
        .where(Episode.entry_on <= as_of, sa.or_(Episode.ended_on.is_(None), Episode.ended_on > as_of))
        .group_by(Account.customer_id)
    )
    return bulk.read(session, statement, {"customer_id": pl.Int64, "entry_on": pl.Date})
