"""The network for missing tokens: one embedding table is the input and the output of a hidden layer of D nodes.

Letters: B examples in a batch, V vocabulary, D dimensions. Losses do not belong here.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name that PyTorch's own documentation uses
from torch import Tensor, nn

from pipeline.arrays import Array
from pipeline.config.task import Task
from pipeline.network.fitted_network import Scorer
from pipeline.network.layers import Dropout, embedding_layer, tensors, with_one
from pipeline.network.lists import Lists

OF_ORDER = ("step", "decay_logit")
"""What the state of a network has that learned the order of lists, and that of others lacks."""


class MissingTokensNetwork(nn.Module):
    """Which tokens are missing from this list? One table is input and output: bag -> D nodes -> V logits.

    Vectors of bags and of tokens, in D dimensions, are augmented: a constant is appended as one more coordinate, and
    the length is brought to 1, so that they lie on a sphere. A logit is the cosine there, divided by the temperature,
    plus the token's bias: no token wins by its length, and all D coordinates count, even at D = 1.

    A network that has learned the order of lists looks at the latest tokens most: what the tokens of each time count of
    what those of the next one do is its decay. And it takes a step (D, D) from where a list is to where what comes next
    is sought: one table has no direction, so without the step what came before a token would be as likely as what comes
    after it.
    """

    lift: Tensor  # ()
    temperature: Tensor  # ()

    def __init__(
        self, table: Tensor, bias: Tensor, lift: float, temperature: float, dropout: float, sparse: bool = False
    ) -> None:
        """Make a network with these weights.

        Args:
            table: (V, D).
            bias: (V,).
            lift: the constant that is appended to a vector.
            temperature: the number that cosines are divided by.
            dropout: share of the hidden nodes that is left out in training.
            sparse: whether gradients of table and bias have only the rows that were looked up.
        """
        super().__init__()
        self.table = embedding_layer(table, sparse)  # V -> D
        self.bias = embedding_layer(bias[:, None], sparse)  # V -> 1
        self.register_buffer("lift", torch.tensor(lift, dtype=table.dtype))
        self.register_buffer("temperature", torch.tensor(temperature, dtype=table.dtype))
        self.dropout = Dropout(dropout)
        self.step: nn.Parameter | None = None  # (D, D)
        self.decay_logit: nn.Parameter | None = None  # ()

    def follow_order(self, step: Tensor | None = None, decay_logit: Tensor | None = None) -> None:
        """Let order count from now on; by default with no step yet, and with a decay of one half."""
        table = self.table.weight
        step = torch.eye(table.shape[1], dtype=table.dtype) if step is None else step
        self.step = nn.Parameter(step)
        self.decay_logit = nn.Parameter(torch.zeros((), dtype=table.dtype) if decay_logit is None else decay_logit)

    def bags(self, lists: Lists, vectors: Tensor) -> Tensor:
        """(B, D) the mean vector of each list, from rows of the table (V, D); where it has ages, by the decay."""
        if self.decay_logit is None or lists.ages is None:
            return lists.mean(vectors)
        counts = (lists.ages * F.logsigmoid(self.decay_logit)).exp()  # (T,) the decay to the power of the age
        if not torch.is_grad_enabled():
            return replace(lists, weights=counts).mean(vectors)
        # the sums of lists have no gradient by their weights, which is what the decay learns from
        total = counts.new_zeros(len(lists.offsets)).index_add(0, lists.rows, counts)
        rows = F.embedding(lists.tokens, vectors) * counts[:, None]
        summed = rows.new_zeros(len(lists.offsets), vectors.shape[1]).index_add(0, lists.rows, rows)
        return summed / torch.where(total > 0, total, 1.0)[:, None]

    def hidden(self, lists: Lists) -> Tensor:
        """(B, D + 1) the lists as points on the sphere, divided by the temperature."""
        return self.hidden_of(lists.mean(self.table.weight))

    def hidden_of(self, bags: Tensor) -> Tensor:
        """(B, D + 1) points on the sphere, divided by the temperature, for the mean vectors of lists (B, D)."""
        bags = bags if self.step is None else bags @ self.step
        hidden: Tensor = self.dropout(self.augmented(bags)) / self.temperature  # (B, D + 1)
        return hidden

    def outputs(self) -> Tensor:
        """(V, D + 1) the tokens as points on the sphere."""
        return self.augmented(self.table.weight)  # (V, D + 1)

    def augmented(self, vectors: Tensor) -> Tensor:
        """(., D + 1) points on the sphere, for vectors (., D)."""
        augmented: Tensor = _Augmented.apply(vectors, self.lift)  # type: ignore[no-untyped-call]
        return augmented

    def forward(self, lists: Lists, outputs: Tensor | None = None) -> Tensor:
        """(B, V) a logit for every token; `outputs` can be passed if this network's are known already."""
        outputs = self.outputs() if outputs is None else outputs
        return torch.addmm(self.bias.weight[:, 0], self.hidden(lists), outputs.T)  # (B, V)


class _Augmented(torch.autograd.Function):
    """(p, c) / |(p, c)| and its gradient, in one go: autograd would keep four copies of the vectors."""

    @staticmethod
    def forward(ctx: Any, vectors: Tensor, lift: Tensor) -> Tensor:
        inverse = (torch.einsum("ij,ij->i", vectors, vectors) + lift * lift).rsqrt()[:, None]  # (., 1)
        augmented = torch.cat([vectors * inverse, lift * inverse], dim=1)  # (., D + 1)
        ctx.save_for_backward(augmented, inverse)
        return augmented

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        augmented, inverse = ctx.saved_tensors
        (by,) = gradients
        along = torch.einsum("ij,ij->i", by, augmented)[:, None]  # (., 1)
        return torch.addcmul(by[:, :-1], augmented[:, :-1], along, value=-1).mul_(inverse), None


def network_of(state: Mapping[str, Tensor], dropout: float = 0.0, sparse: bool = False) -> MissingTokensNetwork:
    """The network with this state.

    Args:
        state: the network's `state_dict`.
        dropout: share of the hidden nodes that is left out if it is trained further.
        sparse: whether gradients of table and bias have only the rows that were looked up.
    """
    lift, temperature = float(state["lift"]), float(state["temperature"])
    table, bias = state["table.weight"], state["bias.weight"][:, 0]
    network = MissingTokensNetwork(table, bias, lift, temperature, dropout, sparse)
    if "step" in state:
        network.follow_order(state["step"], state["decay_logit"])
    network.load_state_dict(state)
    return network


def scorer(weights: Mapping[str, Array], task: Task) -> Scorer:
    """A scorer of lists with a trained network; it gives logits (N, V) of every token.

    Args:
        weights: the state of the network.
        task: the task that the network has learned.
    """
    network = network_of(tensors(weights)).eval()
    with torch.inference_mode():
        outputs = network.outputs()

    def score(lists: Lists, dense: Array) -> Array:
        return np.asarray(network(lists, outputs).float().numpy())

    return score


def factors(weights: Mapping[str, Array]) -> tuple[Tensor, Callable[[Lists], Tensor]]:
    """The logits as products: (V, D + 2) of the tokens, and a function that gives (B, D + 2) of lists.

    Args:
        weights: the state of the network.
    """
    network = network_of(tensors(weights)).eval()
    items = torch.cat([network.outputs(), network.bias.weight], dim=1)
    return items, lambda lists: with_one(network.hidden(lists))
