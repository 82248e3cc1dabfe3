"""What a worker on a cluster does: it trains on its own part of the examples, and reports checkpoints to all."""

import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as L  # noqa: N812
import torch

from pipeline.cluster.lightning import trainer_options
from pipeline.cluster.workers import Worker
from pipeline.errors import PipelineError
from pipeline.network.batches import Batches
from pipeline.network.callbacks import CheckpointWriter, LossesByEpoch, ProgressLines
from pipeline.network.examples_module import OwnExamples
from pipeline.network.task_module import TaskModule
from pipeline.network.trainer import BEST, LAST, train


class Order(NamedTuple):
    """What all workers are told."""

    run: str
    """Names the process that waits for the workers; one that goes on with its training later has another name."""
    parts: Any
    """For each worker the sets of examples: see `Worker.own`."""
    module: Any
    """A function that makes the module from the worker's sets: see `Worker.own`."""
    size: int
    """Examples in a worker's part of a batch."""
    seed: int
    epochs: int
    pause: float
    """Least seconds between two checkpoints."""
    name: str
    where: str
    tell: Mapping[str, Callable[..., Any]]
    """Functions that reach the process that waits: `on_epoch`, `say`, `on_resume`, `used` and `failed`."""


class Usage(NamedTuple):
    """What a worker has used."""

    rank: int
    memory: int
    """Bytes at the peak."""
    sent: int
    """Bytes of rows and gradients of a divided table that were sent to other workers, the start not counted in."""
    steps: int


def work(settings: dict[str, Any]) -> None:
    """Train as a worker, from the last checkpoint if there is one."""
    order, worker = Order(**settings), Worker.current()
    try:
        with tempfile.TemporaryDirectory() as name, worker.checkpoint() as kept:
            _train(order, worker, Path(name), kept)
    except PipelineError as error:  # it would come again with new workers, and all workers have it
        if worker.rank == 0:
            order.tell["failed"](str(error))


def _train(order: Order, worker: Worker, folder: Path, kept: Path | None) -> None:
    torch.manual_seed(order.seed)
    sets: list[Batches] = worker.own(order.parts)
    module: TaskModule = worker.own(order.module)(sets)
    of = worker.rank if module.is_divided else 0
    if kept is not None and (kept / file_of(of, BEST)).exists():
        shutil.copy(kept / file_of(of, BEST), folder / BEST)
    train(
        module,
        order.epochs,
        OwnExamples(sets, order.size, order.seed),
        WorkerCheckpoints(folder / LAST, order, worker),
        [LossesByEpoch(order.tell["on_epoch"]), ProgressLines(order.name, order.tell["say"])],
        torch.get_num_threads() == 1,  # otherwise as many threads as the worker has reserved
        kept / file_of(of, LAST) if kept is not None else None,
        order.where,
        trainer_options(module.is_divided),
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    order.tell["used"](Usage(worker.rank, peak, module.bytes_sent, module.trainer.global_step))


def file_of(rank: int, name: str) -> str:
    """The name of a worker's file in a checkpoint."""
    return f"{rank}.{name}"


class WorkerCheckpoints(CheckpointWriter):
    """Reports checkpoints to the cluster, also at the end; each has the best epoch so far beside the last state."""

    def __init__(self, path: Path, order: Order, worker: Worker) -> None:
        super().__init__(path, order.tell["on_resume"], order.pause)
        self.order, self.worker, self.saved_at = order, worker, -1

    def _save(self, trainer: L.Trainer) -> None:
        with tempfile.TemporaryDirectory() as name:
            mine = Path(name)
            path = mine / file_of(self.worker.rank, LAST)
            trainer.save_checkpoint(path)
            best = self.path.parent / BEST
            if path.exists() and best.exists():  # the first worker, or all if each has a part of the network
                shutil.copy(best, mine / file_of(self.worker.rank, BEST))
            self.worker.report(mine)
        self.saved_at = trainer.global_step

    def on_train_end(self, trainer: L.Trainer, _: L.LightningModule) -> None:
        if self.saved_at < trainer.global_step:
            self._save(trainer)

    def on_save_checkpoint(self, trainer: L.Trainer, module: Any, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(trainer, module, checkpoint)
        checkpoint["run"] = self.order.run

    def on_load_checkpoint(self, trainer: L.Trainer, module: Any, checkpoint: dict[str, Any]) -> None:
        self.saved_at = checkpoint["global_step"]
        if checkpoint["run"] == self.order.run:
            self.seconds = checkpoint["seconds"]  # the process that waits has counted them
        else:
            super().on_load_checkpoint(trainer, module, checkpoint)
        if trainer.is_global_zero:
            lost = "a worker was lost" if checkpoint["run"] == self.order.run else "an earlier process stopped"
            self.order.tell["say"](f"{self.order.name}: goes on in epoch {checkpoint['epoch'] + 1}, where {lost}")
