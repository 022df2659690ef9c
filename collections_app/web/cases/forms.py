"""What an agent types on a case: parsed once, errors kept beside the field, nothing typed is lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Self

from collections_app.domain.errors import InvalidInput
from collections_app.domain.money import to_minor
from collections_app.domain.outcomes import Disposition, Outcome
from collections_app.queries.case_file import AccountRow

METHODS = ("transfer", "card", "direct_debit", "cash", "cheque")
# What a call can come to; the other outcomes belong to messages.
CALL_OUTCOMES = (
    Outcome.RPC, Outcome.NO_ANSWER, Outcome.VOICEMAIL, Outcome.BUSY, Outcome.THIRD_PARTY,
    Outcome.ANSWERED_UNVERIFIED, Outcome.WRONG_PARTY, Outcome.FAILED,
)  # fmt: skip
# The service's own words, by the field that they are about.
_FIELD_OF = (("amount", "amount"), ("date", "due_on"), ("account", "account_id"), ("note", "note"))


@dataclass(frozen=True)
class PromiseForm:
    """A promise as typed."""

    account_id: int = 0
    amount_minor: int = 0
    due_on: date | None = None
    method: str = METHODS[0]
    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, typed: Mapping[str, str], accounts: Sequence[AccountRow]) -> Self:
        """Read the fields; only an overdue account of the case can be chosen."""
        values = {name: typed.get(name, "").strip() for name in ("account_id", "amount", "due_on", "method")}
        errors: dict[str, str] = {}
        account = next((a for a in accounts if str(a.id) == values["account_id"]), None)
        amount, due_on = 0, None
        if account is None:
            errors["account_id"] = "Choose the account that the promise is about."
        else:
            try:
                amount = to_minor(values["amount"].replace(",", ""), account.arrears.currency)
            except InvalidInput:
                errors["amount"] = f"Write an amount in {account.arrears.currency}, for example 120.00."
        try:
            due_on = date.fromisoformat(values["due_on"])
        except ValueError:
            errors["due_on"] = "Choose the day on which the customer will pay."
        if values["method"] not in METHODS:
            values["method"] = METHODS[0]
        return cls(account.id if account else 0, amount, due_on, values["method"], values, errors)

    def refused(self, sentence: str) -> Self:
        """Return the form with the service's refusal beside the field it is about."""
        return replace(self, errors={**self.errors, _field(sentence): sentence})


@dataclass(frozen=True)
class OutcomeForm:
    """How a call went, with the promise if there was one."""

    outcome: Outcome | None = None
    disposition: Disposition = Disposition.NONE
    note: str = ""
    promise: PromiseForm | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, typed: Mapping[str, str], accounts: Sequence[AccountRow]) -> Self:
        """Read outcome and disposition; the promise's fields count only if a promise was made."""
        values = {name: typed.get(name, "").strip() for name in ("outcome", "disposition", "note")}
        errors: dict[str, str] = {}
        outcome, disposition = None, Disposition.NONE
        if values["outcome"] in CALL_OUTCOMES:
            outcome = Outcome(values["outcome"])
        else:
            errors["outcome"] = "Choose what happened."
        try:
            disposition = Disposition(values["disposition"] or Disposition.NONE)
        except ValueError:
            errors["disposition"] = "Choose what the customer said."
        promise = PromiseForm.parse(typed, accounts) if disposition is Disposition.PTP else None
        return cls(outcome, disposition, values["note"], promise, values, errors)

    @property
    def is_valid(self) -> bool:
        """Tell whether it can be given to the services."""
        return not self.errors and (self.promise is None or not self.promise.errors)

    def refused(self, sentence: str) -> Self:
        """Return the form with the service's refusal beside the field it is about."""
        name = _field(sentence)
        if self.promise is not None and name in ("amount", "due_on", "account_id"):
            return replace(self, promise=self.promise.refused(sentence))
        return replace(self, errors={**self.errors, name: sentence})


def _field(sentence: str) -> str:
    return next((name for word, name in _FIELD_OF if word in sentence), "form")
