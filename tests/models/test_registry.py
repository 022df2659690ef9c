"""A bundle is read exactly as written, or refused with one sentence."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.card import ModelCard
from models.evaluate import StabilityBins
from models.registry import Bundle, BundleError, Calibration, ModelStore
from models.scaling import BandCuts, Scaling


@pytest.fixture
def bundle() -> Bundle:
    scores = np.arange(400.0, 600.0)
    card = ModelCard(
        name="c-card", event_name="bad_30d", horizon_days=30, feature_set_version=1, features=("a", "b"),
        recipe={"max_depth": 3}, sample={"rows": 10}, cross_validation={}, test={"auc": 0.7}, segments={},
        importance={"a": 1.0}, missing_share={"a": 0.0}, reasons={"late_now": "Late"}, scaling=Scaling(),
        cuts=BandCuts.of(scores), development=StabilityBins.of(scores), warnings=("note",),
    )  # fmt: skip
    return Bundle(card, {"calibration.json": Calibration(1.02, -0.01).to_bytes(), "model.ubj": b"trees" * 100})


def test_what_was_saved_is_loaded(tmp_path: Path, bundle: Bundle) -> None:
    key = ModelStore(tmp_path).save(bundle, "v1")
    assert key == "c-card/v1"
    assert ModelStore(tmp_path).load(key) == bundle
    assert ModelStore(tmp_path).load(key).digest() == bundle.digest()


def test_saving_twice_changes_nothing(tmp_path: Path, bundle: Bundle) -> None:
    store = ModelStore(tmp_path)
    key = store.save(bundle, "v1")
    before = (tmp_path / key / "manifest.json").stat().st_mtime_ns
    assert store.save(bundle, "v1") == key
    assert (tmp_path / key / "manifest.json").stat().st_mtime_ns == before


@pytest.mark.parametrize("name", ["card.json", "schema.json", "calibration.json", "model.ubj", "manifest.json"])
def test_a_missing_file_is_named(tmp_path: Path, bundle: Bundle, name: str) -> None:
    key = ModelStore(tmp_path).save(bundle, "v1")
    (tmp_path / key / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is missing; restore"):
        ModelStore(tmp_path).load(key)


@pytest.mark.parametrize("name", ["card.json", "schema.json", "calibration.json", "model.ubj", "manifest.json"])
def test_a_cut_file_is_named(tmp_path: Path, bundle: Bundle, name: str) -> None:
    key = ModelStore(tmp_path).save(bundle, "v1")
    path = tmp_path / key / name
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(BundleError, match=name):
        ModelStore(tmp_path).load(key)


def test_a_card_with_another_orientation_is_refused(tmp_path: Path, bundle: Bundle) -> None:
    turned = replace(bundle, card=replace(bundle.card, orientation="higher_is_riskier"))
    key = ModelStore(tmp_path).save(turned, "v1")
    with pytest.raises(BundleError, match="orientation"):
        ModelStore(tmp_path).load(key)


def test_a_key_cannot_leave_the_store(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="outside"):
        ModelStore(tmp_path / "models").load("../../etc")


def test_a_crash_while_writing_leaves_no_bundle(tmp_path: Path, bundle: Bundle) -> None:
    broken = replace(bundle, card=replace(bundle.card, test={"auc": float("nan")}))
    with pytest.raises(ValueError, match="JSON"):
        ModelStore(tmp_path).save(broken, "v1")
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_a_card_is_plain_json(bundle: Bundle) -> None:
    assert ModelCard.from_json(json.loads(json.dumps(bundle.card.as_json()))) == bundle.card
