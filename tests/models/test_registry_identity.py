"""Sound files in the wrong folder, or a list of files that names others, are no bundle."""

import json
import shutil
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from models.registry import Bundle, BundleError, ModelStore
from tests.model_books import made_bundle, renamed


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return made_bundle("scorecard", rows=1_000)


def kept(root: Path, bundle: Bundle) -> str:
    return ModelStore(root).save(bundle, bundle.digest()[:12])


def rewritten(root: Path, key: str, manifest: Any) -> None:
    (root / key / "manifest.json").write_text(manifest if isinstance(manifest, str) else json.dumps(manifest))


def test_a_bundle_under_its_own_digest_is_loaded(tmp_path: Path, bundle: Bundle) -> None:
    assert ModelStore(tmp_path).load(kept(tmp_path, bundle)) == bundle


@pytest.mark.parametrize("other", ["another name", "other parts"])
def test_another_models_folder_in_its_place_is_refused(tmp_path: Path, bundle: Bundle, other: str) -> None:
    stranger = renamed(bundle, "c-m2") if other == "another name" else replace(bundle, parts={"x.json": b"{}"})
    key, strange = kept(tmp_path, bundle), ModelStore(tmp_path).save(stranger, "0123456789ab")
    shutil.rmtree(tmp_path / key)
    shutil.copytree(tmp_path / strange, tmp_path / key)
    with pytest.raises(BundleError, match="another model's files are in its folder"):
        ModelStore(tmp_path).load(key)


def test_a_part_left_out_of_the_manifest_is_refused(tmp_path: Path, bundle: Bundle) -> None:
    """Without its fallback a model would score a silent vendor's rows by the card that relies on the vendor."""
    key = kept(tmp_path, bundle)
    manifest = json.loads((tmp_path / key / "manifest.json").read_text())
    del manifest["sha256"]["fallback_scorecard.json"]
    rewritten(tmp_path, key, manifest)
    with pytest.raises(BundleError, match="another model's files"):
        ModelStore(tmp_path).load(key)


@pytest.mark.parametrize(
    "manifest",
    ["[" * 100_000, [], {"sha256": []}, {"sha256": None}, {"sha256": {"..": "x"}}, {"sha256": {"/etc/hostname": "x"}},
     {"sha256": {"../../outside": sha256(b"x").hexdigest()}}],
)  # fmt: skip
def test_a_manifest_that_lists_no_files_of_the_folder_is_one_sentence(
    tmp_path: Path, bundle: Bundle, manifest: Any
) -> None:
    (tmp_path / "outside").write_bytes(b"x")
    key = kept(tmp_path, bundle)
    rewritten(tmp_path, key, manifest)
    with pytest.raises(BundleError, match=r"manifest\.json cannot be read; restore"):
        ModelStore(tmp_path).load(key)


@pytest.mark.parametrize("name", ["manifest.json", "card.json", "scorecard.json"])
def test_a_folder_where_a_file_should_be_is_one_sentence(tmp_path: Path, bundle: Bundle, name: str) -> None:
    key = kept(tmp_path, bundle)
    (tmp_path / key / name).unlink()
    (tmp_path / key / name).mkdir()
    with pytest.raises(BundleError, match="restore the folder from a backup"):
        ModelStore(tmp_path).load(key)
