"""The model card outside the site: one HTML file that needs nothing else, or Markdown."""

from collections.abc import Iterator
from datetime import date, datetime
from html import escape
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader

from collections_app.web.formatting import FILTERS, words
from collections_app.web.models.sheet import ModelSheet, ShownTable

_WEB = Path(__file__).parent.parent
_STYLES = ("app.css", "models.css")


def as_html(sheet: ModelSheet) -> str:
    """Return the sheet as a page of its own: styles inside, no script, no address of the site."""
    pages = Environment(
        loader=FileSystemLoader(_WEB / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    pages.filters |= {function.__name__: function for function in FILTERS} | {"day": _day, "moment": _moment}
    styles = "\n".join((_WEB / "static" / name).read_text("utf-8") for name in _STYLES)
    title = escape(f"{sheet.title} {sheet.line.version}")
    body = pages.get_template("models/paper.html").render(s=sheet)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{title}</title>\n<style>{styles}</style></head>\n'
        f"<body>{body}</body></html>\n"
    )


def as_markdown(sheet: ModelSheet) -> str:
    """Return the sheet as Markdown: what is read first, then every table but the bins of the features."""
    return "\n".join(_lines(sheet)) + "\n"


def _lines(s: ModelSheet) -> Iterator[str]:
    line = s.line
    yield f"# {s.title}\n"
    yield f"`{line.name}` version `{line.version}`, {words(line.stage).lower()}: {s.stage_means}. {s.does}\n"
    yield f"Trained {line.trained_at:%Y-%m-%d} by {line.trained_by}" + (
        f"; approved {line.approved_at:%Y-%m-%d} by {line.approved_by}."
        if line.approved_at
        else "; approved by nobody."
    )
    if s.alarms and (seen := s.inspected):
        yield f"\n**Inspected** by {seen.by} on {seen.at:%Y-%m-%d}: {seen.note}"
    heading = "Alarm of the card." if s.inspected else "Inspect before approval."
    yield from (f"\n**{heading}** {said}" for said in s.alarms)
    yield from (f"\nNote: {said}" for said in s.warnings)
    yield "\n## Figures\n"
    yield "| figure | value | 95 % interval or day | meaning |\n|---|---:|---|---|"
    yield from (f"| {h.label} | {h.value} | {h.small} | {_plain(h.meaning)} |" for h in s.headline)
    yield f"\n## What it learnt from\n\n{' '.join(s.learnt)}"
    for table in s.tables.values():
        if table.name != "bins":
            yield from _table(table)
    for title, pairs in s.facts:
        yield f"\n## {title}\n"
        yield from (f"- {name}: {value}" for name, value in pairs)
    yield "\n## Stages\n"
    yield from (f"- {m.at:%Y-%m-%d} {m.from_stage} to {m.to_stage} by {m.by}: {m.note or 'no note'}" for m in s.moves)


def _table(table: ShownTable) -> Iterator[str]:
    yield f"\n## {table.title}\n\n{table.definition}\n"
    yield "| " + " | ".join(c.label for c in table.columns) + " |"
    yield "|" + "|".join("---:" if is_number else "---" for is_number in table.numbers) + "|"
    for row in table.first + table.rest:
        yield "| " + " | ".join(_plain(cell.text) for cell in row) + " |"
    if table.note:
        yield f"\n{table.note}"


def _day(value: date | None, today: date) -> str:
    """Write a date with its year: a file is read long after the day it was made."""
    return "" if value is None else value.isoformat()


def _moment(value: datetime | None, zone: ZoneInfo, today: date) -> str:
    """Write an instant with its year."""
    return "" if value is None else f"{value.astimezone(zone):%Y-%m-%d %H:%M}"


def _plain(text: str) -> str:
    """Return a text as a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")
