"""Settings from the environment: one frozen dataclass, every missing or wrong name reported at once.

Documented in docs/configuration.md; a test keeps the two lists equal.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import available_timezones

from collections_app.domain.errors import NotConfigured


@dataclass(frozen=True)
class Variable:
    """One environment variable: its name, its default (None = required when ``when`` says so), its help."""

    name: str
    default: str | None
    help: str


VARIABLES: tuple[Variable, ...] = (
    Variable(
        "DATABASE_URL",
        "",
        "sqlite:///path or postgresql://user:password@host/name; empty: VAR_DIR/collections.db",
    ),
    Variable("VAR_DIR", "var", "folder for the embedded database, recordings, model bundles"),
    Variable("ENVIRONMENT", "development", "development or production; production refuses simulators and weak keys"),
    Variable("SECRET_KEY", "", "signs sessions; required in production, 32 characters or more"),
    Variable("SMS_GATEWAY", "console", "console (prints, sends nothing) or twilio"),
    Variable("CARRIER", "simulator", "who places robot calls: simulator or twilio"),
    Variable("TWILIO_ACCOUNT_SID", "", "Twilio account; required with SMS_GATEWAY=twilio or CARRIER=twilio"),
    Variable("TWILIO_AUTH_TOKEN", "", "Twilio auth token; signs and verifies webhooks"),
    Variable("TWILIO_FROM", "", "the number or messaging service that sends (E.164 or MG...)"),
    Variable("PUBLIC_URL", "http://127.0.0.1:8000", "how carriers reach our webhooks"),
    Variable("VOSK_MODEL", "", "a Vosk model directory; empty: the demo model shipped with the project"),
    Variable("STRATEGY_BOOK", "", "a strategy book directory; empty: the default book shipped with the project"),
    Variable("RULE_PACKS", "", "a rule pack directory; empty: the packs shipped with the project"),
    Variable("DAY_START", "06:00", "when the scheduler runs the day, HH:MM in DAY_ZONE"),
    Variable(
        "DEMO_CLOCK",
        "",
        "an instant like 2026-11-20T17:00:00+00:00 at which a demonstration's clock starts; never in production",
    ),
    Variable("DAY_ZONE", "UTC", "IANA zone of DAY_START and of the business date"),
)


@dataclass(frozen=True)
class Settings:
    """What the process was told. Built once, passed down; nothing below the edges reads the environment."""

    database_url: str
    var_dir: Path
    environment: str
    secret_key: str
    sms_gateway: str
    carrier: str
    twilio_account_sid: str
    twilio_auth_token: str
    twilio_from: str
    public_url: str
    vosk_model: str
    strategy_book: str
    rule_packs: str
    demo_clock: str
    day_start: str
    day_zone: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read and check everything; raise NotConfigured naming every problem at once."""
        env = os.environ if environ is None else environ
        values = {v.name.lower(): (env.get(v.name) or v.default or "").strip() for v in VARIABLES}
        problems = _problems(values)
        if problems:
            raise NotConfigured("settings are wrong or missing: " + "; ".join(problems))
        var_dir = Path(values.pop("var_dir"))
        values["database_url"] = values["database_url"] or f"sqlite:///{var_dir / 'collections.db'}"
        values["secret_key"] = values["secret_key"] or "development-only-key-not-for-production"
        return cls(var_dir=var_dir, **values)


def _problems(values: Mapping[str, str]) -> list[str]:
    found: list[str] = []
    for name, allowed in (
        ("environment", ("development", "production")),
        ("sms_gateway", ("console", "twilio")),
        ("carrier", ("simulator", "twilio")),
    ):
        if values[name] not in allowed:
            found.append(f"{name.upper()}={values[name]!r} must be one of {', '.join(allowed)}")
    if "twilio" in (values["sms_gateway"], values["carrier"]):
        found += [
            f"{name.upper()} is needed when Twilio is used"
            for name in ("twilio_account_sid", "twilio_auth_token", "twilio_from")
            if not values[name]
        ]
    if values["environment"] == "production":
        if len(values["secret_key"]) < 32:
            found.append("SECRET_KEY needs 32 characters or more in production")
        if values["sms_gateway"] == "console":
            found.append("SMS_GATEWAY=console sends nothing; production needs twilio")
        if values["demo_clock"]:
            found.append("DEMO_CLOCK is for demonstrations; production runs by the wall clock")
        if values["carrier"] == "simulator":
            found.append("CARRIER=simulator is for demonstrations; production needs twilio")
    hour, _, minute = values["day_start"].partition(":")
    if not (hour.isdigit() and minute.isdigit() and int(hour) < 24 and int(minute) < 60):
        found.append(f"DAY_START={values['day_start']!r} must be HH:MM")
    if values["demo_clock"]:
        try:
            aware = datetime.fromisoformat(values["demo_clock"]).tzinfo is not None
        except ValueError:
            aware = False
        if not aware:
            found.append(f"DEMO_CLOCK={values['demo_clock']!r} must be an instant with its zone")
    if values["day_zone"] not in available_timezones():
        found.append(f"DAY_ZONE={values['day_zone']!r} is not an IANA zone")
    return found
