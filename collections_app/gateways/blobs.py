"""Recordings and other large files, by key, in a local folder.

When to use: anything too large for a row. Write the blob first and the row after it: a crash between the
two leaves a file that nobody names, never a row without its file.
"""

import os
import re
import secrets
from pathlib import Path

from collections_app.domain.errors import InvalidInput, NotFound

_KEY = re.compile(r"[a-z0-9][a-z0-9_.-]*(?:/[a-z0-9][a-z0-9_.-]*)*")


class BlobStore:
    """A folder of immutable files. Keys are lower-case paths and cannot leave the folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, key: str) -> Path:
        """Return where a key lies, whether or not it exists."""
        if not _KEY.fullmatch(key) or ".." in key:
            raise InvalidInput(f"{key!r} is not a blob key: lower-case letters, digits, '.', '_', '-' and '/'")
        return self.root / key

    def put(self, key: str, data: bytes) -> None:
        """Write a blob whole or not at all: readers never see half a file."""
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with part.open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def get(self, key: str) -> bytes:
        """Read a blob."""
        try:
            return self.path(key).read_bytes()
        except FileNotFoundError:
            raise NotFound(f"there is no blob {key}") from None

    def exists(self, key: str) -> bool:
        """Tell whether a blob is there."""
        return self.path(key).is_file()
