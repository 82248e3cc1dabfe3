"""Tells which rows were seen before, over all batches, by 64-bit hashes: 8 bytes for each different row."""

import numpy as np
import polars as pl

from pipeline.arrays import Array


class Seen:
    """Remembers rows.

    Two of n different rows share a hash with a chance of about n^2 / 2^65: 3 in a hundred million for a million rows.

    >>> seen = Seen()
    >>> seen.is_new(pl.DataFrame({"a": [1, 1, 2]})).to_list(), seen.is_new(pl.DataFrame({"a": [2, 3]})).to_list()
    ([True, False, True], [False, True])
    """

    def __init__(self) -> None:
        """Start without any row."""
        self._runs: list[Array] = []
        """Sorted hashes; each run has at least twice the length of the next, so that there are few."""

    def is_new(self, rows: pl.DataFrame) -> pl.Series:
        """Whether each row (n,) comes for the first time; from now on, none is new."""
        hashes, first = np.unique(rows.hash_rows().to_numpy(), return_index=True)
        known = np.zeros(len(hashes), bool)
        for run in self._runs:
            known |= run[np.searchsorted(run, hashes).clip(max=len(run) - 1)] == hashes
        found = np.zeros(rows.height, bool)
        found[first[~known]] = True
        if not known.all():
            self._runs.append(hashes[~known])
        while len(self._runs) > 1 and 2 * len(self._runs[-1]) > len(self._runs[-2]):
            last = self._runs.pop()
            self._runs[-1] = np.sort(np.concatenate((self._runs[-1], last)), kind="stable")
        return pl.Series(found)
