"""The frames that go into the engine and come out of it: names, types and meaning of each column.

Amounts are minor units of the account's currency, rates are billionths per year, days are calendar dates of the
product's clock. A frame may carry more columns; they are not read. Row order never matters.
"""

from dataclasses import dataclass
from typing import Any

import polars as pl

Schema = dict[str, Any]

COMPONENTS = ("cost", "fee", "penalty", "interest", "principal")

# One row per account to derive. What the account does not tell (null) is told by its product (products.yaml).
# status_since_on: the day from which the present status holds; null = as_of. Read for closed, settled and sold
# accounts (nothing is due from that day on) and for charged_off ones without a charged_off_on.
ACCOUNTS: Schema = {
    "account_id": pl.Int64,
    "profile": pl.String,
    "product_family": pl.String,
    "currency": pl.String,
    "opened_on": pl.Date,
    "status": pl.String,
    "status_since_on": pl.Date,
    "charged_off_on": pl.Date,
    "grace_days": pl.Int64,
    "tolerance_amount": pl.Int64,
    "tolerance_rate": pl.Int64,
    "balance_amount": pl.Int64,
}
# The instalments in force: of the account's schedule version, and of its plan. due_on is already rolled (it may
# be null for kind "balance"). Key: account_id, schedule_version, seq. cycle_end_on: what a statement asks for
# (kinds minimum and balance) or a plan agrees (kind plan) can be covered only by payments after it; null = by any.
INSTALMENTS: Schema = {
    "account_id": pl.Int64,
    "schedule_version": pl.Int64,
    "seq": pl.Int64,
    "kind": pl.String,
    "cycle_end_on": pl.Date,
    "due_on": pl.Date,
    "rate": pl.Int64,
    **{f"{component}_due_amount": pl.Int64 for component in COMPONENTS},
}
# Everything booked on these accounts, as booked: the engine nets reversals and leaves out what is not settled.
# Key: payment_id; payment_ref orders payments of one day and is what reverses_ref names (within the account).
PAYMENTS: Schema = {
    "payment_id": pl.Int64,
    "account_id": pl.Int64,
    "payment_ref": pl.String,
    "kind": pl.String,
    "status": pl.String,
    "value_on": pl.Date,
    "amount": pl.Int64,
    "reverses_ref": pl.String,
}
# Both days are paused; until_on null = until further notice. Pauses may overlap.
PAUSES: Schema = {"account_id": pl.Int64, "from_on": pl.Date, "until_on": pl.Date}

# One row per account. oldest_unpaid_due_on may lie in the future. next_due_on: the first due date >= as_of with
# something unpaid. next_change_on: the first day after as_of on which more than ageing happens by itself (an
# instalment falls past due, a pause begins or ends); null = never. collect_from_on: first day on which collection
# may start, grace over; null = nothing past due. charge_off_due_on: the day the DPD reach the product's charge-off.
DERIVED_ACCOUNTS: Schema = {
    "account_id": pl.Int64,
    "profile": pl.String,
    "oldest_unpaid_due_on": pl.Date,
    "next_due_on": pl.Date,
    "next_change_on": pl.Date,
    "collect_from_on": pl.Date,
    "arrears_amount": pl.Int64,
    "dpd": pl.Int64,
    "is_ageing": pl.Boolean,
    "dpd_regulatory": pl.Int64,
    "material_since_on": pl.Date,
    "reg_class": pl.String,
    "charge_off_due_on": pl.Date,
}
# paid_amount: covered by cash or waiver. closed_on: since when no more than the tolerance is left; null = open.
DERIVED_INSTALMENTS: Schema = {
    "account_id": pl.Int64,
    "schedule_version": pl.Int64,
    "seq": pl.Int64,
    "paid_amount": pl.Int64,
    "closed_on": pl.Date,
}
# line counts from 1 in the order of allocation. rule: waterfall@version[/dpdN]; "waiver:" covers without cash,
# "refund:" takes back. Per payment: sum of lines + unapplied = effective.
DERIVED_ALLOCATIONS: Schema = {
    "payment_id": pl.Int64,
    "account_id": pl.Int64,
    "line": pl.Int64,
    "schedule_version": pl.Int64,
    "instalment_seq": pl.Int64,
    "component": pl.String,
    "amount": pl.Int64,
    "rule": pl.String,
}
# One row per payment row of the book. effective_amount: what is left after reversals (0 if it moves nothing).
DERIVED_PAYMENTS: Schema = {
    "payment_id": pl.Int64,
    "account_id": pl.Int64,
    "effective_amount": pl.Int64,
    "unapplied_amount": pl.Int64,
}
# Change points from the account's first event until as_of: on day t the DPD are dpd + (t - from_on) if ageing,
# else dpd. Two neighbouring rows never say the same.
DERIVED_STANDINGS: Schema = {
    "account_id": pl.Int64,
    "from_on": pl.Date,
    "dpd": pl.Int64,
    "is_ageing": pl.Boolean,
    "arrears_amount": pl.Int64,
}
# end_reason: domain.cases.EpisodeEnd; both null while the episode is open (max_dpd is then as of as_of).
DERIVED_EPISODES: Schema = {
    "account_id": pl.Int64,
    "entry_on": pl.Date,
    "entry_dpd": pl.Int64,
    "entry_arrears_amount": pl.Int64,
    "max_dpd": pl.Int64,
    "ended_on": pl.Date,
    "end_reason": pl.String,
}


def typed(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """Return the columns of ``schema`` in its order and types; a column that may be null may be absent."""
    known = set(frame.columns)
    return frame.select(
        (pl.col(name).cast(dtype) if name in known else pl.lit(None, dtype).alias(name))
        for name, dtype in schema.items()
    )


@dataclass(frozen=True)
class Book:
    """The facts of a set of accounts. Instalments, payments and pauses of other accounts are left out."""

    accounts: pl.DataFrame
    instalments: pl.DataFrame
    payments: pl.DataFrame
    pauses: pl.DataFrame


@dataclass(frozen=True)
class Derived:
    """What follows from a book, as of one day."""

    accounts: pl.DataFrame
    instalments: pl.DataFrame
    allocations: pl.DataFrame
    payments: pl.DataFrame
    standings: pl.DataFrame
    episodes: pl.DataFrame
