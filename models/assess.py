"""From a fitted model to its card: what it is worth on rows it never saw, and what a person must know.

The same for every algorithm that tells a probability: test rows are touched once, here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from models import figures
from models.alarms import SUSPICIOUS_KS, alarms_of
from models.card import ModelCard
from models.catalogue import Recipe
from models.drift import frozen
from models.evaluate import Floats, Ints, StabilityBins, evaluate
from models.explore import explore
from models.feature_list import FEATURE_SET_VERSION, SPECS
from models.reasons import REASONS, sayable_sentences, staff_sentences
from models.sample import Sample
from models.scaling import BandCuts, Scaling


@dataclass(frozen=True)
class Fitted:
    """What an algorithm hands over: P(event) of learning rows it was not fitted on, and of the test rows.

    ``learn_rows`` are the places in the sample of the rows behind ``p_learn`` (out of fold, or held out).
    """

    algorithm: str
    recipe: Mapping[str, Any]
    cross_validation: Mapping[str, Any]
    p_learn: Floats
    learn_rows: npt.NDArray[np.int64]
    p_test: Floats
    importance: Mapping[str, float]
    figures: Mapping[str, Any] = field(default_factory=dict)


def lender_view(recipe: Recipe, outcome: Ints) -> Ints:
    """Return 1 where the row ended badly for the lender, whatever the model's event means."""
    return outcome if recipe.event_is == "bad" else 1 - outcome


def points_of(event_is: str, scaling: Scaling, p_event: Floats) -> Floats:
    """Return points of P(event), higher always better for the lender: a likely cure has many."""
    return scaling.points(p_event if event_is == "bad" else 1 - p_event)


def reason_codes(recipe: Recipe) -> tuple[str, ...]:
    """Return the codes that this recipe's features can give, in the order of the list of reasons."""
    used = {SPECS[n].reason for n in recipe.features}
    return tuple(code for code in REASONS if code in used)


def model_card(
    recipe: Recipe, sample: Sample, fitted: Fitted, *, provenance: Mapping[str, Any], seed: int
) -> ModelCard:  # fmt: skip
    """Measure a fitted model on the test rows and write its card."""
    test = sample.is_test
    outcome, p = sample.outcome[test], fitted.p_test
    amount = None if sample.amount is None else sample.amount[test]
    groups = {name: values[test] for name, values in sample.groups.items()}
    measured = evaluate(
        outcome, p, rng=np.random.default_rng(seed), people=sample.customer[test], amount=amount
    )  # fmt: skip
    scaling = Scaling()
    # Out-of-fold on the training rows, as served on the test rows: the scores a new account would get.
    development = points_of(recipe.event_is, scaling, np.concatenate([fitted.p_learn, p]))
    cuts = BandCuts.of(np.rint(development))
    points = development[len(fitted.p_learn) :]
    band = cuts.band(np.rint(points))
    fairness = figures.fairness(outcome, p, band, groups)
    explored, binned = explore(recipe, sample, seed=seed)
    codes = reason_codes(recipe)
    return ModelCard(
        name=recipe.name,
        algorithm=fitted.algorithm,
        event_name=recipe.event,
        event_is=recipe.event_is,
        horizon_days=recipe.horizon_days,
        feature_set_version=FEATURE_SET_VERSION,
        features=recipe.features,
        recipe=fitted.recipe,
        sample=_told(sample),
        cross_validation=fitted.cross_validation,
        test=measured.as_json(),
        segments=figures.segments(sample.features.filter(test), outcome, p, groups),
        importance=fitted.importance,
        missing_share=_missing(sample.features, recipe.features),
        reasons=staff_sentences(codes),
        sayable=sayable_sentences(codes),
        scaling=scaling,
        cuts=cuts,
        development=StabilityBins.of(development),
        figures={
            "calibration": figures.calibration(outcome, p),
            "gains": figures.gains(outcome, p),
            "bands": figures.bands(outcome, p, band, cuts),
            "roc": figures.roc(outcome, p),
            "histogram": figures.histogram(lender_view(recipe, outcome), points),
            "fairness": fairness,
            "explore": explored,
            **fitted.figures,
        },
        drift=frozen(sample.features, recipe.features, seed=seed),
        alarms=alarms_of(
            measured=measured, binned=binned, importance=fitted.importance,
            train_events=int(sample.outcome[~test].sum()),
            cross_validated_auc=fitted.cross_validation.get("auc"), fairness=fairness,
        ),
        warnings=_warnings(measured.ks),
        provenance=provenance,
    )  # fmt: skip


def _told(sample: Sample) -> dict[str, int]:
    learn = ~sample.is_test
    return {
        "rows": len(learn), "events": int(sample.outcome.sum()), "train_rows": int(learn.sum()),
        "train_events": int(sample.outcome[learn].sum()), "customers": len(np.unique(sample.customer)),
    }  # fmt: skip


def _missing(features: pl.DataFrame, names: tuple[str, ...]) -> dict[str, float]:
    nothing = features.select((pl.col(n).is_null() | pl.col(n).cast(pl.Float64).is_nan()).mean() for n in names)
    return {name: round(float(share or 0.0), 4) for name, share in nothing.row(0, named=True).items()}


def _warnings(measured_ks: float) -> tuple[str, ...]:
    notes = ["Outcomes arose under the treatments given at the time: the card tells risk under that policy."]
    if measured_ks > SUSPICIOUS_KS:
        notes.append(f"KS {measured_ks:.2f} is above {SUSPICIOUS_KS}: look for leakage before approving.")
    return tuple(notes)
