"""The network of the course: an embedding of D nodes, a hidden layer, and one logit for each token.

Letters: B examples in a batch, V vocabulary, D dimensions, H nodes of the hidden layer.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name that PyTorch's own documentation uses
from torch import Tensor, nn

from pipeline.arrays import Array
from pipeline.config.task import Task
from pipeline.network.fitted_network import Scorer
from pipeline.network.layers import Dropout, embedding_layer, tensors, with_one
from pipeline.network.lists import Lists


class CourseNetwork(nn.Module):
    """Which tokens are missing from this list? Mean of the embeddings -> hidden layer -> dot products with outputs."""

    def __init__(self, table: Tensor, hidden: int, dropout: float) -> None:
        """A network at its start, whose logits are small.

        Args:
            table: (V, D).
            hidden: H.
            dropout: share of the hidden layer's nodes that is left out while training.
        """
        super().__init__()
        v, d = table.shape
        self.table = embedding_layer(table)  # V -> D
        self.hidden = nn.Linear(d, hidden, dtype=table.dtype)
        self.dropout = Dropout(dropout)
        self.output = nn.Linear(hidden, v, dtype=table.dtype)
        for layer in (self.hidden, self.output):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
            nn.init.zeros_(layer.bias)

    def nodes(self, lists: Lists) -> Tensor:
        """(B, H) the hidden layer."""
        nodes: Tensor = self.dropout(F.relu(self.hidden(lists.mean(self.table.weight))))
        return nodes

    def forward(self, lists: Lists) -> Tensor:
        """(B, V) a logit for each token."""
        logits: Tensor = self.output(self.nodes(lists))
        return logits


def network_of(state: Mapping[str, Tensor], dropout: float = 0.0) -> CourseNetwork:
    """The network whose state this is.

    Args:
        state: what its `state_dict` gave.
        dropout: share of nodes that is left out while it is trained on.
    """
    network = CourseNetwork(state["table.weight"], len(state["hidden.bias"]), dropout)
    network.load_state_dict(state)
    return network


def scorer(weights: Mapping[str, Array], task: Task) -> Scorer:
    """Scores lists with a trained network: logits (N, V) of every token.

    Args:
        weights: the state of the network.
        task: what it has learned.
    """
    network = network_of(tensors(weights)).eval()
    return lambda lists, dense: np.asarray(network(lists).float().numpy())


def factors(weights: Mapping[str, Array]) -> tuple[Tensor, Callable[[Lists], Tensor]]:
    """The logits as products: (V, H + 1) of the tokens, and a function that gives (B, H + 1) of lists.

    Args:
        weights: the state of the network.
    """
    network = network_of(tensors(weights)).eval()
    items = torch.cat([network.output.weight, network.output.bias[:, None]], dim=1)
    return items, lambda lists: with_one(network.nodes(lists))


def table_of(size: int, dimension: int, dtype: str) -> Tensor:
    """A table (V, D) to start from, of numbers with variance 1."""
    return torch.randn(size, dimension, dtype=getattr(torch, dtype))
