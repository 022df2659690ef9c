"""Rows of a Parquet file, a chunk at a time; the line of a row is its place from 1."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from collections_app.domain.errors import InvalidInput
from collections_app.intake.rows import LINE, RawChunk

_UNREADABLE = "not a readable Parquet file (cut short, damaged, or nested columns)"


class ParquetRows:
    """One Parquet file: columns of plain values only."""

    header_line = 1

    def __init__(self, path: Path, sha256: str, *, chunk_rows: int) -> None:
        self.path = path
        self.sha256 = sha256
        self._chunk_rows = chunk_rows
        try:
            self._scan = pl.scan_parquet(path)
            schema = self._scan.collect_schema()
            height = self._scan.select(pl.len()).collect().item()
        except (pl.exceptions.PolarsError, OSError):
            raise InvalidInput(f"{path}: {_UNREADABLE}") from None
        if any(dtype.is_nested() or dtype in (pl.Binary, pl.Object) for dtype in schema.dtypes()):
            raise InvalidInput(f"{path}: {_UNREADABLE}")
        if not height:
            raise InvalidInput(f"{path}: the file has no rows", code="empty_file")
        self.header = schema.names()

    def chunks(self, whole_numbers: frozenset[str] = frozenset()) -> Iterator[RawChunk]:
        """Yield the rows in their order, as text but for whole numbers that are asked for as such."""
        first = 1
        try:
            for batch in self._scan.collect_batches(chunk_size=self._chunk_rows, maintain_order=True):
                for part in batch.iter_slices(self._chunk_rows):
                    numbers = [
                        n for n, t in part.schema.items() if t.is_integer() and t != pl.UInt64 and n in whole_numbers
                    ]
                    frame = _as_text(part, set(numbers)).with_columns(
                        pl.int_range(first, first + part.height, dtype=pl.Int64).alias(LINE)
                    )
                    first += part.height

                    def text_of(column: str, frame: pl.DataFrame = frame) -> pl.Series:
                        return frame[column].cast(pl.String)

                    yield RawChunk(frame, (), part.height, False, text_of)
        except (pl.exceptions.PolarsError, OSError):
            raise InvalidInput(f"{self.path}: {_UNREADABLE}") from None


def _as_text(part: pl.DataFrame, numbers: set[str]) -> pl.DataFrame:
    """Give every column as a CSV would have it; an instant with a zone in UTC with a Z."""
    return part.select(_column(name, dtype, name in numbers) for name, dtype in part.schema.items())


def _column(name: str, dtype: pl.DataType, number: bool) -> pl.Expr:
    column = pl.col(name)
    if number:
        return column.cast(pl.Int64)
    if isinstance(dtype, pl.Datetime):
        if dtype.time_zone is None:
            return column.dt.strftime("%Y-%m-%dT%H:%M:%S%.f")
        return column.dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ")
    if dtype.is_float():
        text = column.cast(pl.String)
        # 1e-05 is how a computer writes 0.00001; other floats are written as they are.
        small = column.cast(pl.Decimal(38, 15), strict=False).cast(pl.String).str.strip_chars_end("0")
        return pl.when(text.str.contains("e-", literal=True)).then(small).otherwise(text)
    if dtype in (pl.Date, pl.Time):
        return column.dt.to_string("iso")
    return column.cast(pl.String)
