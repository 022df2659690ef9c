"""What the gate promises for any history, and the published vectors."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collections_app.domain.gate import Touch, TouchResult, Verdict, evaluate
from collections_app.intake.gate_vectors import GateVector, read_vectors
from tests.gate_facts import ask, facts, hits, packs, touch, utc

ALLOW, DEFER = Verdict.ALLOW, Verdict.DEFER


def _ago(hours: int, result: TouchResult, point: str) -> Touch:
    return replace(touch("2026-03-10 16:00", result, point=point), at=NOW - timedelta(hours=hours))


NOW = utc("2026-03-10 16:00")
_touches = st.lists(
    st.builds(_ago, st.integers(0, 24 * 31), st.sampled_from(TouchResult), st.sampled_from(["P1", "P2"])),
    max_size=12,
)
_markets = st.sampled_from(["US", "CN", "GB", "IN"])


@settings(max_examples=150, deadline=None)
@given(market=_markets, history=_touches, hour=st.integers(0, 23), law_only=st.booleans())
def test_what_is_deferred_is_allowed_at_its_instant(
    market: str, history: list[Touch], hour: int, law_only: bool
) -> None:
    now = NOW + timedelta(hours=hour)
    given_ = facts(market, history=tuple(history))
    decision = evaluate(given_, packs().select(given_, now.date()), now, law_only=law_only)
    if decision.verdict is DEFER:
        assert decision.next_eligible_at is not None
        assert decision.next_eligible_at > now
        pack = packs().select(given_, decision.next_eligible_at.date())
        assert evaluate(given_, pack, decision.next_eligible_at, law_only=law_only).verdict is ALLOW


@settings(max_examples=100, deadline=None)
@given(market=_markets, history=_touches, one_more=_touches)
def test_one_more_touch_never_opens_the_gate(market: str, history: list[Touch], one_more: list[Touch]) -> None:
    less = ask("2026-03-10 16:00", facts(market, history=tuple(history)))
    more = ask("2026-03-10 16:00", facts(market, history=(*history, *one_more)))
    assert hits(less) <= hits(more)


def _vectors(path: Path) -> list[GateVector]:
    return read_vectors(path / "docs" / "gate-vectors.jsonl")


@pytest.mark.real_data
def test_the_published_vectors_are_answered_as_expected(shared: Path) -> None:
    for vector in _vectors(shared):
        pack = packs().select(vector.facts, vector.now.date())
        decision = evaluate(vector.facts, pack, vector.now, law_only=vector.law_only)
        assert vector.expect is not None
        assert decision.verdict is vector.expect.decision, vector.id
        assert hits(decision) >= set(vector.expect.hits), vector.id
        if vector.expect.eligible_given:
            assert decision.next_eligible_at == vector.expect.next_eligible_at, vector.id
