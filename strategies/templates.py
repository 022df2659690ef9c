"""Message templates as data: loaded and checked whole, rendered with whitelisted values only.

A template that could disclose a debt, promise what we do not offer, or lack its opt-out is refused when
it is loaded, not when it is sent. Placing a new text is a change of a file with a reason, never of code.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

import yaml

from collections_app.domain.contact import Channel, Purpose

DEFAULT_TEMPLATES = Path(__file__).parent / "templates"
DEFAULT_LOCALE = "en-US"
BLOCKS_FILE = "blocks.yaml"
SENDERS_FILE = "senders.yaml"

# What a text may say of a customer. A name together with an amount would tell a stranger everything (§5.6).
VARIABLES = frozenset({"brand", "licence", "name", "amount", "due_on"})
_NEVER_TOGETHER = frozenset({"name", "amount"})
# Words that threaten. The list is a tripwire for authors; review by a person remains necessary.
_THREATS = re.compile(
    r"\b(lawsuit|sue|court|police|arrest|garnish|legal action|blacklist|final warning|immediately)\b"
    r"|起诉|法院|警方|报警|黑名单|强制执行|后果自负|立即",
    re.IGNORECASE,
)


class TemplateError(ValueError):
    """A template file is wrong; the message names the file and what to change."""


@dataclass(frozen=True)
class Block:
    """A piece of content that law or a carrier asks for."""

    id: str
    marks: Mapping[str, tuple[str, ...]]
    text: Mapping[str, str]


@dataclass(frozen=True)
class Template:
    """One message in every language it exists in."""

    id: str
    version: int
    channel: Channel
    purpose: Purpose
    needs_person: bool
    expires_after: timedelta | None
    contains: frozenset[str]
    bodies: Mapping[str, str]
    why: str

    @property
    def reference(self) -> str:
        """Return ``id@version``, which is what an attempt remembers."""
        return f"{self.id}@{self.version}"

    def locale_for(self, language: str) -> str:
        """Return the language to write in: the customer's, one of the same tongue, or the default."""
        if language in self.bodies:
            return language
        tongue = language.split("-")[0]
        return next((code for code in self.bodies if code.split("-")[0] == tongue), DEFAULT_LOCALE)

    def variables(self) -> frozenset[str]:
        """Return the names that some body of this template uses."""
        return frozenset().union(*(_variables(body) for body in self.bodies.values()))


@dataclass(frozen=True)
class TemplateLibrary:
    """All templates and the blocks that they are made of."""

    templates: Mapping[str, Template]
    blocks: Mapping[str, Block]
    licences: Mapping[tuple[str, str], str]

    def licence(self, brand: str, regions: Iterable[str]) -> str | None:
        """Return the licence number that a creditor shows to customers of these regions, if it has one."""
        return next((self.licences[brand, r] for r in regions if (brand, r) in self.licences), None)

    def get(self, template_id: str) -> Template:
        """Return a template by ``id`` or ``id@version``."""
        name = template_id.partition("@")[0]
        try:
            return self.templates[name]
        except KeyError:
            known = ", ".join(sorted(self.templates))
            raise TemplateError(f"there is no message template {name!r}; there are: {known}") from None

    def render(
        self,
        template_id: str,
        *,
        language: str,
        values: Mapping[str, str],
        required: tuple[str, ...] = (),
    ) -> str:
        """Return the text to send, with every block that ``required`` asks for, or refuse.

        A required block without a text in this language is refused rather than left out: fail closed.
        """
        template = self.get(template_id)
        locale = template.locale_for(language)
        body = template.bodies[locale]
        missing = _variables(body) - values.keys()
        if missing:
            raise TemplateError(f"{template.reference} needs a value for {', '.join(sorted(missing))}")
        parts = [body.format_map(values)]
        for block_id in required:
            if block_id in template.contains:
                continue
            block = self.blocks.get(block_id)
            if block is None or locale not in block.text:
                raise TemplateError(f"{template.reference} lacks the required block {block_id!r} in {locale}")
            missing = _variables(block.text[locale]) - values.keys()
            if missing:
                raise TemplateError(f"the required block {block_id!r} needs {', '.join(sorted(missing))}")
            parts.append(block.text[locale].format_map(values))
        return " ".join(parts)


@cache
def default_templates() -> TemplateLibrary:
    """Return the templates shipped with the project, read once."""
    return load_templates(DEFAULT_TEMPLATES)


def load_templates(directory: Path) -> TemplateLibrary:
    """Read and check every template of a directory; raise TemplateError naming file and fault."""
    path = directory / BLOCKS_FILE
    blocks = {name: _block(path, name, row) for name, row in _read(path).get("blocks", {}).items()}
    senders = directory / SENDERS_FILE
    licences = _licences(senders, _read(senders)) if senders.exists() else {}
    templates: dict[str, Template] = {}
    for file in sorted(directory.glob("*.yaml")):
        if file.name in (BLOCKS_FILE, SENDERS_FILE):
            continue
        template = _template(file, _read(file), blocks)
        if template.id in templates:
            raise TemplateError(f"{file.name}: the id {template.id!r} is used twice")
        templates[template.id] = template
    return TemplateLibrary(templates, blocks, licences)


def _licences(path: Path, content: dict[str, Any]) -> dict[tuple[str, str], str]:
    try:
        return {
            (str(sender["creditor"]), str(region)): str(number)
            for sender in content["senders"]
            for region, number in sender["licences"].items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise TemplateError(f"{path.name}: each sender needs `creditor` and `licences` by region") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TemplateError(f"{path.name}: cannot be read ({str(error).splitlines()[0]})") from error
    if not isinstance(content, dict):
        raise TemplateError(f"{path.name}: must be a mapping of names to values")
    return content


def _block(path: Path, name: str, row: Any) -> Block:
    if not isinstance(row, dict) or "marks" not in row or "why" not in row:
        raise TemplateError(f"{path.name}: block {name!r} needs `marks` and `why`")
    marks = {locale: tuple(words) for locale, words in row["marks"].items()}
    return Block(id=name, marks=marks, text=dict(row.get("text", {})))


def _template(path: Path, row: dict[str, Any], blocks: Mapping[str, Block]) -> Template:
    needed = {"id", "version", "channel", "purpose", "start", "contains", "bodies", "why"}
    if needed - row.keys():
        raise TemplateError(f"{path.name}: lacks {', '.join(sorted(needed - row.keys()))}")
    if row["start"] not in ("automatic", "manual"):
        raise TemplateError(f"{path.name}: start must be automatic or manual, not {row['start']!r}")
    minutes = row.get("expires_after_minutes")
    try:
        template = Template(
            id=str(row["id"]),
            version=int(row["version"]),
            channel=Channel(row["channel"]),
            purpose=Purpose(row["purpose"]),
            needs_person=row["start"] == "manual",
            expires_after=None if minutes is None else timedelta(minutes=int(minutes)),
            contains=frozenset(row["contains"]),
            bodies={str(k): str(v).strip() for k, v in row["bodies"].items()},
            why=str(row["why"]),
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise TemplateError(f"{path.name}: {error}") from error
    _check(path, template, blocks)
    return template


def _check(path: Path, template: Template, blocks: Mapping[str, Block]) -> None:
    if template.id != path.stem:
        raise TemplateError(f"{path.name}: the id must be {path.stem!r}, as the file is named")
    if DEFAULT_LOCALE not in template.bodies:
        raise TemplateError(f"{path.name}: needs a body in {DEFAULT_LOCALE}, the language of last resort")
    for locale, body in template.bodies.items():
        where = f"{path.name}, {locale}"
        used = _variables(body)
        if used - VARIABLES:
            raise TemplateError(f"{where}: may not use {', '.join(sorted(used - VARIABLES))}")
        if used >= _NEVER_TOGETHER:
            raise TemplateError(f"{where}: a name and an amount may not stand in one message")
        threat = _THREATS.search(body)
        if threat:
            raise TemplateError(f"{where}: {threat.group()!r} reads as a threat")
        for block_id in template.contains:
            block = blocks.get(block_id)
            if block is None:
                raise TemplateError(f"{where}: there is no block {block_id!r} in {BLOCKS_FILE}")
            if not any(mark in body for mark in block.marks.get(locale, ())):
                raise TemplateError(f"{where}: says that it contains {block_id!r}, but does not")


def _variables(body: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in Formatter().parse(body) if name is not None)
