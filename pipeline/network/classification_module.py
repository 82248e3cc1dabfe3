"""How a class is learned: the loss of the network's outputs, one for each class, and where the network starts."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from scipy import linalg
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from pipeline.embedding import Problem
from pipeline.evaluation.selection import first_of_the_best
from pipeline.examples.weighted import weighted
from pipeline.network import class_start
from pipeline.network.class_start import Examples, Linear
from pipeline.network.layers import tensor
from pipeline.network.modules import Prepared, state_of
from pipeline.network.target_module import TargetModule
from pipeline.network.target_network import TargetNetwork
from pipeline.network.target_start import mean_and_factor
from pipeline.tasks.classification import ClassificationTraining, most_solved
from pipeline.tasks.target import UNKNOWN_NOISE

Array = npt.NDArray[Any]


class ClassificationModule(TargetModule):
    """Learns which class belongs to a list."""

    settings: ClassificationTraining
    # where a class is nearly certain, only dropout keeps its logits from growing
    least_noise: ClassVar[float] = UNKNOWN_NOISE

    @classmethod
    def promising(cls, problem: Problem, settings: Any, among: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The start as it is, and a training that goes on from there; with the penalty of the start."""
        (option,) = super().promising(problem, settings, among)
        start = state_of(problem.start)
        ways = [bool(start.get("length", 0))] if start else [False, True]
        option = option | {"one_length": ways[0]}
        if problem.validation is None or not len(problem.validation):
            return [option]
        best = []
        for one_length in ways:
            space = _Space(super().prepared(problem, settings, 1, option | {"one_length": one_length}, start))
            if space.has_learned:  # a refresh of a trained network goes on with it
                return [option]
            training, validation = (space.examples(part, class_start.LOOKED_AT) for part in (0, 1))
            best.append(class_start.best_penalty(training, validation, space.model()))
        kept = first_of_the_best([one.score for one in best], [one.error for one in best])
        option |= {"one_length": ways[kept], "penalty": best[kept].penalty}
        return [{"epochs": 0, **option}, option]

    @classmethod
    def prepared(
        cls, problem: Problem, settings: Any, steps: int, option: Mapping[str, Any], kept: Mapping[str, Tensor]
    ) -> Prepared:
        """The module at its start, which is solved for; or where training has left it."""
        begun = super().prepared(problem, settings, steps, option, kept)
        space = _Space(begun)
        if not space.has_learned:
            rows = space.examples(0, class_start.SOLVED_ON)
            model = class_start.solved(rows, space.model(), option["penalty"])
            space.take(class_start.told_apart(model, rows.bags), stays=bool(kept))
        return begun

    @classmethod
    def as_learned(cls, learned: Array, dtype: str) -> Array:
        """The class indices (N,) unchanged: they name classes and are not numbers to compute with."""
        return learned

    @classmethod
    def directions(cls, learned: Array, scale: Mapping[str, Array], of: Array) -> Array:
        """(N, K) contrasts: the most frequent class against the others, the next one against those left, and so on.

        In training the contrasts are orthogonal and have variance 1, by Gram-Schmidt from the indicators of the
        classes. K is one less than the number of classes in training; other classes have 0 in all contrasts.
        """
        counts = np.bincount(learned, minlength=len(scale["target_classes"]))
        order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts) - 1]
        indicators = (learned[:, None] == order).astype(np.float64)
        contrasts, triangle = np.linalg.qr(indicators - indicators.mean(axis=0))
        of_classes = np.zeros((len(counts), contrasts.shape[1]))
        of_classes[learned] = contrasts * np.sign(np.diag(triangle)) * np.sqrt(len(learned))
        return of_classes[of]

    def loss_of_outputs(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Softmax cross entropy."""
        return F.cross_entropy(outputs, target)


class _Space:
    """The linear part of a network, between its own coordinates and those in which the start is solved for.

    Where bags are sums, all tokens weigh the same there, so that the penalty asks as much of a rare token as of a
    frequent one.
    """

    def __init__(self, begun: Prepared) -> None:
        assert isinstance(begun.module.network, TargetNetwork)
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
        # (D, D) a rotation after which the first coordinates tell the classes apart: an earlier fit may be turned
        self.turn = np.linalg.svd(line, full_matrices=True)[2].T if line.any() else np.eye(d)
        self.table = self.network.table.weight.detach().numpy().astype(np.float64) @ self.turn  # (V, D)

    @property
    def has_learned(self) -> bool:
        """Whether the network is more than its linear part."""
        return bool(self.network.outer.weight.any())

    def examples(self, part: int, most: int) -> Examples:
        """The training examples (part 0), or those of validation (1): at most so many, from all over the set."""
        own = self.sets[part]
        many = max(self.network.line.out_features // class_start.LOGITS, 1)  # classes
        some = np.linspace(0, len(own) - 1, min(most // many, len(own))).round().astype(np.int64)
        bags = weighted(own.rows.cut(some).inputs.csr(), self.weight, one_length=not self.network.sums)
        if not self.network.sums:
            bags *= float(self.network.length)
        return Examples(bags, own.dense[some].astype(np.float64), own.target[some])

    def model(self) -> Linear:
        """The network's linear part, through as many of its D coordinates as tell C classes apart, if there is room."""
        line = self.network.line.weight.detach().numpy().T.astype(np.float64)  # (D + F, C)
        v, d = self.table.shape
        r = min(most_solved(v, d), line.shape[1] - 1)
        own, of_class = self.table[:, :r], (self.turn.T @ line[:d])[:r]
        bias = self.network.line.bias.detach().numpy() - (self._mean @ own) @ of_class
        return Linear(own * self.factor, of_class, line[d:], bias)

    def take(self, model: Linear, stays: bool) -> None:
        """Let the network begin as this model.

        Args:
            model: has as many coordinates as the one that `model` gave, or fewer.
            stays: whether the tokens stay near their places, by a rotation.
        """
        r, own, of_class = len(model.line), self.table.copy(), model.line
        own[:, :r] = np.divide(model.table, self.factor, out=np.zeros_like(model.table), where=self.factor > 0)
        if stays and r:
            turn, _ = linalg.orthogonal_procrustes(own[:, :r], self.table[:, :r])
            own[:, :r], of_class = own[:, :r] @ turn, turn.T @ of_class
        bias = model.bias + (self._mean @ own[:, :r]) @ of_class
        line = np.hstack([of_class.T @ self.turn[:, :r].T, model.dense.T])  # (C, D + F)
        own_line, dtype = self.network.line, str(self.network.weight.dtype).removeprefix("torch.")
        with torch.no_grad():
            self.network.table.weight.copy_(tensor(own @ self.turn.T, dtype))
            own_line.weight.copy_(tensor(line, dtype))
            own_line.bias.copy_(tensor(bias, dtype))

    @property
    def _mean(self) -> Array:
        return np.asarray(self.network.mean_bag.numpy(), np.float64)  # (V,)
