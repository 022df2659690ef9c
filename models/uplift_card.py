"""Uplift as a model of the house: who pays because of being worked, learnt from the hold-out of our own experiment.

P(event | worked) is the calibrated classifier of ``models.boosted``, learnt on the worked arm. What work changes is an
X-learner on both arms (``models.uplift``), measured on customers it never saw: Qini, tenths, the value of working the
top. The arm as drawn counts, not whether a call got through (intention to treat), so nothing selects itself.
Points are thousandths of uplift: 80 points = 8 more of 100 pay because of being worked.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from models import boosted
from models.catalogue import Recipe
from models.evaluate import Floats, StabilityBins, interval
from models.predictions import Predictions
from models.registry import Bundle
from models.sample import Bools, Sample, SampleError
from models.scaling import BandCuts
from models.uplift import (
    LEAST_PER_ARM,
    Trial,
    UpliftModel,
    auuc,
    by_tenth,
    fit_uplift,
    qini,
    qini_curve,
    qini_draws,
    value_of_top,
)

HOLD_OUT = "holdout"
PER_MILLE = 1000.0
_PREFIX, _FACTS = "uplift_", "uplift.json"
_TOP = 0.3
_DRAWS = 300


def trial_of(sample: Sample) -> Trial:
    """Return the sample as a randomised trial of being worked against the hold-out; raise SampleError if it is none."""
    if sample.arm is None or sample.propensity is None:
        raise SampleError("the labels carry no arm: uplift is learnt from customers drawn into a hold-out")
    arms = sorted(set(sample.arm.tolist()))
    if HOLD_OUT not in arms or len(arms) != 2:
        raise SampleError(
            "uplift compares one way of working with the hold-out; the arms of the sample are "
            f"{', '.join(a or 'unknown' for a in arms)}"
        )
    worked = sample.arm != HOLD_OUT
    return Trial(worked, sample.outcome.astype(np.float64), np.where(worked, sample.propensity, 1 - sample.propensity))


def train(recipe: Recipe, sample: Sample, *, provenance: Mapping[str, Any], seed: int = 0, threads: int = 2) -> Bundle:
    """Train both parts and measure the uplift on the test rows, touched once."""
    trial, test = trial_of(sample), sample.is_test
    features = _matrix(sample.features, recipe.features)
    learn = trial.rows(~test)
    _check_test(trial.rows(test))
    model = fit_uplift(features[~test], learn, kind="x", seed=seed, threads=threads)
    rival = fit_uplift(features[~test], learn, kind="t", seed=seed, threads=threads)
    # Work may change what nothing foretells: the chance itself need not be told apart.
    base = boosted.train(
        recipe, _rows(sample, trial.treated), provenance=provenance, seed=seed, threads=threads, may_be_flat=True
    )
    said, held = model.uplift(features[test], threads=threads), trial.rows(test)
    measured = _measured(
        said, rival.uplift(features[test], threads=threads), held, people=sample.customer[test], seed=seed
    )  # fmt: skip
    development = PER_MILLE * said
    facts = {"propensity": model.propensity, "rounds": "fixed", "learner": "x"}
    card = replace(
        base.card,
        algorithm="x_learner",
        recipe={**base.card.recipe, "uplift": "X-learner on boosted trees of fixed size, rows weighted by 1/propensity",
                "points": "thousandths of uplift"},
        sample={**base.card.sample, "rows": len(test), "events": int(sample.outcome.sum()),
                "worked": int(trial.treated.sum()), "held_out": int((~trial.treated).sum())},
        test={**base.card.test, "uplift": measured},
        cuts=BandCuts.of(np.rint(development)),
        development=StabilityBins.of(development),
        figures={**base.card.figures, "uplift_tenths": _tenths(said, held),
                 "curves": {**base.card.figures.get("curves", {}), "qini": _curve(said, held)}},
        alarms=(*base.card.alarms, *_alarms(measured)),
    )  # fmt: skip
    parts = {f"{_PREFIX}{role}.ubj": raw for role, raw in model.parts.items()}
    return Bundle(card, {**base.parts, **parts, _FACTS: (json.dumps(facts, sort_keys=True) + "\n").encode()})


def predict(bundle: Bundle, features: pl.DataFrame, *, threads: int = 2, exact_reasons: bool = True) -> Predictions:
    """Score rows: ``p_event`` = P(event | worked), ``value`` = uplift, points = thousandths of it.

    No reasons: what moves a chance is not what moves a difference of two, and an agent has nothing to say of it.
    """
    classifier = Bundle(replace(bundle.card, algorithm="boosted"), bundle.parts)
    said = boosted.predict(classifier, features, threads=threads, exact_reasons=False)
    if features.is_empty():
        return replace(said, value=np.zeros(0))
    facts = json.loads(bundle.parts[_FACTS])
    roles = {n[len(_PREFIX) : -4]: raw for n, raw in bundle.parts.items() if n.startswith(_PREFIX) and n != _FACTS}
    model = UpliftModel("x", True, float(facts["propensity"]), roles)
    matrix = _matrix(features, bundle.card.features)
    uplift = model.uplift(matrix, threads=threads)
    alone, _ = model.expected(matrix, threads=threads)
    points = PER_MILLE * uplift
    score = np.rint(points).astype(np.int64)
    return replace(
        said, points=points, score=score, band=bundle.card.cuts.band(score), value=uplift,
        reason_index=np.full_like(said.reason_index, -1),
        details=pl.DataFrame({"uplift_worked": uplift.round(4), "p_left_alone": alone.round(4)}),
    )  # fmt: skip


def _check_test(held: Trial) -> None:
    least = LEAST_PER_ARM // 2
    for name, rows in (("worked", held.treated), ("held-out", ~held.treated)):
        if int(rows.sum()) < least:
            raise SampleError(f"the test part has {int(rows.sum())} {name} rows; uplift is judged on {least} at least")


def _tenths(said: Floats, held: Trial) -> list[dict[str, float | None]]:
    """Return the tenths rounded; where one arm is missing in a tenth nothing was observed."""
    return [
        {k: round(v, 6) if np.isfinite(v) else None for k, v in row.items()} for row in by_tenth(said, held)
    ]  # fmt: skip


def _matrix(features: pl.DataFrame, names: tuple[str, ...]) -> Floats:
    return features.select(pl.col(names).cast(pl.Float64).fill_null(float("nan"))).to_numpy()


def _rows(sample: Sample, chosen: Bools) -> Sample:
    """Return part of a sample."""

    def part(values: Any) -> Any:
        return None if values is None else values[chosen]

    return replace(
        sample, features=sample.features.filter(chosen), outcome=sample.outcome[chosen],
        customer=sample.customer[chosen], is_test=sample.is_test[chosen], amount=part(sample.amount),
        value=part(sample.value), groups={k: v[chosen] for k, v in sample.groups.items()}, arm=part(sample.arm),
        propensity=part(sample.propensity),
    )  # fmt: skip


def _measured(said: Floats, rival: Floats, held: Trial, *, people: Any, seed: int) -> dict[str, Any]:
    """Return the figures of a card: average effect, Qini with its interval, AUUC, the value of working the top."""
    draws = qini_draws({"x": said, "t": rival}, held, rng=np.random.default_rng(seed), draws=_DRAWS, people=people)
    span = interval(draws["x"])
    whole = by_tenth(said, held, tenths=1)[0]
    top = value_of_top(said, held, _TOP, rng=np.random.default_rng(seed), draws=_DRAWS).self_normalised
    return {
        "rows": len(said), "worked": int(held.treated.sum()),
        "average_effect": round(whole["observed"], 6), "average_effect_low": round(whole["low"], 6),
        "average_effect_high": round(whole["high"], 6), "predicted_effect": round(whole["predicted"], 6),
        "qini": round(qini(said, held), 6), "qini_low": round(span.low, 6), "qini_high": round(span.high, 6),
        "qini_t_learner": round(qini(rival, held), 6), "auuc": round(auuc(said, held), 6),
        "top_share": _TOP, "value_of_top": round(top.value, 6), "value_of_top_low": round(top.interval.low, 6),
        "value_of_top_high": round(top.interval.high, 6),
    }  # fmt: skip


def _curve(said: Floats, held: Trial) -> dict[str, Any]:
    curve = qini_curve(said, held)
    straight = {"name": "random order", "points": [[0.0, 0.0], [1.0, round(float(curve.gain[-1]), 6)]]}
    return {"title": "Qini: more events because of being worked", "x_label": "share worked, highest uplift first",
            "y_label": "more events per worked customer",
            "series": [{"name": "by uplift", "points": curve.points()}, straight]}  # fmt: skip


def _alarms(measured: Mapping[str, Any]) -> tuple[str, ...]:
    told = []
    if measured["qini_low"] <= 0:
        told.append(
            f"On the test rows the order by uplift is not shown to be better than a random one (Qini "
            f"{measured['qini']:.4f} [{measured['qini_low']:.4f}, {measured['qini_high']:.4f}]): do not spend by it."
        )
    if measured["average_effect_low"] <= 0:
        told.append(
            f"On the test rows work is not shown to change anything on average ({measured['average_effect']:+.4f} "
            f"[{measured['average_effect_low']:+.4f}, {measured['average_effect_high']:+.4f}])."
        )
    return tuple(told)
