"""ModelCard: everything a person must know before letting a card work, beside the model itself."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from models.evaluate import StabilityBins
from models.scaling import BandCuts, Scaling

ORIENTATION = "higher_is_safer"


@dataclass(frozen=True)
class ModelCard:
    """What a card predicts, what it was trained on, and how well it did on rows it never saw."""

    name: str
    event_name: str
    horizon_days: int
    feature_set_version: int
    features: tuple[str, ...]
    recipe: Mapping[str, Any]
    sample: Mapping[str, Any]
    cross_validation: Mapping[str, Any]
    test: Mapping[str, Any]
    segments: Mapping[str, Any]
    importance: Mapping[str, float]
    missing_share: Mapping[str, float]
    reasons: Mapping[str, str]
    scaling: Scaling
    cuts: BandCuts
    development: StabilityBins
    sayable: Mapping[str, str] = field(default_factory=dict)
    """Reason code -> sentence an agent may say to the customer; ``reasons`` are the ones staff read."""
    algorithm: str = "boosted"
    event_is: Literal["bad", "good"] = "bad"
    figures: Mapping[str, Any] = field(default_factory=dict)
    """Tables behind the plots: ``calibration``, ``gains``, ``bands``, ``explore``, ``curves`` and the like."""
    drift: Mapping[str, Any] = field(default_factory=dict)
    """Frozen development bins: ``features`` (name -> edges, shares, missing) and ``external`` (code -> share)."""
    alarms: tuple[str, ...] = ()
    """What must be inspected by a person before approval: leakage, single strong features, shaky samples."""
    warnings: tuple[str, ...] = ()
    orientation: str = ORIENTATION
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the card as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ModelCard":
        """Read a card back; an unknown orientation is refused, since it would turn every decision around."""
        if data["orientation"] != ORIENTATION:
            raise ValueError(f"orientation {data['orientation']!r} is not {ORIENTATION!r}")
        return cls(
            **{
                **data,
                "features": tuple(data["features"]),
                "warnings": tuple(data["warnings"]),
                "alarms": tuple(data.get("alarms", ())),
                "scaling": Scaling(**data["scaling"]),
                "cuts": BandCuts(tuple(data["cuts"]["floors"])),
                "development": StabilityBins(tuple(data["development"]["edges"]), tuple(data["development"]["shares"])),
            }
        )
