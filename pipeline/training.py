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
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytorch_lightning as L  # noqa: N812 - the name that Lightning's own documentation uses
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint, TQDMProgressBar
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, SequentialSampler

from pipeline import config
from pipeline.embedding import Embedding
from pipeline.encoding import Rows
from pipeline.models import MissingTokensNetwork, RegressionNetwork
from pipeline.numbers import DenseScale, TargetScale
from pipeline.pca import principal_components
from pipeline.vocabulary import Vocabulary

Array = npt.NDArray[Any]

SCORED_AT_ONCE = 1024
"""Examples of a batch where nothing is learned from them."""
LINE_SECONDS = 10.0
"""Where there is no terminal for a progress bar, a line is logged at most this often."""


# --- the data: rows of a CSR matrix, a batch at a time ---------------------------------------------------------------


class Lists(NamedTuple):
    """Rows of a CSR matrix as PyTorch's embedding bag takes them; Lightning moves a tuple to its device."""

    tokens: Tensor  # (T,) int64
    offsets: Tensor  # (B,) where each list begins
    rows: Tensor  # (T,) the list that each token belongs to

    @classmethod
    def of(cls, matrix: sparse.csr_matrix) -> "Lists":
        """All rows of a matrix."""
        indptr = torch.from_numpy(matrix.indptr.astype(np.int64))
        rows = torch.repeat_interleave(torch.arange(matrix.shape[0]), indptr.diff())
        return cls(torch.from_numpy(matrix.indices.astype(np.int64)), indptr[:-1], rows)

    def keep(self, kept: Tensor) -> "Lists":
        """Only the tokens that `kept` (T,) marks."""
        rows = self.rows[kept]
        lengths = torch.bincount(rows, minlength=len(self.offsets))
        return Lists(self.tokens[kept], lengths.cumsum(0) - lengths, rows)


class _Batches(Dataset[dict[str, Any]]):
    """Item [i, j, ...] is one batch of the examples i, j, ..."""

    def __init__(self, rows: Rows, dense: Array, target: Array) -> None:
        self.rows, self.dense, self.target = rows, dense, target

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: Sequence[int]) -> dict[str, Any]:
        return {
            "inputs": Lists.of(self.rows.inputs[chosen]),
            "labels": Lists.of(self.rows.labels[chosen]),
            "dense": torch.from_numpy(self.dense[chosen].astype(np.float32)),
            "target": torch.from_numpy(self.target[chosen].astype(np.float32)),
        }

    def loader(self, size: int, generator: torch.Generator | None = None) -> "DataLoader[dict[str, Any]]":
        """Batches of this size; shuffled anew in each epoch where there is a generator."""
        order = RandomSampler(self, generator=generator) if generator else SequentialSampler(self)
        return DataLoader(
            self, batch_size=None, sampler=BatchSampler(order, size, drop_last=False), generator=generator
        )


# --- the two tasks: a network, and what its loss is ------------------------------------------------------------------


class _Module(L.LightningModule):
    """What both tasks share: losses that are logged by epoch, AdamW along a cosine to 0."""

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

    def loss(self, batch: dict[str, Any]) -> Tensor:
        """The task's loss of a batch."""
        raise AssertionError("a task says what its loss is")

    def _optimiser(self, groups: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
        optimiser = torch.optim.AdamW(groups, lr=self.settings.learning_rate, **options)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(self.steps, 1))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class _MissingTokens(_Module):
    network: MissingTokensNetwork
    settings: config.MissingTokensTraining

    def loss(self, batch: dict[str, Any]) -> Tensor:
        """Softmax cross entropy; in training a random share of each list goes in and all of it is a label."""
        inputs: Lists = batch["inputs"]
        labels: Lists = inputs if self.training else batch["labels"]
        if self.training:
            inputs = inputs.keep(_some_of(inputs, *self.settings.input_share))
        logits = self.network(inputs.tokens, inputs.offsets)  # (B, V)
        return softmax_loss(logits, labels, power=0.5 if self.training else 1.0)

    def configure_optimizers(self) -> Any:
        """Weight decay on the table only."""
        table, *others = self.network.table, self.network.centre, self.network.bias
        groups = [
            {"params": [table], "weight_decay": self.settings.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        return self._optimiser(groups, betas=(0.9, 0.99), eps=self.settings.epsilon)


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
        groups = [
            {"params": [network.table], "weight_decay": self.settings.table_weight_decay},
            {"params": [network.inner.weight, network.outer.weight], "weight_decay": self.settings.weight_decay},
            {"params": [network.inner.bias, *network.line.parameters()], "weight_decay": 0.0},
        ]
        return self._optimiser(groups)


def softmax_loss(logits: Tensor, labels: Lists, power: float) -> Tensor:
    """Softmax cross entropy a label, over the batch; an example with n labels has the weight n^(1 - power).

        sum_i n_i^-power sum_j -log p_ij / sum_i n_i^(1 - power)

    Power 1 gives each example the same weight; 1/2, in between that and each label the same, trains best.

    Args:
        logits: (B, V).
        labels: B lists.
        power: of the number of labels that an example's loss is divided by.
    """
    count = torch.bincount(labels.rows, minlength=len(logits)).to(logits.dtype)  # (B,)
    weight = count.clamp(min=1) ** -power  # (B,)
    log_sum = torch.logsumexp(logits, dim=1)  # (B,)
    total = (log_sum * count * weight).sum() - (logits[labels.rows, labels.tokens] * weight[labels.rows]).sum()
    return total / (count * weight).sum().clamp(min=torch.finfo(logits.dtype).tiny)


def _some_of(lists: Lists, low: float, high: float) -> Tensor:
    """Marks (T,) a random share of each list, between low and high, and at least its first token."""
    share = low + (high - low) * torch.rand(len(lists.offsets))
    kept = torch.rand(len(lists.tokens)) < share[lists.rows]
    nothing = torch.bincount(lists.rows[kept], minlength=len(lists.offsets)) == 0
    lengths = torch.bincount(lists.rows, minlength=len(lists.offsets))
    kept[lists.offsets[nothing & (lengths > 0)]] = True
    return kept


# --- the start: from PCA, so that few steps are needed ---------------------------------------------------------------


def _missing_tokens_network(
    rows: Rows, settings: config.MissingTokensTraining, dimension: int, seed: int
) -> MissingTokensNetwork:
    """Table at PCA's loadings, centre so that the mean bag is 0, bias at the log of each token's popularity.

    The table's scale gives the logits h t / temperature the spread that conf asks for: the mean of their squares is
    trace(E[h h^T] E[t t^T]) / temperature^2, over the training lists' h and the occurring tokens' t, each (D,).
    """
    pca = principal_components(rows.inputs, dimension, seed)
    table = pca.components_.T * np.sqrt(pca.explained_variance_)  # (V, D)
    n = rows.inputs.getnnz(axis=0)  # (V,)
    bags = rows.inputs @ table / np.maximum(np.diff(rows.inputs.indptr), 1)[:, None]  # (N, D)
    hidden = bags - bags.mean(axis=0)
    of_lists, of_tokens = hidden.T @ hidden / len(rows), (table.T * n) @ table / n.sum()  # (D, D)
    spread = math.sqrt(np.trace(of_lists @ of_tokens)) / settings.temperature
    scale = math.sqrt(settings.start_spread / max(spread, 1e-12))  # both h and t grow with it
    popularity = np.log(n + 1)
    return MissingTokensNetwork(
        table=_tensor(table * scale),
        centre=_tensor(-bags.mean(axis=0) * scale),
        bias=_tensor(popularity - popularity.mean()),
        temperature=settings.temperature,
        dropout=settings.dropout,
    )


def _regression_network(
    rows: Rows, settings: config.RegressionTraining, dimension: int, seed: int, n_dense: int
) -> RegressionNetwork:
    """Table at PCA's components of the weighted bags, scaled so that each hidden node has variance 1.

    A token weighs its inverse document frequency log((1 + N) / (1 + n)) + 1; one more factor brings the mean squared
    distance of a bag from the mean bag to 1. The bag is a sum: a word adds what it adds, whatever stands beside it.
    """
    n = rows.inputs.getnnz(axis=0)  # (V,)
    idf = np.where(n > 0, np.log((1 + len(rows)) / (1 + n)) + 1, 0.0)
    bags = sparse.csr_matrix(rows.inputs @ sparse.diags(idf))  # (N, V)
    mean_bag = np.asarray(bags.mean(axis=0)).ravel()
    spread = bags.power(2).sum() / len(rows) - (mean_bag**2).sum()
    scale = 1 / math.sqrt(max(spread, 1e-12))
    pca = principal_components(bags * scale, dimension, seed)
    table = pca.components_.T / np.sqrt(np.maximum(pca.explained_variance_, 1e-12))  # (V, D)
    return RegressionNetwork(
        _tensor(table), _tensor(idf * scale), _tensor(mean_bag * scale), n_dense, settings.hidden, settings.dropout
    )


def _tensor(array: Array) -> Tensor:
    return torch.tensor(array, dtype=torch.float32)


# --- the fit ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FittedNetwork:
    """A trained network."""

    embedding: Embedding  # its table
    weights: Mapping[str, Array]  # the network's state, and the scales in a regression
    conf: config.Dataset

    @cached_property
    def _network(self) -> nn.Module:
        state = {name: torch.from_numpy(np.array(array)) for name, array in self.weights.items() if not _is_scale(name)}
        if self.conf.task.kind == "missing_tokens":
            assert isinstance(self.conf.training, config.MissingTokensTraining)
            temperature = self.conf.training.temperature
            network: nn.Module = MissingTokensNetwork(state["table"], state["centre"], state["bias"], temperature, 0.0)
        else:
            hidden, inputs = state["inner.weight"].shape
            n_dense = inputs - state["table"].shape[1]
            network = RegressionNetwork(state["table"], state["weight"], state["mean_bag"], n_dense, hidden, 0.0)
        network.load_state_dict(state)
        return network.eval()

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """(N, V) a logit for each token, or (N,) a number for each example."""
        lists = Lists.of(inputs)
        with torch.inference_mode():
            if self.conf.task.kind == "missing_tokens":
                return np.asarray(self._network(lists.tokens, lists.offsets).numpy())
            scaled = _tensor(DenseScale.of(self.weights).forward(dense))
            learned = self._network(lists.tokens, lists.offsets, scaled).double().numpy()
        return TargetScale.of(self.weights).inverse(learned)


def _is_scale(name: str) -> bool:
    return name.startswith(("dense_", "target_"))


def fit_network(
    training: Rows,
    vocabulary: Vocabulary,
    conf: config.Dataset,
    dimension: int,
    *,
    validation: Rows | None,
    on_epoch: Callable[[Mapping[str, float], int], None],
    log: logging.Logger,
) -> FittedNetwork:
    """Train the network of the task; the epoch with the lowest validation loss is kept.

    Args:
        training: the training examples.
        vocabulary: of V tokens.
        conf: the dataset, its training settings resolved.
        dimension: D.
        validation: the examples that stop it; None trains for `max_epochs` and keeps the last.
        on_epoch: gets train_loss and validation_loss, and the epoch from 1.
        log: gets lines of progress where there is no terminal.
    """
    settings = conf.training
    assert settings.batch_size is not None
    assert settings.max_epochs is not None
    weights: dict[str, Array] = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(conf.seed)
        steps = math.ceil(len(training) / settings.batch_size) * settings.max_epochs
        module: _Module
        if isinstance(settings, config.MissingTokensTraining):
            module = _MissingTokens(_missing_tokens_network(training, settings, dimension, conf.seed), settings, steps)
            sets = [_Batches(rows, rows.dense, rows.target) for rows in (training, validation) if rows is not None]
        else:
            assert isinstance(conf.task, config.Regression)
            dense, target = DenseScale.fit(training.dense), TargetScale.fit(training.target, conf.task.log)
            sets = [
                _Batches(rows, dense.forward(rows.dense), target.forward(rows.target))
                for rows in (training, validation)
                if rows is not None
            ]
            n_dense = sets[0].dense.shape[1]
            module = _Regression(
                _regression_network(training, settings, dimension, conf.seed, n_dense), settings, steps
            )
            weights |= dense.weights | target.weights
        order = torch.Generator().manual_seed(conf.seed)
        _train(
            module,
            sets[0].loader(settings.batch_size, order),
            sets[1].loader(SCORED_AT_ONCE) if validation is not None else None,
            [_Losses(on_epoch), *_progress(f"{conf.name} D={dimension}", log)],
        )
    weights |= {name: tensor.cpu().numpy() for name, tensor in module.network.state_dict().items()}
    return FittedNetwork(Embedding(vocabulary, weights["table"]), weights, conf)


def _train(module: _Module, training: Any, validation: Any, callbacks: list[Callback]) -> None:
    """Run Lightning and leave the best epoch in the module."""
    with tempfile.TemporaryDirectory() as folder, _quiet(), _interruptible():
        best = ModelCheckpoint(folder, monitor="validation_loss", save_weights_only=True)
        if validation is not None:
            callbacks = [*callbacks, EarlyStopping("validation_loss", patience=module.settings.patience), best]
        trainer = L.Trainer(
            accelerator="auto",
            devices=1,
            max_epochs=module.settings.max_epochs,
            logger=False,
            enable_checkpointing=validation is not None,
            enable_model_summary=False,
            enable_progress_bar=any(isinstance(callback, TQDMProgressBar) for callback in callbacks),
            num_sanity_val_steps=0,
            default_root_dir=folder,
            callbacks=callbacks,
        )
        trainer.fit(module, training, validation)
        if validation is not None:
            module.load_state_dict(torch.load(best.best_model_path, weights_only=True)["state_dict"])


class _Losses(Callback):
    """Hands on the losses of each epoch."""

    def __init__(self, on_epoch: Callable[[Mapping[str, float], int], None]) -> None:
        self.on_epoch = on_epoch

    def on_train_epoch_end(self, trainer: L.Trainer, _: L.LightningModule) -> None:
        losses = {name: float(value) for name, value in trainer.callback_metrics.items() if name.endswith("_loss")}
        self.on_epoch(losses, trainer.current_epoch + 1)


class _Lines(Callback):
    """Progress as plain lines, for logs."""

    def __init__(self, name: str, log: logging.Logger) -> None:
        self.name, self.lines, self.last = name, log, time.monotonic()

    def on_train_epoch_end(self, trainer: L.Trainer, _: L.LightningModule) -> None:
        if time.monotonic() - self.last < LINE_SECONDS:
            return
        self.last = time.monotonic()
        losses = ", ".join(f"{k} {float(v):.4f}" for k, v in trainer.callback_metrics.items() if k.endswith("_loss"))
        self.lines.info(f"{self.name}: epoch {trainer.current_epoch + 1} of at most {trainer.max_epochs}, {losses}")


def _progress(name: str, log: logging.Logger) -> list[Callback]:
    return [TQDMProgressBar(leave=False)] if sys.stderr.isatty() else [_Lines(name, log)]


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
