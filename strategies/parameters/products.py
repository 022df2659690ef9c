"""Products, waterfalls and regulatory classes as the house's types (domain/waterfalls.py, domain/delinquency.py)."""

from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

from collections_app.domain.delinquency import Band, ReAgeLimits, bucket_of
from collections_app.domain.waterfalls import (
    NANO,
    Component,
    DueRoll,
    InstalmentKind,
    Product,
    Rule,
    Sequence,
    Tier,
    Waterfall,
)
from strategies.parameters import bands_in_force, in_force, load


@cache
def waterfall(name: str) -> Waterfall:
    """Return a waterfall of waterfalls.yaml. ValueError: no such waterfall, or it does not place everything."""
    known = load("waterfalls")
    if name not in known:
        raise ValueError(f"unknown waterfall {name!r}; known are {', '.join(known)}")
    entry = known[name]
    tiers = tuple(
        Tier(tuple(InstalmentKind(kind) for kind in tier["kinds"]), highest_rate_first=tier["by"] == "rate")
        for tier in entry["tiers"]
    )
    if sorted(kind for tier in tiers for kind in tier.kinds) != sorted(InstalmentKind):
        raise ValueError(f"waterfall {name!r} must place each kind of instalment in one tier")
    versions = tuple((start, _rules(name, start, version)) for start, version in sorted(entry["versions"].items()))
    return Waterfall(name, tiers, versions)


def _rules(name: str, start: date, version: dict[str, Any]) -> tuple[Rule, ...]:
    orders = sorted((int(from_dpd), components) for from_dpd, components in version["orders"].items())
    if orders[0][0] != 0 or any(sorted(components) != sorted(Component) for _, components in orders):
        raise ValueError(f"waterfall {name!r} must order all components, from day 0 on")
    return tuple(
        Rule(
            name=f"{name}@{start}" + (f"/dpd{from_dpd}" if len(orders) > 1 else ""),
            from_dpd=from_dpd,
            sequence=Sequence(version["sequence"]),
            components=tuple(Component(component) for component in components),
        )
        for from_dpd, components in orders
    )


def product_names() -> tuple[str, ...]:
    """Return the profiles that an account may name."""
    return tuple(load("products")["profiles"])


def profile_of(profile: str | None, *, family: str, currency: str) -> str:
    """Return the profile an account names, else the one of its product family and currency."""
    if profile is not None:
        return profile
    families = load("products")["families"]
    by_currency: dict[str, str] = families.get(family, families["other"])
    return by_currency.get(currency, by_currency["other"])


@cache
def product(profile: str, on: date) -> Product:
    """Return a profile of products.yaml as in force on a day. ValueError: there is no such profile."""
    profiles = load("products")["profiles"]
    if profile not in profiles:
        raise ValueError(f"unknown product profile {profile!r}; known are {', '.join(profiles)}")
    terms = in_force(profiles[profile]["versions"], on)
    if terms["days_method"] != "date":
        raise ValueError(f"product profile {profile!r}: days past due are counted by date")
    return Product(
        name=profile,
        waterfall=waterfall(terms["waterfall"]),
        plan_waterfall=waterfall(terms["plan_waterfall"]),
        tolerance_amounts=terms["tolerance"]["amounts"],
        tolerance_rate=None if terms["tolerance"]["rate"] is None else _nano(terms["tolerance"]["rate"]),
        grace_days=terms["grace_days"],
        due_roll=DueRoll(terms["due_roll"]),
        bucket_table=terms["bucket_table"],
        regulatory_table=terms["regulatory_table"],
        materiality_amounts=terms["materiality"]["amounts"],
        materiality_rate=_nano(terms["materiality"]["rate"]),
        charge_off_dpd=terms["charge_off_dpd"],
    )


def _nano(rate: str) -> int:
    """Return a decimal fraction as billionths."""
    return int(Decimal(rate) * NANO)


@cache
def regulatory_bands(table: str, on: date) -> tuple[Band, ...]:
    """Return the classes of a table of regulatory.yaml in force on a day, sorted by DPD."""
    return bands_in_force(load("regulatory")["tables"], table, on)


def reg_class_of(dpd: int, table: str, on: date) -> str:
    """Return the regulatory class that days past due alone give (domain brief §2.2)."""
    return bucket_of(dpd, regulatory_bands(table, on))


def re_age_limits(on: date) -> ReAgeLimits:
    """Return the limits of re-ageing in force on a day."""
    return ReAgeLimits(**in_force(load("regulatory")["re_age"]["versions"], on))


def pulling_percent(on: date) -> int:
    """Return the share of defaulted exposure, in percent, over which all of a debtor's accounts are in default."""
    return int(in_force(load("regulatory")["pulling"]["versions"], on)["percent"])
