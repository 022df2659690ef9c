"""Capacity and skill are never crossed; owners keep their cases; loads stay even."""

from hypothesis import given
from hypothesis import strategies as st

from strategies.allocation.balanced import AgentCapacity, CaseToAssign, assign

SKILLS = st.sets(st.sampled_from(["card", "instalment"]), min_size=1)
LANGUAGES = st.sets(st.sampled_from(["en", "zh"]), min_size=1)
AGENTS = st.lists(st.tuples(SKILLS, LANGUAGES, st.integers(0, 6), st.integers(0, 3)), max_size=6).map(
    lambda rows: [
        AgentCapacity(n, frozenset(skills), frozenset(languages), capacity, load)
        for n, (skills, languages, capacity, load) in enumerate(rows)
    ]
)
CASES = st.lists(
    st.tuples(
        st.sampled_from(["card", "instalment", "micro"]),
        st.sampled_from(["en", "zh"]),
        st.integers(0, 9),
        st.one_of(st.none(), st.integers(0, 7)),
    ),
    max_size=30,
).map(lambda rows: [CaseToAssign(n, s, lang, float(v), o) for n, (s, lang, v, o) in enumerate(rows)])


@given(CASES, AGENTS)
def test_no_capacity_skill_or_language_is_crossed_and_no_case_is_lost(
    cases: list[CaseToAssign], agents: list[AgentCapacity]
) -> None:
    results = assign(cases, agents)
    assert [r.case_id for r in results] == [c.case_id for c in cases]
    by_id = {a.agent_id: a for a in agents}
    for case, result in zip(cases, results, strict=True):
        if result.agent_id is None:
            continue
        agent = by_id[result.agent_id]
        assert case.skill in agent.skills
        assert case.language in agent.languages
    for agent in agents:
        taken = sum(r.agent_id == agent.agent_id for r in results)
        assert taken == 0 or agent.load + taken <= agent.capacity


@given(CASES, AGENTS)
def test_a_case_waits_only_when_no_suitable_agent_has_room(
    cases: list[CaseToAssign], agents: list[AgentCapacity]
) -> None:
    results = assign(cases, agents)
    load = {a.agent_id: a.load + sum(r.agent_id == a.agent_id for r in results) for a in agents}
    for case, result in zip(cases, results, strict=True):
        if result.agent_id is None:
            assert not any(
                case.skill in a.skills and case.language in a.languages and load[a.agent_id] < a.capacity
                for a in agents
            )


def test_the_agent_who_spoke_with_the_customer_keeps_the_case() -> None:
    agents = [AgentCapacity(n, frozenset({"card"}), frozenset({"en"}), 10, n) for n in (0, 1)]
    [result] = assign([CaseToAssign(1, "card", "en", 1.0, owner=1)], agents)
    assert (result.agent_id, result.reason) == (1, "continuity")


def test_equal_agents_get_equal_work() -> None:
    agents = [AgentCapacity(n, frozenset({"card"}), frozenset({"en"}), 50, 0) for n in range(5)]
    results = assign([CaseToAssign(n, "card", "en", 1.0) for n in range(100)], agents)
    assert {sum(r.agent_id == a.agent_id for r in results) for a in agents} == {20}
