"""Rows that contradict themselves are set aside with a reason, and canonical fields fit the tables that take them."""

import csv
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from collections_app.db import tables as t
from collections_app.db.base import table_of
from collections_app.intake.entities import COMMON, ENTITIES
from collections_app.intake.feed import parse_file
from collections_app.intake.mapping import load_mapping

DAY = date(2026, 3, 2)
OWN = load_mapping("own_feed")
ROWS: dict[str, dict[str, object]] = {
    "accounts": {
        "account_id": "A1", "customer_id": "C1", "creditor_id": "Bank", "collector_role": "first_party",
        "product_family": "card", "ccy": "USD", "balance_total": 100, "balance_principal": 70, "balance_interest": 20,
        "balance_fees": 10, "balance_penalty": 0, "status": "active",
    },
    "payments": {
        "payment_id": "P1", "account_id": "A1", "amount": 5, "ccy": "USD", "kind": "payment", "status": "settled",
        "value_date": "2026-03-01", "reverses_payment_id": "",
    },
    "signals": {
        "customer_id": "C1", "provider": "bureau", "snapshot_asof": "2026-03-01", "received_on": "2026-03-02",
        "hit_status": "hit", "purpose_code": "post_loan", "consent_id": "K1", "ml_id_all_apps_7d": 2,
    },
    "instalments": {
        "account_id": "A1", "seq": 1, "due_date": "2026-04-01", "kind": "scheduled", "principal_due": 100,
        "interest_due": 7, "cycle_start_date": "2026-03-01", "cycle_end_date": "2026-03-31",
    },
    "contact_points": {"customer_id": "C1", "kind": "mobile", "value": "+12125550100", "owner": "debtor"},
    "placements": {
        "account_id": "A1", "placed_with": "agency-1", "batch": "2026-03", "placed_on": "2026-03-01",
        "recalled_on": "", "placed_balance": 100, "placed_arrears": 10,
    },
    "agency_activity": {
        "attempt_id": "T1", "account_id": "A1", "agency": "agency-1", "channel": "voice", "point_kind": "mobile",
        "point_value": "+12125550100", "started_at": "2026-03-01T15:00:00Z", "outcome": "no_answer",
    },
    "enquiries": {
        "enquiry_id": "E1", "customer_id": "C1", "provider": "bureau", "key_type": "id", "institution": "i7",
        "institution_type": "bank", "enquired_at": "2026-02-01T02:00:00Z", "local_hour": 2, "is_own": "false",
    },
    "list_hits": {
        "hit_id": "H1", "customer_id": "C1", "provider": "court", "list_code": "court_executed", "severity": 3,
        "event_date": "2025-12-01", "is_confirmed": "true",
    },
    "events": {
        "event_id": "V1", "account_id": "A1", "kind": "spend", "occurred_at": "2026-03-01T14:05:00Z", "amount": 1200,
    },
}  # fmt: skip


def refusals(folder: Path, entity: str, *rows: dict[str, object]) -> list[tuple[int, str, str]]:
    path = folder / f"{entity}_delta_001.csv"
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with path.open("w", newline="") as out:
        writer = csv.DictWriter(out, columns)
        writer.writeheader()
        writer.writerows(rows)
    parsed = parse_file(path, OWN, DAY)
    assert parsed.frames[entity].height == len(rows) - parsed.refused_rows
    return [(r.line, r.column, r.reason) for r in parsed.rejects]


@pytest.mark.parametrize("entity", ROWS)
def test_a_good_row_of_each_entity_is_taken_with_its_op_and_source_time(tmp_path: Path, entity: str) -> None:
    row = ROWS[entity] | {"op": "upsert", "valid_from": "2026-03-01T22:00:00Z", "source_system": "s", "x_note": "n"}
    assert refusals(tmp_path, entity, row) == []


@pytest.mark.parametrize(
    ("entity", "change", "column", "reason"),
    [
        ("accounts", {"balance_total": 101}, "balance_total", "balance is not the sum of its parts"),
        ("accounts", {"op": "delete"}, "op", "cannot be deleted: what was owed stays on record; send its new status"),
        ("accounts", {"ifrs9_stage": 4}, "ifrs9_stage", "is above 3"),
        ("payments", {"op": "delete"}, "op", "cannot be deleted: payments are facts; send a reversal"),
        ("payments", {"kind": "reversal"}, "reverses_payment_id",
         "a reversal or chargeback must name the payment that it reverses"),
        ("payments", {"kind": "chargeback", "reverses_payment_id": "P1"}, "reverses_payment_id",
         "a payment cannot reverse itself"),
        ("payments", {"amount": 0}, "amount", "is below 1"),
        ("signals", {"purpose_code": ""}, "purpose_code",
         "an answer must say for what purpose the vendor was asked"),
        ("signals", {"consent_id": ""}, "consent_id",
         "an answer must name the consent by which the vendor was asked"),
        ("signals", {"hit_status": "no_hit", "ml_id_all_apps_7d": "", "consent_id": ""}, "consent_id",
         "an answer must name the consent by which the vendor was asked"),
        ("list_hits", {"severity": 6}, "severity", "is above 5"),
        ("events", {"amount": ""}, "amount", "money was spent, but not how much"),
        ("events", {"op": "delete"}, "op", "cannot be deleted: what a customer did stays on record"),
        ("signals", {"hit_status": "no_hit"}, "hit_status", "carries counts without a hit: nothing known is not zero"),
        ("signals", {"hit_status": "error", "ml_id_all_apps_7d": 0}, "hit_status",
         "carries counts without a hit: nothing known is not zero"),
        ("signals", {"cost_minor": 12}, "cost_currency", "a cost must name its currency"),
        ("signals", {"ml_id_all_apps_7d": -1}, "ml_id_all_apps_7d", "is negative"),
        ("instalments", {"principal_due": -1}, "principal_due", "is negative"),
        ("instalments", {"due_date": ""}, "due_date", "is empty but required of everything that falls due"),
        ("instalments", {"cycle_end_date": "2026-02-01"}, "cycle_end_date", "the cycle ends before it starts"),
        ("placements", {"recalled_on": "2026-02-01"}, "recalled_on", "recalled before it was placed"),
        ("enquiries", {"local_hour": 24}, "local_hour", "is above 23"),
        ("agency_activity", {"op": "delete"}, "op",
         "cannot be deleted: an attempt that was made counts by law and stays on record"),
    ],
)  # fmt: skip
def test_a_row_that_contradicts_itself_is_set_aside_with_the_reason(
    tmp_path: Path, entity: str, change: dict[str, object], column: str, reason: str
) -> None:
    assert refusals(tmp_path, entity, {**ROWS[entity], **change}) == [(2, column, reason)]


def test_a_split_that_is_not_complete_is_not_compared_and_no_hit_without_counts_is_good(tmp_path: Path) -> None:
    assert refusals(tmp_path, "accounts", ROWS["accounts"] | {"balance_fees": "", "balance_total": 5}) == []
    unasked = {"hit_status": "not_queried", "ml_id_all_apps_7d": "", "purpose_code": "", "consent_id": ""}
    assert refusals(tmp_path, "signals", ROWS["signals"] | unasked) == []
    assert refusals(tmp_path, "signals", ROWS["signals"] | {"hit_status": "no_hit", "ml_id_all_apps_7d": ""}) == []
    assert refusals(tmp_path, "instalments", ROWS["instalments"] | {"kind": "balance", "due_date": ""}) == []


@pytest.mark.parametrize("entity", ["contact_points", "instalments"])
def test_what_a_source_may_take_back_can_be_deleted(tmp_path: Path, entity: str) -> None:
    assert refusals(tmp_path, entity, ROWS[entity] | {"op": "delete"}) == []


def test_the_second_row_of_a_key_is_refused_however_far_away(tmp_path: Path) -> None:
    rows = [ROWS["payments"] | {"payment_id": f"P{i}"} for i in range(2_000)]
    found = refusals(tmp_path, "payments", *rows, rows[0], rows[1_999])
    assert [(line, reason) for line, _, reason in found] == [
        (2_002, "repeats the payment_ref of an earlier row"),
        (2_003, "repeats the payment_ref of an earlier row"),
    ]


TABLES = {
    "customers": t.Customer, "accounts": t.Account, "instalments": t.Instalment, "contact_points": t.ContactPoint,
    "payments": t.Payment, "cycles": t.AccountCycle, "placements": t.Placement, "signals": t.ExternalSignal,
    "enquiries": t.CreditEnquiry, "list_hits": t.ListHit, "labels": t.TrainingLabel,
    "events": t.CustomerEvent,
}  # fmt: skip
# References to other rows, and consents: kept elsewhere than in the entity's own table.
ELSEWHERE = {"customer_ref", "account_ref"}


@pytest.mark.parametrize("entity", TABLES)
def test_every_canonical_field_is_a_column_that_takes_its_values(entity: str) -> None:
    columns = table_of(TABLES[entity]).columns
    for name, column in ENTITIES[entity].columns.items():
        if name not in columns and (name in ELSEWHERE or name.startswith("consent_")):
            continue
        kind = columns[name].type
        if isinstance(kind, sa.String) and kind.length:
            longest = max([column.length or 0, *map(len, column.values)])
            assert 0 < longest <= kind.length, name
        if isinstance(kind, sa.Integer) and not isinstance(kind, sa.BigInteger) and column.kind == "int":
            assert column.high is not None, name
            assert column.high < 2**31, name


def test_own_feed_reads_every_canonical_field_and_every_told_column_of_an_account() -> None:
    for entity_map in OWN.entities:
        assert {f.name for f in entity_map.rows[0]} == set(ENTITIES[entity_map.entity].columns) | set(COMMON)
    told = {c.name for c in table_of(t.AccountHistory).columns} - {"id", "account_id", "recorded_at", "row_hash"}
    assert told == (set(ENTITIES["accounts"].columns) - ELSEWHERE) | {"valid_from"}
