from pathlib import Path

import pytest

from collections_app.domain.errors import InvalidInput, NotFound
from collections_app.gateways.blobs import BlobStore


def test_what_is_put_is_got_and_replaced_whole(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path)
    blobs.put("recordings/2026/a.wav", b"one")
    blobs.put("recordings/2026/a.wav", b"two")
    assert blobs.get("recordings/2026/a.wav") == b"two"
    assert blobs.exists("recordings/2026/a.wav")
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["a.wav"]


def test_a_missing_blob_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        BlobStore(tmp_path).get("nothing")


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../up", "a/../../up", "a//b", ".hidden", "A", "a b", "a\x00", "a/"]
)
def test_a_key_cannot_leave_the_folder(tmp_path: Path, key: str) -> None:
    with pytest.raises(InvalidInput):
        BlobStore(tmp_path).path(key)
