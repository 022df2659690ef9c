"""Bins of one feature and their weight of evidence (domain brief §3.5).

Sign convention: ``WOE = ln((good in bin / goods) / (bad in bin / bads))``, so that a positive WoE is a safe
bin; ``IV = sum((good% - bad%) * WOE)``. ``bad`` means bad for the lender, whatever the model's event is.
Counts carry half a row extra, so that a bin without bads keeps a finite weight.

A bin is ``edge[i-1] < x <= edge[i]``; a value beyond all that development saw falls into the outer bin. Missing
is a bin of its own, and so is each code of a status feature. A bin with too few bads or goods to tell, or unseen
in development, is *neutral*: WoE 0, no evidence either way; rows that meet an unseen bin are counted by the scorer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from models.evaluate import Floats, Ints
from models.schema import Direction

MAX_LEAVES = 6
LEAST_SHARE = 0.03
LEAST_EVENTS = 5
"""Fewest bads and fewest goods in a bin whose weight is believed."""
_SMOOTH = 0.5
_FIT_ROWS = 50_000
_DIGITS = 6
_BOUND = 1e30

Places = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Bins:
    """The bins of a feature: ranges between ``edges``, or one per code; the last bin is always the missing one.

    ``rows`` and ``bads`` are development counts by bin; ``woe`` is 0 where a bin is neutral.
    """

    name: str
    edges: tuple[float, ...]
    codes: tuple[float, ...]
    rows: tuple[int, ...]
    bads: tuple[int, ...]
    woe: tuple[float, ...]
    iv: float

    @property
    def labels(self) -> tuple[str, ...]:
        """Return what to call each bin."""
        if self.codes:
            return (*(f"= {c:g}" for c in self.codes), "missing")
        marks = [f"{e:.{_DIGITS}g}" for e in self.edges]
        if not marks:
            return ("any value", "missing")
        inner = [f"{a} to {b}" for a, b in pairwise(marks)]
        return (f"up to {marks[0]}", *inner, f"above {marks[-1]}", "missing")

    @property
    def missing_iv(self) -> float:
        """Return the information in being missing or not, the values set aside."""
        rows, bads = np.array(self.rows, dtype=np.float64), np.array(self.bads, dtype=np.float64)
        two = np.array([bads[:-1].sum(), bads[-1]]), np.array([(rows - bads)[:-1].sum(), (rows - bads)[-1]])
        return 0.0 if min(rows[-1], rows[:-1].sum()) < 1 else _information(*two)[1]

    def place(self, values: Floats) -> Places:
        """Return the bin of each value; NaN, and a code never named, are the missing bin."""
        return place(values, self.edges, self.codes)

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Bins":
        """Read plain data back."""
        tuples = {k: tuple(data[k]) for k in ("edges", "codes", "rows", "bads", "woe")}
        return cls(name=data["name"], iv=data["iv"], **tuples)


def place(values: Floats, edges: Sequence[float], codes: Sequence[float]) -> Places:
    """Return the index of the bin of each value (int8): a range or a code, the last one is missing."""
    if codes:
        known = np.asarray(codes)
        at = np.minimum(np.searchsorted(known, values), len(known) - 1)
        return np.where(known[at] == values, at, len(known)).astype(np.int8)
    # NaN sorts behind every edge; it belongs one bin further, into the missing one.
    at = np.searchsorted(np.asarray(edges, dtype=np.float64), values, side="left")
    return (at + np.isnan(values)).astype(np.int8)


def bin_feature(
    name: str, values: Floats, bad: Ints, *, direction: Direction = Direction.FREE, status: bool = False, seed: int = 0
) -> Bins:
    """Bin a feature for telling bads from goods; monotone in the direction the business expects.

    A decision tree of at most six leaves, each 3% of the known values or more, finds the ranges on at most
    50,000 rows; counts and weights come from all rows. ``status`` gives each distinct value its own bin.
    """
    known = ~np.isnan(values)
    if status:
        codes = tuple(np.unique(values[known]).tolist())
        return weigh(name, values, bad, edges=(), codes=codes)
    # Boundless values belong to the outer ranges and cannot tell where a range should end.
    finite = np.abs(np.nan_to_num(values, nan=np.inf)) < _BOUND
    x, y = values[finite], bad[finite]
    if len(x) > _FIT_ROWS:
        chosen = np.random.default_rng(seed).choice(len(x), _FIT_ROWS, replace=False)
        x, y = x[chosen], y[chosen]
    edges = _tree_edges(x, y, direction)
    return weigh(name, values, bad, edges=_believable(values[known], bad[known], edges, direction), codes=())


def weigh(name: str, values: Floats, bad: Ints, *, edges: Sequence[float], codes: Sequence[float]) -> Bins:
    """Count rows and bads in given bins and weigh them."""
    at = place(values, edges, codes)
    count = (len(codes) or len(edges) + 1) + 1
    rows = np.bincount(at, minlength=count).astype(np.float64)
    bads = np.bincount(at, weights=bad, minlength=count).astype(np.float64)
    woe, iv = _weights(bads, rows - bads)
    return Bins(name, tuple(edges), tuple(codes), tuple(rows.astype(int).tolist()), tuple(bads.astype(int).tolist()),
                tuple(woe.round(_DIGITS).tolist()), round(iv, _DIGITS))  # fmt: skip


def _weights(bads: Floats, goods: Floats) -> tuple[Floats, float]:
    telling = (bads >= LEAST_EVENTS) & (goods >= LEAST_EVENTS)
    if telling.sum() < 2:
        return np.zeros(len(bads)), 0.0
    woe = np.zeros(len(bads))
    # A neutral bin must not shift the others: shares are taken over the bins that tell something.
    woe[telling], iv = _information(bads[telling], goods[telling])
    return woe, iv


def _information(bads: Floats, goods: Floats) -> tuple[Floats, float]:
    b, g = bads + _SMOOTH, goods + _SMOOTH
    good_share, bad_share = g / g.sum(), b / b.sum()
    woe = np.log(good_share / bad_share)
    return woe, float(np.sum((good_share - bad_share) * woe))


def _tree_edges(x: Floats, bad: Ints, direction: Direction) -> Floats:
    if len(x) < 2 or not 0 < bad.sum() < len(bad) or x.min() == x.max():
        return np.zeros(0)
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(
        max_leaf_nodes=MAX_LEAVES,
        min_samples_leaf=max(LEAST_EVENTS, int(np.ceil(LEAST_SHARE * len(x)))),
        monotonic_cst=[int(direction)],
        random_state=0,
    )
    fitted = tree.fit(x.reshape(-1, 1), bad).tree_
    edges = np.sort(fitted.threshold[fitted.children_left >= 0])
    # Six digits are enough to tell two bins apart and are read by people and by SQL alike.
    return np.unique([float(f"{e:.{_DIGITS}g}") for e in edges])


def _believable(x: Floats, bad: Ints, edges: Floats, direction: Direction) -> tuple[float, ...]:
    """Drop edges until every range has enough bads and goods, and the rates go the expected way."""
    kept = edges.tolist()
    while kept:
        at = place(x, kept, ())
        rows = np.bincount(at, minlength=len(kept) + 1)[: len(kept) + 1]
        bads = np.bincount(at, weights=bad, minlength=len(kept) + 1)[: len(kept) + 1]
        thin = np.flatnonzero(np.minimum(bads, rows - bads) < LEAST_EVENTS)
        rate = (bads + _SMOOTH) / (rows + 2 * _SMOOTH)
        wrong = np.flatnonzero(np.diff(rate) * int(direction) < 0)
        if len(thin):
            at_edge = thin[0]
            # Join the thin bin with the neighbour whose rate is nearer.
            left = at_edge > 0 and (
                at_edge == len(kept) or abs(rate[at_edge - 1] - rate[at_edge]) <= abs(rate[at_edge + 1] - rate[at_edge])
            )
            del kept[at_edge - 1 if left else at_edge]
        elif len(wrong):
            del kept[wrong[0]]
        else:
            break
    return tuple(kept)
