"""Layers that the networks share."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.arrays import Array


def embedding_layer(weights: Tensor, sparse: bool = False) -> nn.Embedding:
    """An embedding layer that starts with these weights and learns them further."""
    layer: nn.Embedding = nn.Embedding.from_pretrained(weights, freeze=False, sparse=sparse)  # type: ignore[no-untyped-call]
    return layer


class Dropout(nn.Module):
    """Leaves nodes out at random in training; the random numbers are the same on every processor.

    PyTorch's own dropout draws them with Intel's library on Intel's processors, and with another one elsewhere.
    """

    def __init__(self, share: float) -> None:
        """Leave out this share of the nodes."""
        super().__init__()
        self.share = share

    def forward(self, nodes: Tensor) -> Tensor:
        """The nodes; in training those left out are 0, and the others are divided by the share that stays."""
        if not (self.training and self.share):
            return nodes
        return nodes * (torch.rand(nodes.shape, device=nodes.device) >= self.share) / (1 - self.share)


def with_one(hidden: Tensor) -> Tensor:
    """(B, D + 1) the hidden nodes and a last one that is always 1, whose weight is the bias."""
    return torch.cat([hidden, torch.ones_like(hidden[:, :1])], dim=1)


def tensor(array: Array, dtype: str) -> Tensor:
    """A tensor of this type, in row-major order."""
    return torch.from_numpy(np.array(array, dtype, order="C"))


def tensors(weights: Mapping[str, Array]) -> dict[str, Tensor]:
    """The network's state among saved weights: all but the scales."""
    return {name: torch.from_numpy(np.array(array)) for name, array in weights.items() if not is_scale(name)}


def state_of(weights: Mapping[str, Array] | None) -> Mapping[str, Tensor]:
    """The state of the network of an earlier fit, from which training goes on; {} where it begins anew."""
    return tensors(weights or {})


def is_scale(name: str) -> bool:
    """Whether a saved array is a scale of the dense features or of the target: it is named `dense_*` or `target_*`."""
    return name.startswith(("dense_", "target_"))
