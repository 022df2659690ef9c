"""Which attempts a metric counts, and what is known of them."""

from typing import Any

import sqlalchemy as sa

from collections_app.db.tables import ContactAttempt, Customer
from collections_app.domain.contact import AttemptStatus, Purpose
from collections_app.domain.outcomes import OUTCOMES, Disposition, Outcome
from collections_app.queries.reports.months import month_of
from collections_app.queries.reports.report import Scope

# An attempt is a try that left the house, whatever came of it; refused and cancelled plans are none.
SENT = (AttemptStatus.SENDING, AttemptStatus.SENT, AttemptStatus.DELIVERED, AttemptStatus.FAILED,
        AttemptStatus.UNCERTAIN)  # fmt: skip
_CONNECTS = [outcome for outcome, rule in OUTCOMES.items() if rule.connects]


def made(scope: Scope, *, since: Any, until: Any) -> sa.Subquery:
    """Return the outbound collection attempts of a span of days: month, day, case, customer, channel, and 0/1 facts.

    ``connected``: a person or a machine answered. ``voicemail``: it was a machine. ``rpc``: the customer, verified.
    ``ptp``: who then promised to pay. An outcome that was not known yet is 0.
    """
    known = sa.true() if scope.known_at is None else ContactAttempt.settled_at <= scope.known_at

    def told(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        return sa.case((sa.and_(known, condition), 1), else_=0)

    is_rpc = ContactAttempt.outcome == Outcome.RPC
    chosen = sa.select(
        ContactAttempt.id, ContactAttempt.case_id, ContactAttempt.customer_id, ContactAttempt.local_date.label("day"),
        month_of(ContactAttempt.local_date).label("month"),
        sa.cast(ContactAttempt.channel, sa.String).label("channel"),
        told(ContactAttempt.outcome.in_(_CONNECTS)).label("connected"),
        told(ContactAttempt.outcome == Outcome.VOICEMAIL).label("voicemail"),
        told(is_rpc).label("rpc"),
        told(sa.and_(is_rpc, ContactAttempt.disposition == Disposition.PTP)).label("ptp"),
    ).where(
        ContactAttempt.direction == "outbound", ContactAttempt.purpose == Purpose.COLLECTION,
        ContactAttempt.status.in_(SENT), ContactAttempt.local_date >= since, ContactAttempt.local_date <= until,
    )  # fmt: skip
    if scope.known_at is not None:
        chosen = chosen.where(ContactAttempt.dispatched_at <= scope.known_at)
    if scope.source:
        chosen = chosen.join(Customer, Customer.id == ContactAttempt.customer_id).where(Customer.source == scope.source)
    return chosen.subquery()
