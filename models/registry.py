"""Bundles on disk: one folder per model version, checked byte by byte when read.

A bundle is card.json, schema.json (features and their order), the algorithm's own parts (model.ubj,
calibration.json, scorecard.json ...), and a manifest with the digest of each. It is written beside its
place and moved there whole, so that a crash leaves either a complete bundle or none.
"""

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from models.card import ModelCard
from models.evaluate import Floats

_MANIFEST = "manifest.json"
_CARD, _SCHEMA = "card.json", "schema.json"


class BundleError(ValueError):
    """A bundle is missing, cut short or altered; the message says which file and what to do."""


@dataclass(frozen=True)
class Calibration:
    """Platt's line from log odds to calibrated log odds."""

    slope: float
    intercept: float

    def chance(self, margin: Floats) -> Floats:
        """Return the calibrated probability of log odds; beyond ±35 it is as good as certain."""
        return np.asarray(1 / (1 + np.exp(-np.clip(self.slope * margin + self.intercept, -35, 35))))

    def to_bytes(self) -> bytes:
        """Return the line as a part of a bundle."""
        return _json(asdict(self))

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Calibration":
        """Read the line back."""
        return cls(**json.loads(raw))


@dataclass(frozen=True)
class Bundle:
    """A model that can be moved: its card, and its parts as bytes by file name."""

    card: ModelCard
    parts: Mapping[str, bytes]

    def digest(self) -> str:
        """Name the bundle by what it computes: the same training gives the same digest."""
        computes = sha256("|".join((self.card.algorithm, *self.card.features)).encode())
        for name in sorted(self.parts):
            computes.update(name.encode() + sha256(self.parts[name]).digest())
        return computes.hexdigest()


class ModelStore:
    """Bundles under one folder, by key ``name/version``. Loaded bundles are kept: they never change."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._loaded: dict[str, Bundle] = {}

    def save(self, bundle: Bundle, version: str) -> str:
        """Write a bundle and return its key; a complete bundle already there is left as it is."""
        key = f"{bundle.card.name}/{version}"
        target = self.root / key
        if target.exists():
            self.load(key)
            return key
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".writing-", dir=target.parent))
        try:
            contents = _contents(bundle)
            for name, raw in contents.items():
                (staging / name).write_bytes(raw)
            digests = {name: sha256(raw).hexdigest() for name, raw in contents.items()}
            (staging / _MANIFEST).write_bytes(_json({"format": 2, "sha256": digests}))
            staging.rename(target)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        return key

    def load(self, key: str) -> Bundle:
        """Read and check a bundle; raise BundleError when anything about it is not as written."""
        if key not in self._loaded:
            self._loaded[key] = self._read(key)
        return self._loaded[key]

    def _read(self, key: str) -> Bundle:
        folder = self.root / key
        remedy = "restore the folder from a backup, or train and approve the model again"
        if not folder.resolve().is_relative_to(self.root.resolve()):
            raise BundleError(f"model bundle {key!r} lies outside {self.root}")
        try:
            digests = _digests((folder / _MANIFEST).read_bytes())
            raw = {name: (folder / name).read_bytes() for name in (_CARD, _SCHEMA, *digests)}
        except FileNotFoundError as error:
            raise BundleError(f"model bundle {key}: {error.filename} is missing; {remedy}") from None
        except OSError as error:
            raise BundleError(f"model bundle {key}: {error.filename}: {error.strerror}; {remedy}") from None
        except (ValueError, KeyError, TypeError, RecursionError):
            raise BundleError(f"model bundle {key}: {_MANIFEST} cannot be read; {remedy}") from None
        for name, content in raw.items():
            if sha256(content).hexdigest() != digests.get(name):
                raise BundleError(f"model bundle {key}: {name} is cut or altered; {remedy}")
        try:
            card = ModelCard.from_json(json.loads(raw.pop(_CARD)))
        except (ValueError, KeyError, TypeError) as error:
            raise BundleError(f"model bundle {key}: its card cannot be read ({error}); {remedy}") from None
        del raw[_SCHEMA]
        bundle = Bundle(card, raw)
        if not _is_itself(bundle, key):
            raise BundleError(f"model bundle {key}: another model's files are in its folder; {remedy}")
        return bundle


def _digests(manifest: bytes) -> dict[str, str]:
    """Read the digests of a manifest; its names are files of the folder and nothing else."""
    digests = json.loads(manifest)["sha256"]
    if not isinstance(digests, dict) or any(Path(name).name != name or name == ".." for name in digests):
        raise ValueError("not a list of files")
    return digests


def _is_itself(bundle: Bundle, key: str) -> bool:
    """Tell whether a bundle is the one that its key names; a version made of its digest is checked against it.

    A whole folder in another's place, or a part left out of the manifest, has sound digests file by file.
    """
    name, _, version = key.partition("/")
    named_by_digest = re.fullmatch(r"[0-9a-f]{12}", version) is not None
    return bundle.card.name == name and (not named_by_digest or bundle.digest().startswith(version))


def _contents(bundle: Bundle) -> dict[str, bytes]:
    schema = {"feature_set_version": bundle.card.feature_set_version, "features": list(bundle.card.features)}
    return {
        **bundle.parts,
        _CARD: _json(bundle.card.as_json()),
        _SCHEMA: _json(schema),
    }


def _json(data: Any) -> bytes:
    return (json.dumps(data, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()
