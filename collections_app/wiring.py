"""Settings to working parts: built when first asked for, once per process. The web never comes here."""

import os
import socket
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

from collections_app.config import Settings
from collections_app.db import migrate
from collections_app.db.session import Database
from collections_app.db.unit_of_work import Clock, UnitsOfWork, clock_from
from collections_app.domain.errors import InvalidInput, NotConfigured
from collections_app.gateways.blobs import BlobStore
from collections_app.gateways.sms import SmsGateway, StatusReport
from collections_app.gateways.sms_console import ConsoleSmsGateway
from collections_app.gateways.sms_twilio import TwilioSmsGateway
from collections_app.jobs.continuous import Shop
from collections_app.jobs.daily import Day, pending_manifests
from collections_app.services import receipts, robocalls
from models.registry import ModelStore
from strategies.book import DEFAULT_BOOK, StrategyBook, load_book
from strategies.packs import DEFAULT_PACKS, PackLibrary, load_packs
from strategies.table import BookError
from voice.calls import Carrier
from voice.qa.checklist import Checklist, load_checklist
from voice.recognition.base import Recogniser, RecogniserUnavailable
from voice.recognition.vosk import DEMO_MODEL, VoskRecogniser
from voice.telephony.simulator import SimulatedCarrier, telephone_pair
from voice.telephony.twilio import TwilioCarrier


def demo_clock(settings: Settings) -> Clock:
    """Return the wall clock, or in a demonstration a clock that starts at DEMO_CLOCK when the process starts."""
    return clock_from(datetime.fromisoformat(settings.demo_clock) if settings.demo_clock else None)


class App:
    """Everything a command or the scheduler may need. Parts are built lazily, so that a wrong setting
    only stops what depends on it."""

    def __init__(self, settings: Settings | None = None, clock: Clock | None = None) -> None:
        if settings is not None:
            self.settings = settings
        self._clock = clock

    @cached_property
    def settings(self) -> Settings:
        """Read the environment; every wrong or missing name is reported at once."""
        return Settings.from_env()

    @cached_property
    def database(self) -> Database:
        """Connect; bring an empty or embedded database to the head, refuse an outdated server."""
        database = Database(self.settings.database_url)
        database.check()
        stands, head = migrate.current(database), migrate.head()
        if stands is None or (stands != head and not database.is_postgresql):
            migrate.upgrade(database)
        elif stands != head:
            raise NotConfigured(
                f"the database stands at migration {stands}, the code at {head}; run: collections db upgrade"
            )
        return database

    @cached_property
    def units(self) -> UnitsOfWork:
        """Open units of work on the database by the clock."""
        return UnitsOfWork(self.database, self._clock or demo_clock(self.settings))

    @property
    def business_date(self) -> date:
        """The clock's date in DAY_ZONE."""
        return self.units.clock().astimezone(ZoneInfo(self.settings.day_zone)).date()

    def begun(self, day: date) -> date:
        """Return a business day that has begun somewhere on earth; raise InvalidInput for a later one.

        The ledger never goes back: a slip of the keyboard would age every account for good.
        """
        if day > self.business_date + timedelta(days=1):
            raise InvalidInput(f"{day} lies in the future; today is {self.business_date}")
        return day

    @cached_property
    def packs(self) -> PackLibrary:
        """Load the rule packs."""
        try:
            return load_packs(Path(self.settings.rule_packs or DEFAULT_PACKS))
        except ValueError as error:
            raise NotConfigured(str(error)) from None

    @cached_property
    def book(self) -> StrategyBook:
        """Load the strategy book."""
        try:
            return load_book(Path(self.settings.strategy_book or DEFAULT_BOOK))
        except BookError as error:
            raise NotConfigured(str(error)) from None

    @cached_property
    def blobs(self) -> BlobStore:
        """Open the store of recordings."""
        return BlobStore(self.settings.var_dir / "blobs")

    @cached_property
    def models(self) -> ModelStore:
        """Open the store of model bundles."""
        return ModelStore(self.settings.var_dir / "models")

    @cached_property
    def recogniser(self) -> Recogniser:
        """Load the acoustic model."""
        try:
            return VoskRecogniser(Path(self.settings.vosk_model or DEMO_MODEL))
        except RecogniserUnavailable as error:
            raise NotConfigured(str(error)) from None

    @cached_property
    def checklist(self) -> Checklist:
        """Load the checklist that calls are checked against."""
        return load_checklist()

    @cached_property
    def sms_gateway(self) -> SmsGateway:
        """Open the gateway that sends text messages."""
        s = self.settings
        if s.sms_gateway == "twilio":
            return TwilioSmsGateway(
                account_sid=s.twilio_account_sid,
                auth_token=s.twilio_auth_token,
                sender=s.twilio_from,
                public_url=s.public_url,
            )
        return ConsoleSmsGateway(on_receipt=self._take_receipt)

    def _take_receipt(self, report: StatusReport) -> None:
        """What the webhook does for a real carrier, for the simulated one."""
        with self.units.begin() as uow:
            receipts.apply_receipt(uow, report)

    @cached_property
    def carrier(self) -> Carrier:
        """Open the carrier that places robot calls."""
        s = self.settings
        if s.carrier == "twilio":
            return TwilioCarrier(
                account_sid=s.twilio_account_sid,
                auth_token=s.twilio_auth_token,
                sender=s.twilio_from,
                public_url=s.public_url,
            )
        return SimulatedCarrier(synthesiser=telephone_pair)

    def day(self, business_date: date, manifests: tuple[Path, ...] | None = None) -> Day:
        """Return what a day's run works with; without manifests, those in the inbox."""
        found = pending_manifests(self.settings.var_dir / "inbox", business_date) if manifests is None else manifests
        return Day(business_date, self.book, self.packs, self.models, found)

    def shop(self) -> Shop:
        """Return what the continuous jobs work with."""
        return Shop(
            units=self.units,
            packs=self.packs,
            gateway=self.sms_gateway,
            blobs=self.blobs,
            checklist=self.checklist,
            models=self.models,
            recogniser=lambda: self.recogniser,
            worker=f"{socket.gethostname()}:{os.getpid()}",
            robot=lambda attempt_id: robocalls.run_call(
                self.units, attempt_id=attempt_id, carrier=self.carrier, blobs=self.blobs
            ),
        )
