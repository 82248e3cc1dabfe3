"""Sets of examples as views of the matrix on disk: what a fit learns from, and what it is evaluated on.

Letters: N examples, V vocabulary, P pairs, F dense features. How records become pairs does not belong here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple, Self

import numpy as np
import polars as pl
from scipy import sparse

from pipeline.arrays import Array
from pipeline.examples.recency import ages_of, decayed
from pipeline.out_of_core.memory_mapped import reference, referred

_BATCH = 1_000_000
"""Pairs that are in memory at once during a pass through all rows."""


class TokenLists(NamedTuple):
    """Lists of tokens, one after the other."""

    tokens: Array  # (T,) int32
    lengths: Array  # (B,) how many tokens each list has
    weights: Array | None = None  # (T,) what each token counts; None: all count the same
    ages: Array | None = None  # (T,) how many times of its list came after, see `recency`; None: lists have no order


@dataclass(frozen=True)
class SparseRows:
    """A view of selected rows and parts of a CSR matrix on disk: a matrix of ones, or of weights.

    Indexing, as in `rows[3:5]` or `rows[[7, 2]]`, gives those rows as a SciPy matrix in memory.
    """

    rows: Array  # (N,) the numbers of the selected rows on disk
    indptr: Array  # where the pairs of each row on disk begin, and the end
    indices: Array  # (P,) the token of each pair
    parts: Array | None  # (P,) the part of each pair; None: all pairs belong to the view
    wanted: Array  # for each part, whether its pairs belong to the view
    size: int  # V
    weights: Array | None = None  # (P,) float32, what each pair counts; None: all count the same
    times: Array | None = None  # (P,) uint32, the time of each pair, see `recency`; None: the rows have no order
    decay: float = 1.0
    """What the tokens of each time count of what those of the next one do."""

    @classmethod
    def of(cls, matrix: sparse.csr_matrix) -> Self:
        """A view of a matrix in memory, which has the weights."""
        weights = None if (matrix.data == 1).all() else matrix.data
        rows, parts, v = np.arange(matrix.shape[0]), None, matrix.shape[1]
        return cls(rows, matrix.indptr, matrix.indices, parts, np.empty(0), v, weights)

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
        return np.concatenate([np.empty(0, np.int64), *(some.lengths for some in self._blocks())])

    @property
    def are_the_same(self) -> bool:
        """Whether no row differs from another."""
        return self.weights is None and bool(np.isin(self.counts, (0, len(self))).all())

    @cached_property
    def counts(self) -> Array:
        """(V,) how many rows have each token."""
        total = np.zeros(self.size, np.int64)
        for some in self._blocks():
            total += np.bincount(some.tokens, minlength=self.size)
        return total

    @cached_property
    def sums(self) -> Array:
        """(V,) the sum of each token's weights: its count, if all pairs count the same."""
        if self.weights is None:
            return self.counts
        total = np.zeros(self.size)
        for some in self._blocks():
            total += np.bincount(some.tokens, weights=some.weights, minlength=self.size)
        return total

    def csr(self, dtype: str = "float64") -> sparse.csr_matrix:
        """All rows in memory (N, V): 12 bytes per pair, or 8 as float32."""
        indptr = np.append(0, np.cumsum(self.lengths))
        indices, data = np.empty(indptr[-1], np.int32), np.ones(indptr[-1], dtype)
        start = 0
        for some in self._blocks():
            place = slice(start, start + len(some.tokens))
            indices[place] = some.tokens
            if some.weights is not None:
                data[place] = some.weights
            start = place.stop
        return self._matrix(data, indices, indptr)

    def __getitem__(self, chosen: slice | Sequence[int] | Array) -> sparse.csr_matrix:
        tokens, lengths, weights, _ = self.lists(chosen)
        data = np.ones(len(tokens)) if weights is None else weights.astype(np.float64)
        return self._matrix(data, tokens, np.append(0, np.cumsum(lengths)))

    def lists(self, chosen: slice | Sequence[int] | Array) -> "TokenLists":
        """The lists of the chosen rows."""
        return self._cut(self.rows[chosen])

    def cut(self, some: slice | Array) -> Self:
        """A view of some of these rows, by a slice or by their numbers; they stay on disk."""
        return replace(self, rows=self.rows[some])

    def recent(self, decay: float) -> Self:
        """The rows with later tokens counting more: those of each time `decay` times as much as those of the next."""
        return replace(self, decay=decay)

    def __getstate__(self) -> dict[str, Any]:
        """State for another process on this machine: it maps the same files instead of copying them."""
        return {field.name: reference(getattr(self, field.name)) for field in fields(self)}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update({name: referred(value) for name, value in state.items()})

    def _matrix(self, data: Array, indices: Array, indptr: Array) -> sparse.csr_matrix:
        return sparse.csr_matrix((data, indices, indptr), shape=(len(indptr) - 1, self.size))

    def _blocks(self) -> "Iterator[TokenLists]":
        """The lists of all rows, about a batch of pairs at a time."""
        ends = np.cumsum(self.indptr[self.rows + 1] - self.indptr[self.rows])
        full = np.searchsorted(ends, np.arange(_BATCH, ends[-1] if len(ends) else 0, _BATCH), "right")
        for start, stop in pairwise(np.unique([0, *full, len(self)])):
            yield self._cut(self.rows[start:stop])

    def _cut(self, rows: Array) -> "TokenLists":
        """The lists of these rows on disk."""
        if self.parts is not None and not self.wanted.any():
            return TokenLists(np.empty(0, np.int32), np.zeros(len(rows), np.int64))
        starts = self.indptr[rows].astype(np.int64)
        lengths = self.indptr[rows + 1] - starts
        ends = np.cumsum(lengths)
        places = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - lengths), lengths)
        tokens, weights = self.indices[places], None if self.weights is None else self.weights[places]
        ages = None if self.times is None else self.times[places]
        if self.parts is not None:
            kept = self.wanted[self.parts[places]]
            lengths = np.bincount(np.repeat(np.arange(len(rows)), lengths)[kept], minlength=len(rows))
            tokens = tokens[kept]
            weights, ages = (None if one is None else one[kept] for one in (weights, ages))
        if ages is not None:
            ages = ages_of(ages, lengths)
            if self.decay < 1:
                weights = decayed(ages, lengths, self.decay) * (1 if weights is None else weights)
        return TokenLists(tokens, lengths, weights, ages)


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
    unknown: int = -1
    """The integer of `<unknown>`, which stands for many tokens and is never predicted; -1: there is none."""
    groups: Array | None = None
    """(N,) uint64, a fingerprint of the group of each example; None: each stands for itself."""

    def __len__(self) -> int:
        return len(self.ids)

    def of_groups(self) -> pl.DataFrame:
        """The columns example and group."""
        return pl.DataFrame({"example": self.ids, "group": self.groups}, schema_overrides={"group": pl.UInt64})

    def cut(self, some: slice | Array) -> "ExampleSet":
        """Some of these examples, by a slice or by their numbers."""
        return replace(
            self,
            ids=self.ids[some],
            inputs=self.inputs.cut(some),
            labels=self.labels.cut(some),
            dense=self.dense[some],
            target=self.target[some],
            groups=None if self.groups is None else self.groups[some],
        )
