"""Reads Parquet files batch by batch."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from pipeline.errors import PipelineError
from pipeline.records.source.batch import Batch, of_table

ROWS, BYTES = 250_000, 2**26
"""The most rows of a batch, and the most bytes that they take in memory."""
_SOME = 1_000
"""The first rows, which tell how large one is."""


def batches_of(rows: pl.LazyFrame, name: str) -> Iterator[Batch]:
    """All rows of a table, in its order."""
    first = 1
    for frame in rows.collect_batches(chunk_size=_rows_at_once(rows), maintain_order=True):
        yield of_table(frame, name, first)
        first += frame.height


def _rows_at_once(rows: pl.LazyFrame) -> int:
    """How many rows make a batch, by the size of the first ones: a few batches are in memory at once."""
    some = rows.head(_SOME).collect()
    fit = BYTES * some.height // max(1, int(some.estimated_size()))
    return min(max(fit, _SOME), ROWS)


class ParquetFile:
    """A Parquet file: on this machine, or in an object store that Polars reads."""

    def __init__(self, path: str, name: str) -> None:
        """Read the file's schema.

        Raises:
            PipelineError: it is no Parquet file, or cannot be read.
        """
        self.name, self._path = name, path
        try:
            self._rows = pl.scan_parquet(path, glob=False)
            self.schema = self._rows.collect_schema()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise PipelineError(f"{name}: cannot be read as parquet ({_first_line(error)}).") from error

    def batches(self) -> Iterator[Batch]:
        """All rows of the file, in its order.

        Raises:
            PipelineError: the file is damaged, or was changed while it was read.
        """
        before = self._state()
        try:
            yield from batches_of(self._rows, self.name)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise PipelineError(f"{self.name}: cannot be read as parquet ({_first_line(error)}).") from error
        self.checksum = "not known"
        if before is not None:
            with open(self._path, "rb") as file:
                self.checksum = hashlib.file_digest(file, "sha256").hexdigest()
            if self._state() != before:
                raise PipelineError(
                    f"{self.name}: the file was changed while it was read. Run again once it is complete."
                )

    def _state(self) -> tuple[int, int] | None:
        if "://" in self._path:
            return None
        found = Path(self._path).stat()
        return found.st_size, found.st_mtime_ns


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
