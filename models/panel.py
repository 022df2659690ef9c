"""Monthly panels: one row per account and month, and the samples that survival and sequence models learn from.

A row says how the account stood at the END of its month. ``history`` sums up what had been seen by then, so
what is predicted always lies at least one month after what it is predicted from. Training and serving both go
through ``history``. An account enters at its first row, not at its origination: it was not at risk of being
seen to fail before we could see it (left truncation, domain brief §3.8).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from models.evaluate import Floats, Ints
from models.sample import SampleError

NO_LOAN, PAID_OFF, WORST = -2, -1, 5
"""States below 0: nothing owed that month (may borrow again), and paid off or closed (absorbing).
0 = current or 1-29 days past due, 1 = 30-59, 2 = 60-89, 3 = 90-119, 4 = 120-149, 5 = 150+ or written off."""

CENSORED, DEFAULT, PREPAID = 0, 1, 2
"""Causes of leaving the risk set."""

KEYS = {
    "account_id": pl.Int64, "customer": pl.Int64, "month": pl.Int32, "mob": pl.Int32, "state": pl.Int8,
}  # fmt: skip

HISTORY: tuple[str, ...] = (
    "mob", "seen", "first_state", "state_0", "state_1", "state_2", "run", "switches",
    "idle_3", "idle_6", "idle_12", "idle_share",
    "late_3", "late_6", "late_12", "late_ever", "worst_3", "worst_6", "worst_12", "worst_ever",
    "spells", "since_late", "since_idle",
)  # fmt: skip
"""Features of ``history``: counts in months, states as above. ``since_*`` is null where it never happened."""

_WINDOWS = (3, 6, 12)

PANEL_SET_VERSION = 1
"""Raise it when the meaning of a feature of ``history`` changes: older models then refuse to score."""


@dataclass(frozen=True)
class Panel:
    """Rows of KEYS plus optional numeric ``features``, in the order of account and month; made by ``of``.

    ``customer`` groups the accounts of one person, ``month`` is a calendar index (any origin), ``mob`` the months
    on book at the end of that month.
    """

    frame: pl.DataFrame
    features: tuple[str, ...] = ()

    @classmethod
    def of(cls, frame: pl.DataFrame, features: Sequence[str] = ()) -> "Panel":
        """Sort and check; raise SampleError for an empty, doubled, torn or unknown row.

        A paid-off account stays paid off, whatever later rows say. An account's months follow one another.
        """
        missing = [c for c in (*KEYS, *features) if c not in frame.columns]
        if missing:
            raise SampleError(f"the panel has no column {', '.join(missing)}")
        if frame.is_empty():
            raise SampleError("the panel has no rows")
        try:
            plain = frame.select(
                *(pl.col(c).cast(t) for c, t in KEYS.items()), *(pl.col(c).cast(pl.Float64) for c in features)
            )
        except pl.exceptions.InvalidOperationError:
            raise SampleError("the panel holds values that are not numbers, or do not fit their column") from None
        if plain.select(pl.any_horizontal(pl.col(*KEYS).is_null().any())).item():
            raise SampleError("the panel has rows without account, customer, month, months on book or state")
        if not plain["state"].is_between(NO_LOAN, WORST).all():
            raise SampleError(f"the panel has states outside {NO_LOAN} to {WORST}")
        ordered = plain.sort("account_id", "mob")
        same = pl.col("account_id") == pl.col("account_id").shift()
        torn = ordered.filter(same & ((pl.col("mob").diff() != 1) | (pl.col("month").diff() != 1)))
        if torn.height:
            raise SampleError(f"account {torn['account_id'][0]} has a month twice or a month missing in the panel")
        gone = (pl.col("state") == PAID_OFF).cum_max().over("account_id")
        state = pl.when(gone).then(PAID_OFF).otherwise(pl.col("state")).cast(pl.Int8)
        return cls(ordered.with_columns(state=state), tuple(features))

    def where(self, customers: npt.ArrayLike) -> "Panel":
        """Return the accounts of these customers; raise SampleError if there are none."""
        chosen = self.frame.filter(pl.col("customer").is_in(np.asarray(customers, dtype=np.int64).tolist()))
        if chosen.is_empty():
            raise SampleError("none of these customers has an account in the panel")
        return Panel(chosen, self.features)

    def until(self, month: int) -> "Panel":
        """Return what was known at the end of a month; raise SampleError if nothing was."""
        known = self.frame.filter(pl.col("month") <= month)
        if known.is_empty():
            raise SampleError(f"the panel has no row up to month {month}")
        return Panel(known, self.features)

    def split(self, test_customers: npt.ArrayLike) -> tuple["Panel", "Panel"]:
        """Return (train, test), the test part being the accounts of these customers: nobody is in both."""
        everybody = np.unique(self.frame["customer"].to_numpy())
        return self.where(np.setdiff1d(everybody, test_customers)), self.where(test_customers)


def history(panel: Panel) -> pl.DataFrame:
    """Return KEYS, HISTORY and the panel's own features: what is known at the end of each row's month."""
    state, late, idle = pl.col("state"), pl.col("state") >= 1, pl.col("state") == NO_LOAN
    owed = pl.col("state").clip(0)
    changed = (state != state.shift()).fill_null(False)
    place = pl.int_range(pl.len(), dtype=pl.Int32)
    plain = {
        "seen": place + 1,
        "first_state": state.first(),
        "state_0": state,
        "state_1": state.shift(1),
        "state_2": state.shift(2),
        "run": place - pl.when(changed).then(place).forward_fill().fill_null(0) + 1,
        "switches": changed.cum_sum(),
        "idle_share": idle.cum_sum() / (place + 1),
        "late_ever": late.cum_sum(),
        "worst_ever": owed.cum_max(),
        "spells": (late & ~late.shift().fill_null(False)).cum_sum(),
        "since_late": place - pl.when(late).then(place).forward_fill(),
        "since_idle": place - pl.when(idle).then(place).forward_fill(),
    } | {
        f"{name}_{w}": rolled
        for w in _WINDOWS
        for name, rolled in (
            ("idle", idle.cast(pl.Int32).rolling_sum(w, min_samples=1)),
            ("late", late.cast(pl.Int32).rolling_sum(w, min_samples=1)),
            ("worst", owed.rolling_max(w, min_samples=1)),
        )
    }
    told = panel.frame.with_columns(**{n: e.over("account_id").cast(pl.Float64) for n, e in plain.items()})
    return told.select(*KEYS, *(c for c in HISTORY if c not in KEYS), *panel.features)


def latest(panel: Panel, *, event_state: int, month: int | None = None) -> pl.DataFrame:
    """Return ``history`` at the end of ``month`` (None: the panel's last) of all at risk then: what is scored.

    Accounts that have had the event, are paid off, or were not seen that month are not at risk.
    """
    last = panel.frame["month"].max() if month is None else month
    return history(panel).filter((pl.col("month") == last) & _at_risk(event_state))


def observations(panel: Panel, *, event_state: int, every: int = 1, first_mob: int = 0) -> pl.DataFrame:
    """Return ``history`` of each account at risk, at ``first_mob`` and every ``every`` months from there, with

    ``duration`` (whole months from then to the event, the pay-off or the last month seen, at least 1), ``cause``
    (CENSORED, DEFAULT = first month at ``event_state`` or worse, PREPAID = paid off before) and ``followed`` (months
    to the last one seen, whatever happened before). Accounts that have had the event, are paid off, or were not seen
    again are not at risk and have no row.
    """
    if not 1 <= event_state <= WORST:
        raise SampleError(f"an event is a state from 1 to {WORST}, not {event_state}")
    mob, state = pl.col("mob"), pl.col("state")
    fate = panel.frame.group_by("account_id").agg(
        hit=mob.filter(state >= event_state).min(), paid=mob.filter(state == PAID_OFF).min(), last=mob.max()
    )
    ends = pl.min_horizontal("hit", "paid", "last")
    cause = pl.when(pl.col("hit") == ends).then(DEFAULT).when(pl.col("paid") == ends).then(PREPAID).otherwise(CENSORED)
    at = (mob >= first_mob) & ((mob - first_mob) % every == 0)
    found = (
        history(panel)
        .filter(at)
        .join(fate, on="account_id", maintain_order="left")
        .with_columns(
            duration=(ends - mob).cast(pl.Int32),
            cause=cause.cast(pl.Int8),
            followed=(pl.col("last") - mob).cast(pl.Int32),
        )
        .filter(pl.col("duration") >= 1)
        .drop("hit", "paid", "last")
    )
    if found.is_empty():
        raise SampleError("no account of the panel is at risk and seen again a month later")
    return found


def expand(found: pl.DataFrame, horizon: int) -> pl.DataFrame:
    """Turn observations into person-periods: a row for each month at risk, up to ``horizon`` months ahead."""
    if horizon < 1:
        raise SampleError(f"a horizon is at least one month, not {horizon}")
    ahead = pl.int_ranges(1, pl.min_horizontal("duration", horizon) + 1, dtype=pl.Int32)
    rows = found.with_columns(ahead=ahead).explode("ahead", empty_as_null=True)
    cause = pl.when(pl.col("ahead") == pl.col("duration")).then("cause").otherwise(CENSORED).cast(pl.Int8)
    return rows.with_columns(cause=cause)


def landmark(panel: Panel, *, event_state: int, at_mob: int, window: int, everybody: bool = False) -> pl.DataFrame:
    """Return ``history`` at ``at_mob`` with ``outcome``: the event in one of the ``window`` months after it.

    Only accounts seen at ``at_mob`` and at the end of the window (matured), at risk at ``at_mob``; paid off within the
    window without the event is a good. ``everybody`` keeps those paid off or with the event before, too.
    """
    mob, state = pl.col("mob"), pl.col("state")
    within = mob.is_between(at_mob + 1, at_mob + window)
    fate = panel.frame.group_by("account_id").agg(
        outcome=(within & (state >= event_state)).any().cast(pl.Int64), last=mob.max()
    )
    rows = (
        history(panel)
        .filter((mob == at_mob) & (pl.lit(everybody) | _at_risk(event_state)))
        .join(fate, on="account_id", maintain_order="left")
        .filter(pl.col("last") >= at_mob + window)
        .drop("last")
    )
    if rows.is_empty():
        raise SampleError(f"no account is seen at {at_mob} and {at_mob + window} months on book")
    return rows


def _at_risk(event_state: int) -> pl.Expr:
    return (pl.col("worst_ever") < event_state) & (pl.col("state") != PAID_OFF)


def matrix(frame: pl.DataFrame, names: Sequence[str]) -> Floats:
    """Return columns as floats, in this order; null becomes NaN."""
    return frame.select(pl.col(n).cast(pl.Float64).fill_null(float("nan")) for n in names).to_numpy()


def codes(frame: pl.DataFrame, name: str) -> Ints:
    """Return a whole-number column as an array."""
    return frame[name].cast(pl.Int64).to_numpy()
