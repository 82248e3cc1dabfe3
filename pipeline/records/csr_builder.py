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
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from pipeline.records.side_by_side import side_by_side

Array = npt.NDArray[Any]

BUCKETS = 128
"""Largest number of files; of many rows of about equal length, each holds between a 128th and a 64th of the entries."""
FEWEST_ENTRIES = 150_000
"""Entries of a bucket that are worth a file, on average."""
MOST_ROWS, MOST_COLUMNS = 2**31, 2**31
_KEYS, _WEIGHTS = ".keys", ".weights"


class Bucket(NamedTuple):
    """Neighbouring rows of the matrix."""

    indptr: Array  # (rows + 1,) where the entries of each row begin
    indices: Array  # (b,) int32, ascending within a row, each once
    counts: Array  # (b,) uint32, how often the entry was added
    parts: Array  # (b,) uint8, the smallest that it was added with
    weights: Array | None  # (b,) float64, the sum of its weights; None if it was added without


class CsrBuilder:
    """Collects entries, then gives them back sorted and counted.

    >>> with CsrBuilder(n_rows=2, n_columns=8) as builder:
    ...     builder.add(np.array([1, 0, 1, 1]), np.array([7, 5, 3, 7]), np.array([2, 0, 1, 1]))
    ...     for indptr, indices, counts, parts, weights in builder:
    ...         print(indptr, indices, counts, parts, weights)
    [0 1] [5] [1] [0] None
    [0 2] [3 7] [1 2] [1 1] None
    """

    def __init__(
        self, n_rows: int, n_columns: int, n_parts: int = 4, n_entries: int | None = None, has_weights: bool = False
    ) -> None:
        """Prepare for rows and columns, with files in a temporary folder that is removed after the context.

        Args:
            n_rows: at most MOST_ROWS.
            n_columns: at most MOST_COLUMNS.
            n_parts: at most 4.
            n_entries: how many entries will be added, at most; few of them need few files.
            has_weights: whether entries are added with weights.
        """
        assert n_rows <= MOST_ROWS
        assert n_columns <= MOST_COLUMNS
        assert n_parts <= 4
        self.n_rows, self._has_weights = n_rows, has_weights
        n_files = BUCKETS if n_entries is None else min(BUCKETS, 1 + n_entries // FEWEST_ENTRIES)
        self._row_bits = max(0, (n_rows - 1).bit_length() - (n_files - 1).bit_length())  # of a row within its bucket
        self._column_bits = max(1, (n_columns - 1).bit_length())
        self._part_bits = (n_parts - 1).bit_length()
        bits = self._row_bits + self._column_bits + self._part_bits
        self._dtype: type[Any] = np.uint32 if bits <= 32 else np.uint64  # short keys are sorted in half the time
        self._folder = tempfile.TemporaryDirectory(prefix="csr-")
        n_buckets = -(-n_rows >> self._row_bits)
        self._paths = [Path(self._folder.name) / f"{bucket}{_KEYS}" for bucket in range(n_buckets)]
        self._writes = Lock()  # several threads may add

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._folder.cleanup()

    def add(self, rows: Array, indices: Array, parts: Array, weights: Array | None = None) -> None:
        """Add a batch of entries, in any order.

        Args:
            rows: (B,) integers 0..n_rows-1.
            indices: (B,) integers 0..n_columns-1.
            parts: (B,) integers 0..n_parts-1; of several with the same row and index, the smallest is kept.
            weights: (B,) numbers; those with the same row and index add up.
        """
        bucket = (rows >> self._row_bits).astype(np.uint8)
        keys = (rows & (2**self._row_bits - 1)).astype(self._dtype) << self._dtype(self._column_bits + self._part_bits)
        keys |= indices.astype(self._dtype) << self._dtype(self._part_bits)
        keys |= parts.astype(self._dtype)
        order = np.argsort(bucket, kind="stable")  # a stable sort of small integers takes linear time
        written = {_KEYS: keys[order]} | ({} if weights is None else {_WEIGHTS: weights[order].astype(np.float64)})
        ends = np.cumsum(np.bincount(bucket, minlength=len(self._paths)))
        for path, start, end in zip(self._paths, np.append(0, ends), ends, strict=False):
            if end > start:
                with self._writes:
                    for ending, values in written.items():
                        with path.with_suffix(ending).open("ab") as file:
                            values[start:end].tofile(file)

    def __iter__(self) -> Iterator[Bucket]:
        """Yield bucket after bucket, rows ascending.

        The next buckets are sorted while the caller works on one.
        """
        size = 2**self._row_bits
        lengths = (min(size, self.n_rows - i * size) for i in range(len(self._paths)))
        yield from side_by_side(self._sorted, zip(self._paths, lengths, strict=True))

    def _sorted(self, path: Path, n_rows: int) -> Bucket:
        """The sorted entries of the bucket whose keys are in a file."""
        keys = np.fromfile(path, self._dtype) if path.exists() else np.empty(0, self._dtype)
        weights = None
        if self._has_weights:
            beside = path.with_suffix(_WEIGHTS)
            weights = np.fromfile(beside, np.float64) if beside.exists() else np.empty(0)
            order = np.lexsort((weights, keys))  # so that sums do not depend on the order in which entries came
            keys, weights = keys[order], weights[order]
        else:
            keys.sort()
        entries = keys >> self._dtype(self._part_bits)
        repeats = entries[1:] == entries[:-1]
        counts = np.ones(len(keys), np.uint32)
        if repeats.any():
            starts = np.flatnonzero(np.append(True, ~repeats))
            counts = np.diff(np.append(starts, len(keys))).astype(np.uint32)
            keys, entries = keys[starts], entries[starts]
            weights = None if weights is None else np.add.reduceat(weights, starts)
        rows = entries >> self._dtype(self._column_bits)
        return Bucket(
            np.searchsorted(rows, np.arange(n_rows + 1, dtype=self._dtype)),
            (entries & self._dtype(2**self._column_bits - 1)).astype(np.int32),
            counts,
            (keys & self._dtype(2**self._part_bits - 1)).astype(np.uint8),
            weights,
        )
