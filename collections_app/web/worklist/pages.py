"""The worklist and the search."""

from dataclasses import dataclass

from collections_app.queries.worklist import Found, Worklist


@dataclass(frozen=True)
class WorklistPage:
    """worklist/index.html."""

    list: Worklist
    show_agent: bool


@dataclass(frozen=True)
class SearchPage:
    """worklist/search.html."""

    text: str
    found: tuple[Found, ...]
