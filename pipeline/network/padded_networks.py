"""Trained networks as plain modules of PyTorch: padded lists of integers in, scores out, for tools that read such.

Shorter lists are filled up with -1. Letters: B lists, L tokens of the longest list, V vocabulary, D dimensions, F dense
features, Q pieces of a feature.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from pipeline.arrays import Array
from pipeline.config.task import Task
from pipeline.examples.features import DenseScale
from pipeline.network import missing_tokens_network, target_network
from pipeline.network.layers import tensor, tensors
from pipeline.tasks.regression import Regression


class PaddedMissingTokens(nn.Module):
    """Logits (B, V) of lists (B, L)."""

    table: Tensor
    outputs: Tensor
    bias: Tensor
    lift: Tensor
    temperature: Tensor
    step: Tensor
    decay: Tensor

    def __init__(self, weights: Mapping[str, Array], task: Task) -> None:
        """Take the state of a trained network."""
        super().__init__()
        network = missing_tokens_network.network_of(tensors(weights)).eval()
        with torch.no_grad():
            state = {"table": network.table.weight, "outputs": network.outputs(), "bias": network.bias.weight[:, 0]}
            if network.step is not None and network.decay_logit is not None:
                state |= {"step": network.step, "decay": network.decay_logit.sigmoid()}
            self.has_order = network.step is not None
            for name, value in {**state, "lift": network.lift, "temperature": network.temperature}.items():
                self.register_buffer(name, value.detach().float())

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, V)."""
        known = (tokens >= 0).float()  # (B, L)
        if self.has_order:
            age = known.sum(dim=1, keepdim=True) - known.cumsum(dim=1)  # (B, L) how many tokens came after
            known = known * self.decay**age
        vectors = self.table[tokens.clamp(min=0)] * known[..., None]  # (B, L, D)
        total = known.sum(dim=1)
        mean = vectors.sum(dim=1) / torch.where(total > 0, total, 1.0)[:, None]  # (B, D)
        if self.has_order:
            mean = mean @ self.step
        inverse = (mean.square().sum(dim=1) + self.lift.square()).rsqrt()[:, None]  # (B, 1)
        hidden = torch.cat([mean * inverse, self.lift * inverse], dim=1) / self.temperature  # (B, D + 1)
        return hidden @ self.outputs.T + self.bias


class PaddedTarget(nn.Module):
    """Numbers (B,) in the target's unit, or probabilities (B, C), of lists (B, L) and dense features (B, F)."""

    def __init__(self, weights: Mapping[str, Array], task: Task) -> None:
        """Take the state of a trained network, and the scales of its features and of its target."""
        super().__init__()
        self.network = target_network.network_of(tensors(weights)).float().eval()
        scale = DenseScale.of(weights)
        for name in ("median", "mean", "std", "edges", "centre"):
            self.register_buffer(name, tensor(getattr(scale, name), "float32"))
        self.register_buffer("log", tensor(scale.log, "bool"))
        self.is_number = isinstance(task, Regression)
        self.number = [float(weights[f"target_{name}"]) for name in ("log", "mean", "std")] if self.is_number else []

    def forward(self, tokens: Tensor, dense: Tensor) -> Tensor:
        """(B,) or (B, C); a dense feature that is NaN is missing."""
        known, network = (tokens >= 0).float(), self.network
        table = network.table.weight
        weight = network.weight[tokens.clamp(min=0)] * known  # (B, L)
        if not network.sums:
            weight = weight * network.length / weight.square().sum(dim=1, keepdim=True).clamp(min=1e-12).sqrt()
        bag = (table[tokens.clamp(min=0)] * weight[..., None]).sum(dim=1)  # (B, D)
        outputs = network.of_members(bag - network.mean_bag @ table, self.scaled(dense)).mean(dim=1)  # (B, C)
        if not self.is_number:
            return outputs.softmax(dim=1)
        log, mean, std = self.number
        learned = outputs[:, 0] * std + mean
        return learned.exp() if log else learned

    def scaled(self, dense: Tensor) -> Tensor:
        """(B, F + F * Q) the dense features as they are learned; see `DenseScale`."""
        filled = torch.where(dense.isnan(), self.get_buffer("median"), dense)
        filled = torch.where(self.get_buffer("log"), filled.clamp(min=0).log1p(), filled)
        scaled = ((filled - self.get_buffer("mean")) / self.get_buffer("std")).clamp(-5, 5)  # (B, F)
        edges = self.get_buffer("edges")
        width = edges[:, 1:] - edges[:, :-1]  # (F, Q)
        width = torch.where(width > 0, width, torch.inf)
        pieces = ((scaled[:, :, None] - edges[:, :-1]) / width).clamp(0, 1).flatten(1)  # (B, F * Q)
        return torch.cat([scaled, pieces - self.get_buffer("centre")], dim=1)
