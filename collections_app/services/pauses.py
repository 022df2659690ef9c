"""Periods in which days past due stand still: a disaster, an agreed deferral, a lender's decision."""

from datetime import date, timedelta

import sqlalchemy as sa

from collections_app.db.tables import Account, Case, DelinquencyPause, Episode
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.errors import Conflict, InvalidInput, NotFound
from collections_app.domain.events import EventKind
from collections_app.domain.permissions import Permission
from collections_app.services.ledger_tasks import touch_account

_LONGEST_REASON = 64


def pause_delinquency(
    uow: UnitOfWork, *, account_id: int, from_on: date, until_on: date | None, reason: str
) -> DelinquencyPause:
    """Let days past due of an account stand still from a day to a day, both paused; None = until further notice.

    The past may be paused too: how the account stood is then written anew. A supervisor's decision. NotFound: no such
    account. InvalidInput: the end lies before the beginning, no reason, or days that its source counts.
    """
    uow.actor.require(Permission.PROTECTION_DECIDE)
    account = uow.session.get(Account, account_id)
    if account is None:
        raise NotFound("there is no such account")
    if account.basis != "schedule":
        raise InvalidInput("the lender counts this account's days past due; they can be paused there only")
    if until_on is not None and until_on < from_on:
        raise InvalidInput("the last day of the pause lies before its first")
    if not reason.strip() or len(reason.strip()) > _LONGEST_REASON:
        raise InvalidInput(f"a pause needs a reason of at most {_LONGEST_REASON} characters")
    pause = DelinquencyPause(
        account_id=account_id, from_on=from_on, until_on=until_on, reason=reason.strip(), set_by=uow.actor.name,
        set_at=uow.now,
    )  # fmt: skip
    uow.session.add(pause)
    uow.session.flush()  # the event names the pause
    touch_account(uow, account_id, from_on=from_on)
    _tell(uow, pause, EventKind.DELINQUENCY_PAUSED)
    return pause


def end_pause(uow: UnitOfWork, *, pause_id: int, on: date) -> None:
    """Let days past due count again from a day on; a pause that has not begun by then is taken back.

    NotFound: no such pause. Conflict: it has ended by then.
    """
    uow.actor.require(Permission.PROTECTION_DECIDE)
    pause = uow.session.get(DelinquencyPause, pause_id, with_for_update=True)
    if pause is None:
        raise NotFound("there is no such pause")
    if pause.until_on is not None and pause.until_on < on:
        raise Conflict(f"this pause ended on {pause.until_on.isoformat()}")
    touch_account(uow, pause.account_id, from_on=max(on, pause.from_on))
    _tell(uow, pause, EventKind.DELINQUENCY_RESUMED)
    if on <= pause.from_on:
        uow.session.delete(pause)
    else:
        pause.until_on, pause.ended_by = on - timedelta(days=1), uow.actor.name


def _tell(uow: UnitOfWork, pause: DelinquencyPause, kind: EventKind) -> None:
    """Record the event on the open case of the account, if there is one."""
    case_id = uow.session.scalar(
        sa.select(Case.id)
        .join(Episode, Episode.case_id == Case.id)
        .where(Episode.account_id == pause.account_id, Case.closed_on.is_(None))
        .limit(1)
    )
    if case_id is not None:
        until = pause.until_on.isoformat() if pause.until_on else None
        told = {"account_id": pause.account_id, "from_on": pause.from_on.isoformat(), "until_on": until,
                "reason": pause.reason}  # fmt: skip
        uow.record(case_id, kind, told)
