"""One account's facts have changed: it waits to be derived again. Light enough for a web process."""

from datetime import date

from collections_app.db.tables import LedgerTask
from collections_app.db.unit_of_work import UnitOfWork


def touch_account(uow: UnitOfWork, account_id: int, *, from_on: date) -> None:
    """Ask for an account to be derived again from a day on; the earliest day asked for stands."""
    task = uow.session.get(LedgerTask, account_id, with_for_update=True)
    if task is None:
        uow.session.add(LedgerTask(account_id=account_id, from_on=from_on))
        uow.session.flush()  # a second touch in this unit must find it
    else:
        task.from_on = min(task.from_on, from_on)
