"""Builds a CSR matrix from (row, index) entries in any order.

Memory is bounded by a batch and a few buckets. This is an external sort: entries arrive in batches, and each becomes a
key of 32 or 64 bits. The keys of a bucket of neighbouring rows are in one file, and each bucket is sorted alone. What
rows and indices mean does not belong here.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Self

import numpy as np

from pipeline.arrays import Array
from pipeline.out_of_core.csr_keys import Bucket, CsrKeys
from pipeline.out_of_core.side_by_side import side_by_side

_KEYS, _WEIGHTS = ".keys", ".weights"


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
        self,
        n_rows: int,
        n_columns: int,
        n_parts: int = 4,
        n_entries: int | None = None,
        has_weights: bool = False,
        least: bool = False,
    ) -> None:
        """Prepare for rows and columns, with files in a temporary folder that is removed after the context.

        Args:
            n_rows: at most MOST_ROWS.
            n_columns: at most MOST_COLUMNS.
            n_parts: at most 4.
            n_entries: how many entries will be added, at most; few of them need few files.
            has_weights: whether entries are added with weights.
            least: whether the least of the weights of an entry counts, instead of their sum.
        """
        self._csr = CsrKeys.of(n_rows, n_columns, n_parts, n_entries, least)
        self._has_weights = has_weights
        self._folder = tempfile.TemporaryDirectory(prefix="csr-")
        self._paths = [Path(self._folder.name) / f"{i}{_KEYS}" for i in range(len(self._csr.lengths))]
        self._writes = Lock()  # several threads may add

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def add(self, rows: Array, indices: Array, parts: Array, weights: Array | None = None) -> None:
        """Add a batch of entries, in any order.

        Args:
            rows: (B,) integers 0..n_rows-1.
            indices: (B,) integers 0..n_columns-1.
            parts: (B,) integers 0..n_parts-1; of several with the same row and index, the smallest is kept.
            weights: (B,) numbers; those with the same row, index and smallest part add up.
        """
        keys, ordered, ends = self._csr.keyed(rows, indices, parts, weights)
        written = {_KEYS: keys} | ({} if ordered is None else {_WEIGHTS: ordered})
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
        yield from side_by_side(self._sorted, zip(self._paths, self._csr.lengths, strict=True))

    def _sorted(self, path: Path, n_rows: int) -> Bucket:
        """The sorted entries of the bucket whose keys are in a file."""
        dtypes = {_KEYS: self._csr.dtype} | ({_WEIGHTS: np.float64} if self._has_weights else {})
        found: dict[str, Array] = {}
        for ending, dtype in dtypes.items():
            file = path.with_suffix(ending)
            found[ending] = np.fromfile(file, dtype) if file.exists() else np.empty(0, dtype)
        return self._csr.bucket(found[_KEYS], found.get(_WEIGHTS), n_rows)
