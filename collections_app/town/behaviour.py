"""What customers do: answer or not, say this or that, pay or not; and how contact changes it.

Paying is a hidden hazard per day. A reminder or a call raises it for some days (``pressure``), more for
the forgetful and, by an agent, for the unwilling; a promise moves payment to its date; too many
touches tire people (``fatigue``), who then pay attention less and ask to be left alone.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import IntEnum
from zoneinfo import ZoneInfo

import numpy as np

from collections_app.domain.outcomes import Disposition, Outcome
from collections_app.town.app_events import AppEvents
from collections_app.town.ledger import Cash, Ledger
from collections_app.town.population import Bools, Floats, Habit, Ints, PointTruth, Population
from collections_app.town.streams import stream


class Touch(IntEnum):
    """A touch as the customer felt it."""

    SMS = 0
    ROBOT = 1
    AGENT = 2
    VOICEMAIL = 3


_WEIGHT = {Touch.SMS: 0.45, Touch.ROBOT: 0.8, Touch.AGENT: 1.0, Touch.VOICEMAIL: 0.25}
_TIRES = {Touch.SMS: 0.4, Touch.ROBOT: 0.8, Touch.AGENT: 1.0, Touch.VOICEMAIL: 0.3}

# Chance to pick up, before personal reach: [habit][local hour], for the hours in which calling is lawful.
_HOURS = {
    Habit.DAY_WORKER: {8: 0.45, 9: 0.25, 10: 0.2, 11: 0.25, 12: 0.5, 13: 0.4, 14: 0.2, 15: 0.2, 16: 0.25,
                       17: 0.6, 18: 0.85, 19: 0.9, 20: 0.8, 21: 0.5},
    Habit.AT_HOME: {8: 0.3, 9: 0.6, 10: 0.8, 11: 0.8, 12: 0.6, 13: 0.6, 14: 0.75, 15: 0.7, 16: 0.6, 17: 0.45,
                    18: 0.4, 19: 0.4, 20: 0.35, 21: 0.2},
    Habit.SHIFT_WORKER: {8: 0.5, 9: 0.15, 10: 0.1, 11: 0.2, 12: 0.45, 13: 0.7, 14: 0.8, 15: 0.7, 16: 0.4,
                         17: 0.2, 18: 0.2, 19: 0.25, 20: 0.3, 21: 0.45},
}  # fmt: skip
PICK_UP: Floats = np.array([[_HOURS[h].get(hour, 0.05) for hour in range(24)] for h in Habit])


def _logistic(x: Floats | float) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-np.asarray(x))))


@dataclass(frozen=True)
class Answer:
    """What a call came to."""

    outcome: Outcome
    disposition: Disposition = Disposition.NONE
    talk_seconds: int = 0
    promise_amount: int = 0
    promise_days: int = 0


@dataclass
class Behaviour:
    """The town's mind: its state is what contact did to people so far."""

    town: Population
    ledger: Ledger
    pressure: Floats = field(init=False)
    fatigue: Floats = field(init=False)
    promise_due: Ints = field(init=False)
    promise_amount: Ints = field(init=False)
    last_paid: Ints = field(init=False)
    app: AppEvents = field(init=False)
    _returns: dict[date, list[Cash]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        people, accounts = len(self.town.customers), len(self.town.accounts)
        self.pressure = np.zeros(people)
        self.fatigue = np.zeros(people)
        self.promise_due = np.zeros(accounts, dtype=np.int64)
        self.promise_amount = np.zeros(accounts, dtype=np.int64)
        self.last_paid = np.zeros(people, dtype=np.int64)
        self.app = AppEvents(self.town, self.ledger)

    # -- contact changes people -------------------------------------------------------------------

    def feel(self, customers: Ints, touch: Touch) -> None:
        """Let customers feel a touch; a tired customer feels it less."""
        c = self.town.customers
        pull = {Touch.SMS: c.sms_pull, Touch.ROBOT: c.robot_pull, Touch.AGENT: c.agent_pull,
                Touch.VOICEMAIL: c.robot_pull}[touch]  # fmt: skip
        strength = _WEIGHT[touch] * pull[customers] / (1.0 + 0.3 * self.fatigue[customers])
        np.add.at(self.pressure, customers, strength)
        np.add.at(self.fatigue, customers, _TIRES[touch])

    def promise(self, account: int, amount: int, due_on: date) -> None:
        """Remember what was promised; the customer now waits for that day."""
        self.promise_due[account] = due_on.toordinal()
        self.promise_amount[account] = amount

    # -- a day of paying ----------------------------------------------------------------------------

    def live(self, day: date) -> None:
        """Live one day: bills fall due, people pay and use the app, banks return money; pressure and fatigue fade.

        Each account has its own luck on each day, whatever happens to the others: two towns of one seed that are
        worked differently differ by the work alone, not by the draw.
        """
        ledger, owner = self.ledger, self.town.accounts.owner
        luck = stream(self.town.seed, "luck", day.toordinal()).random((7, owner.size))
        before = ledger.is_overdue()
        due = ledger.open_day(day)
        for cash in self._returns.pop(day, []):
            ledger.reverse(cash)
        ability = self.town.ability_on(day.toordinal())[owner]
        on_time = due[~before[due] & (luck[0, due] < self._on_time(ability, due))]
        ledger.receive(on_time, ledger.arrears[on_time], "autopay")
        overdue = ledger.is_overdue()
        overdue[due] &= before[due]  # a bill of today is not yet late
        self._keep_promises(luck[1], day, ability)
        payers = np.flatnonzero(overdue & (luck[2] < self.pay_chance(day, ability)))
        self._pay(luck[3:6], payers, ability)
        self._plan_returns(luck[6], day)
        for cash in ledger.booked[day]:
            if cash.kind == "payment":
                self.last_paid[owner[cash.account]] = day.toordinal()
        ledger.close_day(due)
        self.app.live(day)
        self.pressure *= 0.80
        self.fatigue *= 0.90

    def pay_chance(self, day: date, ability: Floats) -> Floats:
        """Return each account's chance to be paid today if it is overdue."""
        rate = self.calm_rate(day, ability) * (1.0 + self.pressure[self.town.accounts.owner])
        waits = self.promise_due >= day.toordinal()
        return np.asarray(1.0 - np.exp(-rate * np.where(waits, 0.4, 1.0)))

    def calm_rate(self, day: date, ability: Floats) -> Floats:
        """Return each account's hazard of a payment today if nobody presses and nothing was promised."""
        c, owner = self.town.customers, self.town.accounts.owner
        dpd = self.ledger.days_past_due(day.toordinal())
        since_payday = (day.day - c.payday[owner]) % 30
        base = -2.75 + 0.55 * ability + 0.35 * c.willingness[owner] - 1.2 * c.forgetfulness[owner]
        base = base - 0.55 * np.log1p(dpd / 20.0) + np.where(since_payday < 3, 0.8, -0.15)
        return np.asarray(np.exp(base))

    def _on_time(self, ability: Floats, due: Ints) -> Floats:
        c = self.town.customers
        who = self.town.accounts.owner[due]
        x = 0.2 + 1.0 * ability[due] + 0.4 * c.willingness[who] - 1.3 * c.forgetfulness[who]
        return _logistic(x + 0.25 * self.pressure[who])

    def _keep_promises(self, luck: Floats, day: date, ability: Floats) -> None:
        owner = self.town.accounts.owner
        due = np.flatnonzero((self.promise_due == day.toordinal()) & self.ledger.is_overdue())
        keep = self.town.customers.promise_keeping[owner[due]] * _logistic(1.6 + 0.9 * ability[due])
        kept = due[luck[due] < keep]
        self.ledger.receive(kept, np.minimum(self.promise_amount[kept], self.ledger.arrears[kept]), "bank")

    def _pay(self, luck: Floats, payers: Ints, ability: Floats) -> None:
        payers = payers[self.ledger.arrears[payers] > 0]
        arrears, instalment = self.ledger.arrears[payers], self.town.accounts.instalment[payers]
        size, share, way = luck[:, payers]
        full = _logistic(1.1 + 1.0 * ability[payers])
        one = np.minimum(arrears, instalment)
        part = np.maximum((one * (0.25 + 0.45 * share)).astype(np.int64), 1)
        amounts = np.where(size < full, arrears, np.where(size < full + (1 - full) * 0.6, one, part))
        channel = np.searchsorted([0.5, 0.8], way, side="right")
        for code, name in enumerate(("app", "bank", "sms_link")):
            chosen = channel == code
            self.ledger.receive(payers[chosen], amounts[chosen], name)

    def _plan_returns(self, luck: Floats, day: date) -> None:
        for booking in self.ledger.booked[day]:
            if booking.kind == "payment" and booking.channel != "autopay" and luck[booking.account] < 0.008:
                back = day + timedelta(days=2 + int(luck[booking.account] * 1000) % 3)
                self._returns.setdefault(back, []).append(booking)

    # -- a call ------------------------------------------------------------------------------------

    def pick_up_chance(self, customer: int, at: datetime) -> float:
        """Return the chance that the customer answers at this instant, by habit and local hour."""
        c = self.town.customers
        local = at.astimezone(ZoneInfo(c.home_zone[customer]))
        chance = c.reach[customer] * PICK_UP[c.habit[customer], local.hour]
        weekend = local.weekday() >= 5 and c.habit[customer] == Habit.DAY_WORKER
        return float(min(0.95, chance * (1.3 if weekend else 1.0)))

    def answer(self, point: int, at: datetime) -> Outcome:
        """Ring a contact point and tell who answers, if anybody."""
        rng = stream(self.town.seed, "ring", point, int(at.timestamp()) // 60)
        truth = self.town.points.truth[point]
        customer = int(self.town.points.owner[point])
        if truth == PointTruth.DEAD:
            return Outcome.FAILED
        if truth == PointTruth.WRONG:
            return Outcome.WRONG_PARTY if rng.random() < 0.45 else Outcome.NO_ANSWER
        if rng.random() < self.pick_up_chance(customer, at):
            if truth == PointTruth.HOUSEHOLD and rng.random() < 0.6:
                return Outcome.THIRD_PARTY
            return Outcome.RPC if rng.random() < 0.93 else Outcome.ANSWERED_UNVERIFIED
        unanswered = rng.random()
        if unanswered < 0.3:
            return Outcome.VOICEMAIL
        return Outcome.BUSY if unanswered < 0.36 else Outcome.NO_ANSWER

    def converse(self, customer: int, arrears: int, at: datetime, *, by_robot: bool = False) -> Answer:
        """Let the customer talk about ``arrears``: what the person says, and what is promised."""
        rng = stream(self.town.seed, "talk", customer, int(at.timestamp()) // 60)
        weights = self.dispositions(customer, at.date(), by_robot=by_robot)
        codes = list(weights)
        chances = np.array([weights[code] for code in codes])
        said = codes[int(rng.choice(len(codes), p=chances / chances.sum()))]
        talk = int(rng.gamma(4.0, 35.0 if not by_robot else 9.0)) + 20
        if said is not Disposition.PTP:
            return Answer(Outcome.RPC, said, talk)
        c = self.town.customers
        ability = float(self.town.ability_on(at.date().toordinal())[customer])
        to_payday = (int(c.payday[customer]) - at.day) % 30
        days = to_payday if 1 <= to_payday <= 9 else int(rng.integers(1, 7))
        share = 1.0 if rng.random() < float(_logistic(0.8 + ability)) else float(rng.choice([0.5, 0.6, 0.75]))
        return Answer(Outcome.RPC, said, talk, max(1, round(arrears * share)), days)

    def dispositions(self, customer: int, day: date, *, by_robot: bool) -> dict[Disposition, float]:
        """Return the weights of what the customer may say; they need not sum to one."""
        c = self.town.customers
        ability = float(self.town.ability_on(day.toordinal())[customer])
        will = float(c.willingness[customer])
        distressed = bool(self.town.distress[self.town.day_row(day.toordinal()), customer])
        weary = self.fatigue[customer] / c.patience[customer]
        willing = float(_logistic(0.2 + 0.7 * will + 0.5 * ability))
        return {
            Disposition.PTP: willing * (0.6 if by_robot else 1.0),
            Disposition.ALREADY_PAID: 3.0 if self.last_paid[customer] >= day.toordinal() - 1 else 0.01,
            Disposition.REFUSED: float(_logistic(-1.6 - 0.9 * will)),
            Disposition.HARDSHIP: 0.30 if distressed else 0.02,
            Disposition.DISPUTE: float(c.dispute_rate[customer]),
            Disposition.CALLBACK: 0.12,
            Disposition.OPT_OUT: 0.012 * float(weary**2),
            Disposition.HANGUP: 0.10 if by_robot else 0.05,
            Disposition.ATTORNEY: 0.002,
            Disposition.BANKRUPT: 0.004 if distressed else 0.0005,
            Disposition.DECEASED: 0.0004,
            Disposition.NONE: 0.05,
        }

    def stop_texts(self, at: datetime, texted: Ints) -> Bools:
        """Tell which of the customers texted just now answer STOP, the tired ones first."""
        rng = stream(self.town.seed, "stop", int(at.timestamp()))
        weary = self.fatigue[texted] / self.town.customers.patience[texted]
        return np.asarray(rng.random(texted.size) < np.clip(0.002 + 0.010 * weary**2, 0, 0.2))
