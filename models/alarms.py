"""What a person must look at before a model may work (domain brief §3.4, §3.5): leaks, dead feeds, thin samples.

An alarm never stops training: on a book where the last status decides nearly everything it is right that one
feature is strong. It stops silence: each is a sentence in the card.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from models.binning import Bins
from models.evaluate import Metrics
from models.figures import FAIR_RATIO

SUSPICIOUS_KS = 0.60
SUSPICIOUS_IV = 0.5
MISSING_IV = 0.1
GAIN_SHARE = 0.7
FEWEST_EVENTS = 1_000
SLOPES = (0.8, 1.25)
RANK_BREAKS = 2
AUC_DROP = 0.05
_NAMED = 8


def alarms_of(
    *, measured: Metrics, binned: Sequence[Bins], importance: Mapping[str, float], train_events: int,
    cross_validated_auc: float | None, fairness: Sequence[Mapping[str, Any]],
) -> tuple[str, ...]:  # fmt: skip
    """Return the sentences, gravest first; empty when nothing stands out."""
    return (
        *_leaks(measured, binned, importance),
        *_feeds(binned),
        *_shaky(measured, train_events, cross_validated_auc),
        *_unfair(fairness),
    )


def _leaks(measured: Metrics, binned: Sequence[Bins], importance: Mapping[str, float]) -> list[str]:
    found = []
    if measured.ks > SUSPICIOUS_KS:
        found.append(f"KS {measured.ks:.2f} on test rows is above {SUSPICIOUS_KS:.2f}: look for leakage.")
    strong = {b.name: b.iv for b in binned if b.iv > SUSPICIOUS_IV}
    if strong:
        found.append(f"IV above {SUSPICIOUS_IV} alone: {_weighed(strong)}. Is it known at the observation?")
    telling = {b.name: b.missing_iv for b in binned if b.missing_iv > MISSING_IV}
    if telling:
        found.append(
            f"Predicts by being missing: {_weighed(telling)}. Does a process that knows the outcome leave it out?"
        )
    for name, share in importance.items():
        if share > GAIN_SHARE:
            found.append(f"{name} carries {share:.0%} of the model: it is nearly the only thing that decides.")
    return found


def _feeds(binned: Sequence[Bins]) -> list[str]:
    empty = [b.name for b in binned if sum(b.rows[:-1]) == 0]
    constant = [b.name for b in binned if b.name not in empty and not b.edges and sum(n > 0 for n in b.rows) == 1]
    found = []
    if empty:
        found.append(f"Dead feed: no row of the sample has {_named(empty)}.")
    if constant:
        found.append(f"The same for every row: {_named(constant)}. Is the feed alive?")
    return found


def _named(features: Sequence[str]) -> str:
    """Name the first features; the exploration table has them all."""
    more = len(features) - _NAMED
    return ", ".join(sorted(features)[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _weighed(features: Mapping[str, float]) -> str:
    """Name the strongest features with their IV: thirty months of one history are one finding, not thirty."""
    ranked = sorted(features, key=lambda name: -features[name])
    more = len(ranked) - _NAMED
    named = ", ".join(f"{name} ({features[name]:.2f})" for name in ranked[:_NAMED])
    return named + (f" and {more} more" if more > 0 else "")


def _shaky(measured: Metrics, train_events: int, cross_validated_auc: float | None) -> list[str]:
    found = []
    if train_events < FEWEST_EVENTS:
        found.append(f"Learnt from {train_events:,} events; a scorecard wants {FEWEST_EVENTS:,} or more.")
    low, high = SLOPES
    if not low <= measured.calibration_slope <= high:
        found.append(
            f"The calibration slope on test rows is {measured.calibration_slope:.2f}, outside {low} to {high}: "
            "the probabilities are not to be taken at their word."
        )
    if measured.rank_breaks >= RANK_BREAKS:
        found.append(f"The event rate falls at {measured.rank_breaks} of nine steps of rising risk on test rows.")
    if cross_validated_auc is not None and cross_validated_auc - measured.auc > AUC_DROP:
        found.append(
            f"AUC falls from {cross_validated_auc:.3f} in cross-validation to {measured.auc:.3f} on test rows: "
            "overfitting, or the test rows are another population."
        )
    return found


def _unfair(fairness: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        f"{row['attribute']} {row['group']}: reaches the two safest bands at {row['ratio']:.2f} of the rate of the "
        f"most favoured group (below {FAIR_RATIO})."
        for row in fairness
        if row["ratio"] < FAIR_RATIO
    ]
