"""The learned fit: an embedding layer of D nodes, trained for the task. The only importer of Lightning.

Batches are cut straight from the CSR matrix, there is no Python per example. The same seed gives the same bits on a CPU
with the same number of threads. What the networks look like is in `models`.
"""

import logging
import math
import re
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy.typing as npt
import pytorch_lightning as L  # noqa: N812 - the name that Lightning's own documentation uses
import torch
from filelock import FileLock, Timeout
from pytorch_lightning.callbacks import Callback, TQDMProgressBar
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from pipeline import config
from pipeline.batches import Batches, Lists, Loader
from pipeline.embedding import Embedding, Fitted
from pipeline.errors import PipelineError
from pipeline.evaluation import judge, measure, most_telling
from pipeline.fitted_network import FittedNetwork, network_of
from pipeline.intervals import difference, resampled
from pipeline.losses import softmax_loss
from pipeline.models import MissingTokensNetwork, RegressionNetwork
from pipeline.numbers import DenseScale, TargetScale
from pipeline.progress import Pace
from pipeline.rows import Rows
from pipeline.starts import missing_tokens_network, regression_network
from pipeline.touched import Proposal, RowAdagrad, Touched, renumbered
from pipeline.tuning import tuned
from pipeline.vocabulary import Vocabulary

Array = npt.NDArray[Any]

OnEpoch = Callable[[Mapping[str, float], int], None]
"""Gets the losses of an epoch by name, and the epoch from 1."""
OnResume = Callable[[float], None]
"""Gets the seconds that an earlier process spent."""
CHECKPOINT, BEST = "last.ckpt", "best.ckpt"
CHECKPOINT_SECONDS = 15.0
"""At least between two checkpoints."""
CHECKPOINT_STEPS = 20
"""So often it is looked at the clock."""
SCORED_AT_ONCE = 1024
"""Examples of a batch where nothing is learned from them."""
CLEARLY = 1e-4
"""Share of a validation loss by which another one has to be lower to count as such. The loss of a few hundred examples
is known to about a hundredth of itself: this is a hundredth of that, and far more than processors differ by."""
WORK_OF_ONE_THREAD = 10**9
"""Examples of a batch x tokens x dimensions: below it a step has one thread."""


class _Module(L.LightningModule):
    """What both tasks share: losses that are logged by epoch, a learning rate along a cosine to 0."""

    def __init__(self, network: nn.Module, settings: Any, steps: int) -> None:
        super().__init__()
        self.network, self.settings, self.steps = network, settings, steps
        self.loss_so_far = self.examples_so_far = 0.0  # of the epoch

    def _log_loss(self, name: str, loss: Tensor | float, size: int) -> None:
        together = self.trainer.world_size > 1
        self.log(name, loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=size, sync_dist=together)

    def on_train_start(self) -> None:
        """Each process draws random numbers of its own."""
        if self.global_rank:
            torch.manual_seed(torch.initial_seed() + self.global_rank)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The state of the random numbers goes with the weights, and what the epoch has come to."""
        checkpoint["random"] = torch.get_rng_state()
        checkpoint["so_far"] = self.loss_so_far, self.examples_so_far

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the same random numbers, from there."""
        torch.set_rng_state(checkpoint["random"])
        self.loss_so_far, self.examples_so_far = checkpoint["so_far"]

    def training_step(self, batch: dict[str, Any], _: int) -> Tensor:
        """One batch of training examples; the epoch's mean loss is logged once, as logging takes longer than a step."""
        loss = self.loss(batch)
        self.loss_so_far += float(loss.detach()) * len(batch["target"])
        self.examples_so_far += len(batch["target"])
        if self.trainer.is_last_batch:
            self._log_loss("train_loss", self.loss_so_far / self.examples_so_far, int(self.examples_so_far))
            self.loss_so_far = self.examples_so_far = 0.0
        return loss

    def validation_step(self, batch: dict[str, Any], _: int) -> None:
        """One batch of validation examples."""
        self._log_loss("validation_loss", self.loss(batch), len(batch["target"]))

    def loss(self, batch: dict[str, Any]) -> Tensor:
        """The task's loss of a batch."""
        raise AssertionError("a task says what its loss is")

    def _adamw(self, groups: list[dict[str, Any]], **options: Any) -> torch.optim.Optimizer:
        return torch.optim.AdamW(groups, lr=self.settings.learning_rate, fused=True, **options)

    def _along_a_cosine(self, optimiser: torch.optim.Optimizer) -> dict[str, Any]:
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(self.steps, 1))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class _MissingTokens(_Module):
    network: MissingTokensNetwork
    settings: config.MissingTokensTraining

    def __init__(self, network: nn.Module, settings: config.MissingTokensTraining, steps: int, counts: Array) -> None:
        super().__init__(network, settings, steps)
        self.proposal = Proposal(torch.from_numpy(counts)) if settings.negatives else None
        self.touched = Touched(len(counts))

    def loss(self, batch: dict[str, Any]) -> Tensor:
        """Softmax cross entropy; in training a share of each list goes in, by default all, and all of it is a label."""
        settings = self.settings
        whole: Lists = batch["inputs"]
        inputs, labels = whole, whole if self.training else batch["labels"]
        excluded = None if self.training else inputs
        if settings.decoupled:
            excluded = whole if self.training else inputs.joined(labels)
        if self.training and settings.input_share != (1.0, 1.0):
            inputs = whole.keep(_some_of(whole, *settings.input_share))
        power = settings.label_power if self.training else 1.0
        if self.proposal is None:
            hidden = self.network.hidden_of(inputs.mean(self.network.table.weight))
            bias = self.network.bias.weight[:, 0]
            return softmax_loss(hidden, self.network.outputs(), bias, labels, power, excluded)
        return self._loss_of_touched(inputs, labels, excluded, power)

    def _loss_of_touched(self, inputs: Lists, labels: Lists, excluded: Lists | None, power: float) -> Tensor:
        """The same loss, on the rows of the batch and of drawn tokens; always the same ones judge."""
        network = self.network
        assert self.settings.negatives
        assert self.proposal is not None
        generator = None if self.training else torch.Generator().manual_seed(0)
        drawn = self.proposal.draw(self.settings.negatives, generator)
        same = labels is inputs
        touched, numbers = self.touched.number(drawn.tokens, inputs.tokens, *([] if same else [labels.tokens]))
        lists = renumbered(inputs, numbers, len(touched))
        places = network.table(touched)  # (U, D)
        return softmax_loss(
            network.hidden_of(lists.mean(places)),
            network.lifted(places),
            network.bias(touched)[:, 0],
            lists if same else renumbered(labels, numbers, len(touched)),
            power,
            excluded._replace(tokens=numbers[excluded.tokens]) if excluded is not None else None,
            drawn.at(numbers),
        )

    def configure_optimizers(self) -> Any:
        """The biases have a learning rate of their own, the table alone has weight decay."""
        groups = [
            {"params": [self.network.table.weight], "weight_decay": self.settings.weight_decay},
            {"params": [self.network.bias.weight], "weight_decay": 0.0, "lr": self.settings.bias_learning_rate},
        ]
        if self.proposal is not None:
            assert self.settings.learning_rate is not None
            return self._along_a_cosine(RowAdagrad(groups, lr=self.settings.learning_rate))
        return self._along_a_cosine(self._adamw(groups, betas=(0.9, 0.99)))


class _Regression(_Module):
    network: RegressionNetwork
    settings: config.RegressionTraining

    def loss(self, batch: dict[str, Any]) -> Tensor:
        """Huber loss of the standardised target."""
        inputs: Lists = batch["inputs"]
        assert self.settings.token_dropout is not None
        predicted = self.network(inputs.tokens, inputs.offsets, batch["dense"], self.settings.token_dropout)
        return F.huber_loss(predicted, batch["target"], delta=self.settings.huber)

    def configure_optimizers(self) -> Any:
        """Its own weight decay for the table and for the head's matrices, none for the rest."""
        network = self.network
        matrices = [network.first.weight, network.second.weight, network.outer.weight]
        groups = [
            {"params": [network.table.weight], "weight_decay": self.settings.table_weight_decay},
            {"params": matrices, "weight_decay": self.settings.weight_decay},
            {"params": [network.first.bias, network.second.bias, *network.line.parameters()], "weight_decay": 0.0},
        ]
        return self._along_a_cosine(self._adamw(groups))


def _some_of(lists: Lists, low: float, high: float) -> Tensor:
    """Marks (T,) a random share of each list, between low and high, and at least its first token."""
    share = low + (high - low) * torch.rand(len(lists.offsets))
    kept = torch.rand(len(lists.tokens)) < share[lists.rows]
    nothing = torch.bincount(lists.rows[kept], minlength=len(lists.offsets)) == 0
    lengths = torch.bincount(lists.rows, minlength=len(lists.offsets))
    kept[lists.offsets[nothing & (lengths > 0)]] = True
    return kept


def fit_network(
    training: Rows,
    vocabulary: Vocabulary,
    conf: config.Dataset,
    dimension: int,
    validation: Rows | None = None,
    chosen: Mapping[str, Any] | None = None,
    *,
    name: str,
    on_epoch: OnEpoch,
    log: logging.Logger,
    checkpoints: Path | None = None,
    on_resume: OnResume | None = None,
) -> FittedNetwork:
    """Train the network of the task to the end of its schedule.

    The last epoch is kept, where learning has come to rest; an earlier one only if validation shows that it is better.

    Args:
        training: the training examples.
        vocabulary: of V tokens.
        conf: the dataset, its training settings resolved.
        dimension: D.
        validation: the examples that choose the epoch; without any the last one is kept.
        chosen: the epochs that validation chose before: the same schedule is followed as far as that.
        name: what lines of progress begin with.
        on_epoch: gets train_loss and validation_loss, and the epoch from 1.
        log: gets lines of progress where there is no terminal.
        checkpoints: a folder for the state of a long training; the same call goes on from what it finds there.
        on_resume: gets the seconds that an earlier process had spent, where this one goes on.

    Raises:
        PipelineError: the training diverged.
    """
    settings = conf.training
    temperatures = settings.temperature if isinstance(settings, config.MissingTokensTraining) else None
    among: list[dict[str, Any]] = [{"temperature": value} for value in temperatures or ()] or [{}]
    losses: dict[int, list[Any]] = {}

    def fit(**options: Any) -> FittedNetwork:
        seen: list[Any] = []
        live = on_epoch if chosen is not None or len(among) == 1 else (lambda *epoch: seen.append(epoch))
        said = {"on_epoch": live, "say": log.info, "on_resume": on_resume or (lambda seconds: None)}
        with _folder(checkpoints, name, options) as folder:
            fitted = _fit(training, vocabulary, conf, dimension, validation, name, said, folder, **options)
        losses[id(fitted)] = seen
        return fitted

    fitted = tuned(fit, among, conf, validation, chosen)
    for epoch in losses[id(fitted)]:
        on_epoch(*epoch)
    return fitted


@contextmanager
def _folder(checkpoints: Path | None, name: str, options: Mapping[str, Any]) -> Iterator[Path]:
    """Where the checkpoints of one training are; gone with a training that diverged.

    Another process that trains the very same at the same time has the folder for itself: this one uses a passing one.
    """
    own = "-".join([name, *(f"{key}={value}" for key, value in options.items())])
    with tempfile.TemporaryDirectory() as passing, ExitStack() as held:
        folder = Path(passing)
        if checkpoints is not None:
            shared = checkpoints / re.sub(r"[^\w.=-]+", "-", own)
            shared.mkdir(parents=True, exist_ok=True)
            with suppress(Timeout):
                held.enter_context(FileLock(shared / "lock", timeout=0))
                folder = shared
        try:
            yield folder
        except PipelineError:
            for path in folder.glob("*.ckpt"):
                path.unlink()
            raise


def _fit(
    training: Rows,
    vocabulary: Vocabulary,
    conf: config.Dataset,
    dimension: int,
    validation: Rows | None,
    name: str,
    said: Mapping[str, Callable[..., Any]],
    folder: Path,
    *,
    epochs: int | None = None,
    temperature: float | None = None,
) -> FittedNetwork:
    settings = conf.training
    assert settings.batch_size is not None
    assert settings.max_epochs is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(conf.seed)
        checkpoint, kept = _going_on(folder, said["say"], name)
        module, sets, scales = _prepared(training, validation, conf, dimension, temperature, kept)
        done = [0]

        def on_epoch(losses: Mapping[str, float], epoch: int) -> None:
            done.append(epoch)
            said["on_epoch"](losses, epoch)

        heard: dict[str, Callable[..., Any]] = {**said, "on_epoch": on_epoch}
        with _from_other_processes(heard) if settings.devices > 1 else nullcontext(heard) as tell:
            best = _train(
                module,
                epochs or settings.max_epochs,
                _Examples(sets, _batch_size(settings), conf.seed),
                _Checkpoint(folder / CHECKPOINT, tell["on_resume"]),
                [_Losses(tell["on_epoch"]), _progress(name, tell["say"])],
                settings.batch_size * len(vocabulary) * (dimension + 1),
                checkpoint,
                conf.file,
            )
        last = _State(module.network.state_dict(), done[-1])

    def made(state: _State) -> FittedNetwork:
        arrays = scales | {key: tensor.numpy() for key, tensor in state.network.items()}
        found = {"epochs": state.epoch} | ({} if temperature is None else {"temperature": temperature})
        return FittedNetwork(Embedding(vocabulary, arrays["table.weight"].astype("float32")), arrays, conf, found)

    if best is None or best.epoch == last.epoch:
        return made(last)
    if settings.patience:
        return made(best)
    assert validation is not None
    return made(best) if _is_better(made(best), made(last), validation, conf) else made(last)


def _prepared(
    training: Rows,
    validation: Rows | None,
    conf: config.Dataset,
    dimension: int,
    temperature: float | None,
    kept: Mapping[str, Tensor],
) -> tuple[_Module, list[Batches], dict[str, Array]]:
    """The module at its start, or with the network that was kept; the examples to learn from; and their scales."""
    settings = conf.training
    both = [rows for rows in (training, validation) if rows is not None]
    steps = math.ceil(math.ceil(len(training) / settings.devices) / _batch_size(settings)) * (settings.max_epochs or 1)
    if isinstance(settings, config.MissingTokensTraining):
        assert temperature is not None
        network = (
            network_of(kept, settings.dropout, sparse=bool(settings.negatives))
            if kept
            else missing_tokens_network(training, settings, dimension, temperature, conf.seed, conf.dtype)
        )
        sets = [Batches(rows, rows.dense, rows.target) for rows in both]
        return _MissingTokens(network, settings, steps, training.inputs.counts), sets, {}
    assert isinstance(conf.task, config.Regression)
    dense, target = DenseScale.fit(training.dense), TargetScale.fit(training.target, conf.task.log)
    sets = [
        Batches(rows, dense.forward(rows.dense).astype(conf.dtype), target.forward(rows.target).astype(conf.dtype))
        for rows in both
    ]
    network = (
        network_of(kept, settings.dropout)
        if kept
        else regression_network(training, settings, dimension, conf.seed, sets[0].dense, sets[0].target, conf.dtype)
    )
    return _Regression(network, settings, steps), sets, dense.weights | target.weights


def _batch_size(settings: config.MissingTokensTraining | config.RegressionTraining) -> int:
    """Of one process: all of them together take a batch."""
    return math.ceil((settings.batch_size or 1) / settings.devices)


def _going_on(folder: Path, say: Callable[[str], Any], name: str) -> tuple[Path | None, Mapping[str, Tensor]]:
    """The checkpoint of an earlier process and the state of its network, if there is one that can be read."""
    path = folder / CHECKPOINT
    if not path.exists():
        return None, {}
    try:
        kept = torch.load(path, weights_only=True, mmap=True)
        epoch, network = int(kept["epoch"]), _network_in(kept)
    except Exception:  # cut short, or of another version: whatever it is, it is no loss but of time
        path.unlink()
        say(f"{name}: the checkpoint in {folder} cannot be read, training begins anew")
        return None, {}
    say(f"{name}: goes on in epoch {epoch + 1}, where an earlier process stopped")
    return path, network


def _network_in(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    state = checkpoint["state_dict"].items()
    return {key.removeprefix("network."): tensor for key, tensor in state if key.startswith("network.")}


def _is_better(fitted: Fitted, other: Fitted, validation: Rows, conf: config.Dataset) -> bool:
    """Whether the validation examples show a difference in the most telling metric."""
    scores = [judge(one, validation) for one in (fitted, other)]
    values, drawn = [measure(frame, conf.logs) for frame in scores], resampled(scores, conf.logs)
    metric = most_telling(values[0])
    pairs = [(value[metric], draws[metric]) for value, draws in zip(values, drawn, strict=True)]
    return difference(metric, pairs[0], pairs[1], scores[0].height).verdict == "better"


@dataclass(frozen=True)
class _State:
    """A network after an epoch (from 1)."""

    network: Mapping[str, Tensor]
    epoch: int


def _train(
    module: _Module,
    epochs: int,
    examples: "_Examples",
    keeper: "_Checkpoint",
    callbacks: list[Callback],
    work: int,
    checkpoint: Path | None,
    where: str,
) -> _State | None:
    """Run Lightning until the module has learned for so many epochs; the one with the lowest validation loss."""
    settings = module.settings
    callbacks = [*callbacks, keeper]
    with _quiet(), _interruptible():
        best = keeper.path.parent / BEST
        if examples.validation is not None:
            callbacks = [_Best(best, settings.patience), *callbacks]  # before the one that writes the state of all
        trainer = L.Trainer(
            accelerator="cpu",  # the same bits everywhere; a GPU or a Mac's MPS would be taken by "auto"
            devices=settings.devices,
            strategy=settings.strategy if settings.devices > 1 else "auto",
            use_distributed_sampler=False,  # each process has its part of the examples already
            max_epochs=epochs,
            limit_val_batches=None if examples.validation is not None else 0,
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=any(isinstance(callback, TQDMProgressBar) for callback in callbacks),
            num_sanity_val_steps=0,
            default_root_dir=keeper.path.parent,
            callbacks=callbacks,
        )
        with _threads(work):
            trainer.fit(module, datamodule=examples, ckpt_path=checkpoint, weights_only=True)
        _require_finite(trainer.callback_metrics, where)
        if examples.validation is None:
            return None
        return _State(**torch.load(best, weights_only=True))  # several processes have only the file in common


def _require_finite(losses: Mapping[str, Tensor], where: str) -> None:
    """A training that diverged has learned nothing, whatever it scores."""
    if not all(torch.isfinite(loss) for name, loss in losses.items() if name.endswith("_loss")):
        raise PipelineError(
            f"{where}, training: the loss is no number any more, the training diverged. Lower `training.learning_rate`."
        )


class _Examples(L.LightningDataModule):
    """The training and the validation examples; each process reads a part of its own."""

    def __init__(self, sets: Sequence[Batches], size: int, seed: int) -> None:
        super().__init__()
        self.training, self.validation = [*sets, None][:2]
        self.size, self.seed = size, seed
        self._loader: Loader | None = None
        self._state: dict[str, Any] = {}

    def train_dataloader(self) -> Loader:
        """Batches in another order in each epoch and in each process."""
        assert self.training is not None
        random = torch.Generator().manual_seed(self.seed + self._process)
        self._loader = self._part(self.training).loader(self.size, random)
        if self._state:  # Lightning itself hands a loader its state within an epoch only, not between two
            self._loader.load_state_dict(self._state)
        return self._loader

    def state_dict(self) -> dict[str, Any]:
        """Where in the order of the training examples it is."""
        return self._loader.state_dict() if self._loader else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self._state = state_dict

    def val_dataloader(self) -> Any:
        """Batches in the order of the examples."""
        return self._part(self.validation).loader(SCORED_AT_ONCE) if self.validation is not None else []

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """It is where it is learned from: on the CPU."""
        return batch

    @property
    def _process(self) -> int:
        return int(self.trainer.global_rank) if self.trainer else 0

    def _part(self, batches: Batches) -> Batches:
        n = self.trainer.world_size if self.trainer else 1
        return batches.part(self._process, n)


class _Losses(Callback):
    """Hands on the losses of each epoch; of a training that goes on, those of the earlier process first."""

    def __init__(self, on_epoch: OnEpoch) -> None:
        self.on_epoch = on_epoch
        self.seen: list[dict[str, float]] = []

    def on_train_epoch_end(self, trainer: L.Trainer, _: L.LightningModule) -> None:
        losses = {name: float(value) for name, value in trainer.callback_metrics.items() if name.endswith("_loss")}
        self._hand_on(losses, trainer)

    def _hand_on(self, losses: dict[str, float], trainer: L.Trainer) -> None:
        self.seen.append(losses)
        if trainer.is_global_zero:
            self.on_epoch(losses, len(self.seen))

    def on_save_checkpoint(self, trainer: L.Trainer, module: Any, checkpoint: dict[str, Any]) -> None:
        checkpoint["losses"] = self.seen

    def on_load_checkpoint(self, trainer: L.Trainer, module: Any, checkpoint: dict[str, Any]) -> None:
        for losses in checkpoint["losses"]:
            self._hand_on(losses, trainer)


class _Checkpoint(Callback):
    """Now and then writes all that is needed to go on: weights, optimiser, order of the examples, random numbers."""

    def __init__(self, path: Path, on_resume: OnResume) -> None:
        self.path, self.on_resume = path, on_resume
        self.seconds = 0.0  # of earlier processes
        self.start = self.written = time.monotonic()
        self.pause = CHECKPOINT_SECONDS

    def on_train_batch_end(self, trainer: L.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if (batch_idx + 1) % CHECKPOINT_STEPS == 0 and batch_idx + 1 < trainer.num_training_batches:
            self._write(trainer, self.pause)

    def on_train_epoch_end(self, trainer: L.Trainer, _: L.LightningModule) -> None:
        # the end is kept where another training of the same fit may still be interrupted
        is_last = trainer.current_epoch + 1 == trainer.max_epochs
        long = time.monotonic() - self.start + self.seconds > CHECKPOINT_SECONDS
        self._write(trainer, 0.0 if is_last and long else self.pause)

    def _write(self, trainer: L.Trainer, pause: float) -> None:
        """Write if the last time is long ago, and the time that writing takes short against it."""
        begin = time.monotonic()
        if trainer.strategy.broadcast(begin - self.written >= pause):  # the clocks of processes differ
            trainer.save_checkpoint(self.path)
            self.written = time.monotonic()
            self.pause = max(CHECKPOINT_SECONDS, 20 * (self.written - begin))

    def on_save_checkpoint(self, trainer: L.Trainer, module: Any, checkpoint: dict[str, Any]) -> None:
        checkpoint["seconds"] = self.seconds + time.monotonic() - self.start

    def on_load_checkpoint(self, trainer: L.Trainer, module: Any, checkpoint: dict[str, Any]) -> None:
        self.seconds = checkpoint["seconds"]
        if trainer.is_global_zero:
            self.on_resume(self.seconds)


class _Best(Callback):
    """Keeps the network of the first epoch that no later one has a clearly lower validation loss than."""

    def __init__(self, path: Path, patience: int | None) -> None:
        self.path, self.patience = path, patience
        self.epoch, self.loss = 0, math.inf

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        epoch, loss = trainer.current_epoch + 1, float(trainer.callback_metrics["validation_loss"])
        if loss < self.loss - CLEARLY * abs(self.loss) or math.isinf(self.loss):
            self.epoch, self.loss = epoch, loss
            if trainer.is_global_zero:
                torch.save({"network": cast("_Module", module).network.state_dict(), "epoch": epoch}, self.path)
        elif self.patience and epoch - self.epoch >= self.patience:
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "loss": self.loss}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.epoch, self.loss = state_dict["epoch"], state_dict["loss"]


class _Bar(TQDMProgressBar):
    """In a terminal."""

    def __init__(self) -> None:
        super().__init__(leave=False)
        self.pace = Pace(0)

    def on_train_start(self, *args: Any) -> None:
        super().on_train_start(*args)
        self.pace = Pace(_steps(args[0]))

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.pace.count(batch, trainer.world_size)
        super().on_train_batch_end(trainer, module, outputs, batch, batch_idx)

    def get_metrics(self, *args: Any) -> dict[str, int | str | float | dict[str, float]]:
        return {**super().get_metrics(*args), "pace": self.pace.pairs_per_second, "time": self.pace.left}


class _Lines(Callback):
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

    def on_train_epoch_end(self, trainer: L.Trainer, _: L.LightningModule) -> None:
        if self.pace.is_due():
            losses = {k: float(v) for k, v in trainer.callback_metrics.items() if k.endswith("_loss")}
            self._line(trainer, ", ".join(f"{name} {value:.4f}" for name, value in losses.items()))

    def _line(self, trainer: L.Trainer, said: str) -> None:
        if trainer.is_global_zero:
            self.say(f"{self.name}: epoch {trainer.current_epoch + 1} of at most {trainer.max_epochs}, {said}")


def _steps(trainer: L.Trainer) -> int:
    """How many there are to do; some are done already where a training goes on."""
    return int(trainer.num_training_batches * (trainer.max_epochs or 1)) - trainer.global_step


def _progress(name: str, say: Callable[[str], Any]) -> Callback:
    return _Bar() if sys.stderr.isatty() else _Lines(name, say)


@contextmanager
def _from_other_processes(functions: Mapping[str, Callable[..., Any]]) -> Iterator[dict[str, Callable[..., Any]]]:
    """The same functions for other processes to call: what they are called with comes here through a queue."""
    calls = torch.multiprocessing.get_context("spawn").SimpleQueue()
    failed: list[Exception] = []

    def answer() -> None:
        while (call := calls.get()) is not None:
            name, arguments = call
            try:
                functions[name](*arguments)
            except Exception as error:  # of whoever wanted to know, such as a database that is gone
                failed.append(error)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield {name: partial(_call, calls, name) for name in functions}
    finally:
        calls.put(None)
        thread.join()
    if failed:
        raise failed[0]


def _call(calls: Any, name: str, *arguments: Any) -> None:
    calls.put((name, arguments))


_LOGGERS = ("pytorch_lightning", "lightning_fabric", "lightning.fabric")


@contextmanager
def _quiet() -> Iterator[None]:
    """Lightning's advice is for people who write loops, not for those who read a pipeline's log."""
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    with warnings.catch_warnings():
        _silence()
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)


def _silence() -> None:
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    for message in (
        ".*LeafSpec.*is deprecated.*",  # Lightning's own use of PyTorch
        ".*does not have many workers.*",  # one batch is one slice of a matrix: workers would only copy it
        ".*Checkpoint directory .* exists and is not empty.*",  # it is there to go on from
        ".*number of training batches .* is smaller than the logging interval.*",
    ):
        warnings.filterwarnings("ignore", message=message)


if torch.multiprocessing.current_process().name != "MainProcess":  # one of several that train: their parent speaks
    _silence()


@contextmanager
def _threads(work: int) -> Iterator[None]:
    """One thread for steps of few multiplications: more would wait for each other most of the time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if work < WORK_OF_ONE_THREAD else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Lightning turns Ctrl-C into SystemExit and leaves SIGINT ignored; here it stays an interruption."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        raise KeyboardInterrupt from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)
