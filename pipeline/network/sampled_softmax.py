"""Sampled softmax: a step works only on the rows that a batch touches, so its cost does not grow with the vocabulary.

Drawn tokens stand for all tokens that a label competes with. A step takes the rows of the drawn tokens and of the
batch's own tokens out of the table, learns as if they were the whole table, and puts them back.

Letters: V vocabulary, U touched tokens, D dimensions.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pipeline.network.lists import Lists, moved

FEW = 20
"""With fewer tokens in the vocabulary than this many times those of a batch, marking them is faster than sorting."""


class Negatives(NamedTuple):
    """Drawn tokens that stand for the whole vocabulary."""

    tokens: Tensor  # (n,) int64, ascending, each once
    log_weight: Tensor  # (n,) the logarithm of how many tokens each stands for

    def at(self, numbers: Tensor) -> "Negatives":
        """The same tokens under other numbers: `numbers` (V,) has the new number of each token."""
        return Negatives(numbers.index_select(0, self.tokens), self.log_weight)

    def to(self, device: torch.device) -> "Negatives":
        """The same tokens on a device."""
        return Negatives(moved(self.tokens, device), moved(self.log_weight, device))


class NegativeSampler:
    """Draws tokens in proportion to their counts plus 1, at even steps along the vocabulary.

    A frequent token is drawn in nearly every step and stands for itself; a rare one is seldom drawn and stands for many
    like it. For any function f, the sum of weight x f(token) over the drawn tokens has as its mean the sum of f(token)
    over all tokens. With f = exp(logit) this is the logQ correction of sampled softmax (Bengio and Senécal, 2008).
    """

    def __init__(self, counts: Tensor) -> None:
        """Sample by the tokens' counts (V,); 1 is added to each, so that tokens that do not occur can be drawn, too."""
        self.share = (counts + 1.0).double() / (counts + 1.0).double().sum()  # (V,)
        self.ends = self.share.cumsum(0)  # (V,)

    def draw(self, n: int, generator: torch.Generator | None = None) -> Negatives:
        """Draw once from each n-th of the distribution; a token drawn twice appears once, with twice the weight."""
        even = (torch.arange(n) + torch.rand(n, generator=generator, dtype=torch.float64)) / n
        drawn = torch.searchsorted(self.ends, even).clamp(max=len(self.ends) - 1)
        tokens, times = torch.unique_consecutive(drawn, return_counts=True)
        return Negatives(tokens, (times / (n * self.share[tokens])).log())


class Touched:
    """Numbers the tokens that a batch touches, from 0 to U - 1."""

    def __init__(self, size: int) -> None:
        self.size = size

    @cached_property
    def _numbers(self) -> Tensor:
        """(V,) valid only at touched tokens, never cleared; made at first use, or processes would share it."""
        return torch.empty(self.size, dtype=torch.int64)

    @cached_property
    def _marks(self) -> npt.NDArray[np.bool_]:
        """(V,) all cleared."""
        return np.zeros(self.size, bool)

    def number(self, *tokens: Tensor) -> tuple[Tensor, Tensor]:
        """The distinct tokens (U,) among these, ascending, and a table (V,) with the number 0..U-1 of each."""
        together = torch.cat(tokens)
        if self.size < FEW * len(together):
            self._marks[together.numpy()] = True
            touched = torch.from_numpy(np.flatnonzero(self._marks))
            self._marks[touched.numpy()] = False
        else:
            touched = torch.unique_consecutive(together.sort().values)
        self._numbers[touched] = torch.arange(len(touched))
        return touched, self._numbers


def renumbered(lists: Lists, numbers: Tensor) -> Lists:
    """The lists with each token replaced by its number, from a table (V,)."""
    return replace(lists, tokens=numbers.index_select(0, lists.tokens))


def among(lists: Lists, drawn: Tensor, size: int) -> Lists:
    """The lists with only their drawn tokens, each replaced by its place among the drawn tokens."""
    place = torch.full((size,), -1)
    place[drawn] = torch.arange(len(drawn))
    places = place.index_select(0, lists.tokens)
    return replace(lists, tokens=places).keep(places >= 0)


class RowWiseAdagrad(torch.optim.Optimizer):
    """Adagrad with one sum of squares per row (Duchi et al., 2011); it touches only the rows that have a gradient.

        s_r += mean_d g_rd^2,     w_r -= rate g_r / sqrt(s_r) + rate decay w_r

    A row that is seldom touched takes large steps, and one that is often touched comes to rest.
    """

    def __init__(self, params: Any, lr: float, weight_decay: float = 0.0, distinct: bool = False) -> None:
        """Learn these parameters.

        Args:
            params: as PyTorch's optimisers take them.
            lr: the rate.
            weight_decay: the decay.
            distinct: whether a gradient has each of its rows once; to find out, the processor would wait for a GPU.
        """
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})
        self.distinct = distinct

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step on all parameters, whose gradients are sparse."""
        with torch.enable_grad():
            loss = closure() if closure is not None else None
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is None:
                    continue
                tokens, g = _rows(table.grad, self.distinct)
                state = self.state[table]
                if not state:
                    state["sum"] = table.new_zeros(len(table))
                squares = state["sum"].index_select(0, tokens) + g.square().reshape(len(g), -1).mean(dim=1)
                state["sum"].index_copy_(0, tokens, squares)
                size = (group["lr"] / squares.sqrt().clamp(min=1e-30)).reshape(-1, *[1] * (g.ndim - 1))
                rows = table.index_select(0, tokens)
                if group["weight_decay"]:
                    rows.mul_(1 - group["lr"] * group["weight_decay"])
                table.index_copy_(0, tokens, rows.addcmul_(g, size, value=-1))
        return loss


def _rows(gradient: Tensor, distinct: bool) -> tuple[Tensor, Tensor]:
    """The rows (U,) of a sparse gradient, each once, and their values.

    Autograd does not mark a gradient as coalesced even if its rows are distinct and sorted, as ours are.
    """
    tokens = gradient._indices()[0]
    if not distinct and not gradient.is_coalesced() and not bool((tokens[1:] > tokens[:-1]).all()):
        gradient = gradient.coalesce()
    return gradient._indices()[0], gradient._values()
