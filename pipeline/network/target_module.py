"""How a number or a class is learned: everything except the loss."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy.typing as npt
import torch
from torch import Tensor

from pipeline.embedding import Problem
from pipeline.examples.features import DenseScale
from pipeline.network.batches import Batches
from pipeline.network.modules import Prepared, TaskModule
from pipeline.network.target_network import TargetNetwork, network_of
from pipeline.network.target_start import noise_to_signal, target_network
from pipeline.tasks.target import UNKNOWN_NOISE, TargetTask, TargetTraining, token_dropout

Array = npt.NDArray[Any]


class TargetModule(TaskModule):
    """Learns a column of the records from the tokens and the dense features."""

    network: TargetNetwork
    settings: TargetTraining
    token_dropout = 0.0
    """Share of an example's tokens that are left out at each step."""
    least_noise: ClassVar[float] = 0.0
    """The least ratio of noise to signal that token dropout goes by."""

    @classmethod
    def prepared(
        cls, problem: Problem, settings: Any, steps: int, option: Mapping[str, Any], kept: Mapping[str, Tensor]
    ) -> Prepared:
        """The module at its start, or with the state of its network that an earlier process kept."""
        training, conf = problem.training, problem.conf
        assert isinstance(conf.task, TargetTask)
        assert problem.dimension is not None
        goes_on = problem.start or {}  # an earlier fit reads its features and its target on its own scales
        dense = DenseScale.of(goes_on) if goes_on else DenseScale.fit(training.dense)
        scale = {name: goes_on.get(name, value) for name, value in conf.task.scale(training).items()}
        sets = [
            Batches(
                rows,
                dense.forward(rows.dense).astype(conf.dtype),
                cls.as_learned(conf.task.learned(rows.target, scale), conf.dtype),
            )
            for rows in (training, problem.validation)
            if rows is not None
        ]
        network = (
            network_of(kept, settings.dropout)
            if kept
            else target_network(
                training,
                settings,
                problem.dimension,
                conf.seed,
                sets[0].dense,
                cls.directions(sets[0].target, scale, sets[0].target),
                conf.dtype,
                len(conf.task.prior(scale)),
                option.get("one_length", False),
            )
        )
        if not kept:
            with torch.no_grad():
                network.line.bias.add_(torch.from_numpy(conf.task.prior(scale).astype(conf.dtype)))
        module = cls(network, settings, steps)
        module.token_dropout = option["token_dropout"]
        return Prepared(module, sets, dense.weights | scale)

    @classmethod
    def promising(cls, problem: Problem, settings: Any, among: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The token dropout that conf names, or the one that suits the noise in the target."""
        assert isinstance(settings, TargetTraining)
        if settings.token_dropout is not None:
            return among
        n, v = len(problem.training), len(problem.vocabulary)
        share = token_dropout(v / n, cls._noise_to_signal(problem))
        return [one | {"token_dropout": share} for one in among]

    @classmethod
    def _noise_to_signal(cls, problem: Problem) -> float:
        """Measured on the validation examples, if there are any."""
        training, validation, task = problem.training, problem.validation, problem.conf.task
        assert isinstance(task, TargetTask)
        if validation is None or not len(validation):
            return UNKNOWN_NOISE
        dense, scale = DenseScale.fit(training.dense), task.scale(training)
        known, true = (task.learned(rows.target, scale) for rows in (training, validation))
        found = noise_to_signal(
            (training, validation),
            (dense.forward(training.dense), dense.forward(validation.dense)),
            (cls.directions(known, scale, known), cls.directions(known, scale, true)),
            problem.conf.dtype,
        )
        return max(found, cls.least_noise)

    @classmethod
    def as_learned(cls, learned: Array, dtype: str) -> Array:
        """(N,) the target on the scale that is learned, in the type that the loss takes."""
        return learned.astype(dtype)

    @classmethod
    def directions(cls, learned: Array, scale: Mapping[str, Array], of: Array) -> Array:
        """(N,) or (N, K) what the first directions of the table predict at the start.

        Args:
            learned: the targets of the training examples, as they are learned.
            scale: measured on the training examples.
            of: the targets (N,) of some examples, as they are learned.
        """
        return of

    def loss_of(self, plan: dict[str, Any]) -> Tensor:
        """The loss of a batch; in training, tokens are left out at random."""
        outputs = self.network(plan["inputs"], plan["dense"], self.token_dropout)
        return self.loss_of_outputs(outputs, plan["target"])

    def loss_of_outputs(self, outputs: Tensor, target: Tensor) -> Tensor:
        """The loss of outputs (B, C)."""
        raise AssertionError("a task says what its loss is")

    def configure_optimizers(self) -> Any:
        """AdamW with one weight decay for the table, one for the head's matrices, and none for the other parameters."""
        network = self.network
        matrices = [network.first.weight, network.second.weight, network.outer.weight]
        groups = [
            {"params": [network.table.weight], "weight_decay": self.settings.table_weight_decay},
            {"params": matrices, "weight_decay": self.settings.weight_decay},
            {"params": [network.first.bias, network.second.bias, *network.line.parameters()], "weight_decay": 0.0},
        ]
        return self._along_a_cosine(self._adamw(groups))
