"""The canonical entities of a feed: their fields, what makes a row the same row, and what may be taken back.

Field names are the tables' own (domain brief §8.1-8.14). Lengths and limits are those of the columns that
take the values, so that a value which the database would refuse is quarantined with a reason instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from collections_app.domain.contact import Channel, CollectorRole, PointKind
from collections_app.domain.customer_events import CustomerEventKind
from collections_app.domain.multi_lending import PRODUCT, KeyType
from collections_app.domain.outcomes import Disposition, Outcome
from strategies.parameters.products import product_names

# A field's kind says what its values are; the types of a mapping say how they are written.
KINDS: dict[str, tuple[str, ...]] = {
    "id": ("id", "text"),
    "text": ("text", "id"),
    "list": ("list", "text"),
    "enum": ("enum", "text"),
    "currency": ("currency", "text"),
    "int": ("int",),
    "money": ("minor", "amount"),
    "rate": ("rate",),
    "date": ("date", "months_before"),
    "instant": ("instant",),
    "bool": ("bool",),
    "json": ("json",),
}

INT32 = (-(2**31), 2**31 - 1)
# Stands in ``Entity.unsaid`` for the day of which the file speaks.
BUSINESS_DATE = object()


@dataclass(frozen=True)
class Column:
    """One canonical field. ``length`` in characters; ``low`` and ``high`` inclusive, money in minor units."""

    kind: str
    required: bool = False
    length: int | None = None
    values: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None

    @property
    def type(self) -> str:
        """Return the type that a mapping's field has unless it names one."""
        return KINDS[self.kind][0]


@dataclass(frozen=True)
class Entity:
    """A kind of row: its fields by name, its key, and whether ``op = delete`` means anything for it."""

    columns: dict[str, Column]
    key: tuple[str, ...]
    # Why a delete is refused; empty = a delete is accepted.
    keeps: str = ""
    # Numbered answers of a vendor beside the named fields (ml_id_all_apps_7d, ...).
    prefix: str = ""
    # What a field of the key means when it is not told: a row that says so is the same row.
    unsaid: Mapping[str, object] = field(default_factory=dict)

    @property
    def required(self) -> frozenset[str]:
        """Return the fields that a mapping must make."""
        return frozenset(name for name, column in self.columns.items() if column.required)

    def column(self, name: str) -> Column | None:
        """Return a field by name; None when the entity has none of it."""
        if self.prefix and name.startswith(self.prefix):
            return _COUNT
        return self.columns.get(name) or COMMON.get(name)


def _id() -> Column:
    return Column("id", length=64)


def _text(length: int) -> Column:
    return Column("text", length=length)


def _enum(*values: str) -> Column:
    return Column("enum", values=values)


def _int(low: int = 0, high: int = INT32[1]) -> Column:
    return Column("int", low=low, high=high)


def _need(column: Column) -> Column:
    return replace(column, required=True)


# 15 digits: an account's thousands of instalments, and a customer's accounts, still add up in 64 bits.
_MOST = 10**15 - 1
_MONEY = Column("money", low=-_MOST, high=_MOST)
_DUE = Column("money", low=0, high=_MOST)
# A yearly rate as a fraction, in billionths: 0 to 1000%.
_RATE = Column("rate", low=0, high=10 * 10**9)
# A part of an amount, in billionths.
_SHARE = Column("rate", low=0, high=10**9)
_DATE = Column("date")
_INSTANT = Column("instant")
_BOOL = Column("bool")
_CURRENCY = Column("currency", length=3)
_COUNT = Column("int", low=0)

# Recognised on every entity: what to do with the row, and since when it is so by the source's own clock.
COMMON: dict[str, Column] = {"op": _enum("upsert", "delete"), "valid_from": _INSTANT}

STATUSES = ("active", "closed", "settled", "charged_off", "sold", "legal", "forborne")
FAMILIES = ("card", "instalment", "revolving", "bnpl", "mortgage", "auto", "micro")
PAYMENT_KINDS = ("payment", "reversal", "chargeback", "refund", "waiver", "writeoff_recovery", "transfer")
REVERSING = ("reversal", "chargeback")
HIT_STATUSES = ("hit", "no_hit", "error", "not_queried")

_FACTS = "payments are facts; send a reversal"
_STAYS = "what was owed stays on record; send its new status"

ENTITIES: dict[str, Entity] = {
    "customers": Entity(
        {
            "customer_ref": _need(_id()), "full_name": _text(200),
            "party_type": _enum("person", "sole_trader", "corporate"), "language": _text(16),
            "country": _need(_text(2)), "regions": Column("list"), "zones": Column("list"),
        },
        key=("customer_ref",),
        keeps="a customer who owes stays on record",
    ),
    "accounts": Entity(
        {
            "account_ref": _need(_id()), "customer_ref": _need(_id()), "creditor": _need(_text(100)),
            "servicer": _text(64), "owner_since_on": _DATE, "collector_role": _need(_enum(*CollectorRole)),
            "product_code": _text(64), "product_family": _need(_enum(*FAMILIES)), "profile": _enum(*product_names()),
            "currency": _need(_CURRENCY), "opened_on": _DATE, "matures_on": _DATE, "limit_amount": _DUE,
            "interest_rate": _RATE, "penalty_rate": _RATE, "day_count": _enum("act_365", "act_360", "30_360"),
            "due_roll": _enum("none", "following", "preceding"), "grace_days": _int(0, 365),
            "tolerance_amount": _DUE, "tolerance_rate": _SHARE, "balance_amount": _need(_MONEY),
            "principal_amount": _MONEY, "interest_amount": _MONEY, "fees_amount": _MONEY, "penalty_amount": _MONEY,
            "arrears_source_amount": _DUE, "minimum_due_amount": _DUE, "due_source_on": _DATE,
            "dpd_source": _int(0, 9999), "bucket_source": _text(16), "status": _need(_enum(*STATUSES)),
            "charged_off_on": _DATE, "charged_off_amount": _DUE, "limitation_on": _DATE,
            "limitation_basis": _text(64), "ifrs9_stage": _int(1, 3), "reg_class_source": _text(24),
            "is_secured": _BOOL, "collateral_ref": _text(64), "itemization_on": _DATE, "itemization": Column("json"),
        },
        key=("account_ref",),
        keeps=_STAYS,
    ),
    "instalments": Entity(
        {
            "account_ref": _need(_id()), "seq": _need(_int(0, 100_000)), "due_on": _need(_DATE),
            "schedule_version": _int(0, 100_000), "kind": _enum("scheduled", "minimum", "balance", "plan"),
            "cycle_start_on": _DATE, "cycle_end_on": _DATE, "contract_due_on": _DATE, "rate": _RATE,
            "cost_due_amount": _DUE, "fee_due_amount": _DUE, "penalty_due_amount": _DUE,
            "interest_due_amount": _DUE, "principal_due_amount": _DUE,
        },
        key=("account_ref", "schedule_version", "seq"),
        unsaid={"schedule_version": 1},
    ),
    "contact_points": Entity(
        {
            "customer_ref": _need(_id()), "kind": _need(_enum(*PointKind)), "value": _need(_text(200)),
            "owner": _enum("debtor", "guarantor", "third_party", "unknown"), "quality": _text(24),
            "source": _text(32), "rank": _int(1, 99),
            "consent_kind": _enum("prior_express", "sms_direct", "email_notice"), "consent_at": _INSTANT,
            "consent_given_to": _enum("creditor", "collector"), "consent_revoked_at": _INSTANT,
        },
        key=("customer_ref", "kind", "value"),
    ),
    "payments": Entity(
        {
            "payment_ref": _need(_id()), "account_ref": _need(_id()), "amount": _need(replace(_DUE, low=1)),
            "currency": _need(_CURRENCY), "kind": _need(_enum(*PAYMENT_KINDS)),
            "status": _need(_enum("initiated", "pending", "settled", "failed")), "value_on": _need(_DATE),
            "initiated_at": _INSTANT, "posted_at": _INSTANT, "channel": _text(24), "reverses_ref": _id(),
            "directed_to": Column("json"),
        },
        key=("payment_ref",),
        keeps=_FACTS,
    ),
    "cycles": Entity(
        {
            "account_ref": _need(_id()), "cycle_end_on": _need(_DATE), "cycles_past_due": _int(-2, 99),
            "statement_amount": _MONEY, "paid_amount": _DUE,
        },
        key=("account_ref", "cycle_end_on"),
        keeps="a statement that was sent stays on record; send its corrected figures",
    ),
    "placements": Entity(
        {
            "account_ref": _need(_id()), "placed_with": _need(_text(64)), "batch": _need(_text(64)),
            "placed_on": _need(_DATE), "recall_due_on": _DATE, "recalled_on": _DATE,
            "placed_balance_amount": _need(_DUE), "placed_arrears_amount": _need(_DUE), "currency": _CURRENCY,
        },
        key=("account_ref", "placed_with", "batch"),
        keeps="a placement is a fixed denominator; send recalled_on",
    ),
    "agency_activity": Entity(
        {
            "attempt_ref": _need(_id()), "account_ref": _need(_id()), "agency": _need(_text(64)),
            "channel": _need(_enum(*Channel)), "point_kind": _need(_enum(*PointKind)),
            "point_value": _need(_text(200)), "started_at": _need(_INSTANT), "outcome": _need(_enum(*Outcome)),
            "disposition": _enum(*Disposition),
        },
        key=("agency", "attempt_ref"),
        keeps="an attempt that was made counts by law and stays on record",
    ),
    "signals": Entity(
        {
            "customer_ref": _need(_id()), "provider": _need(_text(40)), "product": _text(40),
            "snapshot_on": _need(_DATE), "received_on": _DATE, "key_type": _enum("id", "mobile"),
            "hit_status": _need(_enum(*HIT_STATUSES)), "purpose_code": _enum("post_loan", "pre_collection"),
            "consent_ref": _text(64), "vendor_version": _text(24), "cost_amount": _DUE, "cost_currency": _CURRENCY,
            "expires_on": _DATE,
        },
        key=("customer_ref", "provider", "product", "key_type", "snapshot_on", "received_on"),
        unsaid={"product": PRODUCT, "key_type": KeyType.ID.value, "received_on": BUSINESS_DATE},
        keeps="an answer that was given stays on record; send the corrected one",
        prefix="ml_",
    ),
    "enquiries": Entity(
        {
            "enquiry_ref": _need(_id()), "customer_ref": _need(_id()), "provider": _need(_text(40)),
            "key_type": _need(_enum("id", "mobile")), "institution": _need(_text(64)),
            "institution_type": _need(_text(16)), "enquired_at": _need(_INSTANT), "local_hour": _int(0, 23),
            "is_own": _need(_BOOL),
        },
        key=("provider", "enquiry_ref"),
        keeps="an enquiry that was made stays on record",
    ),
    "list_hits": Entity(
        {
            "hit_ref": _need(_id()), "customer_ref": _need(_id()), "provider": _need(_text(40)),
            "list_code": _need(_text(24)), "severity": _need(_int(1, 5)), "event_on": _need(_DATE),
            "is_confirmed": _need(_BOOL), "removed_on": _DATE,
        },
        key=("provider", "hit_ref"),
        keeps="a hit stays on record; send removed_on",
    ),
    "events": Entity(
        {
            "event_ref": _need(_id()), "account_ref": _need(_id()), "kind": _need(_enum(*CustomerEventKind)),
            "occurred_at": _need(_INSTANT), "amount": _DUE,
        },
        key=("event_ref",),
        keeps="what a customer did stays on record",
    ),
    "labels": Entity(
        {
            "account_ref": _need(_id()), "label": _need(_text(40)), "outcome": _need(_int()),
            "horizon_days": _int(1, 3650),
        },
        key=("account_ref", "label"),
        keeps="an outcome that was observed stays on record",
    ),
}  # fmt: skip
