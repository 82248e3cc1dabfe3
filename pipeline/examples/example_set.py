"""Sets of examples as views of the matrix on disk: what a fit learns from, and what it is evaluated on.

Letters: N examples, V vocabulary, P pairs, F dense features. How records become pairs does not belong here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from pipeline.records.memory_mapped import reference, referred

Array = npt.NDArray[Any]
_BATCH = 1_000_000
"""Pairs that are in memory at once during a pass through all rows."""


@dataclass(frozen=True)
class SparseRows:
    """A view of selected rows and parts of a CSR matrix on disk: a matrix of ones.

    Indexing, as in `rows[3:5]` or `rows[[7, 2]]`, gives those rows as a SciPy matrix in memory.
    """

    rows: Array  # (N,) the numbers of the selected rows on disk
    indptr: Array  # where the pairs of each row on disk begin, and the end
    indices: Array  # (P,) the token of each pair
    parts: Array | None  # (P,) the part of each pair; None: all pairs belong to the view
    wanted: Array  # for each part, whether its pairs belong to the view
    size: int  # V

    @classmethod
    def of(cls, matrix: sparse.csr_matrix) -> Self:
        """A view of a matrix in memory; every stored entry counts as 1."""
        return cls(np.arange(matrix.shape[0]), matrix.indptr, matrix.indices, None, np.empty(0), matrix.shape[1])

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, int]:
        """(N, V)."""
        return len(self), self.size

    @cached_property
    def lengths(self) -> Array:
        """(N,) how many tokens each row has."""
        if self.parts is None:
            return np.asarray(self.indptr[self.rows + 1] - self.indptr[self.rows])
        return np.concatenate([np.empty(0, np.int64), *(lengths for _, lengths in self._blocks())])

    @cached_property
    def counts(self) -> Array:
        """(V,) how many rows have each token."""
        total = np.zeros(self.size, np.int64)
        for tokens, _ in self._blocks():
            total += np.bincount(tokens, minlength=self.size)
        return total

    def csr(self, dtype: str = "float64") -> sparse.csr_matrix:
        """All rows in memory (N, V): 12 bytes per pair, or 8 as float32."""
        indptr = np.append(0, np.cumsum(self.lengths))
        indices = np.empty(indptr[-1], np.int32)
        start = 0
        for tokens, _ in self._blocks():
            indices[start : start + len(tokens)] = tokens
            start += len(tokens)
        return self._ones(indices, indptr, dtype)

    def __getitem__(self, chosen: slice | Sequence[int] | Array) -> sparse.csr_matrix:
        tokens, lengths = self.tokens(chosen)
        return self._ones(tokens, np.append(0, np.cumsum(lengths)))

    def tokens(self, chosen: slice | Sequence[int] | Array) -> tuple[Array, Array]:
        """The tokens of the chosen rows, one row after the other, and the number of tokens in each row."""
        return self._cut(self.rows[chosen])

    def cut(self, some: slice) -> Self:
        """A view of some of these rows; they stay on disk."""
        return replace(self, rows=self.rows[some])

    def __getstate__(self) -> dict[str, Any]:
        """State for another process on this machine: it maps the same files instead of copying them."""
        return {field.name: reference(getattr(self, field.name)) for field in fields(self)}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update({name: referred(value) for name, value in state.items()})

    def _ones(self, indices: Array, indptr: Array, dtype: str = "float64") -> sparse.csr_matrix:
        return sparse.csr_matrix((np.ones(len(indices), dtype), indices, indptr), shape=(len(indptr) - 1, self.size))

    def _blocks(self) -> Iterator[tuple[Array, Array]]:
        """The tokens and the lengths of all rows, about a batch of pairs at a time."""
        ends = np.cumsum(self.indptr[self.rows + 1] - self.indptr[self.rows])
        full = np.searchsorted(ends, np.arange(_BATCH, ends[-1] if len(ends) else 0, _BATCH), "right")
        for start, stop in pairwise(np.unique([0, *full, len(self)])):
            yield self._cut(self.rows[start:stop])

    def _cut(self, rows: Array) -> tuple[Array, Array]:
        """The tokens of these rows on disk, one row after the other, and the number of tokens in each row."""
        if self.parts is not None and not self.wanted.any():
            return np.empty(0, np.int32), np.zeros(len(rows), np.int64)
        starts = self.indptr[rows].astype(np.int64)
        lengths = self.indptr[rows + 1] - starts
        ends = np.cumsum(lengths)
        places = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - lengths), lengths)
        tokens = self.indices[places]
        if self.parts is None:
            return tokens, lengths
        kept = self.wanted[self.parts[places]]
        return tokens[kept], np.bincount(np.repeat(np.arange(len(rows)), lengths)[kept], minlength=len(rows))


@dataclass(frozen=True)
class ExampleSet:
    """Examples to learn from or to evaluate on: what goes in, and what is to be predicted."""

    ids: pl.Series  # (N,) ids of the examples
    inputs: SparseRows  # (N, V) the tokens that go in
    labels: SparseRows  # (N, V) the held-out tokens; none if the task predicts no tokens
    dense: Array  # (N, F) float64, NaN where a record has no value
    target: Array  # (N,) float64: a number, or the index of a class; NaN where the task has neither
    classes: tuple[str, ...] = ()
    """The names of the classes, if the target is the index of a class."""

    def __len__(self) -> int:
        return len(self.ids)

    def cut(self, some: slice) -> "ExampleSet":
        """Some of these examples."""
        return ExampleSet(
            self.ids[some],
            self.inputs.cut(some),
            self.labels.cut(some),
            self.dense[some],
            self.target[some],
            self.classes,
        )
