"""What a customer's applications for credit elsewhere say: windows, kinds of missing, derived figures (§3.3).

Names: ``ml_{key}_{type}_{measure}_{window}``. Windows are nested (twelve months contain the last seven days), so
they are differenced before ratios; institutions are counted on events, never added over keys or types. The
set-based computation is queries/multi_lending.py; what is here is written straight from the definitions, for one
customer, and the two are held equal by a test.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum


class HitStatus(StrEnum):
    """What became of a question to a vendor. Only a hit carries counts; no other status is a zero (T28)."""

    HIT = "hit"
    NO_HIT = "no_hit"
    ERROR = "error"
    NOT_QUERIED = "not_queried"


STATUS_WORDS: dict[HitStatus, str] = {
    HitStatus.HIT: "known to the bureau",
    HitStatus.NO_HIT: "asked: the bureau does not know the customer",
    HitStatus.ERROR: "asked: the bureau's answer failed or contradicts itself",
    HitStatus.NOT_QUERIED: "not asked, or the answer has expired",
}


class KeyType(StrEnum):
    """What the vendor looked the customer up by. Counts of the two overlap: they are never added."""

    ID = "id"
    MOBILE = "mobile"


class InstitutionType(StrEnum):
    """Who was applied to. All but banks are ``nbank``."""

    BANK = "bank"
    P2P = "p2p"
    MC = "mc"
    CA = "ca"
    CF = "cf"
    COM = "com"
    NSLOAN = "nsloan"
    SLOAN = "sloan"
    CONS = "cons"
    AUTOFIN = "autofin"
    FINLEA = "finlea"
    ELSE = "else"


class Purpose(StrEnum):
    """Why a vendor may be asked (§8.14). An answer without purpose and consent is refused."""

    POST_LOAN = "post_loan"
    PRE_COLLECTION = "pre_collection"


SCOPES: dict[str, frozenset[InstitutionType]] = {
    "all": frozenset(InstitutionType),
    "nbank": frozenset(InstitutionType) - {InstitutionType.BANK},
    **{t.value: frozenset({t}) for t in InstitutionType},
}
"""The {type} part of a name, with the institutions that it takes in."""

MEASURES = (
    "apps", "orgs", "night_apps", "night_orgs", "weekend_apps", "weekend_orgs", "loans_open", "amt_open",
    "overdue_orgs",
)  # fmt: skip
"""The {measure} part. The last three are a vendor's to tell: applications do not say what was lent."""

OWN_PROVIDER = "own_enquiries"
"""Prefix of the provider of answers that we computed ourselves; the bureau of the enquiries follows a colon."""

PRODUCT = "multi_lending"
ENQUIRIES = "enquiries"
"""Product of a vendor's answer that brings raw enquiries: the proof that it was asked, and its status."""


@dataclass(frozen=True)
class LendingRules:
    """The dated numbers: windows in days (narrowest first), night hours, weekend, guard of the acceleration."""

    version: str
    windows: tuple[tuple[str, int], ...]
    night_hours: frozenset[int]
    weekend: frozenset[int]
    accel_guard: float
    new_org_days: int
    lifetime_days: int
    longest_lifetime_days: int
    scopes: tuple[str, ...]

    @property
    def look_back(self) -> int:
        """Return the days of the widest window."""
        return self.windows[-1][1]

    def days(self, window: str) -> int:
        """Return how many days a window has; raise KeyError for an unknown one."""
        return dict(self.windows)[window]


@dataclass(frozen=True)
class Enquiry:
    """One application for credit. ``local_hour``: at the customer's place, 0-23, None when not told."""

    key_type: KeyType
    institution: str
    institution_type: InstitutionType
    enquired_at: datetime
    received_on: date
    local_hour: int | None = None
    is_own: bool = False


def local_day(enquired_at: datetime, local_hour: int) -> date:
    """Return the customer's calendar day of a UTC instant: the nearest offset (-11 to +12 h) that fits the hour."""
    offset = (local_hour - enquired_at.hour + 11) % 24 - 11
    return (enquired_at + timedelta(hours=offset)).date()


def count_windows(
    enquiries: Iterable[Enquiry],
    *,
    key: KeyType,
    as_of: date,
    known_on: date,
    rules: LendingRules,
    entry_on: date | None = None,
) -> dict[str, int | None]:
    """Return the canonical counts of one customer and key: of days (as_of - days, as_of], as known on ``known_on``.

    A window's day is the UTC day of the enquiry; night and weekend go by the customer's clock and are None where an
    hour in the window is unknown. Our own questions about our own customer are no news and are dropped (trap 21).
    """
    known = [e for e in enquiries if e.key_type is key and not e.is_own and e.received_on <= known_on]
    aged = [(e, (as_of - e.enquired_at.date()).days) for e in known]
    seen = [(e, age) for e, age in aged if 0 <= age < rules.look_back]
    counts: dict[str, int | None] = {}
    for window, days in rules.windows:
        inside = [e for e, age in seen if age < days]
        for scope, types in SCOPES.items():
            of_type = [e for e in inside if e.institution_type in types]
            counts[f"ml_{key}_{scope}_apps_{window}"] = len(of_type)
            counts[f"ml_{key}_{scope}_orgs_{window}"] = len({e.institution for e in of_type})
        timed = all(e.local_hour is not None for e in inside)
        night = [e for e in inside if e.local_hour in rules.night_hours]
        weekend = [
            e
            for e in inside
            if e.local_hour is not None and local_day(e.enquired_at, e.local_hour).isoweekday() in rules.weekend
        ]
        for measure, of_time in (("night", night), ("weekend", weekend)):
            counts[f"ml_{key}_all_{measure}_apps_{window}"] = len(of_time) if timed else None
            counts[f"ml_{key}_all_{measure}_orgs_{window}"] = len({e.institution for e in of_time}) if timed else None
    ages = [age for _, age in seen]
    older = {e.institution for e, age in seen if age >= rules.new_org_days}
    counts[f"ml_{key}_all_days_since_last_app"] = min(ages, default=None)
    counts[f"ml_{key}_all_days_since_first_app"] = max(ages, default=None)
    counts[f"ml_{key}_all_new_orgs_{rules.new_org_days}d"] = len({e.institution for e, _ in seen} - older)
    since = {e.institution for e, age in seen if entry_on is not None and age <= (as_of - entry_on).days}
    counts[f"ml_{key}_all_orgs_since_entry"] = None if entry_on is None else len(since)
    return counts


Counts = Mapping[str, int | None]


@dataclass(frozen=True)
class Derived:
    """Ratios of one customer's counts; None where a count is unknown or there is nothing to divide by."""

    accel: float | None
    ratio_nbank: float | None
    night_share: float | None
    slope: float | None


SPANS: tuple[tuple[str | None, str], ...] = (("6m", "12m"), ("3m", "6m"), ("1m", "3m"), (None, "1m"))
"""The disjoint spans that the slope is taken over: (inner, outer) window, the oldest first."""


def derive(counts: Counts, *, key: KeyType, rules: LendingRules) -> Derived:
    """Return the derived figures of §3.3.

    accel = orgs_7d / (orgs_1m * 7/30 + guard). ratio_nbank = non-bank over all institutions, 12m. night_share =
    applications at night over all, 3m. slope = least squares of the applications per 30 days in the disjoint spans
    6m-12m, 3m-6m, 1m-3m and the last month, over the middle of each span: per 30 days, each 30 days; rising > 0.
    """

    def told(rest: str) -> int | None:
        return counts.get(f"ml_{key}_{rest}")

    week, month = told("all_orgs_7d"), told("all_orgs_1m")
    share = rules.days("7d") / rules.days("1m")
    accel = None if week is None or month is None else week / (month * share + rules.accel_guard)
    return Derived(
        accel=accel,
        ratio_nbank=_ratio(told("nbank_orgs_12m"), told("all_orgs_12m")),
        night_share=_ratio(told("all_night_apps_3m"), told("all_apps_3m")),
        slope=_slope([told(f"all_apps_{w}") for w, _ in rules.windows], rules),
    )


def _ratio(part: int | None, whole: int | None) -> float | None:
    return None if part is None or not whole else part / whole


def between(inner: int | None, outer: int | None) -> int | None:
    """Difference two nested windows; None when one is unknown or the outer one is smaller (a vendor's error)."""
    return None if inner is None or outer is None or outer < inner else outer - inner


def _slope(apps: list[int | None], rules: LendingRules) -> float | None:
    by_window = dict(zip((w for w, _ in rules.windows), apps, strict=True))
    rates: list[float] = []
    for inner, outer in SPANS:
        count = between(by_window[inner] if inner else 0, by_window[outer])
        if count is None:
            return None
        rates.append(count * 30 / span_days(inner, outer, rules))
    return sum(w * r for w, r in zip(slope_weights(rules), rates, strict=True))


def span_days(inner: str | None, outer: str, rules: LendingRules) -> int:
    """Return how many days lie in the outer window and not in the inner one."""
    return rules.days(outer) - (rules.days(inner) if inner else 0)


def slope_weights(rules: LendingRules) -> tuple[float, ...]:
    """Return what each span's rate weighs in the least-squares slope, oldest span first; they sum to 0."""
    middles = [-((rules.days(i) if i else 0) + rules.days(o)) / 2 / 30 for i, o in SPANS]
    mean = sum(middles) / len(middles)
    spread = sum((m - mean) ** 2 for m in middles)
    return tuple((m - mean) / spread for m in middles)


def accel_words(accel: float | None) -> str:
    """Say the acceleration to a person: 1 means that the last week went on like the month."""
    if accel is None:
        return "not known"
    if accel >= 1.5:
        return "speeding up: the last week outruns the month"
    return "slowing down" if accel <= 0.5 else "steady"


def contradiction(fields: Mapping[str, float | int | None], *, status: HitStatus, rules: LendingRules) -> str | None:
    """Return the first way in which a vendor's answer contradicts itself, or None (reasons in a fixed order).

    No hit, error or not asked with a count; a negative count; a narrower window above a wider one; more institutions
    than applications; a part (a type, the night, the weekend) above the whole. Only counts that were told compare.
    """
    told = {n: v for n, v in fields.items() if n.startswith("ml_") and v is not None}
    if status is not HitStatus.HIT:
        return f"{status} with a count" if told else None
    if any(v < 0 for v in told.values()):
        return "a count below zero"
    for name, value in told.items():
        if any(value < told[n] for n in narrower(name, rules) if n in told):
            return "a narrow window above a wider one"
    for name, value in told.items():
        if any(value > told[n] for n in bounds(name) if n in told):
            return "a part above its whole"
    return None


def narrower(name: str, rules: LendingRules) -> tuple[str, ...]:
    """Return the names of the same count in every narrower window; empty for a name without a window."""
    stem, _, window = name.rpartition("_")
    names = [w for w, _ in rules.windows]
    return tuple(f"{stem}_{w}" for w in names[: names.index(window)]) if window in names else ()


def bounds(name: str) -> tuple[str, ...]:
    """Return the names of the counts that this one may not exceed, in the same key and window."""
    parts = name.split("_")
    if len(parts) < 5 or parts[2] not in SCOPES:
        return ()
    head, scope, measure, window = "_".join(parts[:2]), parts[2], "_".join(parts[3:-1]), parts[-1]
    above: list[str] = []
    if measure.endswith("orgs") and measure != "overdue_orgs":
        above.append(f"{head}_{scope}_{measure[:-4]}apps_{window}")
    if measure.startswith(("night_", "weekend_")):
        above.append(f"{head}_{scope}_{measure.partition('_')[2]}_{window}")
    if scope != "all":
        above.append(f"{head}_all_{measure}_{window}")
    if scope not in ("all", "nbank", "bank"):
        above.append(f"{head}_nbank_{measure}_{window}")
    return tuple(above)
