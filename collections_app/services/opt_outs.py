"""A customer's word that contact must stop, kept in the same transaction in which it was heard."""

import sqlalchemy as sa

from collections_app.db.tables import Case, Consent, ContactPoint, OptOut
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.contact import Channel
from collections_app.domain.events import EventKind

# A robot call or an automated text needs one of these; a stop request revokes them on every number.
_CONSENTS = ("prior_express", "sms_direct")


def record_opt_out(
    uow: UnitOfWork,
    *,
    customer_id: int,
    contact_point_id: int | None,
    channel: Channel | None,
    scope: str,
    raw_text: str | None,
    detected_by: str,
) -> bool:
    """Store a stop request and revoke the consents that it ends; return False if it stood already.

    ``scope`` is ``point``, ``medium`` or ``all``. Consents are revoked for the whole customer: silence
    about the scope means that everything which needs consent stops (domain brief §1.4, UST-CONF/UST-ALL).
    """
    if is_stopped(uow, customer_id=customer_id, contact_point_id=contact_point_id, channel=channel):
        return False
    uow.session.add(
        OptOut(
            customer_id=customer_id,
            contact_point_id=contact_point_id,
            channel=channel,
            scope=scope,
            at=uow.now,
            raw_text=raw_text,
            detected_by=detected_by,
        )
    )
    points = sa.select(ContactPoint.id).where(ContactPoint.customer_id == customer_id)
    uow.session.execute(
        sa.update(Consent)
        .where(Consent.contact_point_id.in_(points), Consent.revoked_at.is_(None), Consent.kind.in_(_CONSENTS))
        .values(revoked_at=uow.now)
        .execution_options(synchronize_session=False)
    )
    case = latest_case(uow, customer_id)
    if case is not None:
        uow.record(
            case.id,
            EventKind.OPT_OUT_RECORDED,
            {"scope": scope, "channel": channel, "detected_by": detected_by},
        )
    return True


def is_stopped(uow: UnitOfWork, *, customer_id: int, contact_point_id: int | None, channel: Channel | None) -> bool:
    """Tell whether a stop request stands for this point and channel, not taken back since."""
    stopped_at = uow.session.scalar(
        sa.select(sa.func.max(OptOut.at)).where(
            OptOut.customer_id == customer_id,
            sa.or_(OptOut.channel == channel, OptOut.channel.is_(None)),
            sa.or_(OptOut.scope != "point", OptOut.contact_point_id == contact_point_id),
        )
    )
    if stopped_at is None:
        return False
    taken_back = uow.session.scalar(
        sa.select(sa.func.max(Consent.captured_at)).where(
            Consent.contact_point_id == contact_point_id,
            Consent.kind == "sms_direct",
            Consent.given_to == "collector",
            Consent.revoked_at.is_(None),
        )
    )
    return taken_back is None or taken_back <= stopped_at


def take_back(uow: UnitOfWork, *, contact_point_id: int) -> None:
    """Record START: a fresh consent given to us on this number, newer than the stop."""
    for kind in _CONSENTS:
        uow.session.add(
            Consent(contact_point_id=contact_point_id, kind=kind, captured_at=uow.now, given_to="collector")
        )


def latest_case(uow: UnitOfWork, customer_id: int) -> Case | None:
    """Return the customer's open case, else the last one: where the event belongs."""
    return uow.session.scalar(
        sa.select(Case)
        .where(Case.customer_id == customer_id)
        .order_by(Case.closed_on.is_not(None), Case.opened_on.desc(), Case.id.desc())
        .limit(1)
    )
