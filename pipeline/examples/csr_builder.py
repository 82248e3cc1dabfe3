"""Builds a CSR matrix from (row, index) entries in any order.

Memory is bounded by a batch, a few buckets, and a byte for each row. An external sort: entries arrive in batches,
each becomes a 64-bit key, a bucket of neighbouring rows is a file of keys, and each bucket is sorted alone. What rows
and indices mean does not belong here.
"""

import tempfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

BUCKETS = 64
"""So many files at most: one holds a 64th of the entries, where rows are about equally long."""
AHEAD = 2
"""So many buckets are sorted beforehand, and as many threads sort."""
_INDEX_BITS, _PART_BITS = 31, 2
MOST_ROWS = 2 ** (64 - _INDEX_BITS - _PART_BITS)


class CsrBuilder:
    """Collects entries, then gives them back sorted and counted.

    >>> with CsrBuilder(n_rows=2) as builder:
    ...     builder.add(np.array([1, 0, 1, 1]), np.array([7, 5, 3, 7]), np.array([2, 0, 1, 1]))
    ...     for indptr, indices, counts, parts in builder:
    ...         print(indptr, indices, counts, parts)
    [0 1] [5] [1] [0]
    [0 2] [3 7] [1 2] [1 1]
    """

    def __init__(self, n_rows: int) -> None:
        """Make room for rows 0..n_rows-1, in files of a temporary folder that is gone after the context.

        Args:
            n_rows: at most MOST_ROWS.
        """
        assert n_rows <= MOST_ROWS
        self._folder = tempfile.TemporaryDirectory(prefix="csr-")
        self._bounds = np.unique(np.linspace(0, n_rows, BUCKETS + 1).astype(np.int64))
        self._bucket = np.repeat(np.arange(len(self._bounds) - 1, dtype=np.uint8), np.diff(self._bounds))  # of each row
        self._paths = [Path(self._folder.name) / f"{bucket}.keys" for bucket in range(len(self._bounds) - 1)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._folder.cleanup()

    def add(self, rows: Array, indices: Array, parts: Array) -> None:
        """Take a batch of entries, in any order.

        Args:
            rows: (B,) integers 0..n_rows-1.
            indices: (B,) integers below 2 ** 31.
            parts: (B,) integers 0..3; of equal entries the smallest is kept.
        """
        keys = rows.astype(np.uint64) << (_INDEX_BITS + _PART_BITS)
        keys |= indices.astype(np.uint64) << _PART_BITS
        keys |= parts.astype(np.uint64)
        bucket = self._bucket[rows]
        keys = keys[np.argsort(bucket, kind="stable")]  # of small integers: in time that is linear
        ends = np.cumsum(np.bincount(bucket, minlength=len(self._paths)))
        for path, start, end in zip(self._paths, np.append(0, ends), ends, strict=False):
            if end > start:
                with path.open("ab") as file:
                    keys[start:end].tofile(file)

    def __iter__(self) -> Iterator[tuple[Array, Array, Array, Array]]:
        """Bucket after bucket, rows ascending: indptr (rows + 1,); index, count and part of each different entry.

        The next buckets are sorted while one is looked at.
        """
        waiting: deque[Future[tuple[Array, Array, Array, Array]]] = deque()
        with ThreadPoolExecutor(AHEAD) as pool:
            for path, first, end in zip(self._paths, self._bounds[:-1], self._bounds[1:], strict=True):
                waiting.append(pool.submit(_sorted, path, int(first), int(end)))
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()


def _sorted(path: Path, first: int, end: int) -> tuple[Array, Array, Array, Array]:
    """The entries of the rows first..end-1, whose keys are in a file."""
    keys = np.fromfile(path, np.uint64) if path.exists() else np.empty(0, np.uint64)
    keys.sort()
    entries = keys >> _PART_BITS
    starts = np.flatnonzero(np.append(True, entries[1:] != entries[:-1])) if len(keys) else np.empty(0, int)
    rows = (entries[starts] >> _INDEX_BITS).astype(np.int64)
    return (
        np.searchsorted(rows, np.arange(first, end + 1)),
        (entries[starts] & np.uint64(2**_INDEX_BITS - 1)).astype(np.int32),
        np.diff(np.append(starts, len(keys))).astype(np.uint32),
        (keys[starts] & np.uint64(2**_PART_BITS - 1)).astype(np.uint8),
    )
