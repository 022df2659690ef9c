"""What a row must say beyond the types of its fields: one table of rules per entity."""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from collections_app.domain.customer_events import CustomerEventKind
from collections_app.intake.entities import ENTITIES, REVERSING


@dataclass(frozen=True)
class Rule:
    """A condition that a good row never meets. It is asked only of frames that have ``needs``."""

    field: str
    reason: str
    bad: Callable[[list[str]], pl.Expr]
    needs: tuple[str, ...] = ()


_PARTS = ("principal_amount", "interest_amount", "fees_amount", "penalty_amount")


def _not_the_sum(_: list[str]) -> pl.Expr:
    # A missing part makes the sum null, and null is not unequal: only full splits are compared.
    return pl.col("balance_amount") != pl.sum_horizontal(*_PARTS, ignore_nulls=False)


def _missing(column: str, when: pl.Expr) -> Callable[[list[str]], pl.Expr]:
    def bad(columns: list[str]) -> pl.Expr:
        return when & pl.col(column).is_null() if column in columns else when

    return bad


def _counts_without_hit(columns: list[str]) -> pl.Expr:
    counts = [pl.col(c).is_not_null() for c in columns if c.startswith("ml_")]
    return (pl.col("hit_status") != "hit") & pl.any_horizontal(*counts) if counts else pl.lit(value=False)


def _not_due(columns: list[str]) -> pl.Expr:
    scheduled = pl.col("kind").fill_null("scheduled") != "balance" if "kind" in columns else pl.lit(value=True)
    return scheduled & pl.col("due_on").is_null()


_ASKED = pl.col("hit_status") != "not_queried"

RULES: dict[str, tuple[Rule, ...]] = {
    "accounts": (
        Rule("balance_amount", "balance is not the sum of its parts", _not_the_sum, _PARTS),
        Rule("charged_off_amount", "an amount was charged off on no date",
             lambda _: pl.col("charged_off_amount").is_not_null() & pl.col("charged_off_on").is_null(),
             ("charged_off_amount", "charged_off_on")),
    ),
    "instalments": (
        Rule("due_on", "is empty but required of everything that falls due", _not_due, ("due_on",)),
        Rule("cycle_end_on", "the cycle ends before it starts",
             lambda _: pl.col("cycle_end_on") < pl.col("cycle_start_on"), ("cycle_start_on", "cycle_end_on")),
    ),
    "payments": (
        Rule("reverses_ref", "a reversal or chargeback must name the payment that it reverses",
             _missing("reverses_ref", pl.col("kind").is_in(REVERSING))),
        Rule("reverses_ref", "a payment cannot reverse itself",
             lambda _: pl.col("reverses_ref") == pl.col("payment_ref"), ("reverses_ref",)),
    ),
    "placements": (
        Rule("recalled_on", "recalled before it was placed",
             lambda _: pl.col("recalled_on") < pl.col("placed_on"), ("recalled_on",)),
    ),
    "events": (
        Rule("amount", "money was spent, but not how much",
             _missing("amount", pl.col("kind") == CustomerEventKind.SPEND.value)),
    ),
    "signals": (
        Rule("purpose_code", "an answer must say for what purpose the vendor was asked",
             _missing("purpose_code", _ASKED)),
        Rule("consent_ref", "an answer must name the consent by which the vendor was asked",
             _missing("consent_ref", _ASKED)),
        Rule("hit_status", "carries counts without a hit: nothing known is not zero", _counts_without_hit),
        Rule("cost_currency", "a cost must name its currency",
             _missing("cost_currency", pl.col("cost_amount").is_not_null()), ("cost_amount",)),
    ),
}  # fmt: skip


def rules_of(entity: str, columns: list[str]) -> list[Rule]:
    """Return the rules that can be asked of a frame with these columns."""
    found = [rule for rule in RULES.get(entity, ()) if set(rule.needs) <= set(columns)]
    if "op" in columns and (keeps := ENTITIES[entity].keeps):
        found.append(Rule("op", f"cannot be deleted: {keeps}", lambda _: pl.col("op") == "delete"))
    return found
