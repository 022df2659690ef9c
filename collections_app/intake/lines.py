"""Bytes of a file to blocks of whole lines, as UTF-8: streamed, bounded, refused with the line's number."""

import codecs
import gzip
import hashlib
import os
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from collections_app.domain.errors import InvalidInput

# A line longer than this is not a row of accounts; csv would happily build a 10 MB field.
LONGEST_LINE = 1 << 20
# Text read at a time: some 65,000 rows of 250 bytes.
BLOCK = 1 << 24
_BOM = b"\xef\xbb\xbf"


def sha256_of(path: Path) -> str:
    """Return the digest of a file's bytes as they lie; raise InvalidInput when it cannot be read."""
    if not path.is_file():
        raise InvalidInput(f"{path}: no such file")
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read ({error.strerror})") from None


def line_ends(block: bytes) -> int:
    """Count the lines that end in a block of whole lines."""
    # Five times as fast as bytes.count where line ends are frequent.
    ends = int(np.count_nonzero(np.frombuffer(block, dtype=np.uint8) == ord("\n")))
    return ends + block.count(b"\r") - block.count(b"\r\n") if b"\r" in block else ends


class Lines:
    """The lines of one text file, plain or gzip, a block at a time.

    Line ends are ``\\n``, ``\\r\\n`` or (old spreadsheets) ``\\r``; a file that has only the last kind is given
    with ``\\n``. Lines count from 1, as an editor counts them.
    """

    def __init__(self, path: Path, *, delimiter: str, encoding: str = "utf-8", block: int = BLOCK) -> None:
        self.path = path
        self._number = 1
        self._delimiter = delimiter.encode()
        self._block = block
        self._raw: IO[bytes] = path.open("rb")
        self._before = os.fstat(self._raw.fileno())
        self._file: IO[bytes] | gzip.GzipFile = gzip.GzipFile(fileobj=self._raw) if path.suffix == ".gz" else self._raw
        self._decoder = None if encoding == "utf-8" else codecs.getincrementaldecoder(encoding)()
        self._encoding = encoding
        self._rest = b""
        self._back: list[tuple[int, bytes]] = []
        self._ended = False
        self._started = False
        self._macintosh = False

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._raw.close()

    def put_back(self, number: int, block: bytes) -> None:
        """Return unread lines, the first of which has this number: the next ``take`` gives them again."""
        if block:
            self._back.append((number, block))

    def take(self) -> tuple[int, bytes]:
        """Return the next whole lines, about a block of them, and the first one's number; nothing at the end."""
        if self._back:
            return self._back.pop()
        while not self._ended:
            found = self._read()
            text = self._rest + found if self._rest else found
            cut = len(text) if self._ended else text.rfind(b"\n") + 1
            block, self._rest = text[:cut], text[cut:]
            self._check(block)
            if len(self._rest) > LONGEST_LINE:
                raise self._too_long(self._number + block.count(b"\n"))
            if block:
                return self._count(block)
        return self._number, b""

    def _count(self, block: bytes) -> tuple[int, bytes]:
        first = self._number
        self._number += line_ends(block)
        return first, block

    def _read(self) -> bytes:
        try:
            found = self._file.read(self._block)
        except (EOFError, zlib.error, OSError) as error:
            if self._file is self._raw:
                raise InvalidInput(f"{self.path}: cannot be read ({error})") from None
            raise InvalidInput(f"{self.path}: not a whole gzip file (cut short or damaged)") from None
        if not found:
            self._ended = True
            now = os.fstat(self._raw.fileno())
            if (now.st_size, now.st_mtime_ns) != (self._before.st_size, self._before.st_mtime_ns):
                raise InvalidInput(f"{self.path}: the file changed while it was read; send it again whole")
        if self._decoder is not None:
            found = self._transcode(found)
        if not self._started:
            self._started = True
            found = found.removeprefix(_BOM)
            self._macintosh = b"\r" in found and b"\n" not in found
        if self._macintosh:
            found = self._unix(found)
        return found

    def _transcode(self, found: bytes) -> bytes:
        assert self._decoder is not None
        try:
            return self._decoder.decode(found, final=not found).encode()
        except UnicodeDecodeError:
            line = self._number + self._rest.count(b"\n")
            raise InvalidInput(
                f"{self.path}: line {line} or after it: a byte is not {self._encoding}; name the file's true encoding"
            ) from None

    def _unix(self, found: bytes) -> bytes:
        # A pair may lie across two reads: the second half alone ends no line.
        if self._rest.endswith(b"\r"):
            found, self._rest = self._rest[-1:] + found, self._rest[:-1]
        held = b"\r" if found.endswith(b"\r") and not self._ended else b""
        found = found.removesuffix(held).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return found + held

    def _check(self, text: bytes) -> None:
        """Refuse a zero byte, a line without end, or a byte that is not UTF-8; name the line."""
        if b"\x00" in text:
            line = self._number + text.count(b"\n", 0, text.index(b"\x00"))
            raise InvalidInput(f"{self.path}: line {line}: holds a zero byte; this is not a text file")
        start = 0
        while len(text) - start > LONGEST_LINE:
            end = text.rfind(b"\n", start, start + LONGEST_LINE + 1)
            if end < 0:
                raise self._too_long(self._number + text.count(b"\n", 0, start))
            start = end + 1
        if text.isascii():
            return
        try:
            text.decode("utf-8")
        except UnicodeDecodeError as error:
            line = self._number + text.count(b"\n", 0, error.start)
            before = text[text.rfind(b"\n", 0, error.start) + 1 : error.start]
            raise InvalidInput(
                f"{self.path}: line {line}, column {before.count(self._delimiter) + 1}: byte "
                f"{text[error.start]:#04x} is not UTF-8; save the file as UTF-8 or name its encoding in the mapping"
            ) from None

    def _too_long(self, line: int) -> InvalidInput:
        return InvalidInput(f"{self.path}: line {line}: longer than {LONGEST_LINE} bytes, not a row of a feed")
