"""The last look before a send: what may have changed since the plan was made (domain brief §5.8)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import Account, Case, ContactAttempt, ContactPoint, Customer, Episode, Hold, Promise
from collections_app.domain.money import Money
from collections_app.domain.promises import PromiseStatus


@dataclass(frozen=True)
class LastLook:
    """The freshest word on the case behind an attempt, and what its text may say."""

    to: str
    language: str
    name: str
    brand: str
    owed: Money
    is_open: bool
    cool_until_on: date | None
    held_until_on: date | None
    promised_at: datetime | None
    promise_due_on: date | None

    def values(self) -> dict[str, str]:
        """Return the values that a template may use; one that is not known is left out."""
        found = {"brand": self.brand, "name": self.name, "amount": str(self.owed)}
        if self.promise_due_on is not None:
            found["due_on"] = self.promise_due_on.isoformat()
        return {name: value for name, value in found.items() if value}


def last_looks(session: Session, attempt_ids: Collection[int]) -> dict[int, LastLook]:
    """Return the last look of each attempt, in a few queries for all of them."""
    attempts = session.execute(
        sa.select(
            ContactAttempt.id, ContactAttempt.case_id, Case.closed_on, Case.cool_until_on, Case.currency,
            Case.customer_id, Customer.language, Customer.full_name, ContactPoint.value,
        )
        .join(Case, Case.id == ContactAttempt.case_id)
        .join(Customer, Customer.id == Case.customer_id)
        .join(ContactPoint, ContactPoint.id == ContactAttempt.contact_point_id)
        .where(ContactAttempt.id.in_(attempt_ids))
    ).all()  # fmt: skip
    brands, owed = _debts(session, {a.customer_id for a in attempts})
    cases = {a.case_id for a in attempts}
    promises, holds = _promises(session, cases), _holds(session, cases)
    looks = {}
    for a in attempts:
        promised_at, due_on = promises.get(a.case_id, (None, None))
        looks[a.id] = LastLook(
            to=a.value,
            language=a.language,
            name=a.full_name or "",
            brand=brands.get(a.customer_id, ""),
            owed=Money(owed.get(a.customer_id, 0), a.currency),
            is_open=a.closed_on is None,
            cool_until_on=a.cool_until_on,
            held_until_on=holds.get(a.case_id),
            promised_at=promised_at,
            promise_due_on=due_on,
        )
    return looks


def _debts(session: Session, customer_ids: Collection[int]) -> tuple[dict[int, str], dict[int, int]]:
    """Return the name to speak in (of the oldest account) and what is overdue in open episodes."""
    in_episode = sa.select(Episode.id).where(Episode.account_id == Account.id, Episode.ended_on.is_(None)).exists()
    brands: dict[int, str] = {}
    owed: dict[int, int] = {}
    rows = session.execute(
        sa.select(Account.customer_id, Account.creditor, Account.arrears_amount, in_episode)
        .where(Account.customer_id.in_(customer_ids))
        .order_by(Account.id)
    )
    for customer_id, creditor, arrears, is_overdue in rows:
        brands.setdefault(customer_id, creditor)
        owed[customer_id] = owed.get(customer_id, 0) + (arrears if is_overdue else 0)
    return brands, owed


def _promises(session: Session, case_ids: Collection[int]) -> dict[int, tuple[datetime, date]]:
    """Return, by case, when the newest open promise was made and the earliest date that is promised."""
    rows = session.execute(
        sa.select(Promise.case_id, sa.func.max(Promise.created_at), sa.func.min(Promise.due_on))
        .where(Promise.case_id.in_(case_ids), Promise.status == PromiseStatus.OPEN)
        .group_by(Promise.case_id)
    )
    return {case_id: (made_at, due_on) for case_id, made_at, due_on in rows}


def _holds(session: Session, case_ids: Collection[int]) -> dict[int, date]:
    """Return, by case, the last day of the hold that was not released; it may have passed."""
    rows = session.execute(
        sa.select(Hold.case_id, sa.func.max(Hold.until_on).label("until_on"))
        .where(Hold.case_id.in_(case_ids), Hold.released_on.is_(None))
        .group_by(Hold.case_id)
    )
    return {row.case_id: row.until_on for row in rows}
