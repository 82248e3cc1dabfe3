"""What Lightning trains: the base class of the modules of all tasks."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, ClassVar, NamedTuple

import pytorch_lightning as L  # noqa: N812 - the name that Lightning's own documentation uses
import torch
from torch import Tensor, nn

from pipeline.arrays import Array
from pipeline.embedding import Problem
from pipeline.errors import PipelineError
from pipeline.network.batches import Batches
from pipeline.network.lists import Lists, moved
from pipeline.network.sampled_softmax import Negatives


class Prepared(NamedTuple):
    """What a training begins with."""

    module: "TaskModule"
    sets: list[Batches]
    """The training examples, and the validation examples if there are any."""
    scales: dict[str, Array]
    """Arrays that scoring needs beside the network."""


class Recipe(NamedTuple):
    """What a training on workers begins with."""

    make: Callable[[list[Batches]], "TaskModule"]
    """Makes the module in a worker, from its part of the sets; all workers call it together."""
    sets: list[Batches]
    """The sets of all workers together, as in `Prepared`."""
    scales: dict[str, Array]


class MeanLoss:
    """The mean loss of the examples so far."""

    def __init__(self, total: Tensor | float = 0.0, examples: int = 0) -> None:
        self.total, self.examples = total, examples

    def add(self, loss: Tensor, examples: int) -> None:
        """Add the mean loss of some more examples."""
        self.total += loss.detach().to(_exact(loss.device)) * examples  # stays on its device: a GPU does not wait
        self.examples += examples

    def over_all(self, trainer: L.Trainer) -> float:
        """The mean over the examples of all processes."""
        total, examples = float(self.total), self.examples
        if trainer.world_size > 1:
            device = trainer.strategy.root_device
            both = torch.tensor([total, examples], dtype=_exact(device), device=device)
            total, examples = trainer.strategy.reduce(both, reduce_op="sum").tolist()
        return total / examples


def _exact(device: torch.device) -> torch.dtype:
    return torch.float32 if device.type == "mps" else torch.float64  # a Mac's GPU has no more


class TaskModule(L.LightningModule):
    """What all tasks share: losses by epoch, and optimisers whose learning rate falls along a cosine to 0."""

    is_divided = False
    """Whether each process has a part of the network of its own."""
    bytes_sent = 0
    """Bytes that this process has sent since the start, to those that have the other parts of the network."""
    keeps_first: ClassVar[bool] = False
    """Whether another of the promising choices than the first has to be better by a standard error."""
    interpolates: ClassVar[bool] = False
    """Whether validation chooses how far the fit goes from the start of training to the last epoch."""

    @classmethod
    def prepared(
        cls, problem: Problem, settings: Any, steps: int, option: Mapping[str, Any], kept: Mapping[str, Tensor]
    ) -> Prepared:
        """The module at its start, or with the state of its network that an earlier process kept.

        Args:
            problem: what to learn, and from which examples.
            settings: the training settings, resolved.
            steps: number of steps until the learning rate is 0; 0: the start is all, and nothing is trained.
            option: which of the settings' choices to try.
            kept: state of the network where an earlier process stopped; empty if there is none.
        """
        raise AssertionError("a task says how its network starts")

    @classmethod
    def divided(cls, problem: Problem, settings: Any, steps: int, option: Mapping[str, Any]) -> Recipe:
        """The module at its start, where each worker has some rows of the table; see `prepared`.

        Raises:
            PipelineError: this task cannot be learned so.
        """
        raise PipelineError(
            f"{problem.conf.file}, training.largest_table={settings.largest_table:g}: the table is larger, and only "
            "missing tokens that are learned with `negatives` can divide it among workers. Raise `largest_table` to "
            "give each worker the whole table, or lower D or `vocabulary.max_size`."
        )

    @classmethod
    def promising(cls, problem: Problem, settings: Any, among: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The settings' choices that are worth a training, with what a setting leaves to the data filled in.

        Args:
            problem: what to learn; where it has validation examples, they choose among those that are left.
            settings: the training settings, resolved.
            among: the settings' choices.
        """
        return among

    @classmethod
    def in_parts(cls, problem: Problem, settings: Any, among: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Candidates that learn what one part of a list says of the other; none where that is not worth a training."""
        return []

    @classmethod
    def in_order(cls, problem: Problem, settings: Any, among: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Candidates that learn the order of lists, beside these; none where there is no order."""
        return []

    def __init__(self, network: nn.Module, settings: Any, steps: int) -> None:
        super().__init__()
        self.network, self.settings, self.steps = network, settings, steps
        self.epoch_losses: dict[str, float] = {}
        """The mean losses of the last epoch, by name. Lightning's own log would take longer than a step."""
        self._training, self._validation = MeanLoss(), MeanLoss()

    def on_train_start(self) -> None:
        """Let each process draw random numbers of its own; one that goes on has them already."""
        if self.global_rank and not self.trainer.global_step:
            torch.manual_seed(torch.initial_seed() + self.global_rank)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the state of the random numbers and the epoch's sums so far, beside the weights."""
        checkpoint["random"] = torch.get_rng_state()
        if self.device.type != "cpu":
            checkpoint["random_on_device"] = torch.get_device_module(self.device).get_rng_state()
        checkpoint["so_far"] = float(self._training.total), self._training.examples

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the saved random numbers and sums."""
        torch.set_rng_state(checkpoint["random"])
        if self.global_rank and not self.is_divided:  # the state is that of the first process
            torch.manual_seed(int(torch.randint(2**62, ())) + self.global_rank)
        if self.device.type != "cpu" and "random_on_device" in checkpoint:
            torch.get_device_module(self.device).set_rng_state(checkpoint["random_on_device"])
        self._training = MeanLoss(*checkpoint["so_far"])

    def training_step(self, batch: dict[str, Any], _: int) -> Tensor:
        """The loss of a training batch."""
        loss = self.loss(batch)
        self._training.add(loss, len(batch["target"]))
        if self.trainer.is_last_batch:
            self.epoch_losses["train_loss"] = self._training.over_all(self.trainer)
            self._training = MeanLoss()
        return loss

    def validation_step(self, batch: dict[str, Any], _: int) -> None:
        """Add up the loss of a validation batch."""
        self._validation.add(self.loss(batch), len(batch["target"]))

    def on_validation_epoch_end(self) -> None:
        """Note the mean loss on validation."""
        self.epoch_losses["validation_loss"] = self._validation.over_all(self.trainer)
        self._validation = MeanLoss()

    def loss(self, batch: dict[str, Any]) -> Tensor:
        """The task's loss of a batch.

        The lists are cut, drawn and numbered by the processor, because what comes out has a size that only the data
        tell. The rest is done where the network is, in one go: a GPU is never waited for within a step.
        """
        return self.loss_of(on_device(self.plan(batch), self.device))

    def plan(self, batch: dict[str, Any]) -> dict[str, Any]:
        """What a step needs of a batch, in the processor's memory."""
        return batch

    def loss_of(self, plan: dict[str, Any]) -> Tensor:
        """The task's loss of a plan, on the device of the network."""
        raise AssertionError("a task says what its loss is")

    def _adamw(self, groups: list[dict[str, Any]], **options: Any) -> torch.optim.Optimizer:
        return torch.optim.AdamW(groups, lr=self.settings.learning_rate, fused=True, **options)

    def _along_a_cosine(self, optimiser: torch.optim.Optimizer) -> dict[str, Any]:
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(self.steps, 1))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def on_device(plan: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    """What a step needs, on a device; what stands there twice is moved once."""
    if device.type == "cpu":
        return dict(plan)
    by_id = {id(value): value for value in plan.values()}
    arrived = {key: value.to(device) if isinstance(value, Lists | Negatives) else value for key, value in by_id.items()}
    arrived |= {key: moved(value, device) for key, value in by_id.items() if isinstance(value, Tensor)}
    return {name: arrived[id(value)] for name, value in plan.items()}


def sets_of(problem: Problem) -> list[Batches]:
    """The training examples, and the validation examples if there are any, with features and targets as they are."""
    return [Batches(one, one.dense, one.target) for one in (problem.training, problem.validation) if one is not None]


def module_of(learner: str) -> type[TaskModule]:
    """The class that Lightning trains, from the module with this full name."""
    return next(
        member
        for member in vars(import_module(learner)).values()
        if isinstance(member, type) and issubclass(member, TaskModule) and member.__module__ == learner
    )
