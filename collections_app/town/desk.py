"""The agents of the demo: they work the top of their list through the real services.

An agent sees what the platform shows and nothing of the customer's nature; what the customer says comes
from the town. Several calls share a unit of work, as a block of the agent's day.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl

from collections_app.db.unit_of_work import UnitOfWork, UnitsOfWork
from collections_app.domain.contact import AttemptStatus
from collections_app.domain.outcomes import Disposition, Outcome
from collections_app.domain.permissions import Actor, Role
from collections_app.queries import desks
from collections_app.services import agents as staff
from collections_app.services import contacting, outcomes, promises, users
from collections_app.town.behaviour import Behaviour
from collections_app.town.clock import TownClock
from collections_app.town.feeds import SOURCE
from strategies.packs import PackLibrary

CASES_PER_AGENT = 60
_REST_DAYS = 2  # an agent does not try the same case again on the next day
_NAMES = ("Ada", "Ben", "Cleo", "Dov", "Edie", "Finn", "Gia", "Hugo", "Ines", "Jun", "Kai", "Lin", "Mei",
          "Ning", "Olga", "Pia", "Qiu", "Rex", "Shu", "Tao")  # fmt: skip


@dataclass(frozen=True)
class Colleague:
    """An agent as the demo knows one."""

    actor: Actor
    is_chinese: bool

    @property
    def agent_id(self) -> int:
        """Return the agent's id."""
        assert self.actor.agent_id is not None
        return self.actor.agent_id


@dataclass(frozen=True)
class Item:
    """One line of a work list."""

    case_id: int
    customer: int
    account_id: int
    arrears: int
    contact_point_id: int
    point: int


def hire(units: UnitsOfWork, *, count: int, chinese_share: float, password: str) -> list[Colleague]:
    """Take on the agents with a login each: a third speak Chinese, one in six of the others Spanish too."""
    admin = Actor(id=None, name="demo", role=Role.ADMIN)
    chinese = max(1, round(count * chinese_share)) if count > 1 else 0
    people = []
    with units.begin(admin) as uow:
        for n in range(count):
            is_chinese = n >= count - chinese
            first = _NAMES[n % len(_NAMES)] + (str(n // len(_NAMES) + 1) if n >= len(_NAMES) else "")
            agent = staff.hire(
                uow,
                name=f"{first} Example",
                team="asia" if is_chinese else "america",
                languages=["zh"] if is_chinese else ["en", "es"] if n % 6 == 0 else ["en"],
                skills=["card", "micro"] if is_chinese else ["card", "instalment"],
                capacity_cases=CASES_PER_AGENT,
            )
            user = users.create_user(
                uow,
                username="agent" if n == 0 else first,
                display_name=agent.name,
                password=password,
                role=Role.AGENT,
                agent_id=agent.id,
            )
            actor = Actor(id=user.id, name=user.username, role=Role.AGENT, agent_id=agent.id)
            people.append(Colleague(actor, is_chinese))
    return people


@dataclass
class Desk:
    """The work of one day, dealt to its agents in blocks."""

    units: UnitsOfWork
    packs: PackLibrary
    behaviour: Behaviour
    clock: TownClock
    points: dict[str, int]
    worklists: dict[int, list[Item]] = field(default_factory=dict)

    def open(self, business_date: date) -> None:
        """Read every agent's list once; what was called lately or is cooling off can wait."""
        with self.units.database.reading() as session:
            work = desks.open_work(session, source=SOURCE)
            phones = desks.phones(session, source=SOURCE).unique("customer_id", keep="first", maintain_order=True)
        rested = business_date - timedelta(days=_REST_DAYS)
        cool, last = pl.col("cool_until_on"), pl.col("last_call_on")
        ready = work.join(phones, on="customer_id", how="inner", maintain_order="left").filter(
            (cool.is_null() | (cool <= business_date)) & (last.is_null() | (last <= rested))
        )
        self.worklists = {}
        for row in ready.iter_rows(named=True):
            item = Item(
                case_id=row["case_id"],
                customer=int(row["customer_ref"][1:]) - 1,
                account_id=row["account_id"],
                arrears=row["arrears_amount"],
                contact_point_id=row["contact_point_id"],
                point=self.points[row["value"]],
            )
            self.worklists.setdefault(row["agent_id"], []).append(item)

    def work(self, colleagues: Sequence[Colleague], business_date: date, *, calls: int) -> Counter[str]:
        """Let each of them place some calls now, best case first; refused calls are gone for today."""
        stats: Counter[str] = Counter()
        for colleague in colleagues:
            todo = self.worklists.get(colleague.agent_id, [])
            block, self.worklists[colleague.agent_id] = todo[:calls], todo[calls:]
            if not block:
                continue
            with self.units.begin(colleague.actor) as uow:
                wanted = [(item.case_id, item.contact_point_id) for item in block]
                attempts = contacting.start_agent_calls(uow, wanted, packs=self.packs)
                for item, attempt in zip(block, attempts, strict=True):
                    if attempt.status is AttemptStatus.DENIED:
                        stats["denied"] += 1
                    else:
                        stats["called"] += 1
                        self._call(uow, item, attempt.id, business_date, stats)
        return stats

    def _call(self, uow: UnitOfWork, item: Item, attempt_id: int, business_date: date, stats: Counter[str]) -> None:
        met = self.behaviour.answer(item.point, self.clock.now)
        if met is not Outcome.RPC:
            outcomes.record_call(uow, attempt_id=attempt_id, outcome=met)
            return
        said = self.behaviour.converse(item.customer, item.arrears, self.clock.now)
        stats["talked"] += 1
        outcomes.record_call(
            uow,
            attempt_id=attempt_id,
            outcome=met,
            disposition=said.disposition,
            talk_seconds=said.talk_seconds,
        )
        if said.disposition is Disposition.PTP:
            stats["promised"] += 1
            promises.record(
                uow,
                case_id=item.case_id,
                account_id=item.account_id,
                amount_minor=said.promise_amount,
                due_on=business_date + timedelta(days=said.promise_days),
                attempt_id=attempt_id,
                business_date=business_date,
            )
