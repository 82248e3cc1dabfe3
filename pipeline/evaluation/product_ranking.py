"""The first tokens of rankings whose scores are products, among many tokens, without keeping all scores.

Letters: B lists at a time, V vocabulary, E coordinates of a product, G groups of neighbouring tokens, K first tokens.
"""

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from torch import Tensor

from pipeline.embedding import Factors
from pipeline.evaluation.top import top

GROUP = 32
"""Tokens whose highest score stands for them while the first of a ranking are sought."""
BLOCK = 64 * GROUP
"""Tokens that are scored at once: with LISTS lists, their scores stay in a core's cache."""
LISTS = 256
_SCORED_AGAIN = 64
"""Lists whose best groups are scored again at once: a copy of the tokens' coordinates is in memory for each."""


class First(NamedTuple):
    """The first tokens of rankings."""

    tokens: npt.NDArray[np.int64]  # (N, K) highest score first, ties in token order; -1 where fewer are left
    scores: npt.NDArray[np.float32]  # (N, K) minus infinity where fewer are left


class ProductRanking:
    """Ranks all tokens for lists, by products of two vectors (exact maximum inner product search).

    The K first tokens are in the K groups with the highest maxima: a token elsewhere has a token above it in each of
    these, or an equal one before it. One pass over the tokens, a block at a time, finds the maxima, and only the K
    groups are scored again. A block is passed over for lists that cannot have any of its tokens among their first: with
    the middle m of its items and their largest distance r from it, no product with q is above q m + |q| r
    (Cauchy-Schwarz). That is most blocks where frequent tokens, which come first, also have the highest scores.
    """

    def __init__(self, factors: Factors) -> None:
        """Prepare for the products of a fit."""
        items = torch.from_numpy(factors.items)
        self.queries, self.size = factors.queries, len(items)
        self.items = torch.nn.functional.pad(items, (0, 0, 0, -self.size % GROUP))  # (GROUP x G, E)
        self.starts = [*range(0, self.size, BLOCK), len(self.items)]
        with _one_thread_each() as pool:
            middles, reach = zip(*pool.map(_ball, [self.items[a:b] for a, b in pairwise(self.starts)]), strict=True)
        self.middles, self.reach = torch.stack(middles), torch.stack(reach)  # (blocks, E), (blocks,)

    def first(self, inputs: sparse.csr_matrix, k: int) -> First:
        """The K first tokens of lists (N, V), without those that went in."""
        k = min(k, self.size)
        if not inputs.shape[0]:
            return First(np.empty((0, k), np.int64), np.empty((0, k), np.float32))
        parts = [inputs[start : start + LISTS] for start in range(0, inputs.shape[0], LISTS)]
        with _one_thread_each() as pool:
            found = pool.map(partial(self._first, k=k), parts)
            return First(*map(np.concatenate, zip(*found, strict=True)))

    @torch.inference_mode()
    def _first(self, inputs: sparse.csr_matrix, k: int) -> First:
        """The K first tokens of B lists."""
        left_out = _LeftOut.of(inputs, self.starts)
        queries = torch.from_numpy(self.queries(inputs))  # (B, E)
        groups = self._best_groups(queries, left_out, min(k, len(self.items) // GROUP))
        found = []
        for start in range(0, len(queries), _SCORED_AGAIN):
            some = slice(start, start + _SCORED_AGAIN)
            found.append(self._first_of(queries[some], groups[some], left_out.of_rows(some), k))
        tokens, scores = map(torch.cat, zip(*found, strict=True))
        return First(tokens.numpy(), scores.numpy())

    def _best_groups(self, queries: Tensor, left_out: "_LeftOut", k: int) -> Tensor:
        """(B, K) the K groups with the highest maxima for each list, in ascending order."""
        maxima = queries.new_full((len(queries), len(self.items) // GROUP), -torch.inf)  # (B, G)
        bounds = queries @ self.middles.T + queries.norm(dim=1)[:, None] * self.reach  # (B, blocks)
        least = queries.new_full((len(queries),), -torch.inf)  # no token with a lower score is among the first
        scores = queries.new_empty(len(queries) * BLOCK)
        looked = -(-k * GROUP // BLOCK)
        for i, (start, stop) in enumerate(pairwise(self.starts)):
            if i == looked:  # as many blocks again were scored since the last time
                looked *= 2
                least = maxima[:, : start // GROUP].topk(k, sorted=False).values.amin(dim=1)
            rows = (bounds[:, i] >= least).nonzero()[:, 0]
            if not len(rows):
                continue
            block = scores[: len(rows) * (stop - start)].view(len(rows), -1)
            torch.mm(queries[rows], self.items[start:stop].T, out=block)
            block[left_out.within(i, rows)] = -torch.inf
            block[:, self.size - start :] = -torch.inf
            maxima[rows, start // GROUP : stop // GROUP] = block.view(len(rows), -1, GROUP).amax(dim=2)
        return top(maxima, k)

    def _first_of(self, queries: Tensor, groups: Tensor, left_out: "_LeftOut", k: int) -> tuple[Tensor, Tensor]:
        """The K first tokens (B, K) in groups (B, K), and their scores (B, K)."""
        n = len(queries)
        vectors = self.items.view(-1, GROUP * self.items.shape[1])[groups].view(n, -1, self.items.shape[1])
        scores = torch.bmm(vectors, queries[:, :, None]).view(n, -1, GROUP)  # (B, K, GROUP)
        tokens = groups[:, :, None] * GROUP + torch.arange(GROUP)  # (B, K, GROUP)
        at, place = (groups[left_out.rows] == left_out.tokens[:, None] // GROUP).nonzero(as_tuple=True)
        scores[left_out.rows[at], place, left_out.tokens[at] % GROUP] = -torch.inf
        scores[tokens >= self.size] = -torch.inf
        highest = top(scores.view(n, -1), k)
        values, order = scores.view(n, -1).gather(1, highest).sort(dim=1, descending=True, stable=True)
        first = tokens.view(n, -1).gather(1, highest.gather(1, order))
        return torch.where(values.isinf(), -1, first), values


def _ball(block: Tensor) -> tuple[Tensor, Tensor]:
    """The middle (E,) of items and their largest distance from it, plus what rounding can add to a product."""
    middle = block.mean(dim=0)
    rounding = block.norm(dim=1).max() * block.shape[1] * torch.finfo(block.dtype).eps
    return middle, (block - middle).norm(dim=1).max() + rounding


class _LeftOut(NamedTuple):
    """Tokens of lists that are not ranked."""

    rows: Tensor  # (T,) the list of each token
    tokens: Tensor  # (T,) ascending
    starts: list[int]
    """The first token of each block, and the end."""
    ends: list[int]
    """How many of the tokens come before the start of each block."""

    @classmethod
    def of(cls, inputs: sparse.csr_matrix, starts: list[int]) -> "_LeftOut":
        """The tokens that went in, in the order of the vocabulary."""
        rows = np.repeat(np.arange(inputs.shape[0]), np.diff(inputs.indptr))
        order = np.argsort(inputs.indices, kind="stable")
        tokens = inputs.indices[order].astype(np.int64)
        ends = np.searchsorted(tokens, starts).tolist()
        return cls(torch.from_numpy(rows[order]), torch.from_numpy(tokens), starts, ends)

    def of_rows(self, some: slice) -> "_LeftOut":
        """The tokens of some lists only, whose rows are then counted from the first of these lists."""
        kept = (self.rows >= some.start) & (self.rows < some.stop)
        return self._replace(rows=self.rows[kept] - some.start, tokens=self.tokens[kept])

    def within(self, i: int, rows: Tensor) -> tuple[Tensor, Tensor]:
        """For each token of block i and of these lists, the place of its list in `rows` and its own in the block."""
        some = slice(self.ends[i], self.ends[i + 1])
        place = torch.searchsorted(rows, self.rows[some]).clamp(max=len(rows) - 1)
        kept = rows[place] == self.rows[some]
        return place[kept], self.tokens[some][kept] - self.starts[i]


@contextmanager
def _one_thread_each() -> Iterator[Executor]:
    """As many workers as PyTorch has threads, each with one: threads that share a short product wait for each other."""
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            yield pool
        finally:
            torch.set_num_threads(threads)  # also for the threads of others, which begin with the last number set
