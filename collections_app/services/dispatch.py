"""Send what is due, each attempt at most once (docs/decisions/0003-at-most-once-sending.md).

Transaction 1 claims under a lock on the customer, after the last look and the gate's final word; it
commits; the carrier is called with no transaction open; transaction 2 records the answer. What the
carrier's answer leaves open is UNCERTAIN for good: it is asked about, never sent again.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa

from collections_app.db.base import table_of
from collections_app.db.tables import ContactAttempt
from collections_app.db.unit_of_work import UnitOfWork, UnitsOfWork
from collections_app.domain.contact import AttemptStatus, Channel
from collections_app.domain.permissions import SYSTEM, Actor, Permission
from collections_app.gateways.sms import (
    GatewayError,
    GatewayRejected,
    GatewayUnavailable,
    GatewayUncertain,
    SendReceipt,
    SmsGateway,
    SmsMessage,
    StatusReport,
)
from collections_app.services import receipts
from collections_app.services.claiming import Claim, claim_due
from strategies.packs import PackLibrary
from strategies.templates import TemplateLibrary, default_templates

log = logging.getLogger(__name__)

Robot = Callable[[int], None]

# The gate's word is good for a minute (domain brief §8.20, invariant 3); older claims are given back.
_WORD_IS_GOOD_FOR = timedelta(seconds=60)
_SMS_BATCH = 50
# One call at a time: a call lasts minutes, and its gate word must be fresh when it is dialled.
_VOICE_BATCH = 1
_RECONCILE_FOR = timedelta(days=2)


@dataclass(frozen=True)
class _Answer:
    """What came of one claim: a reference, a kind of failure, or nothing because it was not tried."""

    claim: Claim
    result: SendReceipt | GatewayError | None


@dataclass
class _Dispatcher:
    units: UnitsOfWork
    gateway: SmsGateway
    packs: PackLibrary
    templates: TemplateLibrary
    robot: Robot | None
    worker: str
    actor: Actor
    retry_after: timedelta
    stats: Counter[str] = field(default_factory=Counter)

    def run(self, channel: Channel, *, limit: int, batch: int) -> None:
        """Claim and send in batches until nothing is due, the limit is reached or the carrier is away."""
        left = limit
        while left > 0:
            with self.units.begin(self.actor) as uow:
                taken = claim_due(
                    uow,
                    channel=channel,
                    limit=min(batch, left),
                    packs=self.packs,
                    templates=self.templates,
                    worker=self.worker,
                )
                claimed_at = uow.now
            self.stats.update(taken.stats)
            if taken.considered == 0:
                return
            left -= len(taken.claims)
            answers = self._send_all(taken.claims, claimed_at)
            if answers:
                with self.units.begin(self.actor) as uow:
                    self.stats.update(_record(uow, answers, self.gateway.name, retry_after=self.retry_after))
            if any(isinstance(a.result, GatewayUnavailable) for a in answers):
                return

    def _send_all(self, claims: Sequence[Claim], claimed_at: datetime) -> list[_Answer]:
        answers: list[_Answer] = []
        away: GatewayUnavailable | None = None
        for claim in claims:
            if away is not None or self.units.clock() - claimed_at > _WORD_IS_GOOD_FOR:
                answers.append(_Answer(claim, away))
                continue
            answer = self._send(claim)
            away = answer.result if isinstance(answer.result, GatewayUnavailable) else None
            answers.append(answer)
        return answers

    def _send(self, claim: Claim) -> _Answer:
        try:
            if claim.channel is Channel.VOICE:
                assert self.robot is not None
                self.robot(claim.attempt_id)  # settles the attempt itself
                self.stats["called"] += 1
                return _Answer(claim, SendReceipt("", ""))
            message = SmsMessage(claim.attempt_id, claim.to, claim.body)
            return _Answer(claim, self.gateway.send(message))
        except GatewayError as error:
            return _Answer(claim, error)
        except Exception as error:  # noqa: BLE001 - a fault in an adapter must not cost the batch its record
            log.error("attempt %s: %s while sending", claim.attempt_id, type(error).__name__)
            return _Answer(claim, GatewayUncertain(type(error).__name__, "the adapter failed"))


def dispatch_due(
    units: UnitsOfWork,
    *,
    gateway: SmsGateway,
    packs: PackLibrary,
    worker: str,
    robot: Robot | None = None,
    templates: TemplateLibrary | None = None,
    limit: int = 10_000,
    batch: int = _SMS_BATCH,
    voice_batch: int = _VOICE_BATCH,
    actor: Actor = SYSTEM,
    retry_after: timedelta = timedelta(minutes=5),
) -> dict[str, int]:
    """Send every due attempt of running campaigns, and replies; return what happened, counted.

    ``robot`` gets the id of a claimed voice attempt after the commit and settles it; without one,
    voice attempts stay planned. ``batch`` messages are claimed and recorded together;
    ``voice_batch`` calls too, more than one only where calls take no time. Any number of workers may
    run this at the same time.
    """
    actor.require(Permission.CAMPAIGN_RUN)
    dispatcher = _Dispatcher(
        units=units,
        gateway=gateway,
        packs=packs,
        templates=templates if templates is not None else default_templates(),
        robot=robot,
        worker=worker,
        actor=actor,
        retry_after=retry_after,
    )
    dispatcher.run(Channel.SMS, limit=limit, batch=batch)
    if robot is not None:
        dispatcher.run(Channel.VOICE, limit=limit, batch=voice_batch)
    return dict(dispatcher.stats)


def expire_stale_claims(units: UnitsOfWork, *, older_than: timedelta, actor: Actor = SYSTEM) -> int:
    """Call the claims of dead workers UNCERTAIN: they may have sent. Agents' calls are not claims.

    ``older_than`` must exceed the longest call; a worker that was only slow can still record later.
    """
    with units.begin(actor) as uow:
        result = uow.session.execute(
            sa.update(ContactAttempt)
            .where(
                ContactAttempt.status == AttemptStatus.SENDING,
                ContactAttempt.actor_kind != "agent",
                ContactAttempt.dispatched_at < uow.now - older_than,
            )
            .values(status=AttemptStatus.UNCERTAIN, error_code="worker_lost")
            .execution_options(synchronize_session=False)
        )
        return int(getattr(result, "rowcount", 0))


def reconcile_uncertain(
    units: UnitsOfWork, *, gateway: SmsGateway, limit: int = 200, actor: Actor = SYSTEM
) -> dict[str, int]:
    """Ask the carrier what became of uncertain messages; what it does not know stays uncertain."""
    stats: Counter[str] = Counter(asked=0, known=0)
    with units.begin(actor) as uow:
        since = uow.now - _RECONCILE_FOR
        queries = receipts.uncertain_sends(uow.session, gateway.name, since=since, limit=limit)
    for query in queries:
        try:
            report = gateway.find(query)
        except GatewayError:
            stats["unanswered"] += 1
            continue
        stats["asked"] += 1
        if report is not None:
            with units.begin(actor) as uow:
                attempt = uow.session.get_one(ContactAttempt, query.attempt_id, with_for_update=True)
                stats["known"] += receipts.settle(uow, attempt, report)
    return dict(stats)


def _record(uow: UnitOfWork, answers: Sequence[_Answer], provider: str, *, retry_after: timedelta) -> Counter[str]:
    """Write down the answers of a batch. Guarded: a receipt that was faster is not overwritten."""
    stats: Counter[str] = Counter()
    sent: list[dict[str, object]] = []
    for answer in answers:
        claim, result = answer.claim, answer.result
        if isinstance(result, SendReceipt):
            if result.provider_ref:
                sent.append({"b_id": claim.attempt_id, "b_ref": result.provider_ref})
        elif isinstance(result, GatewayRejected):
            stats["rejected"] += _reject(uow, claim, result, provider)
        elif isinstance(result, GatewayUncertain):
            stats["uncertain"] += _leave(
                uow,
                claim.attempt_id,
                status=AttemptStatus.UNCERTAIN,
                error_code=result.code[:32],
                provider=provider,
            )
        else:
            wait = retry_after if isinstance(result, GatewayUnavailable) else timedelta(0)
            stats["given_back"] += _leave(
                uow,
                claim.attempt_id,
                status=AttemptStatus.DEFERRED,
                scheduled_at=uow.now + wait,
                claim=None,
                dispatched_at=None,
                error_code=None if result is None else result.code[:32],
            )
    stats["sent"] += len(sent)
    if sent:
        _mark_sent(uow, sent, provider)
    return stats


def _mark_sent(uow: UnitOfWork, rows: list[dict[str, object]], provider: str) -> None:
    table = table_of(ContactAttempt)
    uow.session.connection().execute(
        sa.update(ContactAttempt)
        .where(
            table.c.id == sa.bindparam("b_id"),
            # Not IN: an expanding list cannot travel in an executemany.
            sa.or_(table.c.status == AttemptStatus.SENDING, table.c.status == AttemptStatus.UNCERTAIN),
        )
        .values(status=AttemptStatus.SENT, provider=provider, provider_ref=sa.bindparam("b_ref"), error_code=None),
        rows,
    )


def _reject(uow: UnitOfWork, claim: Claim, error: GatewayRejected, provider: str) -> int:
    attempt = uow.session.get_one(ContactAttempt, claim.attempt_id, with_for_update=True)
    report = StatusReport(
        provider=provider,
        provider_ref="",
        word="rejected",
        status=AttemptStatus.FAILED,
        error_code=error.code[:32],
        is_opt_out=error.is_opt_out,
        is_dead_number=error.is_dead_number,
    )
    return int(receipts.settle(uow, attempt, report))


def _leave(uow: UnitOfWork, attempt_id: int, **values: object) -> int:
    """Change a claim that is still ours."""
    result = uow.session.execute(
        sa.update(ContactAttempt)
        .where(ContactAttempt.id == attempt_id, ContactAttempt.status == AttemptStatus.SENDING)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return int(getattr(result, "rowcount", 0))
