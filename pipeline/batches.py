"""Rows of a CSR matrix as PyTorch takes them, a batch at a time: no Python for each example, no copies by workers.

Letters: B examples in a batch, T their tokens in one row.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
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

    @classmethod
    def of(cls, matrix: sparse.csr_matrix) -> "Lists":
        """All rows of a matrix."""
        indptr = torch.from_numpy(matrix.indptr.astype(np.int64))
        rows = torch.repeat_interleave(torch.arange(matrix.shape[0]), indptr.diff())
        return cls(torch.from_numpy(matrix.indices.astype(np.int64)), indptr[:-1], rows)

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
