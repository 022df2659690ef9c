"""The town whole: it has a history before the platform meets it, then lives on day by day."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from collections_app.town.behaviour import Behaviour, Touch
from collections_app.town.feeds import FeedWriter
from collections_app.town.ledger import Ledger
from collections_app.town.population import Population, found
from collections_app.town.streams import stream

# What the lender's own desk did before: the share of overdue customers texted and called on a day.
OLD_DESK = ((Touch.SMS, 0.15), (Touch.AGENT, 0.03))


@dataclass(frozen=True)
class Town:
    """People, book, minds and nightly files of one seed."""

    people: Population
    ledger: Ledger
    behaviour: Behaviour
    feeds: FeedWriter

    @classmethod
    def found(cls, *, seed: int, size: int, start: date, days: int, feed_folder: Path) -> "Town":
        """Found a town and let it live with the lender's old desk until the evening before ``start``."""
        people = found(seed=seed, size=size, start=start, days=days)
        ledger = Ledger(people)
        mind = Behaviour(people, ledger)
        town = cls(people, ledger, mind, FeedWriter(people, ledger, mind.app, feed_folder))
        day = ledger.day
        while day < start:
            mind.live(day)
            rng = stream(seed, "old desk", day.toordinal())
            overdue = town.overdue_customers()
            for touch, share in OLD_DESK:
                mind.feel(overdue[rng.random(overdue.size) < share], touch)
            day += timedelta(days=1)
        return town

    def overdue_customers(self) -> np.ndarray:
        """Return the customers with an overdue account."""
        return np.unique(self.people.accounts.owner[self.ledger.is_overdue()])

    def write_truth(self, path: Path) -> pl.DataFrame:
        """Write the hidden traits beside, never into, the platform's database."""
        frame = self.people.truth_frame()
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.write_parquet(path)
        return frame
