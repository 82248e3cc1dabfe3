"""The nearest neighbours of many tokens by angle, if comparing all pairs takes too long: a graph that usearch builds.

For one token `Embedding.neighbours` is exact and fast enough. How many neighbours the graph finds is measured here too.
"""

from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Tokens = npt.NDArray[np.int64]

CONNECTIVITY = 16
"""Neighbours that a token keeps in the graph."""
ADDING, SEARCHING = 64, 128
"""Candidates that are compared to build the graph, which takes most of the time, and to search in it."""
MANY, ADDING_MANY = 100_000, 32
"""With more tokens than this, so many candidates are compared to build it; it then finds about a hundredth less."""
JUDGED = 1000
"""Tokens whose neighbours are compared with the exact ones."""
_AT_ONCE = 16  # tokens that are compared with all others at once: their cosines are in memory


class NeighbourIndex:
    """Approximate nearest neighbours by cosine: a hierarchical graph (HNSW: Malkov and Yashunin, 2018)."""

    def __init__(self, matrix: Vectors) -> None:
        """Build the graph of all tokens (V, D) that have a direction, on all cores."""
        from usearch.index import Index

        lengths = np.linalg.norm(matrix, axis=1)
        self._tokens = np.flatnonzero(lengths > 0)
        self._unit = (matrix[self._tokens] / lengths[self._tokens, None]).astype(np.float32)  # (., D)
        self._index = Index(
            ndim=matrix.shape[1],
            metric="cos",
            dtype="f32",
            connectivity=CONNECTIVITY,
            expansion_add=ADDING if len(self._tokens) <= MANY else ADDING_MANY,
            expansion_search=SEARCHING,
        )
        if len(self._tokens):
            # in random order: clusters that come one after the other become islands in the graph
            order = np.random.default_rng(0).permutation(len(self._tokens))
            self._index.add(self._tokens[order], self._unit[order])

    def nearest(self, vectors: Vectors, k: int = 10) -> Tokens:
        """(Q, k) integers of the tokens nearest to each vector (Q, D), nearest first; -1 where there are fewer."""
        found = np.full((len(vectors), k), -1)
        if len(self._tokens) and len(vectors):
            matches = self._index.search(np.asarray(vectors, np.float32), min(k, len(self._tokens)))
            keys = np.asarray(matches.keys, np.int64).reshape(len(vectors), -1)
            found[:, : keys.shape[1]] = keys
        return found

    @cached_property
    def recall(self) -> float:
        """Share of the 10 nearest neighbours of 1,000 tokens that the graph finds; ties with the tenth count as found.

        NaN if fewer than two tokens have a direction.
        """
        n = len(self._tokens)
        k = min(10, n - 1)
        if k < 1:
            return float("nan")
        asked = np.sort(np.random.default_rng(0).permutation(n)[:JUDGED])
        place = np.full(self._tokens[-1] + 1, -1)
        place[self._tokens] = np.arange(n)
        hits = 0
        for start in range(0, len(asked), _AT_ONCE):
            some = asked[start : start + _AT_ONCE]
            cosines = self._unit[some] @ self._unit.T  # (Q, V)
            cosines[np.arange(len(some)), some] = -2
            tenth = np.partition(cosines, n - k, axis=1)[:, n - k, None]
            found = self.nearest(self._unit[some], k + 1)
            others = (found >= 0) & (found != self._tokens[some, None])  # a token is its own nearest neighbour
            near = np.take_along_axis(cosines, place[np.maximum(found, 0)], axis=1) >= tenth - 1e-6
            hits += int(np.minimum((near & others).sum(axis=1), k).sum())
        return hits / (len(asked) * k)

    def save(self, path: Path) -> None:
        """Write the index in usearch's own format; its keys are the tokens' integers."""
        self._index.save(str(path))
