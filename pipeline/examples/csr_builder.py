"""Builds a CSR matrix from (row, index) entries in any order.

Memory is bounded by a batch and a few buckets. This is an external sort: entries arrive in batches, and each becomes a
key of 32 or 64 bits. The keys of a bucket of neighbouring rows are in one file, and each bucket is sorted alone. What
rows and indices mean does not belong here.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from pipeline.records.side_by_side import side_by_side

Array = npt.NDArray[Any]

BUCKETS = 128
"""Largest number of files; of many rows of about equal length, each holds between a 128th and a 64th of the entries."""
FEWEST_ENTRIES = 150_000
"""Entries of a bucket that are worth a file, on average."""
MOST_ROWS, MOST_COLUMNS = 2**31, 2**31


class CsrBuilder:
    """Collects entries, then gives them back sorted and counted.

    >>> with CsrBuilder(n_rows=2, n_columns=8) as builder:
    ...     builder.add(np.array([1, 0, 1, 1]), np.array([7, 5, 3, 7]), np.array([2, 0, 1, 1]))
    ...     for indptr, indices, counts, parts in builder:
    ...         print(indptr, indices, counts, parts)
    [0 1] [5] [1] [0]
    [0 2] [3 7] [1 2] [1 1]
    """

    def __init__(self, n_rows: int, n_columns: int, n_parts: int = 4, n_entries: int | None = None) -> None:
        """Prepare for rows and columns, with files in a temporary folder that is removed after the context.

        Args:
            n_rows: at most MOST_ROWS.
            n_columns: at most MOST_COLUMNS.
            n_parts: at most 4.
            n_entries: how many entries will be added, at most; few of them need few files.
        """
        assert n_rows <= MOST_ROWS
        assert n_columns <= MOST_COLUMNS
        assert n_parts <= 4
        self.n_rows = n_rows
        n_files = BUCKETS if n_entries is None else min(BUCKETS, 1 + n_entries // FEWEST_ENTRIES)
        self._row_bits = max(0, (n_rows - 1).bit_length() - (n_files - 1).bit_length())  # of a row within its bucket
        self._column_bits = max(1, (n_columns - 1).bit_length())
        self._part_bits = (n_parts - 1).bit_length()
        bits = self._row_bits + self._column_bits + self._part_bits
        self._dtype: type[Any] = np.uint32 if bits <= 32 else np.uint64  # short keys are sorted in half the time
        self._folder = tempfile.TemporaryDirectory(prefix="csr-")
        n_buckets = -(-n_rows >> self._row_bits)
        self._paths = [Path(self._folder.name) / f"{bucket}.keys" for bucket in range(n_buckets)]
        self._writes = Lock()  # several threads may add

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._folder.cleanup()

    def add(self, rows: Array, indices: Array, parts: Array) -> None:
        """Add a batch of entries, in any order.

        Args:
            rows: (B,) integers 0..n_rows-1.
            indices: (B,) integers 0..n_columns-1.
            parts: (B,) integers 0..n_parts-1; of several with the same row and index, the smallest is kept.
        """
        bucket = (rows >> self._row_bits).astype(np.uint8)
        keys = (rows & (2**self._row_bits - 1)).astype(self._dtype) << self._dtype(self._column_bits + self._part_bits)
        keys |= indices.astype(self._dtype) << self._dtype(self._part_bits)
        keys |= parts.astype(self._dtype)
        keys = keys[np.argsort(bucket, kind="stable")]  # a stable sort of small integers takes linear time
        ends = np.cumsum(np.bincount(bucket, minlength=len(self._paths)))
        for path, start, end in zip(self._paths, np.append(0, ends), ends, strict=False):
            if end > start:
                with self._writes, path.open("ab") as file:
                    keys[start:end].tofile(file)

    def __iter__(self) -> Iterator[tuple[Array, Array, Array, Array]]:
        """Yield bucket after bucket, rows ascending: indptr (rows + 1,); index, count and part of each different entry.

        The next buckets are sorted while the caller works on one.
        """
        size = 2**self._row_bits
        lengths = (min(size, self.n_rows - i * size) for i in range(len(self._paths)))
        yield from side_by_side(self._sorted, zip(self._paths, lengths, strict=True))

    def _sorted(self, path: Path, n_rows: int) -> tuple[Array, Array, Array, Array]:
        """The sorted entries of the bucket whose keys are in a file."""
        keys = np.fromfile(path, self._dtype) if path.exists() else np.empty(0, self._dtype)
        keys.sort()
        entries = keys >> self._dtype(self._part_bits)
        repeats = entries[1:] == entries[:-1]
        counts = np.ones(len(keys), np.uint32)
        if repeats.any():
            starts = np.flatnonzero(np.append(True, ~repeats))
            counts = np.diff(np.append(starts, len(keys))).astype(np.uint32)
            keys, entries = keys[starts], entries[starts]
        rows = entries >> self._dtype(self._column_bits)
        return (
            np.searchsorted(rows, np.arange(n_rows + 1, dtype=self._dtype)),
            (entries & self._dtype(2**self._column_bits - 1)).astype(np.int32),
            counts,
            (keys & self._dtype(2**self._part_bits - 1)).astype(np.uint8),
        )
