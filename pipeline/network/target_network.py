"""The network for a number or a class: an embedding table, dense features, and a head.

Letters: B examples in a batch, T tokens of all of them, V vocabulary, D dimensions, F dense features, H nodes of a
layer of the head, M members of the head, C outputs. Losses do not belong here.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F  # noqa: N812 - the name that PyTorch's own documentation uses
from torch import Tensor, nn

from pipeline.arrays import Array
from pipeline.config.task import Task
from pipeline.examples.features import DenseScale
from pipeline.network.fitted_network import Scorer
from pipeline.network.layers import Dropout, embedding_layer, tensors
from pipeline.network.lists import Lists
from pipeline.tasks.target import TargetTask


class TargetNetwork(nn.Module):
    """Bag -> D nodes; with the dense features -> two hidden layers beside a straight line -> C outputs.

    The head has M members that share their matrices. Each has signs of its own, for the dense features and for the
    first layer, which are random at the start, and its own last layer. The mean of the members errs less than each:
    this is a small version of TabM (Gorishniy, Kotelnikov and Babenko, 2025, "TabM: Advancing tabular deep learning
    with parameter-efficient ensembling"). Coordinates look the same to all members, so that the space can be turned.
    """

    weight: Tensor  # (V,) weight of each token in the bag
    mean_bag: Tensor  # (V,) mean weight of each token over the training examples
    length: Tensor  # () to which the weights of each bag are brought; 0: they stay as they are

    def __init__(
        self,
        table: Tensor,
        weight: Tensor,
        mean_bag: Tensor,
        n_dense: int,
        hidden: int,
        dropout: float,
        outputs: int,
        length: float = 0.0,
        members: int = 1,
    ) -> None:
        """Make a network whose outputs are 0 for every example.

        Args:
            table: (V, D).
            weight: (V,) weight of each token in the bag.
            mean_bag: (V,) mean weight of each token over the training examples.
            n_dense: F.
            hidden: H.
            dropout: share of the head's nodes that is left out in training.
            outputs: C.
            length: to which the weights of each bag are brought, as a vector (V,); 0: they stay as they are.
            members: M.
        """
        super().__init__()
        inputs = table.shape[1] + n_dense
        self.table = embedding_layer(table)  # V -> D
        self.register_buffer("weight", weight)
        self.register_buffer("mean_bag", mean_bag)
        self.register_buffer("length", torch.tensor(length, dtype=weight.dtype))
        self.sums = not length
        self.first = nn.Linear(inputs, hidden, dtype=table.dtype)
        self.second = nn.Linear(hidden, hidden, dtype=table.dtype)
        self.dropout = Dropout(dropout)
        self.outer = nn.Linear(hidden, members * outputs, bias=False, dtype=table.dtype)  # (M * C, H) member by member
        self.line = nn.Linear(inputs, outputs, dtype=table.dtype)
        for layer in (self.first, self.second):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
            nn.init.zeros_(layer.bias)
        for parameter in (self.outer.weight, self.line.weight, self.line.bias):
            nn.init.zeros_(parameter)  # outputs start at 0, the mean of standardised targets
        self.views = _signs(members, n_dense, table.dtype)  # (M, F) by which a member multiplies the dense features
        self.signs = _signs(members, hidden, table.dtype)  # (M, H) by which it multiplies the first layer

    def forward(self, lists: Lists, dense: Tensor) -> Tensor:
        """(B, C) the outputs for each example: the mean of the members."""
        return self.of_members(self.coordinates(lists), dense).mean(dim=1)

    def coordinates(self, lists: Lists, token_dropout: float = 0.0) -> Tensor:
        """(B, D) where each example lies, from the mean example on; in training, tokens are left out at random."""
        weight = self.weight[lists.tokens]  # (T,)
        if lists.weights is not None:
            weight = weight * lists.weights.to(weight.dtype)
        if not self.sums:
            squares = weight.new_zeros(len(lists.offsets)).index_add_(0, lists.rows, weight.square())  # (B,)
            weight = weight * (self.length / squares.clamp(min=1e-12).sqrt())[lists.rows]
        if self.training and token_dropout:
            weight = weight * (torch.rand_like(weight) >= token_dropout) / (1 - token_dropout)  # (T,)
        table = self.table.weight
        bag = F.embedding_bag(lists.tokens, table, lists.offsets, mode="sum", per_sample_weights=weight)  # (B, D)
        return bag - self.mean_bag @ table

    def of_members(self, coordinates: Tensor, dense: Tensor) -> Tensor:
        """(B, M, C) the outputs of each member, from coordinates (B, D) and dense features (B, F)."""
        members = len(self.views)
        own = torch.cat([coordinates[:, None].expand(-1, members, -1), dense[:, None] * self.views], dim=2)
        nodes = self.dropout(F.silu(self.first(own) * self.signs))  # (B, M, H)
        nodes = self.dropout(F.silu(self.second(nodes)))  # (B, M, H)
        outer = self.outer.weight.view(members, -1, self.outer.in_features)  # (M, C, H)
        line: Tensor = self.line(torch.cat([coordinates, dense], dim=1))  # (B, C)
        return torch.einsum("bmh,mch->bmc", nodes, outer) + line[:, None]


def _signs(members: int, width: int, dtype: torch.dtype) -> nn.Parameter:
    """(M, width) 1 or -1 by chance, to be learned; 1 for a single member, which needs none."""
    ones = torch.ones(members, width, dtype=dtype)
    if members == 1:
        return nn.Parameter(ones, requires_grad=False)
    return nn.Parameter(ones - 2 * torch.randint_like(ones, 2))


def network_of(state: Mapping[str, Tensor], dropout: float = 0.0) -> TargetNetwork:
    """The network with this state.

    Args:
        state: the network's `state_dict`.
        dropout: share of the head's nodes that is left out if it is trained further.
    """
    table = state["table.weight"]
    hidden, inputs = state["first.weight"].shape
    outputs, n_dense = len(state["line.weight"]), inputs - table.shape[1]
    members, length = len(state.get("views", [1])), float(state.get("length", 0.0))
    network = TargetNetwork(
        table, state["weight"], state["mean_bag"], n_dense, hidden, dropout, outputs, length, members
    )
    # fits of earlier versions have sums, and a head of one member
    network.load_state_dict({"length": network.length, "views": network.views, "signs": network.signs, **state})
    return network


def scorer(weights: Mapping[str, Array], task: Task) -> Scorer:
    """A scorer of lists and their dense features with a trained network; it gives the task's answers.

    Args:
        weights: the state of the network, and the scales of the dense features and of the task.
        task: the task that the network has learned.
    """
    assert isinstance(task, TargetTask)
    network = network_of(tensors(weights)).eval()
    scale, dtype = DenseScale.of(weights), weights["table.weight"].dtype

    def score(lists: Lists, dense: Array) -> Array:
        scaled = torch.from_numpy(scale.forward(dense).astype(dtype))
        outputs = network(lists, scaled).double().numpy()
        return task.answers(outputs, weights)

    return score
