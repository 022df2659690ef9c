"""RECIPES: every model of the house as a row of data: what it predicts, for whom, when, from what.

Populations, observation points, windows and events follow domain brief §3.1. A recipe is chosen by its
name; ``models.family`` trains it and predicts with it. A model of another kind is a row here, a label in
``models.labels`` and, if it must look at something new, features in ``models.feature_list``.
"""

from dataclasses import dataclass, field
from typing import Literal

from models.event_features import EVENT_NAMES
from models.feature_list import FEATURE_NAMES
from models.feedback_features import FEEDBACK_NAMES
from models.panel import HISTORY
from models.promise_features import ACCOUNT_NAMES, PROMISE_NAMES
from models.schema import Direction, FeatureSpec
from models.slot_features import SLOT_NAMES

Kind = Literal["account", "promise", "slot", "panel"]
"""What one row of the sample is."""


@dataclass(frozen=True)
class Recipe:
    """One model. ``dpd`` is the range (both ends included) it serves; ``event_is`` says what the event means.

    ``purpose`` groups models that answer the same question of a case: the C-cards by bucket all have the
    purpose ``risk``. ``event`` is the name of the label it learns. ``hold_out_only`` learns from customers
    nobody worked, because in a treated population the event cannot be observed (domain brief §2.3, §3.7).
    ``monotone`` holds the model to the directions of the feature list: they speak of the risk of not paying, so
    a model of reachability is not held to them.
    """

    name: str
    title: str
    purpose: str
    kind: Kind
    event: str
    horizon_days: int
    population: str
    observed: str
    event_is: Literal["bad", "good"] = "bad"
    dpd: tuple[int, int | None] | None = None
    features: tuple[str, ...] = FEATURE_NAMES
    algorithms: tuple[str, ...] = ("boosted", "scorecard")
    min_events: int = 100
    hold_out_only: bool = False
    expected_ks: tuple[float, float] | None = None
    monotone: bool = True
    notes: tuple[str, ...] = field(default=())

    def direction_of(self, feature: FeatureSpec) -> Direction:
        """Return how this model must answer a rising value: towards bad for the lender, away, or freely."""
        return feature.direction if self.monotone else Direction.FREE


_RISK = "risk"

RECIPES: tuple[Recipe, ...] = (
    Recipe(
        "c-card", "C-card, any account overdue", _RISK, "account", "bad_30d", 30,
        "accounts overdue (DPD 1 or more)", "entry of the episode (DPD 1 to 7), or the lender's own day",
        dpd=(1, None), expected_ks=(0.30, 0.45),
    ),
    Recipe(
        "c-m1-entry", "C-card, entering M1", _RISK, "account", "bad_30d", 30,
        "episodes entering", "DPD 1 to 7, first day seen", dpd=(1, 9), expected_ks=(0.30, 0.45),
    ),
    Recipe(
        "c-m1-mid", "C-card, in the middle of M1", _RISK, "account", "rolled_m2", 21,
        "episodes still unpaid", "DPD 10, 15 and 20", dpd=(10, 30), expected_ks=(0.40, 0.55),
    ),
    Recipe(
        "c-m2", "C-card, M2", _RISK, "account", "rolled_m3", 30,
        "accounts entering M2", "DPD 31", dpd=(31, 60), expected_ks=(0.25, 0.40),
    ),
    Recipe(
        "c-m3", "C-card, M3 and later", _RISK, "account", "rolled_m4", 30,
        "accounts entering M3 or a later bucket", "DPD 61 and 91", dpd=(61, None), expected_ks=(0.25, 0.40),
    ),
    Recipe(
        "self-cure", "Self-cure: pays without being worked", "self_cure", "account", "cured_10d", 10,
        "episodes entering, hold-out arm, not worked", "DPD 1 to 4, first day seen", event_is="good",
        dpd=(1, 9), hold_out_only=True, expected_ks=(0.25, 0.45),
        notes=("Learnt on the random hold-out only: what treated customers do is not self-cure.",),
    ),
    Recipe(
        "uplift", "Uplift: pays because of being worked", "uplift", "account", "cured_10d", 10,
        "episodes entering, worked and held out as drawn", "DPD 1 to 4, first day seen", event_is="good", dpd=(1, 9),
        algorithms=("x_learner",),
        notes=("Intention to treat: the arm as drawn counts, not whether a call got through.",
               "Points are thousandths of uplift; best risks and hopeless cases both have little.",),
    ),
    Recipe(
        "contactability", "Right-party contact within a week", "contact", "account", "rpc_7d", 7,
        "open cases that were attempted", "weekly", event_is="good", dpd=(1, None), expected_ks=(0.15, 0.30),
        monotone=False,
    ),
    Recipe(
        "lost-contact", "Nobody answers any more", "lost", "account", "lost_7d", 7,
        "open cases reached in the last 90 days", "weekly", dpd=(1, None), monotone=False,
    ),
    Recipe(
        "best-time", "Best time to call", "best_time", "slot", "answered", 0,
        "call attempts", "start of the attempt", event_is="good", features=SLOT_NAMES, expected_ks=(0.15, 0.30),
        monotone=False,
    ),
    Recipe(
        "promise-keeping", "Promise kept", "promise", "promise", "promise_kept", 0,
        "promises, superseded and cancelled ones left out", "the day it was made", event_is="good",
        features=(*PROMISE_NAMES, *ACCOUNT_NAMES), expected_ks=(0.20, 0.35),
    ),
    Recipe(
        "recovery", "Amount recovered in 90 days", "recovery", "account", "recovered_90d", 90,
        "placements", "the day of placement", event_is="good", dpd=(1, None), algorithms=("two_part",),
        min_events=200,
    ),
    Recipe(
        "b-classic", "B-card, monthly", "behaviour", "account", "bad30_6m", 180,
        "accounts not overdue, three months on book or more", "month end", dpd=(0, 0),
        features=(*FEATURE_NAMES, *FEEDBACK_NAMES), expected_ks=(0.40, 0.55),
    ),
    Recipe(
        "b-high-frequency", "B-card, weekly from app and transaction events", "behaviour_hf", "account",
        "bad7_30d", 30, "accounts not overdue", "end of the week", dpd=(0, 0),
        features=(*FEATURE_NAMES, *EVENT_NAMES, *FEEDBACK_NAMES),
    ),
    Recipe(
        "deal-closing", "Answers an offer within 30 days", "response", "account", "responded_30d", 30,
        "accounts not overdue that were offered something", "the day of the offer, told by the lender",
        event_is="good", dpd=(0, 0), features=(*FEATURE_NAMES, *EVENT_NAMES, *FEEDBACK_NAMES), monotone=False,
        notes=("Response is half of it: lists are made by value, with the B-card's PD (models.deal_closing).",),
    ),
    Recipe(
        "b-sequence", "B-card, monthly history read by an LSTM or GRU", "behaviour_sequence", "panel", "first_30", 180,
        "accounts never 30 days past due while we watched, not paid off", "every third month end", dpd=(0, 29),
        features=("state", "dpd", "mob"), algorithms=("sequence",), monotone=False, expected_ks=(0.20, 0.40),
        notes=("Features are steps of the monthly panel, oldest first. Training needs PyTorch, serving does not.",),
    ),
    Recipe(
        "b-survival", "B-card, how soon: first month 30 days past due", "survival", "panel", "first_30", 365,
        "accounts never 30 days past due while we watched, not paid off", "every third month end", dpd=(0, 29),
        features=HISTORY, algorithms=("hazard", "hazard_woe", "aft"), monotone=False, expected_ks=(0.20, 0.40),
        notes=("Paid off is a competing event: its incidence is told beside that of the event.",),
    ),
)  # fmt: skip

BY_NAME: dict[str, Recipe] = {r.name: r for r in RECIPES}


def recipe_of(name: str) -> Recipe:
    """Return the recipe of this name; raise LookupError with what there is."""
    if name not in BY_NAME:
        raise LookupError(f"there is no model {name!r}; there are {', '.join(BY_NAME)}")
    return BY_NAME[name]
