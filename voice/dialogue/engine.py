"""The walk through a script: (progress, what was heard, context) -> next line. Pure; nothing is remembered.

The engine refuses by construction to name the debt before the identity is confirmed: scripts are proved
when they are loaded, and a state that tells is entered only through the check.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from typing import Any

from collections_app.domain.contact import CollectorRole
from collections_app.domain.outcomes import DISPOSITIONS, Disposition, Outcome
from voice.dialogue import spoken
from voice.dialogue.script import SILENCE_END, Ending, Script, State
from voice.phrases import occurs

SILENCE = "silence"
UNMATCHED = "unmatched"


@dataclass(frozen=True)
class Context:
    """What the robot knows of the call. ``identity_digits`` is the factor the customer must say."""

    name: str
    brand: str
    identity_digits: str
    amount_minor: int
    currency: str
    due_on: date
    today: date
    collector_role: CollectorRole = CollectorRole.FIRST_PARTY


@dataclass(frozen=True)
class Progress:
    """Where a call stands; stored between two webhook turns."""

    state: str
    verified: bool = False
    misses: int = 0
    identity_tries: int = 0
    offers: int = 0
    amount_minor: int | None = None
    due_on: date | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the stored form."""
        return asdict(self) | {"due_on": self.due_on.isoformat() if self.due_on else None}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Progress":
        """Read the stored form."""
        due = value.get("due_on")
        return cls(**{**value, "due_on": date.fromisoformat(due) if due else None})


@dataclass(frozen=True)
class Settled:
    """How a call ended: what the house records."""

    outcome: Outcome
    disposition: Disposition
    promise_minor: int | None = None
    promise_on: date | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """The robot's next line; ``settled`` is set when it is the last one."""

    progress: Progress
    say: str
    intent: str | None = None
    settled: Settled | None = None


def begin(script: Script, context: Context) -> Step:
    """Return the first line."""
    return _enter(script, Progress(script.start), script.start, context, intent=None)


def hear(script: Script, progress: Progress, heard: str | None, context: Context) -> Step:
    """Return the line that answers what was heard; None or blank is silence."""
    state = script.states[progress.state]
    if state.end is not None:
        raise ValueError(f"the call ended in state {state.name}")
    if not (heard or "").strip():
        return _again(script, progress, context, SILENCE)
    heard = heard or ""
    intent = recognise(script, state, heard)
    if intent is not None and intent in script.anywhere:
        return _enter(script, progress, script.anywhere[intent], context, intent=intent)
    if state.check == "identity":
        digits = spoken.hear_digits(heard)
        if digits:
            return _identity(script, progress, digits, context)
    if state.collects == "promise" and intent in (None, "promise", "pay_now", "yes"):
        step = _promise(script, progress, heard, intent, context)
        if step is not None:
            return step
    if intent is not None and intent in state.then:
        return _enter(script, progress, state.then[intent], context, intent=intent)
    return _again(script, progress, context, UNMATCHED)


def recognise(script: Script, state: State, heard: str) -> str | None:
    """Return the first intent, in the script's order, that the state listens for and a phrase matches."""
    promise = {"promise", "pay_now", *state.in_full_today} if state.collects == "promise" else set()
    wanted = set(state.then) | set(script.anywhere) | promise
    return next((i for i, phrases in script.intents.items() if i in wanted and occurs(phrases, heard)), None)


def leave(script: Script, progress: Progress, context: Context) -> Step:
    """Return the end of a call that a machine answered: nothing is said to it."""
    return _enter(script, progress, script.anywhere["voicemail"], context, intent="voicemail")


def hung_up(progress: Progress) -> Settled:
    """Return what a call means when the other side hangs up in the middle."""
    outcome = Outcome.RPC if progress.verified else Outcome.ANSWERED_UNVERIFIED
    return Settled(outcome, Disposition.HANGUP)


def _identity(script: Script, progress: Progress, digits: str, context: Context) -> Step:
    then = script.states[progress.state].then
    if context.identity_digits and context.identity_digits in digits:
        progress = replace(progress, verified=True)
        return _enter(script, progress, then["verified"], context, intent="verified")
    progress = replace(progress, identity_tries=progress.identity_tries + 1)
    route = "mismatch" if progress.identity_tries < script.policy.identity_tries else "unverified"
    return _enter(script, progress, then[route], context, intent=route)


def _promise(script: Script, progress: Progress, heard: str, intent: str | None, context: Context) -> Step | None:
    """Fill in amount and date as heard and go on to what is missing; None when nothing was offered."""
    state = script.states[progress.state]
    amount, due = spoken.hear_amount(heard), spoken.hear_date(heard, today=context.today)
    if intent in state.in_full_today or intent == "pay_now":
        due = due or progress.due_on or context.today
        amount = amount or progress.amount_minor or context.amount_minor
    if amount is None and due is None and intent != "promise":
        return None
    amount, due = amount or progress.amount_minor, due or progress.due_on
    progress = replace(progress, amount_minor=None if amount is None else min(amount, context.amount_minor), due_on=due)
    route = _terms(script, progress, context)
    if route in ("too_late", "too_small"):
        # The refused half is forgotten, else the next answer would be judged with it again.
        progress = replace(
            progress,
            offers=progress.offers + 1,
            due_on=None if route == "too_late" else due,
            amount_minor=None if route == "too_small" else progress.amount_minor,
        )
        route = route if progress.offers < script.policy.offers else "no_agreement"
    return _enter(script, progress, state.then[route], context, intent=intent or "promise")


def _terms(script: Script, progress: Progress, context: Context) -> str:
    if progress.amount_minor is not None and progress.amount_minor < _minimum(script, context):
        return "too_small"
    if progress.due_on is not None and progress.due_on > _latest(script, context):
        return "too_late"
    if progress.due_on is None:
        return "no_date"
    return "no_amount" if progress.amount_minor is None else "agreed"


def _again(script: Script, progress: Progress, context: Context, intent: str) -> Step:
    """Ask once more, and after the script's patience end politely."""
    progress = replace(progress, misses=progress.misses + 1)
    if progress.misses > script.policy.reprompts:
        return _enter(script, progress, SILENCE_END, context, intent=intent)
    line = _line(script, script.states[progress.state], progress, context)
    return Step(progress, f"{script.reprompt} {line}", intent)


def _enter(script: Script, progress: Progress, name: str, context: Context, *, intent: str | None) -> Step:
    state = script.states[name]
    progress = replace(progress, state=name, misses=0 if name != progress.state else progress.misses)
    settled = None if state.end is None else _settle(state.end, progress)
    return Step(progress, _line(script, state, progress, context), intent, settled)


def _settle(end: Ending, progress: Progress) -> Settled:
    outcome, disposition = end.outcome, end.disposition
    if not progress.verified and outcome is Outcome.RPC:
        outcome = Outcome.ANSWERED_UNVERIFIED
        if end.unverified_disposition is not None:
            disposition = end.unverified_disposition
        elif DISPOSITIONS[disposition].needs_rpc:
            disposition = Disposition.NONE
    promised = disposition is Disposition.PTP
    return Settled(
        outcome,
        disposition,
        promise_minor=progress.amount_minor if promised else None,
        promise_on=progress.due_on if promised else None,
        flags=end.flags,
    )


def _minimum(script: Script, context: Context) -> int:
    return -(-context.amount_minor * script.policy.minimum_percent // 100)


def _latest(script: Script, context: Context) -> date:
    return context.today + timedelta(days=script.policy.longest_promise_days)


def _line(script: Script, state: State, progress: Progress, context: Context) -> str:
    text = state.say_third_party if context.collector_role is CollectorRole.THIRD_PARTY else state.say
    if "{" not in text:
        return text
    currency = context.currency
    promised = progress.amount_minor or context.amount_minor
    return text.format(
        name=context.name,
        brand=context.brand,
        amount=spoken.say_amount(context.amount_minor, currency),
        due=spoken.say_date(context.due_on),
        latest=spoken.say_date(_latest(script, context)),
        minimum=spoken.say_amount(_minimum(script, context), currency),
        promised_amount=spoken.say_amount(promised, currency),
        promised_date=spoken.say_date(progress.due_on or context.today),
    )
