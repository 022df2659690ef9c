"""The lender's nightly files in our own feed format: a full extract first, deltas after (docs/town.md)."""

import gzip
import hashlib
import json
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from collections_app.town.app_events import AppEvents
from collections_app.town.bureau import Bureaus
from collections_app.town.ledger import Cash, Ledger
from collections_app.town.population import Bools, Ints, Points, Population
from collections_app.town.schedules import Schedules

SCHEMA_VERSION = "2"
SOURCE = "town"
CREDITORS = {False: "Figment Savings Bank", True: "样例消费金融"}
SIGNAL_EVERY_DAYS = 30
_SUMS = {
    "accounts": ("limit_or_principal", "balance_total", "arrears_total", "minimum_due"),
    "instalments": ("principal_due",),
    "payments": ("amount",),
    "cycles": ("statement_amount", "paid_amount"),
    "signals": ("cost_minor",),
    "events": ("amount",),
}


@dataclass
class FeedWriter:
    """Writes one folder per business date and remembers what the platform was already told."""

    town: Population
    ledger: Ledger
    app: AppEvents
    folder: Path
    _told_customer: Bools = field(init=False)
    _told_overdue: Bools = field(init=False)
    _told_account: Bools = field(init=False)
    _signal_on: Ints = field(init=False)
    _told_payments: set[str] = field(init=False, default_factory=set)
    _schedules: Schedules = field(init=False)
    _bureaus: Bureaus = field(init=False)

    def __post_init__(self) -> None:
        self._schedules = Schedules(self.town, self.ledger)
        self._bureaus = Bureaus(self.town)
        people, accounts = len(self.town.customers), len(self.town.accounts)
        self._told_customer = np.zeros(people, dtype=bool)
        self._told_overdue = np.zeros(accounts, dtype=bool)
        self._told_account = np.zeros(accounts, dtype=bool)
        self._signal_on = np.zeros(people, dtype=np.int64)

    def write(self, business_date: date) -> Path:
        """Write the feed that speaks for 00:00 of ``business_date``; return its manifest."""
        mode = "delta" if self._told_account.any() else "full"
        accounts = np.flatnonzero(self.ledger.is_overdue() | self._told_overdue)
        first_time = accounts[~self._told_account[accounts]]
        owners = np.unique(self.town.accounts.owner[accounts])
        arrivals = owners[~self._told_customer[owners]]
        booked = [
            c for c in self.ledger.booked.get(business_date - timedelta(days=1), []) if self._told_account[c.account]
        ]
        # Who never heard of a payment cannot take its reversal; the schedule tells the tale.
        unseen = [c for c in booked if c.reverses and c.reverses not in self._told_payments]
        frames = {
            "customers": self._customers(arrivals),
            "accounts": self._accounts(accounts, business_date),
            "instalments": self._schedules.frame(first_time, unseen),
            "contact_points": self._points(arrivals),
            "payments": self._payments([c for c in booked if c not in unseen]),
            "cycles": self._cycles(accounts, first_time, business_date),
        }
        self._told_customer[arrivals] = True
        self._told_account[accounts] = True
        # Of everybody who was ever told of: the quiet weeks after a cure are when a warning is worth something.
        told = np.flatnonzero(self._told_account)
        frames["events"] = self.app.frame(told, first_time, business_date - timedelta(days=1))
        self._told_overdue[:] = False
        self._told_overdue[accounts] = self.ledger.is_overdue()[accounts]
        return self._save([*frames.items(), *self._outside(owners, business_date)], mode, business_date)

    def _customers(self, who: Ints) -> pl.DataFrame:
        c = self.town.customers
        return pl.DataFrame(
            {
                "customer_id": [c.ref[k] for k in who],
                "full_name": [c.name[k] for k in who],
                "party_type": ["person"] * who.size,
                "language": [c.language[k] for k in who],
                "country": ["CN" if c.is_cn[k] else "US" for k in who],
                "regions": ["|".join(c.regions[k]) for k in who],
                "zones": ["|".join(c.zones[k]) for k in who],
            }
        )

    def _accounts(self, rows: Ints, business_date: date) -> pl.DataFrame:
        a, ledger = self.town.accounts, self.ledger
        cn = self.town.customers.is_cn[a.owner[rows]]
        oldest = ledger.oldest_unpaid_due()[rows]
        status = np.array(["active", "closed", "charged_off"])[ledger.status[rows]]
        return pl.DataFrame(
            {
                "account_id": [a.ref[k] for k in rows],
                "customer_id": [self.town.customers.ref[k] for k in a.owner[rows]],
                "creditor_id": [CREDITORS[bool(x)] for x in cn],
                "collector_role": np.where(a.is_third_party[rows], "third_party", "first_party"),
                "product_family": [a.product[k] for k in rows],
                "ccy": np.where(cn, "CNY", "USD"),
                "origination_date": [a.originated[k] for k in rows],
                "limit_or_principal": a.principal[rows],
                "balance_total": ledger.balance[rows],
                "arrears_total": ledger.arrears[rows],
                "minimum_due": a.instalment[rows],
                "oldest_unpaid_due_date": [date.fromordinal(d) if d else None for d in oldest.tolist()],
                "dpd_source": ledger.days_past_due(business_date.toordinal())[rows],
                "status": status,
            },
            schema_overrides={"oldest_unpaid_due_date": pl.Date},
        )

    def _points(self, who: Ints) -> pl.DataFrame:
        p: Points = self.town.points
        rows = np.flatnonzero(np.isin(p.owner, who))
        given = [f"{date.fromordinal(max(d, 1))}T15:00:00Z" for d in p.consent_day[rows].tolist()]
        return pl.DataFrame(
            {
                "customer_id": [self.town.customers.ref[k] for k in p.owner[rows]],
                "kind": [p.kind[k] for k in rows],
                "value": [p.value[k] for k in rows],
                "owner": [p.declared_owner[k] for k in rows],
                "source": ["application"] * rows.size,
                "rank": p.rank[rows],
                "consent_kind": [p.consent_kind[k] or None for k in rows],
                "consent_at": [at if p.consent_kind[k] else None for k, at in zip(rows, given, strict=True)],
                "consent_given_to": ["creditor" if p.consent_kind[k] else None for k in rows],
            }
        )

    def _payments(self, told: list[Cash]) -> pl.DataFrame:
        self._told_payments.update(c.ref for c in told)
        owners = self.town.accounts.owner[np.array([c.account for c in told], dtype=np.int64)]
        cn: list[bool] = self.town.customers.is_cn[owners].tolist()
        return pl.DataFrame(
            {
                "payment_id": [c.ref for c in told],
                "account_id": [self.town.accounts.ref[c.account] for c in told],
                "amount": [c.amount for c in told],
                "ccy": ["CNY" if x else "USD" for x in cn],
                "kind": [c.kind for c in told],
                "status": ["settled"] * len(told),
                "value_date": [c.value_on for c in told],
                "channel": [c.channel for c in told],
                "reverses_payment_id": [c.reverses or None for c in told],
            }
        )

    def _cycles(self, accounts: Ints, first_time: Ints, business_date: date) -> pl.DataFrame:
        """Send twelve statements of an account that is new to the platform, one when a cycle has ended."""
        yesterday = business_date - timedelta(days=1)
        known = accounts[self._told_account[accounts]]
        billed = known[self.town.accounts.due_dom[known] == yesterday.day]
        rows: list[tuple[str, date, int, int, int]] = []
        for account, limit in [(k, 12) for k in first_time.tolist()] + [(k, 1) for k in billed.tolist()]:
            ref, statement = self.town.accounts.ref[account], int(self.town.accounts.instalment[account])
            history = self.ledger.cycles_of(account, limit)
            rows += [(ref, end, late, statement, paid) for end, late, paid in history]
        return pl.DataFrame(
            rows,
            schema={"account_id": pl.String, "cycle_end_date": pl.Date, "cycles_past_due": pl.Int64,
                    "statement_amount": pl.Int64, "paid_amount": pl.Int64},
            orient="row",
        )  # fmt: skip

    def _outside(self, owners: Ints, business_date: date) -> list[tuple[str, pl.DataFrame]]:
        """Ask the bureaus about arrivals, and again a month later while they stay overdue."""
        today = business_date.toordinal()
        asked = owners[self._signal_on[owners] <= today - SIGNAL_EVERY_DAYS]
        # Applications up to the day before the last question are known to the platform already.
        since = self._signal_on[asked] - 1
        self._signal_on[asked] = today
        return [
            ("signals", self._bureaus.answers(asked, business_date)),
            ("signals", self._bureaus.receipts(asked, business_date)),
            ("enquiries", self._bureaus.enquiries(asked, since, business_date)),
        ]

    def _save(self, frames: list[tuple[str, pl.DataFrame]], mode: str, business_date: date) -> Path:
        folder = self.folder / SOURCE / business_date.isoformat()
        folder.mkdir(parents=True, exist_ok=True)
        files: list[dict[str, Any]] = []
        for entity, frame in frames:
            if frame.is_empty():
                continue
            number = 1 + sum(f["entity"] == entity for f in files)
            name = f"{entity}_{mode}_{number:03d}.csv.gz"
            packed = gzip.compress(frame.write_csv(line_terminator="\r\n").encode(), compresslevel=1, mtime=0)
            (folder / name).write_bytes(packed)
            files.append({
                "file": name, "entity": entity, "rows": frame.height,
                "sha256": hashlib.sha256(packed).hexdigest(),
                "sums": {column: int(frame[column].sum()) for column in _SUMS.get(entity, ())},
            })  # fmt: skip
        cutoff = f"{business_date}T00:00:00Z"
        manifest = {
            "schema_version": SCHEMA_VERSION,
            "source_system": SOURCE,
            "mode": mode,
            "business_date": business_date.isoformat(),
            "tz": "UTC",
            "cutoff_utc": cutoff,
            "generated_at_utc": cutoff,
            "files": files,
        }
        path = folder / "manifest.json"
        path.write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        return path
