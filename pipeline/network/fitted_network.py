"""A trained network as a `Fitted`: it scores, without Lightning. How it was trained does not belong here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from torch import Tensor

from pipeline.config.dataset import Dataset
from pipeline.embedding import Embedding
from pipeline.examples.features import DenseScale, TargetScale
from pipeline.network.batches import Lists
from pipeline.network.models import MissingTokensNetwork, RegressionNetwork

Array = npt.NDArray[Any]
Network = MissingTokensNetwork | RegressionNetwork


@dataclass(frozen=True)
class FittedNetwork:
    """A trained network."""

    embedding: Embedding  # its table
    weights: Mapping[str, Array]  # the network's state, and the scales in a regression
    conf: Dataset
    chosen: Mapping[str, Any] = field(default_factory=dict)  # epochs

    @cached_property
    def _network(self) -> Any:
        state = {name: torch.from_numpy(np.array(array)) for name, array in self.weights.items() if not _is_scale(name)}
        return network_of(state).eval()

    @cached_property
    def _outputs(self) -> Tensor:
        with torch.inference_mode():
            outputs: Tensor = self._network.outputs()
        return outputs

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """(N, V) a logit for each token, or (N,) a number for each example."""
        lists = Lists.of(inputs)
        with torch.inference_mode():
            if self.conf.task.kind == "missing_tokens":
                return np.asarray(self._network(lists.tokens, lists.offsets, self._outputs).float().numpy())
            dtype = self.weights["table.weight"].dtype
            scaled = torch.from_numpy(DenseScale.of(self.weights).forward(dense).astype(dtype))
            learned = self._network(lists.tokens, lists.offsets, scaled).double().numpy()
        return TargetScale.of(self.weights).inverse(learned)


def network_of(state: Mapping[str, Tensor], dropout: float = 0.0, sparse: bool = False) -> Network:
    """The network whose state this is.

    Args:
        state: what its `state_dict` gave.
        dropout: share of nodes that is left out while it is trained on.
        sparse: whether it is trained by the rows that are touched.
    """
    table = state["table.weight"]
    network: Network
    if "lift" in state:
        lift, temperature = float(state["lift"]), float(state["temperature"])
        network = MissingTokensNetwork(table, state["bias.weight"][:, 0], lift, temperature, dropout, sparse)
    else:
        hidden, inputs = state["first.weight"].shape
        n_dense = inputs - table.shape[1]
        network = RegressionNetwork(table, state["weight"], state["mean_bag"], n_dense, hidden, dropout)
    network.load_state_dict(state)
    return network


def _is_scale(name: str) -> bool:
    return name.startswith(("dense_", "target_"))
