"""Campaigns as the scheduler sees them."""

from collections.abc import Mapping
from dataclasses import dataclass

from collections_app.domain.contact import AttemptStatus, CampaignStatus
from collections_app.queries.campaigns import CampaignDetail, CampaignRow, HeldBack

_S = AttemptStatus


@dataclass(frozen=True)
class FunnelStep:
    """One step of the funnel: how many came this far, and their share of the audience (0 to 100)."""

    name: str
    meaning: str
    count: int
    share: int


@dataclass(frozen=True)
class Blocked:
    """A rule that held attempts back; ``width`` is its bar, 0 to 100."""

    rule: HeldBack
    width: int


@dataclass(frozen=True)
class CampaignLine:
    """One campaign in a list."""

    campaign: CampaignRow
    waiting: int
    held_back: int
    delivered: int


@dataclass(frozen=True)
class CampaignsPage:
    """campaigns/index.html."""

    campaigns: tuple[CampaignLine, ...]


@dataclass(frozen=True)
class CampaignPage:
    """campaigns/show.html."""

    campaign: CampaignRow
    funnel: tuple[FunnelStep, ...]
    blocked: tuple[Blocked, ...]
    waiting: int
    may_run: bool
    can_start: bool
    can_pause: bool
    can_resume: bool
    can_stop: bool


def campaign_line(campaign: CampaignRow) -> CampaignLine:
    """Arrange a campaign for a list."""
    counts = campaign.counts
    return CampaignLine(
        campaign, _sum(counts, _S.PLANNED), _sum(counts, _S.DENIED, _S.DEFERRED), _sum(counts, _S.DELIVERED)
    )


def campaign_page(detail: CampaignDetail, *, may_run: bool) -> CampaignPage:
    """Arrange a campaign for its board."""
    campaign = detail.campaign
    status = campaign.status
    largest = max((h.attempts for h in detail.held_back), default=1)
    return CampaignPage(
        campaign=campaign,
        funnel=_funnel(campaign.counts),
        blocked=tuple(Blocked(h, max(2, 100 * h.attempts // largest)) for h in detail.held_back),
        waiting=_sum(campaign.counts, _S.PLANNED),
        may_run=may_run,
        can_start=may_run and status is CampaignStatus.DRAFT,
        can_pause=may_run and status is CampaignStatus.RUNNING,
        can_resume=may_run and status is CampaignStatus.PAUSED,
        can_stop=may_run and status in (CampaignStatus.DRAFT, CampaignStatus.RUNNING, CampaignStatus.PAUSED),
    )


def _sum(counts: Mapping[AttemptStatus, int], *statuses: AttemptStatus) -> int:
    return sum(counts.get(s, 0) for s in statuses)


def _funnel(counts: Mapping[AttemptStatus, int]) -> tuple[FunnelStep, ...]:
    left = (_S.SENDING, _S.SENT, _S.DELIVERED, _S.FAILED, _S.UNCERTAIN)
    audience = sum(counts.values())
    steps = (
        ("Audience", "customers that the treatment chose for this step and that have a number", audience),
        ("Allowed", "not refused or put off by the gate", audience - _sum(counts, _S.DENIED, _S.DEFERRED)),
        ("Sent", "claimed and handed to the carrier, whatever came of it", _sum(counts, *left)),
        ("Delivered", "the carrier says that it arrived or was answered", _sum(counts, _S.DELIVERED)),
        ("Failed", "the carrier says that it did not arrive", _sum(counts, _S.FAILED)),
        ("Not known", "the carrier gave no answer; never sent twice", _sum(counts, _S.UNCERTAIN)),
    )
    return tuple(FunnelStep(n, meaning, c, 100 * c // audience if audience else 0) for n, meaning, c in steps)
