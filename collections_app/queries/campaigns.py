"""Campaigns as people and commands see them."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from collections_app.db.tables import Campaign, ContactAttempt, GateDecision
from collections_app.domain.contact import AttemptStatus, CampaignStatus, Channel, Mode
from collections_app.domain.errors import NotFound


@dataclass(frozen=True)
class CampaignRow:
    """One campaign with the number of its attempts in each status."""

    id: int
    name: str
    business_date: date
    channel: Channel
    mode: Mode
    template_id: str
    status: CampaignStatus
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    counts: Mapping[AttemptStatus, int]

    @property
    def total(self) -> int:
        """Return the size of the audience."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class HeldBack:
    """A rule that held attempts of a campaign back, and how many."""

    rule_id: str
    decision: str
    message: str
    attempts: int


@dataclass(frozen=True)
class CampaignDetail:
    """One campaign with the reasons for what it did not send."""

    campaign: CampaignRow
    held_back: tuple[HeldBack, ...]


def list_campaigns(session: Session, *, on: date | None = None, limit: int = 100) -> list[CampaignRow]:
    """Return campaigns, newest first; ``on`` limits them to one business date."""
    statement = sa.select(Campaign).order_by(Campaign.business_date.desc(), Campaign.name).limit(limit)
    if on is not None:
        statement = statement.where(Campaign.business_date == on)
    return _rows(session, session.scalars(statement).all())


def get_campaign(session: Session, campaign_id: int) -> CampaignDetail:
    """Return one campaign with its counts and the rules that spoke, or raise NotFound."""
    campaign = session.get(Campaign, campaign_id)
    if campaign is None:
        raise NotFound(f"there is no campaign {campaign_id}")
    return CampaignDetail(_rows(session, [campaign])[0], _held_back(session, campaign_id))


def _rows(session: Session, campaigns: Sequence[Campaign]) -> list[CampaignRow]:
    counts: dict[int, Counter[AttemptStatus]] = defaultdict(Counter)
    statement = (
        sa.select(ContactAttempt.campaign_id, ContactAttempt.status, sa.func.count())
        .where(ContactAttempt.campaign_id.in_([c.id for c in campaigns]))
        .group_by(ContactAttempt.campaign_id, ContactAttempt.status)
    )
    for campaign_id, status, number in session.execute(statement):
        if campaign_id is not None:
            counts[campaign_id][status] = number
    return [
        CampaignRow(
            id=c.id,
            name=c.name,
            business_date=c.business_date,
            channel=c.channel,
            mode=c.mode,
            template_id=c.template_id,
            status=c.status,
            created_at=c.created_at,
            started_at=c.started_at,
            ended_at=c.ended_at,
            counts=dict(counts[c.id]),
        )
        for c in campaigns
    ]


def _held_back(session: Session, campaign_id: int) -> tuple[HeldBack, ...]:
    first = GateDecision.hits[0]
    # A subquery, because PostgreSQL cannot see that two expressions with bound parameters are one group.
    words = (
        sa.select(
            first["rule_id"].as_string().label("rule_id"),
            first["message"].as_string().label("message"),
            GateDecision.decision.label("decision"),
            GateDecision.attempt_id.label("attempt_id"),
        )
        .join(ContactAttempt, ContactAttempt.id == GateDecision.attempt_id)
        .where(ContactAttempt.campaign_id == campaign_id, GateDecision.decision != "ALLOW")
        .subquery()
    )
    attempts = sa.func.count(words.c.attempt_id.distinct())
    statement = (
        sa.select(words.c.rule_id, words.c.decision, sa.func.min(words.c.message), attempts)
        .group_by(words.c.rule_id, words.c.decision)
        .order_by(attempts.desc(), words.c.rule_id)
    )
    return tuple(
        HeldBack(rule_id or "", decision, message or "", number)
        for rule_id, decision, message, number in session.execute(statement)
    )
