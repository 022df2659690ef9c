"""The cold start: an expert's scorecard as data, usable with no history of our own.

Points come from ``models/generic/*.yaml``, where every number is dated and marked as judgement. The card says
in its warnings that it is not calibrated; a card trained on the book's own outcomes takes its place.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from models import scorecard
from models.binning import Bins
from models.card import ModelCard
from models.catalogue import Recipe, recipe_of
from models.evaluate import StabilityBins
from models.feature_list import FEATURE_SET_VERSION, SPECS
from models.points import Card, PointsFeature
from models.predictions import Predictions
from models.reasons import REASONS, sayable_sentences, staff_sentences
from models.registry import Bundle
from models.sample import Sample
from models.scaling import BandCuts, Scaling

_FOLDER = Path(__file__).parent / "generic"


class ExpertCardError(ValueError):
    """The card's file contradicts itself or the feature list; the message says where."""


def train(recipe: Recipe, sample: Sample, *, provenance: Mapping[str, Any], seed: int = 0, threads: int = 2) -> Bundle:
    """Refuse: an expert's card is judged, not trained."""
    raise ValueError(f"{recipe.name}: an expert card is not trained; expert.load() reads it")


def predict(bundle: Bundle, features: pl.DataFrame, *, threads: int = 2, exact_reasons: bool = True) -> Predictions:
    """Score rows by adding up the expert's points; P(event) follows from the points and is not calibrated."""
    return scorecard.predict(bundle, features, threads=threads, exact_reasons=exact_reasons)


def load(name: str = "c_card") -> Bundle:
    """Return the expert card of this file as a bundle; the same file gives the same digest."""
    data = read(name)
    rows = [*data["inside"], *data["outside"]]
    card = Card(tuple(_feature(row, share) for row, share in zip(rows, _shares(data, len(rows)), strict=True)))
    recipe = recipe_of(data["name"])
    names = tuple(f.bins.name for f in card.features)
    used = {f.reason for f in card.features}
    codes = tuple(c for c in REASONS if c in used)
    judged = f"{data['judged_by']}, {data['judged_on']}"
    return Bundle(
        ModelCard(
            name=recipe.name,
            algorithm="expert",
            event_name=data["event"],
            event_is=recipe.event_is,
            horizon_days=data["horizon_days"],
            feature_set_version=FEATURE_SET_VERSION,
            features=names,
            recipe={"points": judged, "calibrated": False, "average": data["average"]},
            sample={"rows": 0, "events": 0},
            cross_validation={},
            test={},
            segments={},
            importance=_reach(card),
            missing_share={},
            reasons=staff_sentences(codes),
            sayable=sayable_sentences(codes),
            scaling=Scaling(),
            cuts=BandCuts(tuple(float(b) for b in data["bands"])),
            development=StabilityBins((), (1.0,)),
            figures={"scorecard": card.table()},
            alarms=("Expert judgement, never measured on outcomes: watch what becomes of each band.",),
            warnings=(
                f"Not calibrated: points and odds are {judged}. Read the order of the scores, not the probability.",
                "A card learnt from the book's own outcomes takes its place as soon as enough have matured.",
            ),
            provenance={"source": f"models/generic/{name}.yaml", "judged_on": str(data["judged_on"])},
        ),
        {scorecard.PART: card.to_bytes()},
    )  # fmt: skip


@cache
def read(name: str = "c_card") -> Mapping[str, Any]:
    """Return the file's data; raise ExpertCardError where it is not a card."""
    data: dict[str, Any] = yaml.safe_load((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    for row in (*data["inside"], *data["outside"]):
        cuts = row.get("codes") or row["up_to"]
        wanted = len(cuts) + (0 if "codes" in row else 1)
        if row["feature"] not in SPECS:
            raise ExpertCardError(f"{name}.yaml: there is no feature {row['feature']!r}")
        if len(row["points"]) != wanted or sorted(cuts) != cuts:
            raise ExpertCardError(f"{name}.yaml: {row['feature']} wants {wanted} points for rising bounds")
    return data


def _shares(data: Mapping[str, Any], count: int) -> list[int]:
    """Spread the average over the features in whole thousandths, so that their points add up to it exactly."""
    whole, rest = divmod(1000 * int(data["average"]), count)
    return [whole + (1 if i < rest else 0) for i in range(count)]


def _feature(row: Mapping[str, Any], share: int) -> PointsFeature:
    codes, edges = tuple(map(float, row.get("codes", ()))), tuple(map(float, row.get("up_to", ())))
    points = (*row["points"], row["missing"])
    nothing = (0,) * len(points)
    bins = Bins(row["feature"], edges, codes, nothing, nothing, (0.0,) * len(points), 0.0)
    return PointsFeature(bins, SPECS[row["feature"]].reason, 0.0, tuple(share + round(1000 * p) for p in points))


def _reach(card: Card) -> dict[str, float]:
    """Return how far each feature can move the score, as a share of all."""
    reach = {f.bins.name: max(f.milli) - min(f.milli) for f in card.features}
    return {n: round(r / sum(reach.values()), 4) for n, r in sorted(reach.items(), key=lambda item: -item[1])}
