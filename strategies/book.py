"""A strategy book: the tables of one directory, checked, with a digest that names exactly these rules."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args

import polars as pl
import yaml

from collections_app.domain.cases import CaseFacts
from strategies.table import OPERATORS, BookError, DecisionTable, PriorityTerm, Row

DEFAULT_BOOK = Path(__file__).parent / "books" / "default"

_TYPES: dict[Any, Any] = {int: pl.Int64, float: pl.Float64, str: pl.String, bool: pl.Boolean, date: pl.Date}

# What each kind of table decides, with the type of each result.
KINDS: dict[str, dict[str, Any]] = {
    "queueing": {"queue": pl.String, "base": pl.Float64, "works": pl.String},
    "treatment": {"step": pl.String, "channel": pl.String, "mode": pl.String, "template": pl.String},
}


def _plain(annotation: Any) -> Any:
    if isinstance(annotation, UnionType):
        return next(a for a in get_args(annotation) if a is not NoneType)
    return annotation


# Every fact that a rule may ask, with its column type: the fields of CaseFacts and nothing else.
FACTS: dict[str, Any] = {f.name: _TYPES[_plain(f.type)] for f in fields(CaseFacts)}


@dataclass(frozen=True)
class StrategyBook:
    """Queueing and treatment tables, the experiment's arms, and the digest over all of it."""

    name: str
    effective_from: date
    queueing: DecisionTable
    treatment: DecisionTable
    arms: Mapping[str, float]
    salt: str
    digest: str
    content: Mapping[str, Any]


def load_book(directory: Path) -> StrategyBook:
    """Load a directory with book.yaml, queueing.yaml and treatment.yaml; raise BookError naming file and row."""
    content = {stem: _read(directory / f"{stem}.yaml") for stem in ("book", *KINDS)}
    head = content["book"]
    for key in ("name", "effective_from", "experiment"):
        if key not in head:
            raise BookError(f"{directory / 'book.yaml'}: missing {key}")
    arms = {str(k): float(v) for k, v in head["experiment"]["arms"].items()}
    if abs(sum(arms.values()) - 1) > 1e-9 or any(v < 0 for v in arms.values()):
        raise BookError(
            f"{directory / 'book.yaml'}: the arms' shares must add up to 1, they add up to {sum(arms.values())}"
        )
    canonical = json.dumps(content, sort_keys=True, default=str)
    return StrategyBook(
        name=str(head["name"]),
        effective_from=head["effective_from"],
        queueing=_table("queueing", content["queueing"], directory / "queueing.yaml"),
        treatment=_table("treatment", content["treatment"], directory / "treatment.yaml"),
        arms=arms,
        salt=str(head["experiment"]["salt"]),
        digest=hashlib.sha256(canonical.encode()).hexdigest(),
        content=json.loads(canonical),
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise BookError(f"{path}: no such file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BookError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise BookError(f"{path}: a table of keys was expected")
    return data


def _table(kind: str, data: Mapping[str, Any], path: Path) -> DecisionTable:
    rows: list[Row] = []
    seen: set[str] = set()
    for position, raw in enumerate(data.get("rows") or [], start=1):
        where = f"{path}: row {position}"
        missing = [key for key in ("id", "then", "why", "examples") if not raw.get(key)]
        if missing:
            raise BookError(f"{where} ({raw.get('id', 'no id')}): missing {', '.join(missing)}")
        row = Row(str(raw["id"]), raw.get("when") or {}, raw["then"], str(raw["why"]), tuple(raw["examples"]))
        if row.id in seen:
            raise BookError(f"{where}: id {row.id} is used twice")
        seen.add(row.id)
        _check_row(row, kind, where)
        rows.append(row)
    if not rows:
        raise BookError(f"{path}: no rows")
    if rows[-1].when:
        raise BookError(f"{path}: the last row must be a catch-all (no when), so that every case is decided")
    terms = tuple(PriorityTerm(t["fact"], float(t["weight"]), bool(t.get("log10"))) for t in data.get("priority", []))
    for term in terms:
        if term.fact not in FACTS:
            raise BookError(f"{path}: priority asks the unknown fact {term.fact!r}")
    return DecisionTable(kind, tuple(rows), FACTS, KINDS[kind], terms)


def _check_row(row: Row, kind: str, where: str) -> None:
    for fact, wanted in row.when.items():
        if fact not in FACTS:
            raise BookError(f"{where} ({row.id}): unknown fact {fact!r}")
        if isinstance(wanted, Mapping) and (bad := set(wanted) - set(OPERATORS)):
            raise BookError(f"{where} ({row.id}): unknown operator {', '.join(sorted(bad))}")
    unknown = set(row.then) - set(KINDS[kind])
    if unknown:
        raise BookError(f"{where} ({row.id}): unknown result {', '.join(sorted(unknown))}")


def facts_frame(*cases: Mapping[str, Any]) -> pl.DataFrame:
    """Return a frame of facts from dicts; facts that a case does not state take a neutral value."""
    return pl.DataFrame([{**NEUTRAL, **case} for case in cases], schema=FACTS, orient="row")


# A case of which nothing special is known: what the examples in the books start from.
NEUTRAL: dict[str, Any] = {
    "case_id": 1, "customer_id": 1, "as_of": date(2026, 1, 1), "country": "US", "language": "en-US",
    "product_family": "card", "collector_role": "first_party", "currency": "USD", "stage": "early", "dpd": 5,
    "bucket": "M1", "arrears_minor": 20_000, "balance_minor": 100_000, "accounts": 1, "score": None, "band": None,
    "p_event": None, "self_cure_p": None, "contact_p": None, "lost_p": None,
    "ml_hit_status": "not_queried", "ml_orgs_12m": None, "worst_list_severity": None,
    "has_mobile": True, "has_point": True, "has_open_promise": False,
    "promise_due_in_days": None, "broken_promises": 0, "kept_promises": 0, "days_in_case": 3,
    "days_since_attempt": None, "days_since_rpc": None, "attempts_7d": 0, "blocked_7d": 0, "last_disposition": None,
    "is_stopped": False, "is_held": False, "has_active_plan": False, "arm": "champion",
}  # fmt: skip
