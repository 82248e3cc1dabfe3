"""What happens beside the steps of a training: reports of losses, the best epoch, checkpoints, progress."""

import math
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as L  # noqa: N812
import torch
from pytorch_lightning.callbacks import Callback
from tqdm import tqdm  # type: ignore[import-untyped]

from pipeline.embedding import Position, Watch
from pipeline.network.progress import Pace
from pipeline.network.task_module import TaskModule

OnEpoch = Callable[[Mapping[str, float], int], None]
"""Gets the losses of an epoch by name, and the number of the epoch, counted from 1."""
OnResume = Callable[[float], None]
"""Gets the seconds that an earlier process spent."""
CHECKPOINT_SECONDS = 15.0
"""Least seconds between two checkpoints."""
CHECKPOINT_STEPS = 20
"""Steps between two looks at the clock."""
CLEARLY = 1e-4
"""A validation loss counts as lower if it is lower by more than this share of the other. The loss of a few hundred
examples is known to about a hundredth of itself: this is a hundredth of that, and far more than processors differ."""


class LossesByEpoch(Callback):
    """Reports the losses of each epoch; a resumed training first reports those of the earlier process."""

    def __init__(self, on_epoch: OnEpoch) -> None:
        self.on_epoch = on_epoch
        self.seen: list[dict[str, float]] = []

    def on_train_epoch_end(self, trainer: L.Trainer, module: Any) -> None:
        self._hand_on(dict(module.epoch_losses), trainer)

    def _hand_on(self, losses: dict[str, float], trainer: L.Trainer) -> None:
        self.seen.append(losses)
        if trainer.is_global_zero:
            self.on_epoch(losses, len(self.seen))

    def on_save_checkpoint(self, trainer: L.Trainer, module: Any, checkpoint: dict[str, Any]) -> None:
        checkpoint["losses"] = self.seen

    def on_load_checkpoint(self, trainer: L.Trainer, module: Any, checkpoint: dict[str, Any]) -> None:
        for losses in checkpoint["losses"]:
            self._hand_on(losses, trainer)


class CheckpointWriter(Callback):
    """Writes checkpoints with all that a resumed training needs: weights, optimiser, example order, random numbers."""

    def __init__(self, path: Path, on_resume: OnResume, pause: float | None = None) -> None:
        self.path, self.on_resume = path, on_resume
        self.seconds = 0.0  # spent by earlier processes
        self.start = self.written = time.monotonic()
        self.least = self.pause = CHECKPOINT_SECONDS if pause is None else pause

    def on_train_batch_end(self, trainer: L.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if (batch_idx + 1) % CHECKPOINT_STEPS == 0 and batch_idx + 1 < trainer.num_training_batches:
            self._write(trainer, self.pause)

    def on_train_epoch_end(self, trainer: L.Trainer, _: L.LightningModule) -> None:
        # keep the end of a long training: another training of the same fit may still be interrupted
        is_last = trainer.current_epoch + 1 == trainer.max_epochs
        long = time.monotonic() - self.start + self.seconds > CHECKPOINT_SECONDS
        self._write(trainer, 0.0 if is_last and long else self.pause)

    def _write(self, trainer: L.Trainer, pause: float) -> None:
        """Write a checkpoint if the last one is `pause` seconds old; slow writing makes the next pause longer."""
        begin = time.monotonic()
        if trainer.strategy.broadcast(begin - self.written >= pause):  # the clocks of processes differ
            self._save(trainer)
            self.written = time.monotonic()
            self.pause = max(self.least, 20 * (self.written - begin)) if self.least else 0.0

    def _save(self, trainer: L.Trainer) -> None:
        trainer.save_checkpoint(self.path)

    def on_save_checkpoint(self, trainer: L.Trainer, module: Any, checkpoint: dict[str, Any]) -> None:
        checkpoint["seconds"] = self.seconds + time.monotonic() - self.start

    def on_load_checkpoint(self, trainer: L.Trainer, module: Any, checkpoint: dict[str, Any]) -> None:
        self.seconds = checkpoint["seconds"]
        if trainer.is_global_zero:
            self.on_resume(self.seconds)


class BetweenSteps(Callback):
    """Calls a function after each step, of training and of validation."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.call = call

    def on_train_batch_end(self, *_: Any) -> None:
        self.call()

    def on_validation_batch_end(self, *_: Any) -> None:
        self.call()


class BestEpoch(Callback):
    """Keeps the network of the best epoch; a later epoch is better only if its validation loss is clearly lower."""

    def __init__(self, path: Path, patience: int | None) -> None:
        self.path, self.patience = path, patience
        self.epoch, self.loss = 0, math.inf

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        learner = cast("TaskModule", module)
        epoch, loss = trainer.current_epoch + 1, learner.epoch_losses["validation_loss"]
        if loss < self.loss - CLEARLY * abs(self.loss) or math.isinf(self.loss):
            self.epoch, self.loss = epoch, loss
            if trainer.is_global_zero or learner.is_divided:
                torch.save({"network": learner.network.state_dict(), "epoch": epoch}, self.path)
        elif self.patience and epoch - self.epoch >= self.patience:
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "loss": self.loss}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.epoch, self.loss = state_dict["epoch"], state_dict["loss"]


class ProgressBar(Callback):
    """A progress bar in a terminal: what is trained, how much of it is done, and the time left, in all if known."""

    def __init__(self, name: str, position: Position | None) -> None:
        self.name = f"{position.number}/{position.of} {name}" if position else name
        self.end, self.pace = position.end if position else None, Pace(0)

    def on_train_start(self, trainer: L.Trainer, _: L.LightningModule) -> None:
        self.pace = Pace(_steps(trainer))
        self.bar = tqdm(
            total=self.pace.steps,
            desc=self.name,
            bar_format="{desc} {percentage:3.0f}%{postfix} |{bar}|",
            dynamic_ncols=True,
            leave=False,
            disable=not trainer.is_global_zero,
        )

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.pace.count(batch, trainer.world_size)
        left = self.pace.left if self.end is None else self.pace.left_in_all(self.end)
        self.bar.set_postfix_str(left, refresh=False)
        self.bar.update()

    def on_train_end(self, *_: Any) -> None:
        self.bar.close()

    def on_exception(self, *_: Any) -> None:
        if self.pace.steps:
            self.bar.close()


class ProgressLines(Callback):
    """Progress as plain lines, for logs."""

    def __init__(self, name: str, say: Callable[[str], Any]) -> None:
        self.name, self.say, self.pace = name, say, Pace(0)

    def on_train_start(self, trainer: L.Trainer, _: L.LightningModule) -> None:
        self.pace = Pace(_steps(trainer))

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.pace.count(batch, trainer.world_size)
        if batch_idx + 1 < trainer.num_training_batches and self.pace.is_due():
            share = (batch_idx + 1) / trainer.num_training_batches
            self._line(trainer, f"{share:.0%} of it, {self.pace.pairs_per_second}, {self.pace.left}")

    def on_train_epoch_end(self, trainer: L.Trainer, module: Any) -> None:
        if self.pace.is_due():
            self._line(trainer, ", ".join(f"{name} {value:.4f}" for name, value in module.epoch_losses.items()))

    def _line(self, trainer: L.Trainer, said: str) -> None:
        if trainer.is_global_zero:
            self.say(f"{self.name}: epoch {trainer.current_epoch + 1} of at most {trainer.max_epochs}, {said}")


def _steps(trainer: L.Trainer) -> int:
    """Steps left in the schedule; a resumed training has done some already."""
    return int(trainer.num_training_batches * (trainer.max_epochs or 1)) - trainer.global_step


def progress_callbacks(watch: Watch, say: Callable[[str], Any]) -> list[Callback]:
    """A bar in a terminal, lines elsewhere, or nothing; `say` gets the lines."""
    if not watch.shows_progress:
        return []
    return [ProgressBar(watch.name, watch.position) if sys.stderr.isatty() else ProgressLines(watch.name, say)]
