"""How a number or a class is learned, and where its network starts: everything except the loss."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from pipeline.arrays import Array
from pipeline.embedding import Problem, Watch
from pipeline.evaluation.selection import first_of_the_best
from pipeline.examples.features import DenseScale
from pipeline.network.batches import Batches
from pipeline.network.layers import state_of
from pipeline.network.linear_model import Penalties, Tell, Tried, most_apart
from pipeline.network.linear_part import LinearPart
from pipeline.network.progress import Pace
from pipeline.network.target_network import TargetNetwork, network_of
from pipeline.network.target_start import noise_to_signal, target_network
from pipeline.network.task_module import Prepared, TaskModule
from pipeline.tasks.target import TargetTask
from pipeline.tasks.target_training import UNKNOWN_NOISE, TargetTraining, token_dropout


class TargetModule(TaskModule):
    """Learns a column of the records from the tokens and the dense features."""

    network: TargetNetwork
    settings: TargetTraining
    untold: Tensor
    """Outputs of which the training examples tell nothing. They do not compete: all others would rise for ever."""
    token_dropout = 0.0
    """Share of an example's tokens that are left out at each step."""
    least_noise: ClassVar[float] = 0.0
    """The least ratio of noise to signal that token dropout goes by."""
    trains_what_is_solved: ClassVar[bool] = True
    """Whether training begins at the linear model that is solved for. Otherwise it begins at outputs that are the same
    for all, and the linear model is another candidate."""

    @classmethod
    def prepared(
        cls, problem: Problem, settings: Any, steps: int, option: Mapping[str, Any], kept: Mapping[str, Tensor]
    ) -> Prepared:
        """The module at its start, whose linear part may be solved for; or where training has left it."""
        begun = cls._begun(problem, settings, steps, option, kept)
        if not steps or cls.trains_what_is_solved:
            part = cls._linear_part(begun)
            if not part.has_learned:
                part.solve(Penalties(option["penalty"], option["dense_penalty"]), stays=bool(kept))
        return begun

    @classmethod
    def _begun(
        cls, problem: Problem, settings: Any, steps: int, option: Mapping[str, Any], kept: Mapping[str, Tensor]
    ) -> Prepared:
        """As in `prepared`, with a linear part that is not solved for."""
        training, conf = problem.training, problem.conf
        assert isinstance(conf.task, TargetTask)
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
        network = cls._network(problem, settings, option, kept, sets[0], scale)
        module = cls(network, settings, steps)
        module.token_dropout = option["token_dropout"]
        untold = np.flatnonzero(~cls.is_told(sets[0].target, network.line.out_features))
        module.register_buffer("untold", torch.from_numpy(untold), persistent=False)
        return Prepared(module, sets, dense.weights | scale)

    @classmethod
    def _network(
        cls,
        problem: Problem,
        settings: Any,
        option: Mapping[str, Any],
        kept: Mapping[str, Tensor],
        training: Batches,
        scale: Mapping[str, Array],
    ) -> TargetNetwork:
        """The network where training has left it, or else at its start, where it gives the prior of the task."""
        conf, task = problem.conf, problem.conf.task
        assert isinstance(task, TargetTask)
        assert problem.dimension is not None
        if kept:
            return network_of(kept, settings.dropout)
        prior = task.prior(scale)
        network = target_network(
            problem.training,
            settings,
            problem.dimension,
            conf.seed,
            training.dense,
            cls.directions(training.target, scale, training.target),
            conf.dtype,
            len(prior),
            option["one_length"],
            cls.trains_what_is_solved,
        )
        with torch.no_grad():
            network.line.bias.add_(torch.from_numpy(prior.astype(conf.dtype)))
        return network

    @classmethod
    def promising(cls, problem: Problem, settings: Any, among: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """A linear model that is solved for, with the bags and the penalties that suit it best, and a training.

        A training that begins there has the same bags. One that begins elsewhere has sums: with bags of one length it
        learned the prices of long descriptions worse.
        """
        task = problem.conf.task
        assert isinstance(settings, TargetTraining)
        assert isinstance(task, TargetTask)
        assert problem.dimension is not None
        (option,) = among
        if settings.token_dropout is None:
            n, v = len(problem.training), len(problem.vocabulary)
            option = option | {"token_dropout": token_dropout(v / n, cls._noise_to_signal(problem))}
        start = state_of(problem.start)
        ways = [bool(start.get("length", 0))] if start else [False, True]
        option = option | {"one_length": ways[0]}
        if not problem.validation:
            return [option]
        best, tell = [], cls._progress(problem.watch)
        outputs = len(task.prior(task.scale(problem.training)))
        solved = replace(problem, dimension=min(problem.dimension, most_apart(outputs)))  # all that penalties act on
        for one_length in ways:
            begun = cls._begun(solved, settings, 1, option | {"one_length": one_length}, start)
            part = cls._linear_part(begun)
            if part.has_learned:  # a refresh of a trained network goes on with it
                return [option]
            best.append(part.best_penalties(tell))
        kept = first_of_the_best([one.score for one in best], [one.error for one in best])
        penalty, dense_penalty = best[kept].penalties
        option |= {"one_length": ways[kept], "penalty": penalty, "dense_penalty": dense_penalty}
        if cls.trains_what_is_solved:
            return [option]
        return [option | {"one_length": ways[0]}, {"epochs": 0, **option}]

    @classmethod
    def _progress(cls, watch: Watch) -> Tell:
        pace = Pace(0)

        def tell(tried: Tried) -> None:
            if watch.shows_progress and pace.is_due():
                penalty, loss = f"penalty {tried.penalties.tokens:g}", f"validation loss {-tried.score:.4f}"
                watch.log.info(f"{watch.name}: a linear model with {penalty}, {loss}")

        return tell

    @classmethod
    def _linear_part(cls, begun: Prepared) -> LinearPart:
        assert isinstance(begun.module, cls)
        untold = begun.module.untold

        def losses(outputs: Array, target: Array) -> tuple[Array, Array]:
            leaf = shown = torch.from_numpy(outputs).requires_grad_()
            if len(untold) and not np.isin(target, untold.numpy()).any():
                shown = leaf.index_fill(1, untold, -torch.inf)
            each = cls.losses(begun.module.settings, shown, torch.from_numpy(target))
            (along,) = torch.autograd.grad(each.sum(), leaf)
            return each.detach().numpy(), along.numpy()

        return LinearPart(begun, losses)

    @classmethod
    def _noise_to_signal(cls, problem: Problem) -> float:
        """The ratio of noise to signal on the validation examples; `UNKNOWN_NOISE` if there are none."""
        training, validation, task = problem.training, problem.validation, problem.conf.task
        assert isinstance(task, TargetTask)
        if not validation:
            return UNKNOWN_NOISE
        dense, scale = DenseScale.fit(training.dense), task.scale(training)
        known, true = (task.learned(rows.target, scale) for rows in (training, validation))
        ratio = noise_to_signal(
            (training, validation),
            (dense.forward(training.dense), dense.forward(validation.dense)),
            (cls.directions(known, scale, known), cls.directions(known, scale, true)),
            problem.conf.dtype,
        )
        return max(ratio, cls.least_noise)

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

    @classmethod
    def is_told(cls, learned: Array, outputs: int) -> Array:
        """(C,) whether the training examples tell anything about each output; otherwise it stays what it was.

        Args:
            learned: the targets of the training examples, as they are learned.
            outputs: C.
        """
        return np.ones(outputs, dtype=bool)

    @classmethod
    def losses(cls, settings: Any, outputs: Tensor, target: Tensor) -> Tensor:
        """(B,) the loss of each example, from outputs (B, C) and targets (B,)."""
        raise AssertionError("a task says what its loss is")

    def loss_of(self, plan: dict[str, Any]) -> Tensor:
        """The loss of a batch; in training each member of the head has its own, and tokens are left out at random."""
        if not self.training:
            return self.losses(self.settings, self.network(plan["inputs"], plan["dense"]), plan["target"]).mean()
        coordinates = self.network.coordinates(plan["inputs"], self.token_dropout)
        outputs = self.network.of_members(coordinates, plan["dense"])  # (B, M, C)
        if len(self.untold):
            outputs = outputs.index_fill(2, self.untold, -torch.inf)
        target = plan["target"].repeat_interleave(outputs.shape[1])
        return self.losses(self.settings, outputs.flatten(0, 1), target).mean()

    def configure_optimizers(self) -> Any:
        """AdamW with one weight decay for the table, one for the head's matrices, and none for the other parameters."""
        network = self.network
        assert self.settings.weight_decay is not None
        matrices = [network.first.weight, network.second.weight, network.outer.weight]
        others = [network.first.bias, network.second.bias, *network.line.parameters(), network.views, network.signs]
        groups = [
            {"params": [network.table.weight], "weight_decay": self.settings.table_weight_decay},
            {"params": matrices, "weight_decay": self.settings.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        return self._along_a_cosine(self._adamw(groups))
