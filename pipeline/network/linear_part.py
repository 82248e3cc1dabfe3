"""The linear part of a network for a number or a class, in the coordinates in which it is solved for."""

import numpy as np
import torch
from scipy import linalg

from pipeline.arrays import Array
from pipeline.examples.weighted import weighted
from pipeline.network import linear_model
from pipeline.network.layers import tensor
from pipeline.network.linear_model import Examples, Linear, Losses, Penalties, Tell, Tried
from pipeline.network.target_network import TargetNetwork
from pipeline.network.target_start import mean_and_factor
from pipeline.network.task_module import Prepared
from pipeline.tasks.target_training import most_solved


class LinearPart:
    """The linear part of a network: it can be solved for as long as the network has learned nothing more.

    Where bags are sums, all tokens weigh the same there, so that the penalty asks as much of a rare token as of a
    frequent one.
    """

    def __init__(self, begun: Prepared, losses: Losses) -> None:
        """Read the linear part of a network.

        Args:
            begun: the network, and the examples that it learns from.
            losses: of the task.
        """
        assert isinstance(begun.module.network, TargetNetwork)
        self.losses = losses
        self.dtype = str(begun.module.network.weight.dtype).removeprefix("torch.")
        self.network, self.sets = begun.module.network, begun.sets
        own = self.network.weight.numpy().astype(np.float64)  # (V,)
        if self.network.sums:
            _, scale = mean_and_factor(self.sets[0].rows.inputs.csr())
            self.weight = np.where(own > 0, scale, 0.0)  # (V,) of a token in a bag
        else:
            self.weight = own
        # (V, 1) of a token's row in the table; 0 where no training example has it
        self.factor = np.divide(own, self.weight, out=np.zeros_like(own), where=own > 0)[:, None]
        d = self.network.table.weight.shape[1]
        line = self.network.line.weight.detach().numpy()[:, :d].astype(np.float64)
        # (D, D) a rotation after which the first coordinates move the outputs: an earlier fit may be turned
        self.turn = np.linalg.svd(line, full_matrices=True)[2].T if line.any() else np.eye(d)
        self.table = self.network.table.weight.detach().numpy().astype(np.float64) @ self.turn  # (V, D)

    @property
    def has_learned(self) -> bool:
        """Whether the network is more than its linear part."""
        return bool(self.network.outer.weight.any())

    def best_penalties(self, tell: Tell) -> Tried:
        """The penalties that validation prefers; `tell` hears of each that was tried."""
        training, validation = (self._examples(part, linear_model.LOOKED_AT) for part in (0, 1))
        effort = linear_model.CHOOSING[self.dtype]
        return linear_model.best_penalties(training, validation, self._model(), self.losses, effort, tell)

    def solve(self, penalties: Penalties, stays: bool) -> None:
        """Solve for the linear model, and let the network begin there.

        Args:
            penalties: see `linear_model`.
            stays: whether the tokens stay near their places, by a rotation.
        """
        rows = self._examples(0, linear_model.SOLVED_ON)
        model = linear_model.solved(rows, self._model(), penalties, self.losses, linear_model.KEEPING[self.dtype])
        self._take(linear_model.told_apart(model, rows.bags), stays)

    def _examples(self, part: int, most: int) -> Examples:
        """At most so many training examples (part 0) or validation examples (part 1), spread over the whole set."""
        own = self.sets[part]
        many = max(self.network.line.out_features // linear_model.OUTPUTS, 1)
        some = np.linspace(0, len(own) - 1, min(most // many, len(own))).round().astype(np.int64)
        bags = weighted(own.rows.cut(some).inputs.csr(), self.weight, one_length=not self.network.sums)
        if not self.network.sums:
            bags *= float(self.network.length)
        target = own.target[some]  # (n,) numbers, or the indices of classes
        target = target.astype(np.float64) if target.dtype.kind == "f" else target
        return Examples(bags, own.dense[some].astype(np.float64), target)

    def _model(self) -> Linear:
        """The network's linear part, through the first of its D coordinates: as many as can move C outputs apart."""
        line = self.network.line.weight.detach().numpy().T.astype(np.float64)  # (D + F, C)
        v, d = self.table.shape
        r = min(most_solved(v, d), linear_model.most_apart(line.shape[1]))
        own, of_class = self.table[:, :r], (self.turn.T @ line[:d])[:r]
        bias = self.network.line.bias.detach().numpy() - (self._mean @ own) @ of_class
        return Linear(own * self.factor, of_class, line[d:], bias)

    def _take(self, model: Linear, stays: bool) -> None:
        """Let the network begin as this model, which has the coordinates of `_model` or fewer."""
        r, own, of_class = len(model.line), self.table.copy(), model.line
        own[:, :r] = np.divide(model.table, self.factor, out=np.zeros_like(model.table), where=self.factor > 0)
        if stays and r:
            turn, _ = linalg.orthogonal_procrustes(own[:, :r], self.table[:, :r])
            own[:, :r], of_class = own[:, :r] @ turn, turn.T @ of_class
        bias = model.bias + (self._mean @ own[:, :r]) @ of_class
        line = np.hstack([of_class.T @ self.turn[:, :r].T, model.dense.T])  # (C, D + F)
        own_line = self.network.line
        with torch.no_grad():
            self.network.table.weight.copy_(tensor(own @ self.turn.T, self.dtype))
            own_line.weight.copy_(tensor(line, self.dtype))
            own_line.bias.copy_(tensor(bias, self.dtype))

    @property
    def _mean(self) -> Array:
        return np.asarray(self.network.mean_bag.numpy(), np.float64)  # (V,)
