"""Layers that the networks share."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn


def embedding_layer(weights: Tensor, sparse: bool = False) -> nn.Embedding:
    """An embedding layer with these weights, which are learned from here on."""
    layer: nn.Embedding = nn.Embedding.from_pretrained(weights, freeze=False, sparse=sparse)  # type: ignore[no-untyped-call]
    return layer


class Dropout(nn.Module):
    """Leaves nodes out at random while training, by numbers that are the same on every processor.

    PyTorch's own draws them by Intel's library where the processor is Intel's, and by another one elsewhere.
    """

    def __init__(self, share: float) -> None:
        """Leave out this share of the nodes."""
        super().__init__()
        self.share = share

    def forward(self, nodes: Tensor) -> Tensor:
        """The nodes; while training those that are left out are 0, and the others larger by as much."""
        if not (self.training and self.share):
            return nodes
        return nodes * (torch.rand(nodes.shape) >= self.share) / (1 - self.share)


def tensor(array: npt.NDArray[Any], dtype: str) -> Tensor:
    """A tensor of this type, of which the rows lie side by side."""
    return torch.from_numpy(np.array(array, dtype, order="C"))


def tensors(weights: Mapping[str, npt.NDArray[Any]]) -> dict[str, Tensor]:
    """The state of a network among saved weights: the others, of which it has no layer, are scales."""
    return {
        name: torch.from_numpy(np.array(array))
        for name, array in weights.items()
        if not name.startswith(("dense_", "target_"))
    }
