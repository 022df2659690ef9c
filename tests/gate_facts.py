"""Facts for the gate, one ordinary case per market; tests change what they are about."""

from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from collections_app.domain.contact import Channel, CollectorRole, Mode, PointKind, Purpose
from collections_app.domain.gate import (
    ConsentFact,
    ContactProposal,
    CustomerFacts,
    DebtFacts,
    GateDecision,
    GateInput,
    PointFacts,
    Touch,
    TouchResult,
    evaluate,
)
from strategies.packs import DEFAULT_PACKS, PackLibrary, load_packs

MARKETS = {
    "US": {"country": "US", "regions": ("US-TX",), "zones": ("America/Chicago",)},
    "CN": {"country": "CN", "regions": ("CN-SH",), "zones": ("Asia/Shanghai",)},
    "GB": {"country": "GB", "regions": ("GB-ENG",), "zones": ("Europe/London",)},
    "IN": {"country": "IN", "regions": ("IN-MH",), "zones": ("Asia/Kolkata",)},
}
ROBOT = {"mode": Mode.AI_VOICE}
TEXT = {"channel": Channel.SMS, "mode": Mode.MESSAGE}
EMAIL = {"channel": Channel.EMAIL, "mode": Mode.MESSAGE}
VISIT = {"channel": Channel.VISIT}
LOCATION = {"purpose": Purpose.LOCATION_INFO}


@cache
def packs() -> PackLibrary:
    """Return the shipped rule packs."""
    return load_packs(DEFAULT_PACKS)


def utc(text: str) -> datetime:
    """Return an instant from ``2026-03-04 16:00`` in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def consent(kind: str = "prior_express", at: str = "2025-11-01 15:00", given_to: str = "creditor", **over: Any
            ) -> ConsentFact:  # fmt: skip
    """Return one consent."""
    return ConsentFact(kind=kind, at=utc(at), given_to=given_to, **over)


def touch(at: str, result: str = "no_answer", **over: Any) -> Touch:
    """Return one outbound agent call of ours about debt D1 on point P1."""
    values: dict[str, Any] = {
        "at": utc(at), "channel": Channel.VOICE, "mode": Mode.LIVE_AGENT, "direction": "outbound",
        "point": "P1", "debts": ("D1",), "actor": "A1", "result": TouchResult(result),
    }  # fmt: skip
    return Touch(**(values | over))


def facts(
    market: str = "US",
    *,
    role: str = "third_party",
    customer: dict[str, Any] | None = None,
    debt: dict[str, Any] | None = None,
    point: dict[str, Any] | None = None,
    proposal: dict[str, Any] | None = None,
    history: tuple[Touch, ...] = (),
    more_points: tuple[PointFacts, ...] = (),
    more_debts: tuple[DebtFacts, ...] = (),
) -> GateInput:
    """Return an agent's call to the debtor's mobile about debt D1, with the creditor's consent."""
    debt_facts = DebtFacts(id="D1", product="personal_loan", currency="USD", arrears_minor=25_000)
    point_facts = PointFacts(id="P1", kind=PointKind.MOBILE, owner="debtor", consents=(consent(),))
    wanted: dict[str, Any] = {
        "channel": Channel.VOICE, "mode": Mode.LIVE_AGENT, "purpose": Purpose.COLLECTION, "point": "P1",
        "debts": ("D1",),
    }  # fmt: skip
    return GateInput(
        actor_role=CollectorRole(role),
        actor_id="A1",
        customer=CustomerFacts(**(MARKETS[market] | (customer or {}))),  # type: ignore[arg-type]
        debts=(replace(debt_facts, **(debt or {})), *more_debts),
        points=(replace(point_facts, **(point or {})), *more_points),
        proposal=ContactProposal(**(wanted | (proposal or {}))),
        history=history,
    )


def ask(at: str, given: GateInput, *, law_only: bool = True, on: date | None = None) -> GateDecision:
    """Ask the gate with the shipped packs, the law alone unless told otherwise."""
    now = utc(at)
    return evaluate(given, packs().select(given, on or now.date()), now, law_only=law_only)


def hits(decision: GateDecision) -> set[str]:
    """Return the ids of the rules that spoke against the touch."""
    return {hit.rule_id for hit in decision.hits}
