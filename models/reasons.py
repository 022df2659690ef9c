"""REASONS: what stands behind a reason code, in two voices.

``staff`` is what a colleague reads on the case. ``sayable`` is what an agent may say to the customer: kind
and plain, nothing that a third party told us, nothing about how the case is treated. Where the truth came
from outside, the sayable sentence asks instead of telling.
"""

from collections.abc import Iterable
from dataclasses import dataclass


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
    "many_lenders": Reason("The customer has applied to, or borrowed from, many lenders", _ASK),
    "recent_applications": Reason("Recent applications for credit elsewhere", _ASK),
    "external_unknown": Reason("No outside credit information was found", _ASK),
}


def staff_sentences(codes: Iterable[str]) -> dict[str, str]:
    """Return the sentence that staff read for each code; an unknown code raises KeyError."""
    return {code: REASONS[code].staff for code in codes}


def sayable_sentences(codes: Iterable[str]) -> dict[str, str]:
    """Return the sentence that an agent may say for each code; an unknown code raises KeyError."""
    return {code: REASONS[code].sayable for code in codes}
