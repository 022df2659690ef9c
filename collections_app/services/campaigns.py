"""A person's hand on the campaigns: start, pause, resume, stop."""

import sqlalchemy as sa

from collections_app.db.tables import Campaign, ContactAttempt
from collections_app.db.unit_of_work import UnitOfWork
from collections_app.domain.contact import AttemptStatus, CampaignStatus
from collections_app.domain.errors import Conflict, NotFound
from collections_app.domain.permissions import Permission

_S = CampaignStatus


def start(uow: UnitOfWork, campaign_id: int) -> Campaign:
    """Let a drafted campaign send."""
    campaign = _move(uow, campaign_id, from_=(_S.DRAFT,), to=_S.RUNNING)
    campaign.started_at = uow.now
    return campaign


def pause(uow: UnitOfWork, campaign_id: int) -> Campaign:
    """Hold a running campaign. What was claimed already still leaves; nothing more is claimed."""
    return _move(uow, campaign_id, from_=(_S.RUNNING,), to=_S.PAUSED)


def resume(uow: UnitOfWork, campaign_id: int) -> Campaign:
    """Let a paused campaign go on."""
    return _move(uow, campaign_id, from_=(_S.PAUSED,), to=_S.RUNNING)


def stop(uow: UnitOfWork, campaign_id: int) -> Campaign:
    """End a campaign for good; what it has not sent is cancelled."""
    campaign = _move(uow, campaign_id, from_=(_S.DRAFT, _S.RUNNING, _S.PAUSED), to=_S.STOPPED)
    campaign.ended_at = uow.now
    cancel_unsent(uow, [campaign.id], reason="stopped")
    return campaign


def cancel_unsent(uow: UnitOfWork, campaign_ids: list[int], *, reason: str) -> int:
    """Cancel what these campaigns have planned and not sent; return how many attempts that was."""
    result = uow.session.execute(
        sa.update(ContactAttempt)
        .where(
            ContactAttempt.campaign_id.in_(campaign_ids),
            ContactAttempt.status.in_((AttemptStatus.PLANNED, AttemptStatus.DEFERRED)),
        )
        .values(status=AttemptStatus.CANCELLED, settled_at=uow.now, error_code=reason)
        .execution_options(synchronize_session=False)
    )
    return int(getattr(result, "rowcount", 0))


def _move(uow: UnitOfWork, campaign_id: int, *, from_: tuple[CampaignStatus, ...], to: CampaignStatus) -> Campaign:
    uow.actor.require(Permission.CAMPAIGN_RUN)
    campaign = uow.session.get(Campaign, campaign_id, with_for_update=True)
    if campaign is None:
        raise NotFound(f"there is no campaign {campaign_id}")
    if campaign.status not in from_:
        raise Conflict(f"campaign {campaign.name} is {campaign.status}; it cannot become {to} now")
    campaign.status = to
    return campaign
