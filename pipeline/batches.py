"""Rows of a CSR matrix as PyTorch takes them, a batch at a time: no Python for each example, no copies by workers.

Letters: B examples in a batch, T their tokens in one row.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812 - the name that PyTorch's own documentation uses
from scipy import sparse
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, SequentialSampler

from pipeline.encoding import Rows

Array = npt.NDArray[Any]


class Lists(NamedTuple):
    """Rows of a CSR matrix as PyTorch's embedding bag takes them; Lightning moves a tuple to its device."""

    tokens: Tensor  # (T,) int64
    offsets: Tensor  # (B,) where each list begins
    rows: Tensor  # (T,) the list that each token belongs to
    by_token: tuple[Tensor, Tensor] | None = None
    """The lists that each token is in, one token after the other (T,), and where each token's begin (V,)."""

    @classmethod
    def of(cls, matrix: sparse.csr_matrix) -> "Lists":
        """All rows of a matrix."""
        indptr = torch.from_numpy(matrix.indptr.astype(np.int64))
        rows = torch.repeat_interleave(torch.arange(matrix.shape[0]), indptr.diff())
        return cls(torch.from_numpy(matrix.indices.astype(np.int64)), indptr[:-1], rows)

    def grouped(self, size: int) -> "Lists":
        """The same with `by_token`, over tokens 0..size-1: sums of few tokens then have a fast gradient."""
        order = self.tokens.sort(stable=True).indices
        n = torch.bincount(self.tokens, minlength=size)
        return self._replace(by_token=(self.rows[order], n.cumsum(0) - n))

    def sum(self, places: Tensor) -> Tensor:
        """For each list the sum (B, D) of its tokens' rows of `places` (V, D)."""
        if self.by_token is None:
            return F.embedding_bag(self.tokens, places, self.offsets, mode="sum")
        summed: Tensor = _Sum.apply(places, self)  # type: ignore[no-untyped-call]
        return summed

    def joined(self, other: "Lists") -> "Lists":
        """Each list with the other's of the same row behind it."""
        rows, order = torch.cat([self.rows, other.rows]).sort(stable=True)
        lengths = torch.bincount(rows, minlength=len(self.offsets))
        return Lists(torch.cat([self.tokens, other.tokens])[order], lengths.cumsum(0) - lengths, rows)

    def keep(self, kept: Tensor) -> "Lists":
        """Only the tokens that `kept` (T,) marks."""
        rows = self.rows[kept]
        lengths = torch.bincount(rows, minlength=len(self.offsets))
        return Lists(self.tokens[kept], lengths.cumsum(0) - lengths, rows)


class _Sum(torch.autograd.Function):
    """The gradient of a sum over the tokens of a list is a sum over the lists of a token: the same fast kernel."""

    @staticmethod
    def forward(ctx: Any, places: Tensor, lists: Lists) -> Tensor:
        ctx.by_token = lists.by_token
        return F.embedding_bag(lists.tokens, places, lists.offsets, mode="sum")

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        rows, offsets = ctx.by_token
        return F.embedding_bag(rows, gradients[0].contiguous(), offsets, mode="sum"), None


class Batches(Dataset[dict[str, Any]]):
    """Item [i, j, ...] is one batch of the examples i, j, ..."""

    def __init__(self, rows: Rows, dense: Array, target: Array) -> None:
        self.rows, self.dense, self.target = rows, dense, target

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: Sequence[int]) -> dict[str, Any]:
        return {
            "inputs": Lists.of(self.rows.inputs[chosen]),
            "labels": Lists.of(self.rows.labels[chosen]),
            "dense": torch.from_numpy(self.dense[chosen].astype(np.float32)),
            "target": torch.from_numpy(self.target[chosen].astype(np.float32)),
        }

    def loader(self, size: int, generator: torch.Generator | None = None) -> "DataLoader[dict[str, Any]]":
        """Batches of this size; shuffled anew in each epoch where there is a generator."""
        order = RandomSampler(self, generator=generator) if generator else SequentialSampler(self)
        return DataLoader(
            self,
            batch_size=None,
            sampler=BatchSampler(order, size, drop_last=False),
            generator=generator or torch.Generator(),  # a loader draws a number: not from the one that drops nodes
        )
