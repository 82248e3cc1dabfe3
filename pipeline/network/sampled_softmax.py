"""Sampled softmax: a step on the rows that a batch touches, so that it costs as the batch does, not as the vocabulary.

Tokens are drawn that stand for all which a label competes with; the table's rows of these and of the batch's own tokens
are taken out, learned from as if they were the whole table, and put back.

Letters: V vocabulary, U tokens that are touched, D dimensions.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pipeline.network.batches import Lists


class Negatives(NamedTuple):
    """Drawn tokens that stand for the whole vocabulary."""

    tokens: Tensor  # (n,) int64, ascending, each once
    log_weight: Tensor  # (n,) the logarithm of how many tokens each stands for

    def at(self, numbers: Tensor) -> "Negatives":
        """The same tokens by other numbers: `numbers` (V,) has the new number of each."""
        return Negatives(numbers[self.tokens], self.log_weight)


class NegativeSampler:
    """Draws tokens in proportion to how often they occur, at even steps along the vocabulary.

    A frequent token is drawn in nearly every step and stands for itself, a rare one seldom and stands for many like it.
    The sum over the drawn tokens of weight x f(token) has the sum over all tokens as its mean, whatever f is: with
    exp(logit) for f it is the logQ correction of sampled softmax (Bengio and Senécal, 2008).
    """

    def __init__(self, counts: Tensor) -> None:
        """Of the tokens' counts (V,); one that does not occur counts as one that occurs once."""
        self.share = (counts + 1.0).double() / (counts + 1.0).double().sum()  # (V,)
        self.ends = self.share.cumsum(0)  # (V,)

    def draw(self, n: int, generator: torch.Generator | None = None) -> Negatives:
        """So many draws, one from each n-th of the distribution; a token drawn twice comes once, with its weight."""
        even = (torch.arange(n) + torch.rand(n, generator=generator, dtype=torch.float64)) / n
        drawn = torch.searchsorted(self.ends, even).clamp(max=len(self.ends) - 1)
        tokens, times = torch.unique_consecutive(drawn, return_counts=True)
        return Negatives(tokens, (times / (n * self.share[tokens])).log())


class Touched:
    """The rows of a batch: every token by its number among those that are touched."""

    def __init__(self, size: int) -> None:
        self.size = size

    @cached_property
    def _numbers(self) -> Tensor:
        """(V,) written where it is read, never cleared; made where it is needed, as processes would share it."""
        return torch.empty(self.size, dtype=torch.int64)

    def number(self, *tokens: Tensor) -> tuple[Tensor, Tensor]:
        """The tokens (U,) that are among these, ascending, and a table (V,) of the number 0..U-1 of each."""
        touched = torch.unique_consecutive(torch.cat(tokens).sort().values)
        self._numbers[touched] = torch.arange(len(touched))
        return touched, self._numbers


def renumbered(lists: Lists, numbers: Tensor, size: int) -> Lists:
    """Lists of touched tokens by their numbers 0..size-1, grouped by token."""
    return lists._replace(tokens=numbers[lists.tokens]).grouped(size)


class RowWiseAdagrad(torch.optim.Optimizer):
    """Adagrad with one sum of squares a row (Duchi et al., 2011): touches the rows that have a gradient, and no other.

        s_r += mean_d g_rd^2,     w_r -= rate g_r / sqrt(s_r) + rate decay w_r

    A row that is touched seldom takes large steps when it is, and a frequent one comes to rest.
    """

    def __init__(self, params: Any, lr: float, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step on all parameters, whose gradients are sparse."""
        with torch.enable_grad():
            loss = closure() if closure is not None else None
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is None:
                    continue
                tokens, g = _rows(table.grad)
                state = self.state[table]
                if not state:
                    state["sum"] = table.new_zeros(len(table))
                squares = state["sum"].index_select(0, tokens) + g.square().reshape(len(g), -1).mean(dim=1)
                state["sum"].index_copy_(0, tokens, squares)
                size = (group["lr"] / squares.sqrt().clamp(min=1e-30)).reshape(-1, *[1] * (g.ndim - 1))
                rows = table.index_select(0, tokens).mul_(1 - group["lr"] * group["weight_decay"])
                table.index_copy_(0, tokens, rows.addcmul_(g, size, value=-1))
        return loss


def _rows(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """The rows (U,) of a sparse gradient, each once, and their values; autograd forgets that ours are sorted."""
    tokens = gradient._indices()[0]
    if not gradient.is_coalesced() and not bool((tokens[1:] > tokens[:-1]).all()):
        gradient = gradient.coalesce()
    return gradient._indices()[0], gradient._values()
