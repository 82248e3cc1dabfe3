"""The learned fit: an embedding layer of D nodes, trained for the task. The only importer of Lightning.

Batches are cut straight from the CSR matrix, there is no Python per example. The same seed gives the same bits on a CPU
with the same number of threads. What the networks look like is in `models`.
"""

import logging
import math
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pytorch_lightning as L  # noqa: N812 - the name that Lightning's own documentation uses
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint, TQDMProgressBar
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from pipeline import config
from pipeline.batches import Batches, Lists
from pipeline.embedding import Embedding, Fitted
from pipeline.encoding import Rows
from pipeline.errors import PipelineError
from pipeline.evaluation import judge, measure, most_telling
from pipeline.intervals import difference, resampled
from pipeline.losses import softmax_loss
from pipeline.models import MissingTokensNetwork, RegressionNetwork
from pipeline.numbers import DenseScale, TargetScale
from pipeline.progress import Pace
from pipeline.starts import missing_tokens_network, regression_network
from pipeline.touched import Proposal, RowAdagrad, Touched, renumbered, taken
from pipeline.tuning import tuned
from pipeline.vocabulary import Vocabulary

Array = npt.NDArray[Any]

OnEpoch = Callable[[Mapping[str, float], int], None]
"""Gets the losses of an epoch by name, and the epoch from 1."""
SCORED_AT_ONCE = 1024
"""Examples of a batch where nothing is learned from them."""
WORK_OF_ONE_THREAD = 10**9
"""Examples of a batch x tokens x dimensions: below it a step has one thread."""


class _Module(L.LightningModule):
    """What both tasks share: losses that are logged by epoch, a learning rate along a cosine to 0."""

    def __init__(self, network: nn.Module, settings: Any, steps: int) -> None:
        super().__init__()
        self.network, self.settings, self.steps = network, settings, steps

    def _log_loss(self, name: str, loss: Tensor, batch: Mapping[str, Any]) -> Tensor:
        size = len(batch["target"])
        self.log(name, loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=size)
        return loss

    def training_step(self, batch: dict[str, Any], _: int) -> Tensor:
        """One batch of training examples."""
        return self._log_loss("train_loss", self.loss(batch), batch)

    def validation_step(self, batch: dict[str, Any], _: int) -> None:
        """One batch of validation examples."""
        self._log_loss("validation_loss", self.loss(batch), batch)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """It is where it is learned from: on the CPU."""
        return batch

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
            hidden = self.network.hidden(inputs.tokens, inputs.offsets)
            return softmax_loss(hidden, self.network.outputs(), self.network.bias, labels, power, excluded)
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
        places = taken(network.table, touched)  # (U, D)
        lengths = torch.bincount(inputs.rows, minlength=len(inputs.offsets)).clamp(min=1)
        return softmax_loss(
            network.hidden_of(lists.sum(places) / lengths[:, None]),
            network.lifted(places),
            taken(network.bias, touched),
            lists if same else renumbered(labels, numbers, len(touched)),
            power,
            excluded._replace(tokens=numbers[excluded.tokens]) if excluded is not None else None,
            drawn.at(numbers),
        )

    def configure_optimizers(self) -> Any:
        """The biases have a learning rate of their own, the table alone has weight decay."""
        groups = [
            {"params": [self.network.table], "weight_decay": self.settings.weight_decay},
            {"params": [self.network.bias], "weight_decay": 0.0, "lr": self.settings.bias_learning_rate},
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
            {"params": [network.table], "weight_decay": self.settings.table_weight_decay},
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


@dataclass(frozen=True)
class FittedNetwork:
    """A trained network."""

    embedding: Embedding  # its table
    weights: Mapping[str, Array]  # the network's state, and the scales in a regression
    conf: config.Dataset
    chosen: Mapping[str, Any] = field(default_factory=dict)  # epochs

    @cached_property
    def _network(self) -> Any:
        state = {name: torch.from_numpy(np.array(array)) for name, array in self.weights.items() if not _is_scale(name)}
        if self.conf.task.kind == "missing_tokens":
            lift, temperature = float(state["lift"]), float(state["temperature"])
            network: nn.Module = MissingTokensNetwork(state["table"], state["bias"], lift, temperature, 0.0)
        else:
            hidden, inputs = state["first.weight"].shape
            n_dense = inputs - state["table"].shape[1]
            network = RegressionNetwork(state["table"], state["weight"], state["mean_bag"], n_dense, hidden, 0.0)
        network.load_state_dict(state)
        return network.eval()

    @cached_property
    def _outputs(self) -> Tensor:
        with torch.inference_mode():
            outputs: Tensor = self._network.outputs()
        return outputs

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """(N, V) a logit for each token, or (N,) a number for each example."""
        lists = Lists.of(inputs)
        with torch.inference_mode():
            if self.conf.task.kind == "missing_tokens":
                return np.asarray(self._network(lists.tokens, lists.offsets, self._outputs).numpy())
            scaled = torch.from_numpy(DenseScale.of(self.weights).forward(dense).astype(np.float32))
            learned = self._network(lists.tokens, lists.offsets, scaled).double().numpy()
        return TargetScale.of(self.weights).inverse(learned)


def _is_scale(name: str) -> bool:
    return name.startswith(("dense_", "target_"))


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
        fitted = _fit(training, vocabulary, conf, dimension, validation, name, live, log, **options)
        losses[id(fitted)] = seen
        return fitted

    fitted = tuned(fit, among, conf, validation, chosen)
    for epoch in losses[id(fitted)]:
        on_epoch(*epoch)
    return fitted


def _fit(
    training: Rows,
    vocabulary: Vocabulary,
    conf: config.Dataset,
    dimension: int,
    validation: Rows | None,
    name: str,
    on_epoch: OnEpoch,
    log: logging.Logger,
    *,
    epochs: int | None = None,
    temperature: float | None = None,
) -> FittedNetwork:
    settings = conf.training
    assert settings.batch_size is not None
    assert settings.max_epochs is not None
    weights: dict[str, Array] = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(conf.seed)
        steps = math.ceil(len(training) / settings.batch_size) * settings.max_epochs
        module: _Module
        if isinstance(settings, config.MissingTokensTraining):
            assert temperature is not None
            network = missing_tokens_network(training, settings, dimension, temperature, conf.seed)
            module = _MissingTokens(network, settings, steps, training.inputs.counts)
            sets = [Batches(rows, rows.dense, rows.target) for rows in (training, validation) if rows is not None]
        else:
            assert isinstance(conf.task, config.Regression)
            dense, target = DenseScale.fit(training.dense), TargetScale.fit(training.target, conf.task.log)
            sets = [
                Batches(rows, dense.forward(rows.dense), target.forward(rows.target))
                for rows in (training, validation)
                if rows is not None
            ]
            start = regression_network(training, settings, dimension, conf.seed, sets[0].dense, sets[0].target)
            module = _Regression(start, settings, steps)
            weights |= dense.weights | target.weights
        order = torch.Generator().manual_seed(conf.seed)
        last, best = _train(
            module,
            epochs or settings.max_epochs,
            sets[0].loader(settings.batch_size, order),
            sets[1].loader(SCORED_AT_ONCE) if validation is not None else None,
            [_Losses(on_epoch), _progress(name, log)],
            settings.batch_size * len(vocabulary) * (dimension + 1),
            conf.file,
        )

    def made(state: _State) -> FittedNetwork:
        arrays = weights | {key: tensor.numpy() for key, tensor in state.network.items()}
        found = {"epochs": state.epoch} | ({} if temperature is None else {"temperature": temperature})
        return FittedNetwork(Embedding(vocabulary, arrays["table"]), arrays, conf, found)

    if best is None or best.epoch == last.epoch:
        return made(last)
    if settings.patience:
        return made(best)
    assert validation is not None
    return made(best) if _is_better(made(best), made(last), validation, conf) else made(last)


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
    module: _Module, epochs: int, training: Any, validation: Any, callbacks: list[Callback], work: int, where: str
) -> tuple[_State, _State | None]:
    """Run Lightning for so many epochs; the last one, and the one with the lowest validation loss."""
    with tempfile.TemporaryDirectory() as folder, _quiet(), _interruptible():
        best = ModelCheckpoint(folder, monitor="validation_loss", save_weights_only=True)
        if validation is not None:
            callbacks = [*callbacks, best]
            if module.settings.patience:
                callbacks.append(EarlyStopping("validation_loss", patience=module.settings.patience))
        trainer = L.Trainer(
            accelerator="cpu",  # the same bits everywhere; a GPU or a Mac's MPS would be taken by "auto"
            devices=1,
            max_epochs=epochs,
            logger=False,
            enable_checkpointing=validation is not None,
            enable_model_summary=False,
            enable_progress_bar=any(isinstance(callback, TQDMProgressBar) for callback in callbacks),
            num_sanity_val_steps=0,
            default_root_dir=folder,
            callbacks=callbacks,
        )
        with _threads(work):
            trainer.fit(module, training, validation)
        _require_finite(trainer.callback_metrics, where)
        last = _State(module.network.state_dict(), trainer.current_epoch)
        if validation is None:
            return last, None
        kept = torch.load(best.best_model_path, weights_only=True)
        network = {key.removeprefix("network."): tensor for key, tensor in kept["state_dict"].items()}
        return last, _State(network, int(kept["epoch"]) + 1)


def _require_finite(losses: Mapping[str, Tensor], where: str) -> None:
    """A training that diverged has learned nothing, whatever it scores."""
    if not all(torch.isfinite(loss) for name, loss in losses.items() if name.endswith("_loss")):
        raise PipelineError(
            f"{where}, training: the loss is no number any more, the training diverged. Lower `training.learning_rate`."
        )


class _Losses(Callback):
    """Hands on the losses of each epoch."""

    def __init__(self, on_epoch: OnEpoch) -> None:
        self.on_epoch = on_epoch

    def on_train_epoch_end(self, trainer: L.Trainer, _: L.LightningModule) -> None:
        losses = {name: float(value) for name, value in trainer.callback_metrics.items() if name.endswith("_loss")}
        self.on_epoch(losses, trainer.current_epoch + 1)


class _Bar(TQDMProgressBar):
    """In a terminal."""

    def __init__(self) -> None:
        super().__init__(leave=False)
        self.pace = Pace(0)

    def on_train_start(self, *args: Any) -> None:
        super().on_train_start(*args)
        self.pace = Pace(_steps(args[0]))

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.pace.count(batch)
        super().on_train_batch_end(trainer, module, outputs, batch, batch_idx)

    def get_metrics(self, *args: Any) -> dict[str, int | str | float | dict[str, float]]:
        return {**super().get_metrics(*args), "pace": self.pace.pairs_per_second, "time": self.pace.left}


class _Lines(Callback):
    """Progress as plain lines, for logs."""

    def __init__(self, name: str, log: logging.Logger) -> None:
        self.name, self.lines, self.pace = name, log, Pace(0)

    def on_train_start(self, trainer: L.Trainer, _: L.LightningModule) -> None:
        self.pace = Pace(_steps(trainer))

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.pace.count(batch)
        if batch_idx + 1 < trainer.num_training_batches and self.pace.is_due():
            share = (batch_idx + 1) / trainer.num_training_batches
            self._line(trainer, f"{share:.0%} of it, {self.pace.pairs_per_second}, {self.pace.left}")

    def on_train_epoch_end(self, trainer: L.Trainer, _: L.LightningModule) -> None:
        if self.pace.is_due():
            losses = {k: float(v) for k, v in trainer.callback_metrics.items() if k.endswith("_loss")}
            self._line(trainer, ", ".join(f"{name} {value:.4f}" for name, value in losses.items()))

    def _line(self, trainer: L.Trainer, said: str) -> None:
        self.lines.info(f"{self.name}: epoch {trainer.current_epoch + 1} of at most {trainer.max_epochs}, {said}")


def _steps(trainer: L.Trainer) -> int:
    return int(trainer.num_training_batches * (trainer.max_epochs or 1))


def _progress(name: str, log: logging.Logger) -> Callback:
    return _Bar() if sys.stderr.isatty() else _Lines(name, log)


@contextmanager
def _quiet() -> Iterator[None]:
    """Lightning's advice is for people who write loops, not for those who read a pipeline's log."""
    logger = logging.getLogger("pytorch_lightning")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*have no `val_dataloader`.*")
        # one batch is one slice of a matrix: workers would only copy it
        warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated.*")  # Lightning's own use of PyTorch
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings(
            "ignore", message=".*number of training batches .* is smaller than the logging interval.*"
        )
        try:
            yield
        finally:
            logger.setLevel(level)


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
