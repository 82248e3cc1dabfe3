"""Runs Lightning: a module learns from the examples until its schedule ends, on one process or several."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as L  # noqa: N812
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from pipeline.accelerators import accelerator, products_of
from pipeline.arrays import Array
from pipeline.config.training import Schedule
from pipeline.errors import PipelineError
from pipeline.network.callbacks import BestEpoch, BetweenSteps, CheckpointWriter
from pipeline.network.examples_module import ExamplesModule
from pipeline.network.processes import LIGHTNING, interruptible
from pipeline.network.task_module import TaskModule
from pipeline.network.threads import threads_for
from pipeline.quiet import quiet

BEST, LAST = "best.ckpt", "last.ckpt"
"""The files of a checkpoint: the network of the best epoch, and all that a training needs to go on."""


@dataclass(frozen=True)
class TrainedState:
    """The state of a network after an epoch, counted from 1."""

    network: Mapping[str, Tensor]
    epoch: int


class Trained(NamedTuple):
    """What a training ends in."""

    last: Mapping[str, Tensor]
    """The state of the network after the last epoch."""
    best: TrainedState | None
    """The state of the network after the best epoch; None without validation."""
    scales: dict[str, Array]
    """Arrays that scoring needs beside the network."""


def train(
    module: TaskModule,
    epochs: int,
    examples: ExamplesModule,
    keeper: CheckpointWriter,
    callbacks: list[Callback],
    one_thread: bool,
    checkpoint: Path | None,
    where: str,
    worker: Mapping[str, Any] | None = None,
) -> TrainedState | None:
    """Run Lightning to the end of the schedule; return the network of the best epoch, or None without validation.

    A worker returns None, too: its checkpoint has the best epoch.

    Args:
        module: the module to train; afterwards it is in the state of the last epoch.
        epochs: the most epochs to run.
        examples: the training and validation examples.
        keeper: writes the checkpoints; the best network is saved beside them.
        callbacks: more callbacks of Lightning.
        one_thread: whether a step gets one thread, not all that are free.
        checkpoint: the checkpoint to go on from, if there is one.
        where: the conf file's name, for a message.
        worker: if this process is a worker on a cluster, the options with which Lightning trains in it.

    Raises:
        PipelineError: the training diverged.
    """
    settings = module.settings
    one = settings.processes == 1
    with (
        products_of(settings, where),
        quiet(LIGHTNING),
        interruptible(one) as check,
        threads_for(one_thread) as choosers,
    ):
        callbacks = [*callbacks, keeper]
        best = keeper.path.parent / BEST
        if examples.validation is not None:
            callbacks = [BestEpoch(best, settings.patience), *callbacks]  # before the keeper, which saves all states
        if one:  # the others of several processes would count as other work
            callbacks = [*callbacks, *choosers, BetweenSteps(check)]
        trainer = L.Trainer(
            accelerator=accelerator(settings, next(module.network.parameters()).dtype, where),
            **(worker or _on_this_machine(settings)),
            use_distributed_sampler=False,  # each process already has its part of the examples
            max_epochs=epochs,
            limit_val_batches=None if examples.validation is not None else 0,
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=False,
            num_sanity_val_steps=0,
            default_root_dir=keeper.path.parent,
            callbacks=callbacks,
        )
        trainer.fit(module, datamodule=examples, ckpt_path=checkpoint, weights_only=True)
        _require_finite(module.epoch_losses, where)
        if examples.validation is None or worker is not None:
            return None
        found = torch.load(best, weights_only=True, map_location="cpu")  # several processes share only the file
        return TrainedState(**found)


def network_in(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """The state of the network in a checkpoint of Lightning's."""
    state = checkpoint["state_dict"].items()
    return {key.removeprefix("network."): tensor for key, tensor in state if key.startswith("network.")}


def _on_this_machine(settings: Schedule) -> dict[str, Any]:
    return {"devices": settings.devices, "strategy": settings.strategy if settings.devices > 1 else "auto"}


def _require_finite(losses: Mapping[str, float], where: str) -> None:
    """Refuse a training that diverged: it has learned nothing, whatever it scores."""
    if not all(map(math.isfinite, losses.values())):
        raise PipelineError(
            f"{where}, training: the loss is no number any more, the training diverged. Lower `training.learning_rate`."
        )
