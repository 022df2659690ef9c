"""The forms by which arrangements and protections are recorded and decided, in plain words."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from flask import url_for

from collections_app.domain.calendars import add_months
from collections_app.domain.contact import StopCode
from collections_app.domain.plans import Every, PlanKind
from collections_app.domain.protections import (
    EVIDENCE_OF,
    ComplaintChannel,
    ComplaintOutcome,
    DisputeGrounds,
    DisputeOutcome,
    HardshipMeasure,
    HardshipReason,
    HoldReason,
    MoratoriumKind,
    ReceivedBy,
    ReleaseReason,
)
from collections_app.queries.case_file import AccountRow
from collections_app.web.care.fields import Field, Form, Kind, choices_of

PLAN_KINDS = {
    PlanKind.INSTALMENT: "Pay what is owed in parts",
    PlanKind.REDUCED: "Smaller payments for a while",
    PlanKind.TOKEN: "Token payments for a while",
    PlanKind.DEFERRAL: "Nothing due until a later day",
    PlanKind.SETTLEMENT: "Settle for less than is owed",
}
GROUNDS = {
    DisputeGrounds.NOT_MINE: "It is not my debt",
    DisputeGrounds.AMOUNT: "The amount is wrong",
    DisputeGrounds.PAID: "It is paid already",
    DisputeGrounds.FRAUD: "Fraud or identity theft",
    DisputeGrounds.QUALITY: "Goods or service were not right",
    DisputeGrounds.OTHER: "Something else",
}
DISPUTE_OUTCOMES = {
    DisputeOutcome.VERIFIED: "The debt is right; verification was sent",
    DisputeOutcome.CORRECTED: "Something was wrong and is corrected",
    DisputeOutcome.ACCEPTED: "The customer is right; this debt is not collected",
    DisputeOutcome.WITHDRAWN: "The customer withdrew it",
}
COMPLAINT_CHANNELS = {
    ComplaintChannel.DIRECT: "To us directly",
    ComplaintChannel.REGULATOR: "Through a regulator (collection stops)",
    ComplaintChannel.OMBUDSMAN: "Through an ombudsman (collection stops)",
    ComplaintChannel.MEDIA: "In the media",
}
MORATORIA = {
    MoratoriumKind.BREATHING_SPACE: "Breathing space",
    MoratoriumKind.MENTAL_CRISIS: "Breathing space, mental health crisis",
    MoratoriumKind.COURT: "Stay by a court",
    MoratoriumKind.SERVICE_MEMBER: "Service member",
    MoratoriumKind.LOCAL: "Local scheme",
}
STOPS = {
    StopCode.DECEASED: "Has died",
    StopCode.BANKRUPTCY: "Is bankrupt",
    StopCode.ATTORNEY: "Is represented by a lawyer",
    StopCode.CEASE: "Asked in writing that we stop",
    StopCode.ID_THEFT: "Reports identity theft",
    StopCode.VULNERABLE: "Vulnerable: do not dial",
}
_MEASURES = {HardshipMeasure.NONE: "Nothing can be granted"}


def record_forms(
    case_id: int, accounts: Sequence[AccountRow], *, today: date, is_open: bool, may_plan: bool
) -> tuple[Form, ...]:
    """Return the forms that record something new on a case; a closed case admits what the customer tells us."""
    forms = [plan_form(case_id, accounts, today=today)] if is_open and may_plan and accounts else []
    if is_open:
        forms.append(_hold(today))
    forms += [_dispute(accounts, today)] if accounts else []
    forms += [_hardship(), _complaint(today), _moratorium(today), _stop()]
    return tuple(
        form if form.action else replace(form, action=url_for("care.record", case_id=case_id, kind=form.code))
        for form in forms
    )


def _which(accounts: Sequence[AccountRow]) -> Field:
    names = tuple((str(a.id), f"{a.creditor}, {a.account_ref}") for a in accounts)
    return Field("account_id", "Account", Kind.CHOICE, names, words=("account",), default=names[0][0] if names else "")


def plan_form(case_id: int, accounts: Sequence[AccountRow], *, today: date) -> Form:
    """Return the form of a payment plan; some fields speak to some kinds of plan only."""
    account = next(iter(accounts), None)
    first = today + timedelta(days=7)
    fields = (
        _which(accounts),
        Field("kind", "What is arranged", Kind.CHOICE, choices_of(PlanKind, PLAN_KINDS), default="instalment"),
        Field("total", "The customer pays in all", Kind.MONEY, words=("amount", "balance", "settlement", "overdue"),
              default=str(account.arrears.decimal()) if account else "", only="paying", is_required=False),
        Field("count", "Payments", Kind.NUMBER, default="3", words=("terms", "payments"), only="paying",
              is_half=True, is_required=False),
        Field("every", "How often", Kind.CHOICE, choices_of(Every), default="month", only="paying", is_half=True),
        Field("first_due_on", "First payment on", Kind.DATE, words=("first date",), first_on=today,
              last_on=add_months(today, 3), default=first.isoformat(), only="paying", is_required=False),
        Field("ends_on", "Nothing is due until", Kind.DATE, words=("last date", "deferral"), first_on=today,
              last_on=add_months(today, 12), only="deferring", is_required=False),
        Field("income", "Income a month", Kind.MONEY, words=("income",), is_required=False, is_half=True,
              only="paying"),
        Field("expense", "Expense a month", Kind.MONEY, is_required=False, is_half=True, only="paying"),
        Field("evidence", "Seen as evidence", is_required=False, hint="A payslip, a bank statement, or nothing.",
              only="paying"),
        Field("re_ages", "Let the account start afresh: days past due count from the plan", Kind.CHECK,
              words=("afresh",), is_required=False, only="instalments"),
        Field("reason", "Why it helps", words=("reason",)),
    )  # fmt: skip
    return Form(
        "plan", "Payment plan or settlement", url_for("care.propose", case_id=case_id), "Propose the plan", fields,
        preview=url_for("care.preview", case_id=case_id),
    )  # fmt: skip


def _hold(today: date) -> Form:
    fields = (
        Field("reason", "Because", Kind.CHOICE, choices_of(HoldReason), default="advice_sought"),
        Field("until_on", "Until", Kind.DATE, words=("hold", "day"), first_on=today,
              default=(today + timedelta(days=14)).isoformat()),
        Field("note", "Note", Kind.LONG, is_required=False, words=("note",), most=300),
    )  # fmt: skip
    return Form("hold", "Put the case on hold", "", "Put on hold", fields, "Nobody works the case until then.")


def _dispute(accounts: Sequence[AccountRow], today: date) -> Form:
    fields = (
        _which(accounts),
        Field("grounds", "The customer says", Kind.CHOICE, choices_of(DisputeGrounds, GROUNDS), default="amount"),
        Field("note", "In their words", Kind.LONG, words=("note",), most=4000),
        Field("disputed", "Amount in dispute", Kind.MONEY, is_required=False, words=("amount",),
              hint="Empty: the whole debt."),
        Field("received_by", "Received by", Kind.CHOICE, choices_of(ReceivedBy), default="phone", is_half=True),
        Field("received_on", "On", Kind.DATE, words=("receipt",), last_on=today, default=today.isoformat(),
              is_half=True),
        Field("validation_sent_on", "Validation notice sent on", Kind.DATE, is_required=False, last_on=today,
              hint="United States only; empty when not known."),
    )  # fmt: skip
    return Form("dispute", "The debt is disputed", "", "Record the dispute", fields, "Contact about it stops at once.")


def _hardship() -> Form:
    fields = (
        Field("reason", "Because of", Kind.CHOICE, choices_of(HardshipReason), default="income_drop"),
        Field("evidence", "Evidence", is_required=False, hint="Only what the customer offers.", words=("evidence",)),
        Field("stops_contact", "Do not dial meanwhile", Kind.CHECK, is_required=False),
    )
    return Form("hardship", "The customer cannot pay now", "", "Record the hardship", fields,
                "A supervisor answers with what we can do.")  # fmt: skip


def _complaint(today: date) -> Form:
    fields = (
        Field("subject", "About", words=("subject",)),
        Field("channel", "It came", Kind.CHOICE, choices_of(ComplaintChannel, COMPLAINT_CHANNELS), default="direct"),
        Field("received_on", "On", Kind.DATE, words=("receipt",), last_on=today, default=today.isoformat()),
        Field("note", "In their words", Kind.LONG, is_required=False, words=("note",), most=4000),
    )
    return Form("complaint", "Complaint", "", "Record the complaint", fields)


def _moratorium(today: date) -> Form:
    fields = (
        Field("kind", "Kind", Kind.CHOICE, choices_of(MoratoriumKind, MORATORIA), default="bs_standard",
              words=("no rule", "running", "given once")),
        Field("reference", "Number of the notice", words=("reference",), most=64),
        Field("notified_on", "Notice received on", Kind.DATE, words=("receipt",), last_on=today,
              default=today.isoformat(), is_half=True),
        Field("ends_on", "Ends on", Kind.DATE, is_required=False, words=("last day",), is_half=True),
        Field("adviser", "Adviser", is_required=False,
              hint="The law knows how long a breathing space is; a court names the day."),
    )  # fmt: skip
    return Form("moratorium", "Moratorium or breathing space", "", "Start the moratorium", fields,
                "Contact stops, interest is frozen, days past due stand still.")  # fmt: skip


def _stop() -> Form:
    told = "; ".join(f"{STOPS[code].lower()}: {what}" for code, what in EVIDENCE_OF.items() if code in _NAMED)
    fields = (
        Field("code", "The customer", Kind.CHOICE, tuple((c.value, label) for c, label in STOPS.items()),
              default="attorney", words=("stands already",)),
        Field("evidence", "What we know of it", words=("evidence",), hint=f"{told[:1].upper()}{told[1:]}."),
    )  # fmt: skip
    return Form("stop", "Stop all contact", "", "Stop contact", fields, "Only a supervisor lifts it, with evidence.")


_NAMED = (StopCode.ATTORNEY, StopCode.BANKRUPTCY)


def decision_form(case_id: int, kind: str, verb: str, item_id: int, *, today: date) -> Form | None:
    """Return the form of a supervisor's decision, None where there is no such decision."""
    made = _DECISIONS.get((kind, verb))
    if made is None:
        return None
    title, submit, fields = made
    default = [replace(f, first_on=today) if f.kind is Kind.DATE and f.name != "event_on" else f for f in fields]
    action = url_for("care.decide", case_id=case_id, kind=kind, item_id=item_id, verb=verb)
    return Form(f"{kind}-{verb}-{item_id}", title, action, submit, tuple(default))


VERBS = {"hold": ("release", "extend"), "dispute": ("answer",), "complaint": ("close", "extend"),
         "hardship": ("review", "end"), "moratorium": ("end",), "stop": ("release",)}  # fmt: skip
_WHY = Field("reason", "Reason", words=("reason",))
_DECISIONS: dict[tuple[str, str], tuple[str, str, tuple[Field, ...]]] = {
    ("hold", "release"): ("Release", "Release the hold", ()),
    ("hold", "extend"): ("Extend", "Extend the hold", (Field("until_on", "Until", Kind.DATE, words=("day", "until")),)),
    ("dispute", "answer"): ("Answer", "Record the answer", (
        Field("outcome", "What we found", Kind.CHOICE, choices_of(DisputeOutcome, DISPUTE_OUTCOMES)),
        Field("evidence", "What was sent to the customer", words=("evidence",)),
    )),
    ("complaint", "close"): ("Close", "Close the complaint", (
        Field("outcome", "What we found", Kind.CHOICE, choices_of(ComplaintOutcome)),
        Field("root_cause", "What it came from", words=("root cause",)),
        Field("redress", "Redress paid", Kind.MONEY, is_required=False, words=("redress",)),
    )),
    ("complaint", "extend"): ("Extend", "Take more time", (
        Field("reason", "Why it takes longer", words=("reason", "extended", "run out"),
              hint="The customer is told."),
    )),
    ("hardship", "review"): ("Decide", "Record what is granted", (
        Field("measures", "Granted", Kind.SEVERAL, choices_of(HardshipMeasure, _MEASURES), words=("measures",)),
        Field("review_on", "Next look on", Kind.DATE, is_required=False, words=("review",),
              hint="Empty: in three months."),
    )),
    ("hardship", "end"): ("End", "End the hardship", (_WHY,)),
    ("moratorium", "end"): ("End", "End the moratorium", (
        replace(_WHY, label="Reason, and what shows it"),
        Field("event_on", "Treatment ended on", Kind.DATE, is_required=False,
              hint="Mental health crisis only: contact rests for thirty days more."),
    )),
    ("stop", "release"): ("Release", "Let contact go on", (
        Field("reason", "Because", Kind.CHOICE, choices_of(ReleaseReason), words=("never released",)),
        Field("evidence", "Evidence", words=("evidence",)),
    )),
}  # fmt: skip
