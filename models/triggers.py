"""When monitoring calls for a person: the trigger rules of domain brief §3.11, each with its sentence."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.monitor import ALL, Figure, Limits

PSI, KS, CALIBRATION, RANK = "psi", "ks_drop", "calibration", "rank_breaks"
OUTAGE, MISSING, FAIRNESS = "vendor_outage", "missing_values", "fairness"
PASSING = frozenset({OUTAGE})
"""Triggers that end by themselves: a vendor that answers again needs nobody."""


@dataclass(frozen=True)
class Trigger:
    """A rule that fired, and what it says to the person who must act."""

    name: str
    sentence: str


def fired(figures: Sequence[Figure], limits: Limits, *, psi_before: Sequence[float] = ()) -> list[Trigger]:
    """Return the triggers of a model's figures of one day.

    ``psi_before``: the judged PSI of the scoring days before, newest first.
    """
    found = [t for f in figures if (t := _of_one(f, limits)) is not None]
    psi = [f.value for f in figures if (f.metric, f.segment) == ("psi", ALL) and f.verdict != "few" and f.value]
    lasting = [*psi, *psi_before][: limits.psi_days]
    if psi and len(lasting) == limits.psi_days and min(lasting) > limits.psi_act:
        told = ", ".join(f"{v:.2f}" for v in reversed(lasting))
        said = ("The book has moved away from development, or the card serves accounts beyond those it learnt from "
                "(see PSI by days past due)")  # fmt: skip
        day = f"PSI {told} on {limits.psi_days} scoring days, above {limits.psi_act}"
        found.append(Trigger(PSI, f"{said}: {day}. Retrain or bring a challenger."))
    missing = sorted(f.segment for f in figures if f.metric == "missing_share" and f.verdict == "act")
    if missing:
        named = ", ".join(missing[:8]) + (f" and {len(missing) - 8} more" if len(missing) > 8 else "")
        found.append(Trigger(MISSING, f"Values are missing (or present) far more often than in development: {named}. "
                                      "Look at the feed before trusting the score."))  # fmt: skip
    unfair = [f for f in figures if f.metric == "fairness_ratio" and f.verdict == "watch"]
    if unfair:
        told = ", ".join(f"{f.segment} {f.value:.2f}" for f in unfair)
        found.append(Trigger(FAIRNESS, f"Groups below the ratio of {limits.fair_ratio}: {told}. A person looks whether "
                                       "it is the risk or the model."))  # fmt: skip
    return found


def _of_one(figure: Figure, limits: Limits) -> Trigger | None:
    if figure.verdict != "act" or figure.value is None:
        return None
    value = figure.value
    match figure.metric:
        case "external_error":
            said = f"The vendor failed for {value:.0%} of those asked: they are scored by the fallback model"
            return Trigger(OUTAGE, f"{said}, without outside information. Ask the vendor.")
        case "ks":
            was, drop = figure.detail["development"], figure.detail["drop"]
            said = f"KS fell from {was:.3f} to {value:.3f} on matured accounts, by {drop:.0%}"
            return Trigger(KS, f"{said}; {limits.ks_drop:.0%} is allowed. Bring a challenger or retrain.")
        case "calibration_slope":
            said = f"Calibration slope {value:.2f} on matured accounts is outside"
            return Trigger(CALIBRATION, f"{said} {limits.slope_low} to {limits.slope_high}. Recalibrate or retrain.")
        case "rank_breaks":
            said = f"The event's rate falls at {value:.0f} steps between {limits.rank_bands} bands"
            return Trigger(RANK, f"{said} though the model says it rises. Bring a challenger or retrain.")
    return None
