"""The best tokens of lists: by scoring all tokens, or, if they are many, by an index of those that score high.

Letters: N lists, V vocabulary, E coordinates of a product, K best tokens.
"""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from pipeline.arrays import Array
from pipeline.embedding import Fitted, factors_of
from pipeline.evaluation.ranking import are_in_lists, leave_out

CONNECTIVITY = 16
"""Neighbours that a token keeps in the graph of the index."""
ADDING = 64
"""Candidates that are compared to add a token to the index."""
SEARCHED = 1.3
"""Candidates that are compared in a search, for each token that is asked for."""
LEAST_SEARCHED = 256
"""Candidates that are compared in a search at least."""
ANSWERING_BLOCK_BYTES = 64 * 2**20
"""The scores of all tokens, for the lists that are answered at a time, take at most so many bytes."""
MOST_LEFT_OUT = 1000
"""Where more tokens are left out, the others are all scored: the index would have to find as many more."""


class Best(NamedTuple):
    """The best tokens of lists, the best first."""

    tokens: Array  # (N, K) integers; -1 where there are fewer
    scores: Array  # (N, K) float32; minus infinity where there are fewer


class BestTokens:
    """Finds the best tokens of lists with a fit of the task of missing tokens. What goes in is never among them."""

    def __init__(self, fitted: Fitted, exact_up_to: int, index: Path | None = None) -> None:
        """Prepare for a fit.

        Args:
            fitted: the fit.
            exact_up_to: with more tokens than this the index is searched, if there is one.
            index: the file of the index that `ProductIndex.save` wrote.
        """
        self.fitted = fitted
        self.size = len(fitted.embedding.vocabulary)
        self.factors = factors_of(fitted)
        self.index_file = index if self.size > exact_up_to and self.factors is not None else None

    @property
    def is_exact(self) -> bool:
        """Whether all tokens are scored."""
        return self.index_file is None

    @cached_property
    def _index(self) -> "ProductIndex":
        assert self.index_file is not None
        assert self.factors is not None
        return ProductIndex.load(self.index_file, self.factors.items)

    def of(self, inputs: sparse.csr_matrix, k: int, left_out: Array | None = None, exact: bool = False) -> Best:
        """The K best tokens of each list.

        Args:
            inputs: (N, V) the lists.
            k: K.
            left_out: (V,) marks the tokens that are left out, beside those that go in; None: no others.
            exact: score all tokens even where there is an index.
        """
        k, unknown = max(0, min(k, self.size)), self.fitted.embedding.vocabulary.unknown
        if unknown >= 0:  # it names no token
            left_out = np.zeros(self.size, bool) if left_out is None else left_out.copy()
            left_out[unknown] = True
        if self.is_exact or exact or (left_out is not None and left_out.sum() > MOST_LEFT_OUT):
            return _joined([self._scored(inputs[some], k, left_out) for some in self._blocks(inputs.shape[0])], k)
        lengths = np.diff(inputs.indptr) + (0 if left_out is None else int(left_out.sum()))
        asked = 2 ** np.ceil(np.log2(k + lengths)).astype(np.int64)  # lists of similar lengths are searched together
        best = Best(np.full((len(lengths), k), -1), np.full((len(lengths), k), -np.inf, np.float32))
        for group in np.unique(asked):
            rows = np.flatnonzero(asked == group)
            of_group = self._searched(inputs[rows], k, k + int(lengths[rows].max()), left_out)
            best.tokens[rows], best.scores[rows] = of_group
        return best

    def _searched(self, inputs: sparse.csr_matrix, k: int, k_and_more: int, left_out: Array | None) -> Best:
        """The K best tokens of each list, among the `k_and_more` that the index finds."""
        assert self.factors is not None
        tokens, scores = self._index.search(self.factors.queries(inputs), min(k_and_more, self.size))
        is_out = are_in_lists(tokens, inputs) | (tokens < 0)
        if left_out is not None:
            is_out |= left_out[tokens]
        scores[is_out] = -np.inf
        return _first(tokens, scores, k)

    def _blocks(self, n: int) -> Iterator[slice]:
        step = max(1, ANSWERING_BLOCK_BYTES // (4 * self.size))
        return (slice(start, start + step) for start in range(0, n, step))

    def _scored(self, inputs: sparse.csr_matrix, k: int, left_out: Array | None) -> Best:
        if left_out is not None and self.factors is not None:  # only the others are scored
            tokens = np.flatnonzero(~left_out)
            scores = self.factors.queries(inputs) @ self.factors.items[tokens].T
            scores[are_in_lists(np.broadcast_to(tokens, scores.shape), inputs)] = -np.inf
            return _first(np.broadcast_to(tokens, scores.shape), scores, k)
        scores = self.fitted.score(inputs, np.empty((inputs.shape[0], 0)))
        leave_out(scores, inputs)
        if left_out is not None:
            scores[:, left_out] = -np.inf
        return _first(None, scores, k)


class ProductIndex:
    """Finds the tokens whose products with a query are largest: a hierarchical graph (Malkov and Yashunin, 2018).

    Vectors of different lengths make poor graphs, so each gets one more coordinate that brings all to the length of the
    longest; a query has a 0 there, so no product changes (Bachrach et al., 2014).
    """

    def __init__(self, index: Any, items: Array) -> None:
        """An index of items (V, E), as usearch made it."""
        self._index, self._items = index, items

    @classmethod
    def of(cls, items: Array) -> "ProductIndex":
        """Build the graph of items (V, E), on all cores."""
        from usearch.index import Index

        index = Index(
            ndim=items.shape[1] + 1, metric="ip", dtype="f32", connectivity=CONNECTIVITY, expansion_add=ADDING
        )
        squares = np.einsum("ij,ij->i", items, items)
        extended = np.column_stack([items, np.sqrt(np.maximum(squares.max(initial=0) - squares, 0))]).astype("f4")
        order = np.random.default_rng(0).permutation(len(items))  # clusters in a row become islands in the graph
        index.add(order, extended[order])
        return cls(index, items)

    def search(self, queries: Array, k: int) -> Best:
        """About the K items with the largest products for each query (N, E); the products themselves are exact."""
        self._index.expansion_search = max(LEAST_SEARCHED, int(SEARCHED * k))
        extended = np.column_stack([queries, np.zeros(len(queries))]).astype(np.float32)
        matches = self._index.search(extended, k)
        tokens = np.asarray(matches.keys).reshape(len(queries), -1).astype(np.int64)
        counts = np.asarray(getattr(matches, "counts", [tokens.shape[1]])).reshape(-1, 1)
        tokens = np.where(np.arange(tokens.shape[1]) < counts, tokens, -1)
        scores = np.einsum("nke,ne->nk", self._items[tokens], queries)
        return Best(tokens, np.where(tokens < 0, -np.inf, scores).astype(np.float32))

    def save(self, path: Path) -> None:
        """Write the index in usearch's own format; its keys are the tokens' integers."""
        self._index.save(str(path))

    @classmethod
    def load(cls, path: Path, items: Array) -> "ProductIndex":
        """Read what `save` wrote; the graph stays on disk, memory-mapped."""
        from usearch.index import Index

        return cls(Index.restore(str(path), view=True), items)


def recall(best: BestTokens, k: int = 20, n: int = 200) -> float:
    """Share of the exact K best tokens that the index finds, over lists of ten tokens drawn by how frequent they are.

    Args:
        best: finds tokens with an index.
        k: K.
        n: lists that are asked about.
    """
    counts = best.fitted.embedding.vocabulary.tokens["count"].to_numpy().astype(np.float64)
    drawn = np.random.default_rng(0).choice(len(counts), (n, 10), p=counts / counts.sum())
    rows = np.repeat(np.arange(n), 10)
    inputs = sparse.csr_matrix((np.ones(rows.size), (rows, drawn.ravel())), shape=(n, len(counts)))
    inputs.data[:] = 1.0
    found, exact = best.of(inputs, k), best.of(inputs, k, exact=True)
    hits = sum(len(np.intersect1d(*pair)) for pair in zip(found.tokens, exact.tokens, strict=True))
    return hits / (n * k)


def _first(tokens: Array | None, scores: Array, k: int) -> Best:
    """The k tokens with the highest scores of each row, highest first, ties in token order.

    Args:
        tokens: (N, C) the token of each score; None: it is the number of the column.
        scores: (N, C).
        k: how many.
    """
    n, c = scores.shape
    k_there = min(k, c)
    places = _highest(scores, k_there)
    at = np.arange(n)[:, None]
    found, named = scores[at, places], places if tokens is None else tokens[at, places]
    order = np.lexsort((named, -found), axis=1)
    found, named = found[at, order], named[at, order]
    missing = ((0, 0), (0, k - k_there))
    found = np.pad(found, missing, constant_values=-np.inf).astype(np.float32)
    return Best(np.where(np.isfinite(found), np.pad(named, missing, constant_values=-1), -1), found)


def _highest(scores: Array, k: int) -> Array:
    """The places (N, k) of the k highest scores (N, C) of each row, in any order; of equal ones the first."""
    n, c = scores.shape
    if k >= c:
        return np.tile(np.arange(c), (n, 1))
    places = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    least = np.take_along_axis(scores, places, axis=1).min(axis=1, keepdims=True)
    tied = np.flatnonzero((scores >= least).sum(axis=1) > k)  # where one that is as high is left out
    places[tied] = np.argsort(-scores[tied], axis=1, kind="stable")[:, :k]
    return places


def _joined(parts: list[Best], k: int) -> Best:
    if not parts:
        return Best(np.empty((0, k), np.int64), np.empty((0, k), np.float32))
    return Best(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
