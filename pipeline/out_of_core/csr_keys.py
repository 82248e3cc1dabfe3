"""Entries of a CSR matrix as keys: how they are divided into buckets of neighbouring rows, and how a bucket is sorted.

Where the keys wait, in files or on other machines, does not belong here.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from pipeline.arrays import Array

BUCKETS = 128
"""The most buckets; of many rows of about equal length, each holds between a 128th and a 64th of the entries."""
FEWEST_ENTRIES = 150_000
"""Entries that are worth a bucket, on average."""
MOST_ROWS, MOST_COLUMNS = 2**31, 2**31


class Bucket(NamedTuple):
    """Neighbouring rows of the matrix."""

    indptr: Array  # (rows + 1,) where the entries of each row begin
    indices: Array  # (b,) int32, ascending within a row, each once
    counts: Array  # (b,) uint32, how often the entry was added
    parts: Array  # (b,) uint8, the smallest that it was added with
    weights: Array | None  # (b,) float64, the sum of its weights in that part; None if it was added without


class Keyed(NamedTuple):
    """Entries in the order of their buckets."""

    keys: Array  # (b,) uint32 or uint64
    weights: Array | None  # (b,) float64
    ends: Array  # (buckets,) where the entries of each bucket end


@dataclass(frozen=True)
class CsrKeys:
    """Turns the entries of a matrix into keys of 32 or 64 bits: row within the bucket, index, part."""

    n_rows: int
    row_bits: int
    """Bits of a row within its bucket."""
    column_bits: int
    part_bits: int
    least: bool = False
    """Whether the least of the weights of an entry counts, instead of their sum."""

    @classmethod
    def of(
        cls, n_rows: int, n_columns: int, n_parts: int = 4, n_entries: int | None = None, least: bool = False
    ) -> Self:
        """The keys for a matrix.

        Args:
            n_rows: at most MOST_ROWS.
            n_columns: at most MOST_COLUMNS.
            n_parts: at most 4.
            n_entries: how many entries there will be, at most; few of them need few buckets.
            least: whether the least of the weights of an entry counts, instead of their sum.
        """
        assert n_rows <= MOST_ROWS
        assert n_columns <= MOST_COLUMNS
        assert n_parts <= 4
        n_buckets = BUCKETS if n_entries is None else min(BUCKETS, 1 + n_entries // FEWEST_ENTRIES)
        row_bits = max(0, (n_rows - 1).bit_length() - (n_buckets - 1).bit_length())
        return cls(n_rows, row_bits, max(1, (n_columns - 1).bit_length()), (n_parts - 1).bit_length(), least)

    @property
    def dtype(self) -> type[Any]:
        """The type of a key; short keys are sorted in half the time."""
        return np.uint32 if self.row_bits + self.column_bits + self.part_bits <= 32 else np.uint64

    @property
    def lengths(self) -> list[int]:
        """The number of rows of each bucket."""
        size = 2**self.row_bits
        return [min(size, self.n_rows - start) for start in range(0, self.n_rows, size)]

    def keyed(self, rows: Array, indices: Array, parts: Array, weights: Array | None) -> Keyed:
        """The keys of entries.

        Args:
            rows: (B,) integers 0..n_rows-1.
            indices: (B,) integers 0..n_columns-1.
            parts: (B,) integers 0..n_parts-1.
            weights: (B,) numbers.
        """
        bucket = (rows >> self.row_bits).astype(np.uint8)
        shift = self.dtype(self.column_bits + self.part_bits)
        keys = (rows & (2**self.row_bits - 1)).astype(self.dtype) << shift
        keys |= indices.astype(self.dtype) << self.dtype(self.part_bits)
        keys |= parts.astype(self.dtype)
        order = np.argsort(bucket, kind="stable")  # a stable sort of small integers takes linear time
        ends = np.cumsum(np.bincount(bucket, minlength=len(self.lengths)))
        return Keyed(keys[order], None if weights is None else weights[order].astype(np.float64), ends)

    def bucket(self, keys: Array, weights: Array | None, n_rows: int) -> Bucket:
        """The sorted entries of a bucket of n rows.

        Args:
            keys: of all its entries, in any order.
            weights: beside the keys, if there are any.
            n_rows: the number of its rows.
        """
        if weights is None:
            keys = np.sort(keys)
        else:
            # sums do not depend on the order in which entries came, because it is always the same
            order = np.argsort(keys) if self.least else np.lexsort((weights, keys))
            keys, weights = keys[order], weights[order]
        entries = keys >> self.dtype(self.part_bits)
        repeats = entries[1:] == entries[:-1]
        counts = np.ones(len(keys), np.uint32)
        if repeats.any():
            starts = np.flatnonzero(np.append(True, ~repeats))
            counts = np.diff(np.append(starts, len(keys))).astype(np.uint32)
            if weights is not None:
                in_first = keys == keys[starts].repeat(counts)  # later parts tell of the future
                weights = (
                    np.minimum.reduceat(weights, starts)
                    if self.least
                    else np.add.reduceat(np.where(in_first, weights, 0), starts)
                )
            keys, entries = keys[starts], entries[starts]
        rows = entries >> self.dtype(self.column_bits)
        return Bucket(
            np.searchsorted(rows, np.arange(n_rows + 1, dtype=self.dtype)),
            (entries & self.dtype(2**self.column_bits - 1)).astype(np.int32),
            counts,
            (keys & self.dtype(2**self.part_bits - 1)).astype(np.uint8),
            weights,
        )
