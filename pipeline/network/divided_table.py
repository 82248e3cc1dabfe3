"""A table whose rows are divided among the workers: token t is row t // W of worker t % W.

A step fetches the rows that it needs from their owners, and sends their gradients back; the owner adds up what all
workers send it, as one sparse gradient of its own rows. What has to be exchanged grows with the batch, not with V.

Letters: V vocabulary, U touched tokens, D dimensions, W workers.
"""

import tempfile
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from pipeline.network.missing_tokens_network import MissingTokensNetwork


class Route(NamedTuple):
    """The way of some tokens to their owners, and of their rows back."""

    order: Tensor  # (U,) the tokens by their owners
    to: list[int]  # W numbers: how many tokens each owner is asked for
    by: list[int]  # W numbers: how many rows each worker asks this one for
    asked: Tensor  # the own rows that the others ask for, one worker after the other


class Exchange:
    """Sends to each worker its part of a tensor, and counts what leaves this one."""

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.bytes_sent = 0
        self._last: tuple[Tensor, Route] | None = None

    def swap(self, values: Tensor, to: Sequence[int], by: Sequence[int]) -> Tensor:
        """What all workers have for this one, one worker after the other.

        Args:
            values: what this one has for the others, one worker after the other.
            to: W numbers: how many of the values are for each.
            by: W numbers: how many values come from each.
        """
        there = values.new_empty(sum(by), *values.shape[1:])
        dist.all_to_all_single(there, values.contiguous(), list(by), list(to))
        own = to[self.rank] / max(sum(to), 1)
        self.bytes_sent += round(values.numel() * values.element_size() * (1 - own))
        return there

    def counts(self, to: Tensor) -> list[int]:
        """W numbers: how much comes from each worker, where `to` (W,) says how much goes to each."""
        return [int(n) for n in self.swap(to, [1] * self.size, [1] * self.size)]

    def route(self, tokens: Tensor) -> Route:
        """The way of tokens (U,) to their owners; of the same tensor it is found only once."""
        if self._last is None or self._last[0] is not tokens:
            owners = tokens % self.size
            order = owners.argsort(stable=True)
            to = torch.bincount(owners, minlength=self.size)
            sent, by = to.tolist(), self.counts(to)
            asked = self.swap((tokens // self.size)[order].int(), sent, by)
            self._last = tokens, Route(order, sent, by, asked.long())
        return self._last[1]


class DividedRows(nn.Module):
    """The own rows of a table; looks like an embedding layer of the whole table."""

    def __init__(self, rows: Tensor, exchange: Exchange) -> None:
        """Own rows (V / W, D) of a table."""
        super().__init__()
        self.weight = nn.Parameter(rows)
        self._exchange = exchange

    def forward(self, tokens: Tensor) -> Tensor:
        """(U, D) rows of any tokens; all workers call it at the same time."""
        rows: Tensor = _Fetch.apply(self.weight, self._exchange.route(tokens), self._exchange)  # type: ignore[no-untyped-call]
        return rows


class _Fetch(torch.autograd.Function):
    """Rows of a divided table; the gradient goes to their owners, and is the mean over the workers as elsewhere."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, route: Route, exchange: Exchange) -> Tensor:
        ctx.route, ctx.exchange, ctx.shape = route, exchange, own.shape
        come = exchange.swap(own.index_select(0, route.asked), route.by, route.to)
        rows = torch.empty_like(come)
        rows[route.order] = come
        return rows

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        route, exchange = ctx.route, ctx.exchange
        come = exchange.swap(gradients[0][route.order], route.to, route.by).div_(exchange.size)
        return torch.sparse_coo_tensor(route.asked[None], come, ctx.shape, check_invariants=False), None, None


def with_own_rows(network: MissingTokensNetwork, exchange: Exchange) -> MissingTokensNetwork:
    """The same network, whose table and biases are the own rows of this worker."""
    network.table = DividedRows(network.table.weight.detach(), exchange)  # type: ignore[assignment]
    network.bias = DividedRows(network.bias.weight.detach(), exchange)  # type: ignore[assignment]
    return network


def joined_rows(states: Sequence[Mapping[str, Tensor]], size: int) -> dict[str, Tensor]:
    """The whole network of the workers' states: tables of V rows are put together in files, not in memory.

    Args:
        states: the state of each worker's network.
        size: V.
    """
    joined = {}
    for name, first in states[0].items():
        if not name.endswith(".weight"):
            joined[name] = first
            continue
        with tempfile.TemporaryFile() as file:  # it is gone as soon as nobody uses the array any more
            dtype = first.numpy().dtype
            whole = np.memmap(file, dtype, "w+", shape=(size, *first.shape[1:]))
        for rank, state in enumerate(states):
            whole[rank :: len(states)] = state[name].numpy()
        joined[name] = torch.from_numpy(whole)
    return joined
