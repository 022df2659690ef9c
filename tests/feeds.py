"""Small feeds in our own format, for tests that go in by the front door."""

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

Rows = Sequence[Mapping[str, Any]]


def account(
    ref: str, *, customer: str, due: date | None, arrears: int, balance: int = 200_000, **over: Any
) -> dict[str, Any]:
    """Return one row of the accounts file; ``due`` None = nothing overdue."""
    row: dict[str, Any] = {
        "account_id": ref,
        "customer_id": customer,
        "creditor_id": "Example Bank",
        "collector_role": "first_party",
        "product_family": "card",
        "ccy": "USD",
        "origination_date": "2024-01-01",
        "limit_or_principal": 500_000,
        "balance_total": balance,
        "arrears_total": arrears,
        "minimum_due": 12_500,
        "oldest_unpaid_due_date": due.isoformat() if due else "",
        "dpd_source": "",
        "status": "active",
    }
    return {**row, **over}


def customer(ref: str, **over: Any) -> dict[str, Any]:
    """Return one row of the customers file."""
    row = {
        "customer_id": ref,
        "full_name": f"Pat {ref}",
        "party_type": "person",
        "language": "en-US",
        "country": "US",
        "regions": "US-TX",
        "zones": "America/Chicago",
    }
    return {**row, **over}


def point(ref: str, value: str, **over: Any) -> dict[str, Any]:
    """Return one row of the contact points file: a mobile with consent."""
    row = {
        "customer_id": ref,
        "kind": "mobile",
        "value": value,
        "owner": "debtor",
        "source": "application",
        "rank": 1,
        "consent_kind": "prior_express",
        "consent_at": "2026-01-10T15:00:00Z",
        "consent_given_to": "creditor",
    }
    return {**row, **over}


def payment(ref: str, account_ref: str, amount: int, on: date, **over: Any) -> dict[str, Any]:
    """Return one row of the payments file."""
    row = {
        "payment_id": ref,
        "account_id": account_ref,
        "amount": amount,
        "ccy": "USD",
        "kind": "payment",
        "status": "settled",
        "value_date": on.isoformat(),
        "channel": "app",
        "reverses_payment_id": "",
    }
    return {**row, **over}


def event(ref: str, account_ref: str, at: str, kind: str = "login", **over: Any) -> dict[str, Any]:
    """Return one row of the customer events file."""
    return {"event_id": ref, "account_id": account_ref, "kind": kind, "occurred_at": at, "amount": "", **over}


def write_feed(folder: Path, day: date, *, source: str = "bank", mode: str = "delta", **entities: Rows) -> Path:
    """Write the files of a day and their manifest; return the manifest's path."""
    here = folder / source / day.isoformat()
    here.mkdir(parents=True, exist_ok=True)
    files = []
    for entity, rows in entities.items():
        if not rows:
            continue
        path = here / f"{entity}_{mode}_001.csv"
        with path.open("w", newline="", encoding="utf-8") as out:
            writer = csv.DictWriter(out, list(dict.fromkeys(c for row in rows for c in row)), restval="")
            writer.writeheader()
            writer.writerows(rows)
        sums = {c: sum(int(r[c] or 0) for r in rows) for c in ("amount", "arrears_total") if c in rows[0]}
        files.append(
            {
                "file": path.name,
                "entity": entity,
                "mode": mode,
                "rows": len(rows),
                "sums": sums,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            }
        )
    manifest = here / "manifest.json"
    manifest.write_text(
        json.dumps({"schema_version": "1", "source_system": source, "business_date": day.isoformat(), "files": files})
    )
    return manifest
