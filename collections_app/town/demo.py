"""The demonstration whole: a town, ninety days of the platform, a model of its own, recordings, a real file.

Each part is timed and told through ``Telling``, so that a command can show progress and the figures.
"""

import gc
import time as stopwatch
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from collections_app.db.unit_of_work import UnitOfWork, UnitsOfWork
from collections_app.domain.errors import DomainError, InvalidInput
from collections_app.domain.model_stages import Stage
from collections_app.domain.permissions import SYSTEM, Actor, Role
from collections_app.intake.mapping import load_mapping
from collections_app.jobs.runner import run_day
from collections_app.queries import road
from collections_app.services import (
    casework,
    feedback,
    intake,
    ledger,
    model_readiness,
    model_stages,
    queueing,
    robocalls,
    runs,
    scoring,
    training,
    treatment,
    users,
)
from collections_app.town import desk as desks
from collections_app.town import recordings
from collections_app.town.clock import TownClock
from collections_app.town.desk import Desk
from collections_app.town.feeds import SOURCE
from collections_app.town.replay import HOURS, Replay
from collections_app.town.telephone import TownSms, callees
from collections_app.town.town import Town
from collections_app.wiring import App
from voice.telephony.simulator import SimulatedCarrier, telephone_pair

PASSWORD = "demo-password-2026"  # noqa: S105 - printed at the end; the command refuses to run in production
OWN_MODEL_AFTER_DAYS = 50
"""Labels need 33 days to mature; by then some hundred have."""
LAST_HOUR = time(16, 15)
"""The last day stops here, before noon in New York: the floor is about to begin, so work is left."""
CHINESE_SHARE = 0.35
REAL_FILE_DATE = date(2005, 9, 30)
"""The day of which the real file speaks."""
_REVIEWED_SHARE = 0.4
_RECORDED_ROBOT_CALLS = 3


@dataclass(frozen=True)
class Plan:
    """What to build."""

    seed: int
    size: int
    days: int
    agents: int
    recordings: int
    end: date
    real_file: Path

    @property
    def start(self) -> date:
        """Return the first business date."""
        return self.end - timedelta(days=self.days - 1)


@dataclass
class Telling:
    """What the demonstration says while it works."""

    part: Callable[[str, int], None] = lambda name, total: None
    step: Callable[[int], None] = lambda done: None


@dataclass
class Result:
    """What came of it: figures, seconds by part, and what was left out with the reason."""

    figures: road.RoadFigures
    heard: recordings.Heard
    listening: dict[str, int]
    feedback_rows: int
    feedback_file: Path
    now: datetime
    seconds: dict[str, float] = field(default_factory=dict)
    replay_seconds: dict[str, float] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Demo:
    """Builds the demonstration in an App's database."""

    def __init__(self, app: App, plan: Plan, telling: Telling) -> None:
        self.plan, self.telling = plan, telling
        self.clock = TownClock(datetime.combine(plan.start - timedelta(days=1), time(12), tzinfo=UTC))
        self.app = App(app.settings, self.clock)
        self.folder = app.settings.var_dir / "town"
        self.seconds: dict[str, float] = {}
        self.notes: list[str] = []

    @property
    def units(self) -> UnitsOfWork:
        """Open units of work at the town's hour."""
        return self.app.units

    def run(self) -> Result:
        """Build everything, in the order of the road."""
        # The libraries' hundred thousands of objects live to the end: do not look them through for garbage.
        gc.freeze()
        gc.set_threshold(50_000, 25, 25)
        with self.units.begin() as uow:
            run_id, _ = runs.begin(
                uow,
                job=road.DEMO_JOB,
                slot=f"seed {self.plan.seed}",
                business_date=self.plan.end,
                stale_after=timedelta(0),
            )
        with self._part("founding the town"):
            town = self._found()
            supervisor, strategist = self._people()
        with self._part("cold-start model from the real file"):
            self._cold_start(strategist)
        replay = self._replay(town)
        with _fewer_collections():
            self._live(replay, strategist)
        with self._part("candidates of the other models"):
            self._candidates()
        with self._part("recordings", self.plan.recordings):
            planted = recordings.plant(
                self.units, self.app.blobs, seed=self.plan.seed, count=self.plan.recordings,
                truth=self.folder / "planted.json", progress=self.telling.step,
            )  # fmt: skip
        with self._part("listening and checking", len(planted)):
            listening = recordings.listen(
                self.units, self.app.blobs, recogniser=self.app.recogniser, checklist=self.app.checklist,
                progress=self.telling.step,
            )  # fmt: skip
            recordings.judge_some(self.units, supervisor, planted, share=_REVIEWED_SHARE)
        with self._part("the real lender's file"):
            self._real_file()
        with self._part("feedback"):
            out = self.folder / f"b_card_feed_{self.plan.end}.parquet"
            with self.units.database.reading() as session:
                fed = feedback.export_feedback(session, as_of=self.plan.end - timedelta(days=1), out=out)
                figures = road.get_road_figures(session)
        with self.units.begin() as uow:
            runs.finish(uow, run_id)
        return Result(
            figures=figures, heard=recordings.compare(self.units, planted), listening=listening,
            feedback_rows=fed["rows"], feedback_file=out, now=self.clock.now, seconds=self.seconds,
            replay_seconds=dict(replay.seconds), totals=dict(replay.totals), notes=self.notes,
        )  # fmt: skip

    # -- the parts ---------------------------------------------------------------------------------

    def _found(self) -> Town:
        town = Town.found(
            seed=self.plan.seed, size=self.plan.size, start=self.plan.start, days=self.plan.days,
            feed_folder=self.folder / "feeds",
        )  # fmt: skip
        town.write_truth(self.folder / "truth.parquet")
        return town

    def _people(self) -> tuple[Actor, Actor]:
        self.colleagues = desks.hire(self.units, count=self.plan.agents, chinese_share=CHINESE_SHARE, password=PASSWORD)
        made = {}
        with self.units.begin(Actor(id=None, name="demo", role=Role.ADMIN)) as uow:
            for role in (Role.SUPERVISOR, Role.SCHEDULER, Role.STRATEGIST):
                user = users.create_user(
                    uow,
                    username=role.value,
                    display_name=f"Sam {role.value.title()}",
                    password=PASSWORD,
                    role=role,
                )
                made[role] = Actor(id=user.id, name=user.username, role=role)
        return made[Role.SUPERVISOR], made[Role.STRATEGIST]

    def _cold_start(self, strategist: Actor) -> None:
        if not self.plan.real_file.is_file():
            self.notes.append(f"left out: the real lender's file and the cold-start model: no {self.plan.real_file}")
            return
        mapping = load_mapping("uci_credit_card")
        aside = training.scratch_book(
            self.units, path=self.plan.real_file, mapping=mapping, business_date=REAL_FILE_DATE
        )  # fmt: skip
        with aside as book:
            trained = training.build(
                self.units, actor=SYSTEM, models=self.app.models, name=scoring.C_CARD, source=mapping.source, data=book
            )  # fmt: skip
        self._approve(strategist, trained, "cold start, trained on the real lender's file")

    def _approve(self, strategist: Actor, trained: training.TrainedModel, what: str) -> None:
        with self.units.begin(strategist) as uow:
            model_stages.move(
                uow, name=trained.name, version=trained.version, to=Stage.CHAMPION,
                note="demonstration: the card's figures and alarms were read",
            )  # fmt: skip
        test = trained.card["test"]
        self.notes.append(
            f"{trained.name} {trained.version} ({what}): AUC {test['auc']:.3f}, KS {test['ks']:.3f} "
            f"on {test['rows']:,} held-out rows with {test['events']:,} events; approved by {strategist.name}"
        )

    def _replay(self, town: Town) -> Replay:
        points = {value: row for row, value in enumerate(town.people.points.value)}
        pick_up = callees(points, town.behaviour, self.clock)
        self.carrier = SimulatedCarrier(pick_up)
        # The last day's first robot calls are spoken aloud, so that they can be heard.
        self.speaking = SimulatedCarrier(pick_up, synthesiser=telephone_pair)
        return Replay(
            town=town,
            units=self.units,
            clock=self.clock,
            packs=self.app.packs,
            run_day=lambda day, manifest: run_day(self.units, self.app.day(day, (manifest,))),
            robot=self._robot,
            sms=TownSms(points, town.behaviour),
            desk=Desk(self.units, self.app.packs, town.behaviour, self.clock, points),
            colleagues=self.colleagues,
        )

    def _robot(self, attempt_id: int) -> None:
        robocalls.run_call(self.units, attempt_id=attempt_id, carrier=self.carrier)

    def _live(self, replay: Replay, strategist: Actor) -> None:
        with self._part("days through the platform", self.plan.days):
            for n in range(self.plan.days - 1):
                replay.day(self.plan.start + timedelta(days=n))
                self.telling.step(n + 1)
                if n == OWN_MODEL_AFTER_DAYS:
                    self._own_model(strategist)
            self._last_day(replay)
            self.telling.step(self.plan.days)

    def _own_model(self, strategist: Actor) -> None:
        """Train on the town's own matured labels; with too few, the model at work stays."""
        try:
            trained = training.build(
                self.units, actor=SYSTEM, models=self.app.models, name=scoring.C_CARD, source=SOURCE
            )  # fmt: skip
        except InvalidInput as error:
            self.notes.append(f"no model of the town's own on day {OWN_MODEL_AFTER_DAYS}: {error.message}")
            return
        self._approve(strategist, trained, "the town's own labels")

    def _candidates(self) -> None:
        """Build every other model whose outcomes suffice by now, but the slow ones; they wait in stage dev."""
        done = model_readiness.build_when_ready(self.units, actor=SYSTEM, models=self.app.models, panels=False)
        for name, version in done["built"].items():
            self.notes.append(f"{name} {version}: candidate, built from the town's own outcomes; nobody approved it")
        for name, why in done["refused"].items():
            self.notes.append(f"no candidate of {name}: {why}")

    def _last_day(self, replay: Replay) -> None:
        """Open the last day and stop at noon: attempts are due, lists are open, campaigns run."""
        replay.open(self.plan.end)
        left = _RECORDED_ROBOT_CALLS

        def aloud(attempt_id: int) -> None:
            nonlocal left
            carrier = self.speaking if left > 0 else self.carrier
            result = robocalls.run_call(self.units, attempt_id=attempt_id, carrier=carrier, blobs=self.app.blobs)
            left -= result.audio is not None

        last = replace(replay, robot=aloud)
        for hour in HOURS:
            if hour.at <= LAST_HOUR:
                last.pass_hour(self.plan.end, hour)
        self.clock.set(self.plan.end, LAST_HOUR)

    def _real_file(self) -> None:
        """Import the real lender's book at the end: scored and queued beside the town's."""
        if not self.plan.real_file.is_file():
            return
        mapping = load_mapping("uci_credit_card")
        with self.units.begin(SYSTEM) as uow:
            done = intake.import_file(uow, path=self.plan.real_file, mapping=mapping, business_date=self.plan.end)
            ledger.refresh(uow, business_date=self.plan.end)
            casework.refresh(uow, business_date=self.plan.end)
        for work in (self._score, self._place, self._treat):
            with self.units.begin(SYSTEM) as uow:
                work(uow)
        self.notes.append(
            f"real file {self.plan.real_file.name}: {done.rows:,} rows, {done.quarantined:,} quarantined, "
            f"{done.episodes_opened:,} overdue accounts opened in {done.seconds:.1f} s"
        )

    def _score(self, uow: UnitOfWork) -> None:
        scoring.score_open(uow, business_date=self.plan.end, models=self.app.models)

    def _place(self, uow: UnitOfWork) -> None:
        queueing.place(uow, business_date=self.plan.end, book=self.app.book)

    def _treat(self, uow: UnitOfWork) -> None:
        treatment.plan(uow, business_date=self.plan.end, book=self.app.book)

    @contextmanager
    def _part(self, name: str, total: int = 0) -> Iterator[None]:
        self.telling.part(name, total)
        began = stopwatch.perf_counter()
        try:
            yield
        except DomainError as error:
            raise type(error)(f"{name}: {error.message}", code=error.code) from error
        finally:
            self.seconds[name] = stopwatch.perf_counter() - began


@contextmanager
def _fewer_collections() -> Iterator[None]:
    """Let the garbage collector look at the town, which lives long, less often: a tenth of the time."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
