"""Delinquency of a set of accounts, derived from facts alone (domain brief §2.1, §2.2).

Proven equal to the plain reference (domain/standing.derive_account) on random books. Linear in accounts; the caller
chooses how many come at once: about 3 KiB an account with six instalments and one payment.
"""

from datetime import date

import numpy as np
import polars as pl

from collections_app.ledger import frames
from collections_app.ledger.days import NEVER, Ints, dates
from collections_app.ledger.facts import Facts, lay_out
from collections_app.ledger.frames import Book, Derived
from collections_app.ledger.rounds import Log, Outcome, run
from collections_app.ledger.timeline import Spans, episodes, material_since, spans
from strategies.parameters.products import reg_class_of


def derive(book: Book, *, as_of: date) -> Derived:
    """Return how every account of the book stands as of a day, and all that led there.

    Bookings and statuses of later days are not there yet. A status of closed, settled or sold ends what is due from
    its day on. ValueError: an account twice, an unknown product profile, an unknown kind of instalment.
    """
    facts = lay_out(book, as_of)
    outcome, log = run(facts)
    found = spans(facts, outcome, log)
    lines = _allocations(facts, log)
    return Derived(
        accounts=_accounts(facts, outcome, found, as_of),
        instalments=_instalments(facts, outcome),
        allocations=lines,
        payments=_payments(facts, lines),
        standings=found.frame(facts.accounts),
        episodes=episodes(facts, found),
    )


def _accounts(facts: Facts, outcome: Outcome, found: Spans, as_of: date) -> pl.DataFrame:
    accounts, today = facts.accounts, facts.as_of
    is_gone = facts.gone <= today
    oldest = np.where(is_gone, NEVER, outcome.oldest)
    next_due = np.where(is_gone, NEVER, outcome.next_due)
    edge = np.where(is_gone, NEVER, facts.pauses.next_edge(np.arange(accounts.height), today))
    next_change = np.minimum(edge, np.where(next_due < NEVER, next_due + 1, NEVER))
    dpd = found.dpd_now(today)
    material = material_since(facts, found)
    collect_from = np.where(oldest < today, oldest + accounts["grace_days"].to_numpy() + 1, NEVER)
    limit = accounts["charge_off_dpd"].fill_null(NEVER).to_numpy()
    is_due = (dpd > 0) & (limit < NEVER) & (facts.charged_off > today)
    columns = {
        "account_id": accounts["account_id"],
        "profile": accounts["product"],
        "oldest_unpaid_due_on": dates(oldest),
        "next_due_on": dates(next_due),
        "next_change_on": dates(next_change),
        "collect_from_on": dates(collect_from),
        "arrears_amount": found.arrears[found.last],
        "dpd": dpd,
        "is_ageing": found.is_ageing[found.last],
        "dpd_regulatory": np.where(material < NEVER, today - material + 1, 0),
        "material_since_on": dates(material),
        "reg_class": _reg_classes(accounts["regulatory_table"], dpd, as_of),
        "charge_off_due_on": dates(np.where(is_due, today + limit - dpd, NEVER)),
    }
    return pl.DataFrame(columns, schema=frames.DERIVED_ACCOUNTS).sort("account_id")


def _reg_classes(tables: pl.Series, dpd: Ints, as_of: date) -> pl.Series:
    """Return the regulatory class of each account: the one rule is asked once per distinct table and DPD."""
    asked = pl.DataFrame({"table": tables, "dpd": dpd})
    distinct = asked.unique()
    classes = [reg_class_of(days, table, as_of) for table, days in distinct.iter_rows()]
    answers = distinct.with_columns(reg_class=pl.Series(classes, dtype=pl.String))
    return asked.join(answers, on=["table", "dpd"], how="left", maintain_order="left")["reg_class"]


def _instalments(facts: Facts, outcome: Outcome) -> pl.DataFrame:
    slots = facts.slots
    columns = {
        "account_id": facts.accounts["account_id"].gather(slots.position),
        "schedule_version": slots.version,
        "seq": slots.seq,
        "paid_amount": slots.dues.sum(axis=1) - outcome.unpaid,
        "closed_on": dates(outcome.closed),
    }
    return pl.DataFrame(columns, schema=frames.DERIVED_INSTALMENTS)


def _allocations(facts: Facts, log: Log) -> pl.DataFrame:
    """Return the lines of all bookings, numbered from 1 in the order in which they were covered."""
    if not log.lines:
        return pl.DataFrame(schema=frames.DERIVED_ALLOCATIONS)
    booking, place, row, component, amount, rule = (np.concatenate(c) for c in zip(*log.lines, strict=True))
    order = np.lexsort((place, booking))
    booking, row, component, amount, rule = (a[order] for a in (booking, row, component, amount, rule))
    first = np.searchsorted(booking, booking)
    columns = {
        "payment_id": facts.bookings.payment_id[booking],
        "account_id": facts.accounts["account_id"].gather(facts.bookings.position[booking]),
        "line": np.arange(booking.size) - first + 1,
        "schedule_version": facts.slots.version[row],
        "instalment_seq": facts.slots.seq[row],
        "component": pl.Series(frames.COMPONENTS, dtype=pl.String).gather(component),
        "amount": amount,
        "rule": pl.Series(log.rules, dtype=pl.String).gather(rule),
    }
    return pl.DataFrame(columns, schema=frames.DERIVED_ALLOCATIONS)


def _payments(facts: Facts, lines: pl.DataFrame) -> pl.DataFrame:
    applied = lines.group_by("payment_id").agg(applied_amount=pl.col("amount").sum())
    return facts.payments.join(applied, on="payment_id", how="left").select(
        "payment_id",
        "account_id",
        "effective_amount",
        unapplied_amount=pl.col("effective_amount") - pl.col("applied_amount").fill_null(0),
    )
