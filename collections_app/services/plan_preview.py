"""What a plan would come to, said before it is proposed. Reads only."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from collections_app.db.tables import Account
from collections_app.domain.errors import NotFound
from collections_app.domain.money import Money
from collections_app.domain.plans import Authority, PlanKind, Proposal
from collections_app.services.plans import Wish, assess


@dataclass(frozen=True)
class Preview:
    """The plan in sentences, and whose word it needs, with why."""

    lines: tuple[str, ...]
    needs: str
    reasons: tuple[str, ...]


def preview(session: Session, *, account_id: int, wish: Wish, business_date: date) -> Preview:
    """Assess a wish; InvalidInput says what is wrong with it."""
    account = session.get(Account, account_id)
    if account is None:
        raise NotFound("there is no such account")
    found = assess(session, account, wish, business_date=business_date)
    is_enough = found.needed.level is Authority.AGENT
    needs = "You may grant this at once." if is_enough else f"It needs the word of a {found.needed.level}."
    return Preview(_lines(found.proposal), needs, found.needed.reasons)


def _lines(proposal: Proposal) -> tuple[str, ...]:
    if proposal.kind is PlanKind.DEFERRAL:
        return (f"Nothing falls due from today to {_day(proposal.ends_on)}; days past due stand still.",)
    first, last = proposal.terms[0], proposal.terms[-1]
    amounts = {term.amount_minor for term in proposal.terms}
    each = str(Money(max(amounts), proposal.currency))
    if len(proposal.terms) == 1:
        lines = [f"One payment of {each} on {_day(first.due_on)}."]
    elif len(amounts) == 1:
        lines = [f"{len(proposal.terms)} payments of {each}, {_day(first.due_on)} to {_day(last.due_on)}."]
    else:
        least = Money(min(amounts), proposal.currency)
        lines = [f"{len(proposal.terms)} payments of {each}, the last ones {least}, until {_day(last.due_on)}."]
    if proposal.waiver.total:
        parts = (("fees", proposal.waiver.fees), ("interest", proposal.waiver.interest),
                 ("principal", proposal.waiver.principal))  # fmt: skip
        given = ", ".join(f"{Money(minor, proposal.currency)} of {name}" for name, minor in parts if minor)
        lines.append(f"We give up {given}.")
    return tuple(lines)


def _day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"
