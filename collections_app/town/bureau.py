"""The town's bureaus: one answers with counts, the other hands over the enquiries themselves (docs/signals.md)."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from collections_app.domain.multi_lending import ENQUIRIES, InstitutionType
from collections_app.town.population import Ints, Population

COUNTING = "demo_bureau"
REGISTRY = "demo_registry"
VALID_DAYS = 60
_STATUS = ("hit", "no_hit", "error", "not_queried")
# Minor units for each status: a failure and a question that was not asked cost nothing.
_PRICE = np.array([120, 20, 0, 0])
_WINDOWS = {"7d": 7, "15d": 15, "1m": 30, "3m": 90, "6m": 180, "12m": 365}
_ENQUIRY = {
    "enquiry_id": pl.String, "customer_id": pl.String, "provider": pl.String, "key_type": pl.String,
    "institution": pl.String, "institution_type": pl.String, "enquired_at": pl.String, "local_hour": pl.Int64,
    "is_own": pl.Boolean,
}  # fmt: skip
_YEAR = 365
_BANKS, _LENDERS = 12, 66
_LENDER_TYPES = tuple(t.value for t in InstitutionType if t is not InstitutionType.BANK)
# Hours between the customers' clocks and UTC, near enough for a registry's night flag.
_OFFSET = {True: 8, False: -6}


@dataclass(frozen=True)
class Bureaus:
    """What is known outside of the town's people. Both bureaus see the same applications for credit."""

    town: Population

    def answers(self, asked: Ints, business_date: date) -> pl.DataFrame:
        """Return the counting bureau's answers of yesterday about these customers (entity signals)."""
        columns = self._question(asked, business_date, COUNTING, None)
        known = self.town.customers.bureau_knows[asked] == 0
        for name, values in self.multi_lending(asked, business_date.toordinal() - 1).items():
            columns[name] = pl.Series(values).set(pl.Series(~known), None)
        return pl.DataFrame(columns)

    def receipts(self, asked: Ints, business_date: date) -> pl.DataFrame:
        """Return the registry's answers: whether it knows the customer whose enquiries it hands over."""
        return pl.DataFrame(self._question(asked, business_date, REGISTRY, ENQUIRIES))

    def _question(self, asked: Ints, business_date: date, provider: str, product: str | None) -> dict[str, Any]:
        c, size = self.town.customers, asked.size
        status = c.bureau_knows[asked]
        was_asked = pl.Series(status != _STATUS.index("not_queried"))
        nobody = pl.Series([None], dtype=pl.String)
        columns: dict[str, Any] = {
            "customer_id": [c.ref[k] for k in asked],
            "provider": [provider] * size,
            "snapshot_asof": [business_date - timedelta(days=1)] * size,
            "received_on": [business_date] * size,
            "hit_status": [_STATUS[s] for s in status],
            # Asked under the loan contract's consent to bureau questions while it is being collected.
            "purpose_code": pl.Series(["post_loan"] * size, dtype=pl.String).zip_with(was_asked, nobody),
            "consent_id": pl.Series([f"contract/{c.ref[k]}" for k in asked], dtype=pl.String).zip_with(
                was_asked, nobody
            ),
            "cost_minor": _PRICE[status],
            "cost_ccy": ["CNY" if c.is_cn[k] else "USD" for k in asked],
            "expires_on": [business_date + timedelta(days=VALID_DAYS)] * size,
        }
        return columns if product is None else {**columns, "product": [product] * size}

    def multi_lending(self, who: Ints, ordinal: int) -> dict[str, Ints]:
        """Return the nested counts of applications and of lenders as the counting bureau sees them on a day."""
        row = self.town.day_row(ordinal)
        cumulated = self.town.applications[:, who]
        apps = {name: cumulated[row] - cumulated[max(row - days, 0)] for name, days in _WINDOWS.items()}
        orgs = {name: np.ceil(n**0.85).astype(np.int64) for name, n in apps.items()}
        windows = ("1m", "3m", "12m")
        small = self._taste(who)
        return {
            **{f"ml_id_all_apps_{w}": n for w, n in apps.items()},
            **{f"ml_id_all_orgs_{w}": n for w, n in orgs.items()},
            **{f"ml_id_nbank_orgs_{w}": np.floor(orgs[w] * small).astype(np.int64) for w in windows},
            "ml_id_all_night_apps_3m": np.floor(apps["3m"] * (1 - small) * 0.6).astype(np.int64),
        }

    def _taste(self, who: Ints) -> NDArray[np.float64]:
        """Return each customer's taste for lenders that are no banks."""
        return np.asarray(0.35 + 0.5 * (who * 0.7548776662 % 1.0))

    def enquiries(self, asked: Ints, since: Ints, business_date: date) -> pl.DataFrame:
        """Return the applications of known customers after the day ``since`` (ordinals) up to yesterday.

        Our own question is among them: the registry books it like any other.
        """
        c = self.town.customers
        hit = c.bureau_knows[asked] == 0
        known, told = asked[hit], since[hit]
        last = business_date.toordinal() - 1
        first = max(self.town.day_row(last) - _YEAR + 1, 1)
        rows = np.arange(first, self.town.day_row(last) + 1)
        daily = np.diff(self.town.applications[first - 1 : rows[-1] + 1, known], axis=0)
        daily[rows[:, None] + self.town.first_day <= told[None, :]] = 0
        day, person = np.nonzero(daily)
        many = daily[day, person].astype(np.int64)
        nth = np.arange(many.sum()) - np.repeat(many.cumsum() - many, many)
        ordinal, who = np.repeat(rows[day] + self.town.first_day, many), np.repeat(known[person], many)
        dice = _dice(who * 1_000_003 + ordinal * 31 + nth)
        is_bank = dice[0] >= self._taste(who)
        lender = (dice[1] * np.where(is_bank, _BANKS, _LENDERS)).astype(np.int64)
        hour = np.where(dice[2] < 0.25, 22 + 8 * dice[3], 8 + 13 * dice[3]).astype(np.int64) % 24
        return pl.concat([
            self._events(who, ordinal, hour, [f"R{k:06d}-{d}-{n}" for k, d, n in zip(who, ordinal, nth, strict=True)],
                         [f"bank{n:02d}" if b else f"lender{n:02d}" for b, n in zip(is_bank, lender, strict=True)],
                         ["bank" if b else _LENDER_TYPES[n % len(_LENDER_TYPES)]
                          for b, n in zip(is_bank, lender, strict=True)], is_own=False),
            self._events(known, np.full(known.size, last), np.full(known.size, 12),
                         [f"R{k:06d}-{last}-own" for k in known], ["us"] * known.size, ["else"] * known.size,
                         is_own=True),
        ])  # fmt: skip

    def _events(
        self,
        who: Ints,
        ordinal: Ints,
        hour: Ints,
        refs: list[str],
        lenders: list[str],
        types: list[str],
        *,
        is_own: bool,
    ) -> pl.DataFrame:
        c = self.town.customers
        at = [
            datetime.fromordinal(int(d)).replace(tzinfo=UTC) + timedelta(hours=int(h) - _OFFSET[bool(c.is_cn[k])])
            for k, d, h in zip(who, ordinal, hour, strict=True)
        ]
        return pl.DataFrame(
            {
                "enquiry_id": refs,
                "customer_id": [c.ref[k] for k in who],
                "provider": [REGISTRY] * who.size,
                "key_type": ["id"] * who.size,
                "institution": lenders,
                "institution_type": types,
                "enquired_at": [f"{t:%Y-%m-%dT%H:%M:%SZ}" for t in at],
                "local_hour": hour,
                "is_own": [is_own] * who.size,
            },
            schema=_ENQUIRY,
        )


def _dice(keys: Ints) -> tuple[NDArray[np.float64], ...]:
    """Return four numbers in [0, 1) for each key: the same application looks the same whenever it is told."""
    mixed = keys.astype(np.uint64)
    thrown = []
    for salt in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93):
        with np.errstate(over="ignore"):
            value = (mixed + np.uint64(salt)) * np.uint64(0xFF51AFD7ED558CCD)
            value = (value ^ (value >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
        thrown.append((value >> np.uint64(11)).astype(np.float64) / 2**53)
    return tuple(thrown)
