"""The networks: one embedding table between the sparse input and a hidden layer of D nodes, and a head for each task.

Letters: B examples in a batch, T their tokens in one row, V vocabulary, D dimensions, F dense features, H nodes of a
layer of the head. A batch of lists is `tokens` (T,) and `offsets` (B,): list i begins at offsets[i]. Losses do not
belong here.
"""

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name that PyTorch's own documentation uses
from torch import Tensor, nn


class MissingTokensNetwork(nn.Module):
    """Which tokens are missing from this list? One table is input and output: bag -> D nodes -> V logits.

    Places in D dimensions, of bags and of tokens alike, are lifted onto a sphere: a constant is appended as one more
    coordinate, and the length brought to 1. Logits are cosines there, divided by the temperature: no token wins by its
    length, and all D coordinates count, at D = 1 too.
    """

    lift: Tensor  # ()
    temperature: Tensor  # ()

    def __init__(
        self, table: Tensor, bias: Tensor, lift: float, temperature: float, dropout: float, sparse: bool = False
    ) -> None:
        """A network whose weights are these.

        Args:
            table: (V, D).
            bias: (V,).
            lift: the constant that is appended to a place.
            temperature: what cosines are divided by.
            dropout: share of the hidden nodes that is left out while training.
            sparse: gradients of table and bias have the rows that were looked up, and no others.
        """
        super().__init__()
        self.table = _layer(table, sparse)  # V -> D
        self.bias = _layer(bias[:, None], sparse)  # V -> 1
        self.register_buffer("lift", torch.tensor(lift, dtype=table.dtype))
        self.register_buffer("temperature", torch.tensor(temperature, dtype=table.dtype))
        self.dropout = _Dropout(dropout)

    def hidden(self, tokens: Tensor, offsets: Tensor) -> Tensor:
        """Lists -> where they are on the sphere, divided by the temperature."""
        return self.hidden_of(F.embedding_bag(tokens, self.table.weight, offsets, mode="mean"))

    def hidden_of(self, bags: Tensor) -> Tensor:
        """Mean places of lists (B, D) -> where they are on the sphere, divided by the temperature."""
        hidden: Tensor = self.dropout(self.lifted(bags)) / self.temperature  # (B, D + 1)
        return hidden

    def outputs(self) -> Tensor:
        """Where the tokens are on the sphere."""
        return self.lifted(self.table.weight)  # (V, D + 1)

    def lifted(self, places: Tensor) -> Tensor:
        """Places in D dimensions -> on the sphere in D + 1."""
        lifted: Tensor = _Lifted.apply(places, self.lift)  # type: ignore[no-untyped-call]
        return lifted

    def forward(self, tokens: Tensor, offsets: Tensor, outputs: Tensor | None = None) -> Tensor:
        """Logits of every token of the vocabulary; `outputs` are this network's, where they are known already."""
        outputs = self.outputs() if outputs is None else outputs
        return torch.addmm(self.bias.weight[:, 0], self.hidden(tokens, offsets), outputs.T)  # (B, V)


def _layer(weights: Tensor, sparse: bool = False) -> nn.Embedding:
    """An embedding layer with these weights, which are learned from here on."""
    layer: nn.Embedding = nn.Embedding.from_pretrained(weights, freeze=False, sparse=sparse)  # type: ignore[no-untyped-call]
    return layer


class _Dropout(nn.Module):
    """Leaves nodes out at random while training, by numbers that are the same on every processor.

    PyTorch's own draws them by Intel's library where the processor is Intel's, and by another one elsewhere.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, nodes: Tensor) -> Tensor:
        if not (self.training and self.share):
            return nodes
        return nodes * (torch.rand(nodes.shape) >= self.share) / (1 - self.share)


class _Lifted(torch.autograd.Function):
    """(p, c) / |(p, c)| and its gradient, in one go: autograd would keep four copies of the places."""

    @staticmethod
    def forward(ctx: Any, places: Tensor, lift: Tensor) -> Tensor:
        inverse = (torch.einsum("ij,ij->i", places, places) + lift * lift).rsqrt()[:, None]  # (., 1)
        lifted = torch.cat([places * inverse, lift * inverse], dim=1)  # (., D + 1)
        ctx.save_for_backward(lifted, inverse)
        return lifted

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        lifted, inverse = ctx.saved_tensors
        (by,) = gradients
        along = torch.einsum("ij,ij->i", by, lifted)[:, None]  # (., 1)
        return torch.addcmul(by[:, :-1], lifted[:, :-1], along, value=-1).mul_(inverse), None


class RegressionNetwork(nn.Module):
    """Which number belongs to this list? Bag -> D nodes, and dense features -> two layers beside a straight line."""

    weight: Tensor  # (V,) of each token in the bag
    mean_bag: Tensor  # (V,) mean weight of each token over the training examples

    def __init__(
        self, table: Tensor, weight: Tensor, mean_bag: Tensor, n_dense: int, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        inputs = table.shape[1] + n_dense
        self.table = _layer(table)  # V -> D
        self.register_buffer("weight", weight)
        self.register_buffer("mean_bag", mean_bag)
        self.first = nn.Linear(inputs, hidden, dtype=table.dtype)
        self.second = nn.Linear(hidden, hidden, dtype=table.dtype)
        self.dropout = _Dropout(dropout)
        self.outer = nn.Linear(hidden, 1, bias=False, dtype=table.dtype)
        self.line = nn.Linear(inputs, 1, dtype=table.dtype)
        for layer in (self.first, self.second):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
            nn.init.zeros_(layer.bias)
        for parameter in (self.outer.weight, self.line.weight, self.line.bias):
            nn.init.zeros_(parameter)  # the start is the mean of the targets

    def forward(self, tokens: Tensor, offsets: Tensor, dense: Tensor, token_dropout: float = 0.0) -> Tensor:
        """A standardised number for each example; while training, tokens are left out at random."""
        weight = self.weight[tokens]  # (T,)
        if self.training and token_dropout:
            weight = weight * (torch.rand_like(weight) >= token_dropout) / (1 - token_dropout)  # (T,)
        table = self.table.weight
        bag = F.embedding_bag(tokens, table, offsets, mode="sum", per_sample_weights=weight)  # (B, D)
        features = torch.cat([bag - self.mean_bag @ table, dense], dim=1)  # (B, D + F)
        nodes = self.dropout(F.silu(self.first(features)))  # (B, H)
        nodes = self.dropout(F.silu(self.second(nodes)))  # (B, H)
        number: Tensor = (self.outer(nodes) + self.line(features)).squeeze(1)  # (B,)
        return number
