"""Monthly panels that a survival model can learn from: idle accounts fall late less often and pay off sooner."""

import numpy as np
import polars as pl

from models.catalogue import Recipe
from models.panel import Panel, codes, observations
from models.sample import Course, Sample
from models.survival.told import months_of


def made_panel(accounts: int = 800, months: int = 20, seed: int = 0) -> Panel:
    """Make a book, two accounts to a person; half of the accounts rest two months of three."""
    rng = np.random.default_rng(seed)
    idle = rng.uniform(size=accounts) < 0.5
    late, paid = np.where(idle, 0.01, 0.06), np.where(idle, 0.06, 0.02)
    states = np.zeros((accounts, months), dtype=int)
    for t in range(1, months):
        draw = rng.uniform(size=accounts)
        rest = np.where(idle & (rng.uniform(size=accounts) < 0.7), -2, 0)
        fresh = np.where(draw < late, 1, np.where(draw < late + paid, -1, rest))
        states[:, t] = np.where(states[:, t - 1] == -1, -1, fresh)
    rows = np.arange(accounts).repeat(months)
    month = np.tile(np.arange(months), accounts)
    return Panel.of(
        pl.DataFrame({"account_id": rows, "customer": rows // 2, "month": month, "mob": month, "state": states.ravel()})
    )


def sample_of(recipe: Recipe, panel: Panel) -> Sample:
    """Observe every fourth month; three of ten people are for the test."""
    found = observations(panel, event_state=1, every=4, first_mob=3)
    duration, cause, customer = (codes(found, name) for name in ("duration", "cause", "customer"))
    return Sample(
        features=found.select(recipe.features),
        outcome=((cause == 1) & (duration <= months_of(recipe))).astype(np.int64),
        customer=customer,
        is_test=customer % 10 < 3,
        course=Course(duration, cause, codes(found, "followed")),
    )
