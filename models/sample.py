"""A sample to learn from, and what makes one unfit."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from models.evaluate import Floats, Ints

Bools = npt.NDArray[np.bool_]


def folds(customer: Ints, count: int, seed: int) -> Ints:
    """Deal people into ``count`` folds; all rows of a person are in one."""
    people, index = np.unique(customer, return_inverse=True)
    return np.asarray(np.random.default_rng(seed).permutation(len(people))[index.ravel()] % count)


class SampleError(ValueError):
    """The sample cannot carry a model; the message says what is missing."""


@dataclass(frozen=True)
class Course:
    """How each row went on, in whole months: ``duration`` to its end, and the end's ``cause``.

    Causes: 0 not seen any longer, 1 the event, 2 paid off before it. ``followed``: months from the observation to
    the last month of the account that is known, also beyond its end: what makes a row mature.
    """

    duration: Ints
    cause: Ints
    followed: Ints


@dataclass(frozen=True)
class Sample:
    """Observations to learn from, row by row.

    ``outcome`` is 0 or 1; ``customer`` numbers the people, none of whom may stand on both sides of a fold;
    ``is_test`` marks rows touched once, at the end. ``amount`` (minor units) weighs the amount-weighted
    figures; ``value`` is the continuous target of amount models (a share of 0..1), ``course`` that of survival
    models. ``groups`` holds columns for segment and fairness reports, never for the model. ``arm`` is the arm that the
    customer was drawn into and ``propensity`` the probability of it (NaN = not written down): for uplift models.
    """

    features: pl.DataFrame
    outcome: Ints
    customer: Ints
    is_test: Bools
    amount: Floats | None = None
    value: Floats | None = None
    groups: Mapping[str, npt.NDArray[np.str_]] = field(default_factory=dict)
    course: Course | None = None
    arm: npt.NDArray[np.str_] | None = None
    propensity: Floats | None = None

    def check(self, least: int) -> None:
        """Raise SampleError unless both parts hold enough rows with and without the event."""
        if len(self.outcome) == 0:
            raise SampleError("there is no matured label of this population to learn from")
        if strange := int((~np.isin(self.outcome, (0, 1))).sum()):
            raise SampleError(f"{strange} outcomes are neither 0 nor 1")
        for part, rows, enough in (("training", ~self.is_test, least), ("test", self.is_test, least // 4)):
            outcome = self.outcome[rows]
            bads, goods = int(outcome.sum()), int(len(outcome) - outcome.sum())
            if min(bads, goods) < enough:
                raise SampleError(
                    f"the {part} part has {bads} accounts with the event and {goods} without; "
                    f"a card needs at least {enough} of each"
                )
