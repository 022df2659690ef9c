"""Who works what: capacity, skill, language and continuity, with loads kept even.

Cases come in the order of their priority. Each goes to its former owner where there is room, else to the
eligible agent whose capacity is used least. Agents with the same skills form one heap, so that the cost
is n log(agents).
"""

import heapq
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class CaseToAssign:
    """What matters of a case; ``owner`` is the agent who talked with the customer lately."""

    case_id: int
    skill: str
    language: str
    expected_value: float
    owner: int | None = None


@dataclass(frozen=True)
class AgentCapacity:
    """What matters of an agent; ``load`` is the number of open cases in hand."""

    agent_id: int
    skills: frozenset[str]
    languages: frozenset[str]
    capacity: int
    load: int


@dataclass(frozen=True)
class Assigned:
    """One result. ``agent_id`` is None when nobody may or can take the case; ``reason`` says why."""

    case_id: int
    agent_id: int | None
    reason: str


def assign(cases: Sequence[CaseToAssign], agents: Sequence[AgentCapacity]) -> list[Assigned]:
    """Assign cases (most urgent first). Never exceeds a capacity, never crosses a skill or a language."""
    by_id = {a.agent_id: a for a in agents}
    load = {a.agent_id: a.load for a in agents}
    value: dict[int, float] = defaultdict(float)
    heaps: dict[tuple[str, str], list[tuple[float, float, int]]] = {}
    results: list[Assigned] = []
    for case in cases:
        owner = by_id.get(case.owner) if case.owner is not None else None
        if owner and _eligible(owner, case) and load[owner.agent_id] < owner.capacity:
            chosen, reason = owner.agent_id, "continuity"
        else:
            key = (case.skill, case.language)
            if key not in heaps:
                heaps[key] = [_rank(a, load, value) for a in agents if _eligible(a, case) and a.capacity > 0]
                heapq.heapify(heaps[key])
            if not heaps[key]:
                results.append(Assigned(case.case_id, None, "no agent has the skill and language"))
                continue
            found = _least_loaded(heaps[key], by_id, load, value)
            if found is None:
                results.append(Assigned(case.case_id, None, "every suitable agent is full"))
                continue
            chosen, reason = found, "new"
        load[chosen] += 1
        value[chosen] += case.expected_value
        results.append(Assigned(case.case_id, chosen, reason))
    return results


def _eligible(agent: AgentCapacity, case: CaseToAssign) -> bool:
    return case.skill in agent.skills and case.language in agent.languages


def _rank(agent: AgentCapacity, load: dict[int, int], value: dict[int, float]) -> tuple[float, float, int]:
    used = load[agent.agent_id] / agent.capacity
    return (used, value[agent.agent_id] / agent.capacity, agent.agent_id)


def _least_loaded(
    heap: list[tuple[float, float, int]],
    by_id: dict[int, AgentCapacity],
    load: dict[int, int],
    value: dict[int, float],
) -> int | None:
    """Return the agent with the least used capacity. Ranks go stale when another heap uses an agent: refresh on top."""
    while heap:
        agent = by_id[heap[0][2]]
        now = _rank(agent, load, value)
        if load[agent.agent_id] >= agent.capacity:
            heapq.heappop(heap)
        elif heap[0] != now:
            heapq.heapreplace(heap, now)
        else:
            return agent.agent_id
    return None
