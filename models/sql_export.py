"""A scorecard as one SQL statement, so that another system can give the same points.

Portable SQL (tested on SQLite and PostgreSQL): CASE expressions over whole thousandths of a point, hence equal to
``predict`` to the last digit. A missing value is NULL.
"""

import re
from collections.abc import Iterable

from models import scorecard
from models.external import STATUS
from models.outage import STATUS_FEATURE
from models.points import Card, PointsFeature, of_parts
from models.registry import Bundle

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")
# Whole division cuts towards zero: shifting keeps what is divided positive, so that it always rounds down.
_SHIFT = 1_000_000


def scorecard_sql(bundle: Bundle, table: str, *, key: str = "account_id") -> str:
    """Return a SELECT of ``key, score, points_milli`` and ``lost_<reason>`` (thousandths below the best) over a table.

    The table has one column per feature of the card, NULL where unknown. Raise ValueError for a bundle without
    points, or for a name that is not a plain identifier.
    """
    if scorecard.PART not in bundle.parts:
        raise ValueError(f"{bundle.card.name} is {bundle.card.algorithm}, not a scorecard: it has no points to export")
    for name in (table, key):
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a table or column")
    main = of_parts(bundle.parts[scorecard.PART])
    codes = tuple(bundle.card.reasons)
    fallback = bundle.parts.get(scorecard.FALLBACK_PART)
    if fallback is None:
        parts = [_select(main, codes, table, key, where="")]
    else:
        answers = f"{STATUS['hit']!r}, {STATUS['no_hit']!r}"
        column = f't."{STATUS_FEATURE}"'
        parts = [
            _select(main, codes, table, key, where=f"\n  WHERE {column} IN ({answers})"),
            _select(of_parts(fallback), codes, table, key,
                    where=f"\n  WHERE {column} IS NULL OR {column} NOT IN ({answers})"),
        ]  # fmt: skip
    lost = "".join(f',\n  "lost_{code}"' for code in codes)
    rounded = f"(points_milli + 500 + {_SHIFT}) / 1000 - {_SHIFT // 1000}"
    union = "\n  UNION ALL\n".join(parts)
    return f"SELECT\n  {key},\n  {rounded} AS score,\n  points_milli{lost}\nFROM (\n{union}\n) AS scored\n"


def _select(card: Card, codes: Iterable[str], table: str, key: str, *, where: str) -> str:
    """Return the sums over an inner SELECT that gives every feature its points."""
    given = "".join(f',\n    {_case(f)} AS "{f.bins.name}"' for f in card.features)
    total = " + ".join(f'"{f.bins.name}"' for f in card.features)
    lost = ""
    for code in codes:
        terms = [
            f'CASE WHEN "{f.bins.name}" < {f.best} THEN {f.best} - "{f.bins.name}" ELSE 0 END'
            for f in card.features
            if f.reason == code
        ]
        lost += f',\n  {" + ".join(terms) or "0"} AS "lost_{code}"'
    inner = f"SELECT t.{key}{given}\n  FROM {table} AS t{where}"  # noqa: S608 (names are checked)
    return f"SELECT {key},\n  {total} AS points_milli{lost}\n  FROM (\n  {inner}\n  ) AS points"  # noqa: S608 (names are checked)


def _case(feature: PointsFeature) -> str:
    column, milli = f't."{feature.bins.name}"', feature.milli
    if feature.bins.codes:
        cases = [f"WHEN {column} = {code!r} THEN {m}" for code, m in zip(feature.bins.codes, milli, strict=False)]
        return f"CASE {' '.join(cases)} ELSE {milli[-1]} END"
    cases = [f"WHEN {column} <= {edge!r} THEN {m}" for edge, m in zip(feature.bins.edges, milli, strict=False)]
    return f"CASE WHEN {column} IS NULL THEN {milli[-1]} {' '.join(cases)} ELSE {milli[-2]} END"
