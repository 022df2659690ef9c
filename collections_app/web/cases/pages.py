"""The case file as a page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from collections_app.domain.gate import Verdict
from collections_app.domain.outcomes import DISPOSITIONS, OUTCOMES, Disposition, Outcome
from collections_app.queries.case_file import CaseFile, PointRow
from collections_app.queries.signals import OutsideSignals
from collections_app.services.allowances import Allowance, CallOption
from collections_app.web.care.pages import CareSection
from collections_app.web.cases.forms import CALL_OUTCOMES, METHODS, OutcomeForm, PromiseForm
from collections_app.web.cases.scores import ScoreSection
from collections_app.web.formatting import words

# What the gate asks for, said as an instruction to the person who speaks.
_STATEMENTS = {
    "recording_notice": "Say that the call is recorded.",
    "identity_check": "Make sure that it is the customer before you speak of the debt.",
    "identity_statement": "Say your name and for whom you call.",
    "business_identity": "Say your name and for whom you call.",
    "mini_miranda": "Say that this is an attempt to collect a debt and what is said will be used for it.",
    "debt_collector_notice": "Say that the call is from a debt collector.",
    "validation_information": "Tell the customer that the validation notice is on its way.",
    "dispute_rights": "Say nothing that hides the right to dispute the debt.",
    "time_barred_notice": "Say that the debt is too old to be claimed in court.",
    "no_debt_information": "Give no detail of the debt to anybody else.",
}


@dataclass(frozen=True)
class LeftChip:
    """What a rule still leaves: ``2 of 3 calls left today``."""

    text: str
    rule: str
    tone: str


@dataclass(frozen=True)
class NumberChip:
    """One phone with the gate's word on calling it now, and why not."""

    point: PointRow
    verdict: Verdict
    may_call: bool
    is_first: bool
    label: str
    sentence: str
    rule_id: str
    release_at: datetime | None
    left: tuple[LeftChip, ...]


@dataclass(frozen=True)
class OutcomeKey:
    """One outcome with the key that chooses it."""

    code: Outcome
    key: str
    label: str
    is_conversation: bool
    is_answered: bool


@dataclass(frozen=True)
class SaidKey:
    """One disposition with the key that chooses it."""

    code: Disposition
    key: str
    label: str
    needs_rpc: bool


@dataclass(frozen=True)
class CasePage:
    """cases/show.html."""

    file: CaseFile
    numbers: tuple[NumberChip, ...]
    required: tuple[str, ...]
    may_work: bool
    promise_first_on: date
    promise_last_on: date
    quick_days: tuple[date, ...]
    outcome_keys: tuple[OutcomeKey, ...]
    said_keys: tuple[SaidKey, ...]
    care: CareSection
    outside: OutsideSignals
    scores: ScoreSection
    methods: tuple[str, ...] = METHODS
    outcome: OutcomeForm = field(default_factory=OutcomeForm)
    promise: PromiseForm = field(default_factory=PromiseForm)
    note: str = ""
    note_error: str = ""


def case_page(
    file: CaseFile,
    *,
    options: Mapping[int, CallOption],
    may_work: bool,
    business_date: date,
    care: CareSection,
    outside: OutsideSignals,
    scores: ScoreSection,
    outcome: OutcomeForm | None = None,
    promise: PromiseForm | None = None,
    note: str = "",
    note_error: str = "",
) -> CasePage:
    """Arrange a case file for the screen."""
    return CasePage(
        file=file,
        numbers=_chips(file, options),
        required=tuple(
            _STATEMENTS.get(code, words(code)) for code in (file.open_call.required_content if file.open_call else ())
        ),
        may_work=may_work and file.closed_on is None,
        promise_first_on=business_date,
        promise_last_on=business_date + timedelta(days=file.longest_promise_days),
        quick_days=_quick_days(business_date, file.longest_promise_days),
        outcome_keys=tuple(
            OutcomeKey(o, str(i), OUTCOMES[o].label, OUTCOMES[o].conversation, OUTCOMES[o].connects)
            for i, o in enumerate(CALL_OUTCOMES, start=1)
        ),
        said_keys=tuple(SaidKey(d, rule.key, rule.label, rule.needs_rpc) for d, rule in DISPOSITIONS.items()),
        care=care,
        outside=outside,
        scores=scores,
        outcome=outcome or OutcomeForm(),
        promise=promise or (outcome.promise if outcome and outcome.promise else PromiseForm()),
        note=note,
        note_error=note_error,
    )


def _chips(file: CaseFile, options: Mapping[int, CallOption]) -> tuple[NumberChip, ...]:
    phones = [p for p in file.points if p.is_phone]
    allowed = [p.id for p in phones if p.id in options and options[p.id].decision.verdict is Verdict.ALLOW]
    return tuple(_chip(p, options.get(p.id), is_first=p.id in allowed[:1]) for p in phones)


def _chip(point: PointRow, option: CallOption | None, *, is_first: bool) -> NumberChip:
    decision = option.decision if option else None
    verdict = decision.verdict if decision else Verdict.DENY
    hit = decision.hits[0] if decision and decision.hits else None
    labels = {Verdict.ALLOW: "may be called now", Verdict.DEFER: "not now", Verdict.DENY: "not allowed"}
    return NumberChip(
        point=point,
        verdict=verdict,
        may_call=verdict is Verdict.ALLOW,
        is_first=is_first,
        label=labels[verdict],
        sentence=f"{hit.message}." if hit else "Nothing is known of this number.",
        rule_id=hit.rule_id if hit else "",
        release_at=decision.next_eligible_at if decision else None,
        left=tuple(_left(a) for a in option.allowances[:2]) if option else (),
    )


def _left(allowance: Allowance) -> LeftChip:
    window = "today" if allowance.days == 1 else f"in {allowance.days} days"
    return LeftChip(
        text=f"{allowance.left} of {allowance.limit} calls left {window}",
        rule=f"{allowance.rule} (rule {allowance.rule_id})",
        tone="bad" if allowance.left == 0 else "care" if allowance.left == 1 else "plain",
    )


def _quick_days(today: date, longest: int) -> tuple[date, ...]:
    """Return the days that customers name most: tomorrow, this Friday, in a week, in two."""
    friday = today + timedelta(days=(4 - today.weekday()) % 7 or 7)
    days = {today + timedelta(days=1), friday, today + timedelta(days=7), today + timedelta(days=longest)}
    return tuple(sorted(d for d in days if d <= today + timedelta(days=longest)))
