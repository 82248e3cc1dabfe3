"""Rows of a CSR matrix as PyTorch takes them, and the sums over them.

Letters: B lists, T tokens of all of them, one list after the other, V vocabulary, D dimensions.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name that PyTorch's own documentation uses
from scipy import sparse
from torch import Tensor

from pipeline.arrays import Array


@dataclass(frozen=True, eq=False)
class Lists:
    """Rows of a CSR matrix as PyTorch's embedding bag takes them."""

    tokens: Tensor  # (T,) int64
    offsets: Tensor  # (B,) where each list begins
    rows: Tensor  # (T,) the list that each token belongs to
    weights: Tensor | None = None  # (T,) what each token counts; None: each counts 1
    by_token: tuple[Tensor, Tensor, Tensor | None] | None = None
    """The lists of each token, one token after the other (T,), where the lists of each token begin (V,), and what the
    token counts in each (T,)."""
    host_offsets: Array | None = None
    """(B,) the offsets in the processor's memory, where the lists are on another device."""
    ages: Tensor | None = None  # (T,) int64, how many times of its list came after; None: lists have no order
    _matrices: dict[int, Any] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, matrix: sparse.csr_matrix) -> "Lists":
        """All rows of a matrix."""
        weights = None if (matrix.data == 1).all() else matrix.data
        return cls.after_each_other(matrix.indices, np.diff(matrix.indptr), weights)

    @classmethod
    def after_each_other(
        cls, tokens: Array, lengths: Array, weights: Array | None = None, ages: Array | None = None
    ) -> "Lists":
        """Lists of these lengths (B,), whose tokens (T,) follow each other; with the tokens' weights and ages (T,)."""
        of_each = torch.from_numpy(lengths.astype(np.int64))
        rows = torch.repeat_interleave(torch.arange(len(of_each)), of_each)
        counts = None if weights is None else torch.from_numpy(np.asarray(weights, np.float64))
        found = cls(torch.from_numpy(tokens.astype(np.int64)), of_each.cumsum(0) - of_each, rows, counts)
        return found if ages is None else replace(found, ages=torch.from_numpy(ages))

    def grouped(self, size: int) -> "Lists":
        """The same lists with `by_token`, for tokens 0..size-1: sums over few tokens then have a fast gradient."""
        indptr = np.append(self.offsets.numpy(), len(self.tokens))
        data = np.empty(len(self.tokens), bool) if self.weights is None else self.weights.numpy()
        by_list = sparse.csr_matrix((data, self.tokens.numpy(), indptr), (len(self.offsets), size))
        by_token = by_list.tocsc()  # one pass over the tokens, faster than sorting them
        rows, starts = (torch.from_numpy(a.astype(np.int64)) for a in (by_token.indices, by_token.indptr[:-1]))
        return replace(self, by_token=(rows, starts, None if self.weights is None else torch.from_numpy(by_token.data)))

    def matrix(self, size: int) -> sparse.csr_matrix:
        """(B, size) the lists as a matrix of SciPy, made once: that takes longer than a product with short lists."""
        if size not in self._matrices:
            indptr = np.append(self.offsets.numpy(), len(self.tokens))
            data = np.ones(len(self.tokens)) if self.weights is None else self.weights.numpy()
            self._matrices[size] = sparse.csr_matrix((data, self.tokens.numpy(), indptr), (len(self.offsets), size))
        return self._matrices[size]

    def totals(self, dtype: torch.dtype) -> Tensor:
        """(B,) the sum of each list's weights: its length, if each token counts 1."""
        if self.weights is None:
            end = self.offsets.new_full((1,), len(self.tokens))
            return torch.diff(self.offsets, append=end).to(dtype)
        return self.weights.new_zeros(len(self.offsets)).index_add_(0, self.rows, self.weights).to(dtype)

    def sum(self, table: Tensor) -> Tensor:
        """(B, D) for each list, the sum of its tokens' rows of `table` (V, D), each times its weight."""
        if table.dtype == torch.float64 and table.device.type == "cpu":
            exact: Tensor = _ExactSum.apply(table, self)  # type: ignore[no-untyped-call]
            return exact
        if self.by_token is None:
            return _bag(self.tokens, table, self.offsets, self.weights)
        summed: Tensor = _Sum.apply(table, self)  # type: ignore[no-untyped-call]
        return summed

    def mean(self, table: Tensor) -> Tensor:
        """(B, D) for each list, the weighted mean of its tokens' rows of `table` (V, D); 0 if the list is empty."""
        totals = self.totals(table.dtype)
        return self.sum(table) / torch.where(totals > 0, totals, 1.0)[:, None]

    def joined(self, other: "Lists") -> "Lists":
        """Each list, followed by the list of the same row in `other`."""
        rows, order = torch.cat([self.rows, other.rows]).sort(stable=True)
        lengths = torch.bincount(rows, minlength=len(self.offsets))
        return Lists(torch.cat([self.tokens, other.tokens])[order], lengths.cumsum(0) - lengths, rows)

    def followed_by(self, others: "Lists") -> "Lists":
        """These lists, and others after the last one."""
        weights = [one.weights for one in (self, others) if one.weights is not None]
        tokens, offsets = torch.cat([self.tokens, others.tokens]), others.offsets + len(self.tokens)
        rows = torch.cat([self.rows, others.rows + len(self.offsets)])
        return Lists(tokens, torch.cat([self.offsets, offsets]), rows, torch.cat(weights) if weights else None)

    def to(self, device: torch.device) -> "Lists":
        """The lists on a device."""
        if device.type == "cpu":
            return self
        by_token = self.by_token and (
            moved(self.by_token[0], device),
            moved(self.by_token[1], device),
            None if self.by_token[2] is None else moved(self.by_token[2], device),
        )
        weights = None if self.weights is None else moved(self.weights, device)
        tokens, offsets, rows = (moved(one, device) for one in (self.tokens, self.offsets, self.rows))
        ages = None if self.ages is None else moved(self.ages, device)
        return Lists(tokens, offsets, rows, weights, by_token, self.offsets.numpy(), ages)

    def keep(self, kept: Tensor) -> "Lists":
        """The lists with only the tokens that `kept` (T,) marks."""
        at = torch.from_numpy(np.flatnonzero(kept.numpy()))  # sought once, and not by each of the lines that follow
        rows = self.rows.index_select(0, at)
        lengths = torch.bincount(rows, minlength=len(self.offsets))
        weights = None if self.weights is None else self.weights.index_select(0, at)
        return Lists(self.tokens.index_select(0, at), lengths.cumsum(0) - lengths, rows, weights)


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on a device. The processor does not wait until a GPU has it, it goes on to the next batch."""
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    if device.type == "mps" and tensor.dtype == torch.float64:  # which it does not have
        tensor = tensor.float()
    return tensor.to(device)


def _bag(tokens: Tensor, table: Tensor, offsets: Tensor, weights: Tensor | None) -> Tensor:
    """Sums of rows of a table, each times its weight."""
    weights = None if weights is None else weights.to(table.dtype)
    return F.embedding_bag(tokens, table, offsets, mode="sum", per_sample_weights=weights)


class _Sum(torch.autograd.Function):
    """Sums over the tokens of each list; the gradient sums over the lists of each token, with the same fast kernel."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, lists: Lists) -> Tensor:
        ctx.by_token = lists.by_token
        return _bag(lists.tokens, table, lists.offsets, lists.weights)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        rows, offsets, weights = ctx.by_token
        return _bag(rows, gradients[0].contiguous(), offsets, weights), None


class _ExactSum(torch.autograd.Function):
    """Sums by a product with SciPy's sparse matrix of the lists: PyTorch's bags are fast only for 32-bit numbers."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, lists: Lists) -> Tensor:
        ctx.matrix = lists.matrix(len(table))
        return torch.from_numpy(ctx.matrix @ table.detach().numpy())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return torch.from_numpy(ctx.matrix.T @ gradients[0].numpy()), None
