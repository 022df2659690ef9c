"""REASONS: what stands behind a reason code, in two voices.

``staff`` is what a colleague reads on the case. ``sayable`` is what an agent may say to the customer: kind
and plain, nothing that a third party told us, nothing about how the case is treated. Where the truth came
from outside, the sayable sentence asks instead of telling.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.predictions import TOP_REASONS


@dataclass(frozen=True)
class Reason:
    """One reason: a sentence for staff, and one that may be said to the customer."""

    staff: str
    sayable: str


_ASK = "We would like to understand your situation, so that we can agree on something that you can manage."

REASONS: dict[str, Reason] = {
    "late_now": Reason(
        "The account is far past due now",
        "Your payment has been open for some time, and we would like to find a way forward with you.",
    ),
    "late_history": Reason(
        "The account was late in earlier months",
        "Some earlier payments reached us after their due date.",
    ),
    "getting_later": Reason(
        "The delay has grown over the last months",
        "Your payments have been reaching us later than they used to.",
    ),
    "high_use": Reason(
        "Most of the credit limit is used",
        "A good part of your credit limit is in use at the moment.",
    ),
    "use_rising": Reason(
        "The used share of the limit has changed",
        "The way you use your limit has changed over the last months.",
    ),
    "paid_little": Reason(
        "Little of what was billed has been paid",
        "A part of your last bills is still open.",
    ),
    "no_recent_payment": Reason(
        "No payment for some time",
        "We have not received a payment from you for a while.",
    ),
    "arrears_large": Reason(
        "A large part of the balance is overdue",
        "The open amount is a larger part of your balance; it can be paid in steps.",
    ),
    "young_account": Reason(
        "The age of the account",
        "We have not known each other for long, so it is good to talk.",
    ),
    "account_use": Reason(
        "How regularly the account was in use over the last months",
        "The way you use your account has changed over the last months.",
    ),
    "earlier_episodes": Reason(
        "The account has been overdue before",
        "There have been open payments before, and we sorted them out together.",
    ),
    "hard_to_reach": Reason(
        "Contact attempts have not reached the customer",
        "We have tried to reach you and would like to know when it suits you best.",
    ),
    "promises_broken": Reason(
        "Promises to pay were not kept, or payment was refused",
        "An earlier agreement did not work out; let us find one that fits you better.",
    ),
    "promise_terms": Reason(
        "What was promised: how much of what is open, by when, and to whom",
        "Let us look once more whether the amount and the day of your promise suit you.",
    ),
    "time_of_day": Reason(
        "The time of the call",
        "We would like to call you when it suits you best.",
    ),
    "many_lenders": Reason("The customer has applied to, or borrowed from, many lenders", _ASK),
    "recent_applications": Reason("Recent applications for credit elsewhere", _ASK),
    "app_silent": Reason("The customer uses the app otherwise than before", _ASK),
    "looks_unpaid": Reason("The customer looks at the bill and does not pay", _ASK),
    "card_taken_off": Reason(
        "The payment card was taken off the account",
        "There is no card on your account at the moment; you can pay in another way, too.",
    ),
    "spends_less": Reason("The customer spends otherwise than before", _ASK),
    "restless_nights": Reason("The customer visits the app at night", _ASK),
    "hardship_before": Reason(
        "The customer told of hardship in an earlier episode",
        "You told us of a hard time before; tell us if things have changed.",
    ),
    "external_unknown": Reason("No outside credit information was found", _ASK),
}


def staff_sentences(codes: Iterable[str]) -> dict[str, str]:
    """Return the sentence that staff read for each code; an unknown code raises KeyError."""
    return {code: REASONS[code].staff for code in codes}


def sayable_sentences(codes: Iterable[str]) -> dict[str, str]:
    """Return the sentence that an agent may say for each code; an unknown code raises KeyError."""
    return {code: REASONS[code].sayable for code in codes}


def weightiest(weight: npt.NDArray[Any]) -> npt.NDArray[np.int8]:
    """Return up to four codes per row (rows x 4, -1 = none) from weights (codes x rows), the weightiest first.

    Only a positive weight is a reason; of equal weights the code listed first comes first.
    """
    left = weight.copy()
    every = np.arange(left.shape[1])
    top = np.full((left.shape[1], TOP_REASONS), -1, dtype=np.int8)
    for k in range(min(TOP_REASONS, len(left))):
        best = left.argmax(axis=0)
        top[:, k] = np.where(left[best, every] > 0, best, -1)
        left[best, every] = 0
    return top
