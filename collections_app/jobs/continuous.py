"""What runs beside the business day: send what is due, ask what became of the uncertain, listen, build candidates."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from collections_app.db.unit_of_work import UnitsOfWork
from collections_app.domain.permissions import SYSTEM
from collections_app.gateways.blobs import BlobStore
from collections_app.gateways.sms import SmsGateway
from collections_app.services import dispatch as dispatching
from collections_app.services import model_readiness, quality, transcription
from models.registry import ModelStore
from strategies.packs import PackLibrary
from voice.qa.checklist import Checklist
from voice.recognition.base import Recogniser

# Longer than the longest call: a claim this old belongs to a worker that died.
STALE_CLAIM = timedelta(minutes=30)


@dataclass(frozen=True)
class Shop:
    """The parts that continuous jobs work with. The recogniser is heavy, hence asked for when needed."""

    units: UnitsOfWork
    packs: PackLibrary
    gateway: SmsGateway
    robot: Callable[[int], Any]
    blobs: BlobStore
    recogniser: Callable[[], Recogniser]
    checklist: Checklist
    models: ModelStore
    worker: str


def dispatch(shop: Shop) -> dict[str, Any]:
    """Send every attempt that is due, at most once each."""
    return dispatching.dispatch_due(
        shop.units, gateway=shop.gateway, packs=shop.packs, worker=shop.worker, robot=shop.robot
    )


def reconcile(shop: Shop) -> dict[str, Any]:
    """Mark claims of dead workers as uncertain, then ask the carrier about every uncertain attempt."""
    expired = dispatching.expire_stale_claims(shop.units, older_than=STALE_CLAIM)
    asked = dispatching.reconcile_uncertain(shop.units, gateway=shop.gateway)
    return {"expired": expired, **asked}


def listen(shop: Shop) -> dict[str, Any]:
    """Transcribe what was recorded and check what was transcribed."""
    if transcription.count_pending(shop.units):
        heard = transcription.transcribe_pending(shop.units, recogniser=shop.recogniser(), blobs=shop.blobs)
    else:
        heard = {}
    return {**heard, **quality.check_pending(shop.units, checklist=shop.checklist)}


def candidates(shop: Shop) -> dict[str, Any]:
    """Build the first model of its own of each recipe whose outcomes suffice now; a person approves it, never a job."""
    return model_readiness.build_when_ready(shop.units, actor=SYSTEM, models=shop.models)
