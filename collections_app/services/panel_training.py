"""Models of panels learn from the ledger: every third month end of every account that was at risk then.

No label is stored for them: how a row went on is read from the same panel as what was known before it. People are
dealt into training and test by a stable hash of their name; a large book gives a sample of its people.
"""

from collections.abc import Mapping
from datetime import date
from hashlib import sha256
from typing import Any

import numpy as np
import polars as pl
from sqlalchemy.orm import Session

from collections_app.domain.errors import InvalidInput
from collections_app.queries.panel import MONTHS, account_chunks, month_ends, read_panel
from models.catalogue import Recipe
from models.panel import DEFAULT, codes, observations
from models.sample import Course, Sample, SampleError
from models.sequence_steps import as_read
from models.survival.told import months_of

EVENT_STATES: Mapping[str, int] = {"first_30": 1, "first_60": 2, "first_90": 3}
"""Event of a recipe to the state that is the event (30-day steps of DPD)."""

EVERY_MONTHS = 3
MOST_ACCOUNTS = 100_000
_CHUNK = 50_000
_TEST_PERCENT = 30
_LASTS = {"hazard", "hazard_woe", "aft"}
"""Algorithms that learn from how long a row lasted, and so also from rows that were lost to view."""
_DEALS = 10_000


def panel_sample(
    session: Session, recipe: Recipe, *, until: date, source: str | None = None, most_accounts: int = MOST_ACCOUNTS
) -> tuple[Sample, dict[str, Any]]:  # fmt: skip
    """Return the sample of a panel recipe from what was known by ``until``, and where it came from.

    Raise InvalidInput when the event is not one of a panel, or no account was at risk and seen again.
    """
    if recipe.event not in EVENT_STATES:
        raise InvalidInput(f"{recipe.name}: {recipe.event} is no event of a panel; there are {', '.join(EVENT_STATES)}")
    months = months_of(recipe)
    parts = []
    book = list(account_chunks(session, source=source, size=_CHUNK))
    share = min(1.0, most_accounts / max(1, sum(p.height for p in book)))
    for chunk in book:
        drawn = chunk.join(_dealt(chunk["customer"].unique()), on="customer").filter(pl.col("deal") < share * _DEALS)
        panel = read_panel(session, drawn["account_id"].to_list(), until=until) if drawn.height else None
        if panel is None:
            continue
        try:
            found = observations(panel, event_state=EVENT_STATES[recipe.event], every=EVERY_MONTHS, first_mob=0)
        except SampleError:
            continue  # nobody of this chunk is at risk
        found = as_read(recipe, panel, found)
        tested = drawn.select(customer="customer_id", is_test="is_test").unique()
        parts.append(found.join(tested, on="customer", maintain_order="left"))
    if not parts:
        raise InvalidInput(
            "no account was at risk and seen again a month later: a model of the panel needs month ends of the ledger",
            code="sample_too_small",
        )
    rows = pl.concat(parts)
    ends = month_ends(until, MONTHS)
    provenance = {
        "source": source or "all", "label": recipe.event,
        "population": f"{recipe.population}; every {EVERY_MONTHS}rd month on book",
        "observed_from": str(ends[-1]), "observed_to": str(ends[0]), "accounts": rows["account_id"].n_unique(),
        "share_of_people": round(share, 4), "split": f"customer hash, {_TEST_PERCENT}% test",
    }  # fmt: skip
    return _sample(recipe, rows, months), provenance


def _sample(recipe: Recipe, rows: pl.DataFrame, months: int) -> Sample:
    if not _LASTS & set(recipe.algorithms):
        # These learn yes or no: a row that was not followed to the end of the window is not a good.
        rows = rows.filter(pl.col("followed") >= months)
    duration, cause = codes(rows, "duration"), codes(rows, "cause")
    return Sample(
        features=rows.select(recipe.features),
        outcome=((cause == DEFAULT) & (duration <= months)).astype(np.int64),
        customer=codes(rows, "customer"),
        is_test=rows["is_test"].to_numpy(),
        course=Course(duration, cause, codes(rows, "followed")),
    )


def _dealt(people: pl.Series) -> pl.DataFrame:
    """Deal each person a number 0..9999 for the sample, and a side of the split; the two do not depend."""
    digests = [sha256(name.encode()).hexdigest() for name in people]
    return pl.DataFrame(
        {
            "customer": people,
            "deal": [int(d[8:16], 16) % _DEALS for d in digests],
            "is_test": [int(d[:8], 16) % 100 < _TEST_PERCENT for d in digests],
        },
        schema={"customer": pl.String, "deal": pl.Int64, "is_test": pl.Boolean},
    )
