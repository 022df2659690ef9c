"""A proposal of a mapping for a file that nobody has described: which column makes which field, how sure, and why.

Names count three quarters, values one: a name without fitting values is no match. What cannot be known from the
file stays open ("?") and is listed; ``load_mapping`` refuses the proposal until a person has decided it.
"""

from dataclasses import dataclass, field
from pathlib import Path

from collections_app.domain.errors import InvalidInput
from collections_app.intake.entities import ENTITIES, Column
from collections_app.intake.naming import best_likeness, our_word, vocabulary
from collections_app.intake.profiling import Profile, profile_column
from collections_app.intake.sniffing import Sample, take_sample

SURE, LIKELY, POSSIBLE = 0.8, 0.65, 0.5
# Fields without which a file is not of the entity; the other required ones can be constants.
ESSENTIAL: dict[str, tuple[str, ...]] = {
    "accounts": ("account_ref", "balance_amount"),
    "customers": ("customer_ref", "full_name"),
    "instalments": ("account_ref", "seq", "due_on"),
    "payments": ("payment_ref", "amount", "value_on"),
    "contact_points": ("customer_ref", "value"),
    "cycles": ("account_ref", "cycle_end_on", "statement_amount"),
    "signals": ("customer_ref", "snapshot_on", "hit_status"),
    "placements": ("account_ref", "placed_with", "placed_on"),
    "agency_activity": ("attempt_ref", "account_ref", "started_at", "outcome"),
    "enquiries": ("enquiry_ref", "customer_ref", "institution", "enquired_at"),
    "list_hits": ("hit_ref", "customer_ref", "list_code", "event_on"),
    "events": ("event_ref", "account_ref", "kind", "occurred_at"),
    "labels": ("account_ref", "label", "outcome"),
}


@dataclass(frozen=True)
class Match:
    """One column for one field: ``confidence`` 0-1 and why."""

    entity: str
    field: str
    profile: Profile
    confidence: float
    why: str

    @property
    def column(self) -> str:
        """Return the column's name."""
        return self.profile.name


@dataclass
class Findings:
    """What was found in a file: the matches of its entities, and columns that nothing reads."""

    sample: Sample
    profiles: dict[str, Profile]
    entity: str
    matches: dict[str, dict[str, Match]]
    phones: list[Profile] = field(default_factory=list)
    emails: list[Profile] = field(default_factory=list)
    protected: list[str] = field(default_factory=list)

    @property
    def unread(self) -> list[str]:
        """Return the columns of the file that no field is made of. One that may make a required field is left open."""
        used = {
            match.column
            for entity, found in self.matches.items()
            for name, match in found.items()
            if match.confidence >= LIKELY or ENTITIES[entity].columns[name].required
        }
        used |= {p.name for p in (*self.phones, *self.emails)}
        return [name for name in self.sample.header if name not in used]


def find(path: Path, *, entity: str | None = None) -> Findings:
    """Look at a file; raise InvalidInput when it is no table, or of no entity and none is named."""
    if entity is not None and entity not in ENTITIES:
        raise InvalidInput(f"unknown entity {entity!r}; known are {', '.join(ENTITIES)}")
    sample = take_sample(path)
    profiles = {name: profile_column(name, values) for name, values in sample.columns.items()}
    words = vocabulary()
    protected = [n for n in profiles if n and best_likeness(n, words.protected) >= 0.9]
    open_to_us = [p for n, p in profiles.items() if n not in protected]
    chosen = entity or _recognise(path, open_to_us)
    found = Findings(sample, profiles, chosen, {chosen: match_fields(chosen, open_to_us)}, protected=protected)
    if chosen in ("accounts", "customers"):
        found.phones = [p for p in open_to_us if _is_phone(p, words.phones)]
        found.emails = [p for p in open_to_us if "email" in p.kinds and best_likeness(p.name, words.emails) >= POSSIBLE]
    if chosen == "accounts":
        found.matches["customers"] = match_fields("customers", open_to_us)
    return found


def _is_phone(profile: Profile, names: tuple[str, ...]) -> bool:
    likeness = best_likeness(profile.name, names)
    return likeness >= 0.9 or ("phone" in profile.kinds and likeness >= POSSIBLE)


def _recognise(path: Path, profiles: list[Profile]) -> str:
    scores: dict[str, float] = {}
    nearest: dict[str, float] = {}
    for entity, essential in ESSENTIAL.items():
        found = match_fields(entity, profiles)
        marks = [found[name].confidence if name in found else 0.0 for name in essential]
        told = sum(1 for m in found.values() if m.confidence >= LIKELY)
        nearest[entity] = sum(marks) / len(marks)
        named = 0.15 if best_likeness(path.name.split(".")[0], (entity, entity.rstrip("s"))) >= POSSIBLE else 0.0
        if min(marks) >= POSSIBLE:
            scores[entity] = nearest[entity] + 0.03 * told + named
    if scores:
        return max(scores, key=lambda e: scores[e])
    best = max(nearest, key=lambda e: nearest[e])
    missing = [n for n in ESSENTIAL[best] if n not in match_fields(best, profiles)]
    raise InvalidInput(
        f"{path}: not recognised as any entity of a feed; nearest is {best}, but no column looks like its "
        f"{', '.join(missing) or 'required fields'}. Name the entity with --entity if you know it",
        code="unknown_entity",
    )


def match_fields(entity: str, profiles: list[Profile]) -> dict[str, Match]:
    """Give each field of an entity at most one column, the surest pairs first."""
    pairs: list[Match] = []
    for name, column in ENTITIES[entity].columns.items():
        meanings = vocabulary().names[entity, name]
        for profile in profiles:
            likeness = best_likeness(profile.name, meanings) if profile.name else 0.0
            if likeness < 0.4 and not (not profile.name and name == ENTITIES[entity].key[0]):
                continue
            fit, why = fitness(entity, name, column, profile)
            if fit > 0:
                named = f"named like {name} ({likeness:.0%})" if profile.name else "the first column has no name"
                confidence = round(0.75 * max(likeness, 0.45) + 0.25 * fit, 2)
                pairs.append(Match(entity, name, profile, confidence, f"{named}; {why}"))
    found: dict[str, Match] = {}
    taken: set[str] = set()
    for match in sorted(pairs, key=lambda m: -m.confidence):
        if match.confidence >= POSSIBLE and match.field not in found and match.column not in taken:
            found[match.field] = match
            taken.add(match.column)
    return found


def fitness(entity: str, name: str, column: Column, profile: Profile) -> tuple[float, str]:
    """Say how well the values suit a field, 0 (they cannot) to 1, and in what words."""
    kinds, number = profile.kinds, profile.number
    if "empty" in kinds:
        return (0.0, "") if column.required else (0.3, "no value in the sample")
    match column.kind:
        case "money":
            if number is None or _dated(profile):
                return 0.0, ""
            counts = not number.decimals and number.high < 100 and number.low >= 0
            return (0.4 if counts else 1.0), _as_number(profile) + (": counts rather than money" if counts else "")
        case "rate":
            good = number is not None and number.low >= -0.01 and number.high <= 500
            return (1.0, _as_number(profile)) if good else (0.0, "")
        case "int":
            return _whole(column, profile)
        case "date" | "instant":
            return _when(profile)
        case "enum" | "bool":
            return _words(entity, name, column, profile)
        case "currency":
            return (1.0, "codes of three letters") if "currency" in kinds else (0.0, "")
        case "id":
            return _key(entity, name, profile)
        case "json":
            return 0.0, ""
    if name == "country" and "country" not in kinds:
        return 0.0, ""
    text = not number and not _dated(profile)
    return (0.9, "words") if text else (0.3, "numbers or dates")


def _dated(profile: Profile) -> bool:
    return "date" in profile.kinds and not (profile.number and profile.forms == ("%Y%m%d",))


def _as_number(profile: Profile) -> str:
    number = profile.number
    assert number is not None
    written = f"{number.decimals} decimals after {number.point!r}" if number.decimals else "whole numbers"
    return f"{written}, {number.low:g} to {number.high:g}"


def _whole(column: Column, profile: Profile) -> tuple[float, str]:
    number = profile.number
    if number is None or number.decimals:
        return 0.0, ""
    inside = (column.low is None or number.low >= column.low) and (column.high is None or number.high <= column.high)
    return (1.0, _as_number(profile)) if inside else (0.4, f"{_as_number(profile)}, some outside the limits")


def _when(profile: Profile) -> tuple[float, str]:
    if "instant" in profile.kinds:
        return 1.0, "instants with a zone"
    if profile.forms:
        return 1.0, f"dates written {' or '.join(profile.forms[:2])}"
    number = profile.number
    if number and not number.decimals and number.low >= 20_000 and number.high <= 80_000:
        return 0.7, "day numbers of a spreadsheet"
    return 0.0, ""


def _words(entity: str, name: str, column: Column, profile: Profile) -> tuple[float, str]:
    if not profile.words:
        return 0.0, ""
    known = [w for w in profile.words if meaning_of(entity, name, column, w) is not None]
    share = len(known) / len(profile.words)
    if column.kind == "bool" and len(profile.words) > 3:
        return 0.0, ""
    if len(profile.words) > 12 and share < 0.5:
        return 0.0, ""
    return 0.3 + 0.7 * share, f"{len(profile.words)} words, {len(known)} of them known"


def _key(entity: str, name: str, profile: Profile) -> tuple[float, str]:
    if (profile.number and profile.number.decimals) or _dated(profile) or {"spaced", "email"} & profile.kinds:
        return 0.0, ""
    if name == ENTITIES[entity].key[0] and len(ENTITIES[entity].key) == 1:
        if "unique" in profile.kinds or entity == "customers":
            return 1.0, "every value once" if "unique" in profile.kinds else "several rows of one customer"
        return (0.5, "some values repeat") if profile.distinct > 0.9 else (0.0, "")
    return 0.9, "codes"


def meaning_of(entity: str, name: str, column: Column, word: str) -> str | None:
    """Return our word for a lender's word in a field; None when nobody has said yet."""
    if column.kind == "bool":
        return our_word("bool", word)
    if word in column.values:
        return word
    table = "payment_status" if (entity, name) == ("payments", "status") else name
    ours = our_word(table, word)
    return ours if ours in column.values else None
