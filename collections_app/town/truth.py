"""What would have happened: chances that only the town knows, for judging models and never for working.

A person pays or does not; nobody sees both. The town can tell both, because its people are functions of their
traits: the chance that an account is cured if nobody says a word, and what a call today changes.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from collections_app.domain.outcomes import Disposition
from collections_app.town.behaviour import Behaviour
from collections_app.town.population import Floats, Ints, PointTruth

_RIGHT_PARTY = 0.93
_HOUSEHOLD_PASSES_ON = 0.4
_USUAL_PROMISE_DAYS = 3
_WAITING = 0.4


def _logistic(x: Floats | float) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-np.asarray(x))))


def self_cure_chance(mind: Behaviour, accounts: Ints, *, day: date, days: int) -> Floats:
    """Return each account's chance to be cured by ``days`` days of living from ``day`` on if nobody contacts it.

    Exact for accounts that owe one instalment and are not billed again in the time: the hazard of paying without
    pressure or promise, times the chance that a payment covers what is owed.
    """
    owner = mind.town.accounts.owner
    single = mind.ledger.arrears <= mind.town.accounts.instalment
    still = np.ones(len(accounts))
    for k in range(days):
        then = day + timedelta(days=k)
        ability = mind.town.ability_on(then.toordinal())[owner]
        full = _logistic(1.1 + 1.0 * ability)
        clears = np.where(single, full + (1 - full) * 0.6, full)
        pays = 1 - np.exp(-mind.calm_rate(then, ability))
        still *= 1 - (pays * clears)[accounts]
    return np.asarray(1 - still)


@dataclass(frozen=True)
class CallTruth:
    """The chance of any payment within the horizon, without a call and with one today."""

    without: Floats
    with_call: Floats

    @property
    def uplift(self) -> Floats:
        """Return what the call changes."""
        return np.asarray(self.with_call - self.without)


def call_truth(mind: Behaviour, accounts: Ints, points: Ints, *, day: date, at: list[datetime], days: int) -> CallTruth:
    """Return what one agent's call to these points today changes, for accounts without an open promise.

    Other contact within the horizon is left out; a promise is taken at the next payday or three days ahead. An
    approximation of a few points at most, but of the truth itself: no model is between.
    """
    town, owner = mind.town, mind.town.accounts.owner[accounts]
    rates = np.array([_calm(mind, day + timedelta(days=k))[accounts] for k in range(days)])
    calm = mind.pressure[owner]
    fades = 0.8 ** np.arange(days)[:, None]
    heard = town.customers.agent_pull[owner] / (1.0 + 0.3 * mind.fatigue[owner])
    without = rates * (1 + calm * fades)
    spoken = rates * (1 + (calm + heard) * fades)
    reached, promises, promise_day, kept = _conversation(mind, owner, points, day, at)
    waits = np.arange(days)[:, None] <= promise_day[None, :]
    promised = (spoken * np.where(waits, _WAITING, 1.0)).sum(axis=0)
    unpaid = promises * np.exp(-promised) * (1 - kept) + (1 - promises) * np.exp(-spoken.sum(axis=0))
    alone = np.exp(-without.sum(axis=0))
    return CallTruth(1 - alone, 1 - (reached * unpaid + (1 - reached) * alone))


def _calm(mind: Behaviour, day: date) -> Floats:
    ability = mind.town.ability_on(day.toordinal())[mind.town.accounts.owner]
    return mind.calm_rate(day, ability)


def _conversation(
    mind: Behaviour, owner: Ints, points: Ints, day: date, at: list[datetime]
) -> tuple[Floats, Floats, Ints, Floats]:
    """Return the chances to speak with the customer, to get a promise, its day, and the chance that it is kept."""
    c, truth = mind.town.customers, mind.town.points.truth[points]
    passes = np.select([truth == PointTruth.OWN, truth == PointTruth.HOUSEHOLD], [1.0, _HOUSEHOLD_PASSES_ON], 0.0)
    picks = np.array([mind.pick_up_chance(int(k), when) for k, when in zip(owner, at, strict=True)])
    weights = [mind.dispositions(int(k), day, by_robot=False) for k in owner]
    promises = np.array([w[Disposition.PTP] / sum(w.values()) for w in weights])
    to_payday = (c.payday[owner] - day.day) % 30
    promise_day = np.where((to_payday >= 1) & (to_payday <= 9), to_payday, _USUAL_PROMISE_DAYS)
    ability = mind.town.ability_on(day.toordinal())[owner]
    kept = c.promise_keeping[owner] * _logistic(1.6 + 0.9 * ability)
    return _RIGHT_PARTY * picks * passes, promises, promise_day, kept
