"""How models are said to people: the questions they answer, their events, their figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from collections_app.domain.model_stages import Stage
from collections_app.web.formatting import words
from strategies.model_numbers import monitoring_limits


@dataclass(frozen=True)
class Purpose:
    """A question that models answer, and what happens where no champion answers it."""

    title: str
    question: str
    without: str


PURPOSES: Mapping[str, Purpose] = {
    "risk": Purpose(
        "Risk", "Which overdue accounts get worse?",
        "No case has a risk score: the strategy book's rows for cases without a score apply.",
    ),
    "self_cure": Purpose(
        "Self-cure", "Who pays without being worked?",
        "Nobody is left in peace on a model's word; only the random hold-out is.",
    ),
    "contact": Purpose(
        "Contactability", "Whom can we speak with this week?",
        "Nobody is called first because a model expects an answer.",
    ),
    "lost": Purpose(
        "Lost contact", "Who can no longer be reached?",
        "Lost contact is seen only after the fact, by calls that nobody answered.",
    ),
    "best_time": Purpose(
        "Best time to call", "At which hour does this customer answer?",
        "Calls are planned anywhere in the lawful hours.",
    ),
    "promise": Purpose(
        "Promise kept", "Which promises will be kept?",
        "Every open promise is treated alike until its day has passed.",
    ),
    "recovery": Purpose(
        "Recovery", "How much will come in?",
        "No expected amount stands beside a case.",
    ),
    "uplift": Purpose(
        "Uplift", "Who pays because of being worked?",
        "Work goes by risk and amount, not by what it changes.",
    ),
    "behaviour": Purpose(
        "Behaviour, monthly", "Which good accounts become late in half a year?",
        "Accounts that are not overdue have no score.",
    ),
    "behaviour_hf": Purpose(
        "Behaviour, weekly", "Which good accounts become late in the next weeks?",
        "There is no early warning before the first missed payment.",
    ),
    "behaviour_sequence": Purpose(
        "Behaviour, from the monthly history", "Which good accounts become late, read from their whole history?",
        "The monthly card's few summaries of the history are all that is read of it.",
    ),
    "survival": Purpose(
        "How soon", "In which month does a good account first fall 30 days behind?",
        "No chance by horizon is told for accounts that are not overdue.",
    ),
}  # fmt: skip

_EVENTS: Mapping[str, str] = {
    "bad_30d": "go more than 30 days past due",
    "rolled_m2": "roll into M2",
    "rolled_m3": "roll into M3",
    "rolled_m4": "roll into M4",
    "cured_10d": "pay what is overdue",
    "rpc_7d": "can be spoken with",
    "lost_7d": "answer on no number",
    "answered": "answer the call",
    "promise_kept": "keep the promise",
    "recovered_90d": "pay something",
    "bad30_6m": "go 30 days or more past due",
    "first_30": "fall 30 days behind for the first time",
    "bad7_30d": "go 7 days or more past due",
}

METRICS: Mapping[str, tuple[str, str]] = {
    "auc": ("AUC", "chance that an account with the event is ranked riskier than one without; 0.5 is guessing"),
    "ks": ("KS", "largest gap between the cumulative shares of accounts with and without the event"),
    "brier": ("Brier", "mean squared distance of the chance told from what happened; lower is better"),
    "log_loss": ("Log loss", "mean negative log of the chance given to what happened; lower is better"),
    "calibration_slope": ("Calibration slope", "1 = chances are as spread as the truth; below 1 = too extreme"),
    "calibration_intercept": ("Calibration intercept", "0 = neither too high nor too low over all"),
    "ece": ("ECE", "mean gap between chance told and share observed, over ten bins of equal count"),
    "capture_20": ("Caught in the worst fifth", "share of all events that lie in the riskiest fifth of the rows"),
    "uno_c": ("Uno's C", "chance that of two accounts the riskier one fails first, weighted for censoring"),
    "ibs": ("Integrated Brier", "Brier score over the horizons, weighted for censoring; lower is better"),
    "mae": ("Mean error", "mean absolute distance of the share told from the share that came"),
    "rmse": ("Root mean square error", "of the share told against the share that came"),
    "spearman": ("Rank correlation", "Spearman, of the share told and the share that came"),
    "qini": ("Qini", "area between the uplift curve and random choice; above 0 = better than random"),
    "gini": ("Gini", "2 AUC − 1; 0 is guessing"),
    "amount_ks": ("KS by amount", "the KS, each account weighed by what it owes"),
    "amount_capture_20": ("Caught by amount", "share of the amount at risk that lies in the riskiest fifth"),
    "auc_by_horizon": ("AUC at the horizon", "time-dependent, weighed for those lost to view"),
    "brier_by_horizon": ("Brier at the horizon", "weighed for those lost to view; lower is better"),
    "sum_ratio": ("Expected over paid", "by amount; 1 = the batch brings in what was expected"),
    "r2": ("R²", "share of the variance of the share recovered that is told"),
    "average_effect": ("Effect of work", "share with the event among the worked less that among the held out"),
    "predicted_effect": ("Effect told", "the same, as the model tells it"),
    "qini_t_learner": ("Qini of the rival", "of two models, one per arm"),
    "auuc": ("Area under uplift", "under the curve of events won by working the likeliest first"),
    "value_of_top": ("Value of the top", "events per customer, if only those with the highest uplift were worked"),
    "psi": ("PSI", "shift of the scores against development; 0 = none"),
    "csi": ("CSI", "shift of one feature against development, missing being one more bin; 0 = none"),
    "csi_points": ("Points moved", "by how many points the shift of one feature moved the mean score"),
    "rows": ("Rows scored", "accounts of the day's run"),
    "cohort_rows": ("Cohort", "matured rows; too few to measure"),
    "fallback_share": ("Fallback", "share scored without outside information, because the vendor was silent"),
    "missing_share": ("Missing", "share of rows where the feature was not known"),
    "missing_shift_max": ("Largest change of missing", "over all features, against development"),
    "unseen_values": ("Unseen values", "rows whose value fell where development had none; scored neutrally"),
    "external_hit": ("Outside: known", "share of rows where the vendor knew the customer"),
    "external_no_hit": ("Outside: not known", "share of rows where the vendor did not know the customer"),
    "external_not_queried": ("Outside: not asked", "share of rows where nobody asked"),
    "external_error": ("Outside: failed", "share of those asked where the vendor gave no answer"),
    "rank_breaks": ("Rank breaks", "steps over ten bands at which the event's rate falls though it should rise"),
    "calibration": ("Event rate", "observed, by band of the card"),
    "fairness_ratio": ("Fairness", "share of the group in the gentle bands over that of the most favoured group"),
}

_WHOLE = ("rank_breaks", "rows", "cohort_rows", "unseen_values")
_IN_PERCENT = (
    "ks",
    "capture_20",
    "amount_ks",
    "amount_capture_20",
    "calibration",
    "missing_share",
    "missing_shift_max",
    "fallback_share",
)


@dataclass(frozen=True)
class Limits:
    """The thresholds of model_monitoring.yaml that the pages draw and judge by."""

    psi_watch: float
    psi_act: float
    fair_ratio: float


def limits_on(day: date) -> Limits:
    """Return the thresholds in force on a day."""
    known = monitoring_limits(day)
    return Limits(known["psi_watch"], known["psi_act"], known["fair_ratio"])


STAGE_MEANS: Mapping[Stage, str] = {
    Stage.DEV: "trained, looked at by nobody yet; scores nothing",
    Stage.SHADOW: "scores the book beside the champion; decides nothing, agents do not see it",
    Stage.CHALLENGER: "on trial beside the champion",
    Stage.CHAMPION: "its scores decide",
    Stage.RETIRED: "scores nothing any more; kept for what it decided",
}
STAGE_ORDER = (Stage.CHAMPION, Stage.CHALLENGER, Stage.SHADOW, Stage.DEV, Stage.RETIRED)

ALGORITHMS: Mapping[str, str] = {
    "boosted": "boosted trees, calibrated", "scorecard": "scorecard (points)", "two_part": "two-part amount model",
    "expert": "expert scorecard (no history needed)", "hazard": "discrete-time hazard by trees",
    "hazard_woe": "discrete-time hazard by weight of evidence", "aft": "accelerated failure time by trees",
    "sequence": "sequence network", "x_learner": "X-learner of uplift",
}  # fmt: skip


def purpose_of(code: str) -> Purpose:
    """Return the words of a purpose; one without words is named by its code."""
    return PURPOSES.get(code) or Purpose(words(code), "", "Nothing is scored for this.")


def metric(name: str) -> tuple[str, str]:
    """Return the name and the meaning of a figure."""
    return METRICS.get(name) or (words(name), "measured on the test rows")


def within(event: str, horizon_days: int) -> str:
    """Say what an event is, for many: ``go more than 30 days past due within 30 days``."""
    said = _EVENTS.get(event) or f"have the event “{words(event).lower()}”"
    return f"{said} within {horizon_days} days" if horizon_days else said


def chance(p: float, event: str, horizon_days: int, *, who: str = "accounts like this one") -> str:
    """Say a probability in words: ``31 of 100 accounts like this one roll into M2 within 21 days``."""
    return f"{of_hundred(p)} of 100 {who} {within(event, horizon_days)}"


def of_hundred(p: float) -> str:
    """Write a probability as a count of a hundred; never 0 and never 100, which nothing is sure of."""
    return "Fewer than 1" if p < 0.005 else "More than 99" if p > 0.995 else f"About {p * 100:.0f}"


def figure(name: str, value: float | None, *, digits: int = 3) -> str:
    """Write a figure as people read it."""
    if value is None:
        return "–"
    return f"{value:.1%}" if is_share(name) else f"{value:,.{0 if name in _WHOLE else digits}f}"


def is_share(name: str) -> bool:
    """Tell whether a figure is read in per cent."""
    return name in _IN_PERCENT or name.startswith("external_")


def psi_tone(psi: float | None, limits: Limits) -> str:
    """Return the tone of a PSI by the thresholds of the monitoring; none while it is stable."""
    return "" if psi is None or psi < limits.psi_watch else "care" if psi <= limits.psi_act else "bad"
