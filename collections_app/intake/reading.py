"""A file of rows, opened by its name's ending: CSV (plain or gzip) or Parquet."""

from pathlib import Path

from collections_app.domain.errors import InvalidInput
from collections_app.intake.csv_rows import CsvRows
from collections_app.intake.lines import LONGEST_LINE, sha256_of
from collections_app.intake.parquet_rows import ParquetRows
from collections_app.intake.rows import CHUNK_ROWS, LINE, RawChunk, Reject, Rows, digest

__all__ = ["CHUNK_ROWS", "LINE", "LONGEST_LINE", "RawChunk", "Reject", "Rows", "digest", "open_rows"]


def open_rows(path: Path, *, delimiter: str = ",", encoding: str = "utf-8", chunk_rows: int = CHUNK_ROWS) -> Rows:
    """Open a file and read its header; raise InvalidInput when there is none."""
    sha = sha256_of(path)
    if not path.stat().st_size:
        raise InvalidInput(f"{path}: the file is empty (line 1: a header was expected)", code="empty_file")
    if path.suffix == ".parquet":
        return ParquetRows(path, sha, chunk_rows=chunk_rows)
    return CsvRows(path, sha, delimiter=delimiter, encoding=encoding, chunk_rows=chunk_rows)
