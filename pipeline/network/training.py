"""The learned fit: an embedding layer of D nodes, trained for the task.

Batches are cut straight from the CSR matrix, there is no Python per example. The same seed gives the same bits on a CPU
with the same number of threads. What the networks look like is in `models`.
"""

import logging
import math
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch
from filelock import FileLock, Timeout
from torch import Tensor

from pipeline.config.dataset import Dataset
from pipeline.config.tasks import Regression
from pipeline.config.training import MissingTokensTraining, RegressionTraining
from pipeline.embedding import Embedding, Fitted
from pipeline.errors import PipelineError
from pipeline.evaluation.bootstrap import difference, resampled
from pipeline.evaluation.evaluate import evaluate, measure, primary_metric
from pipeline.evaluation.selection import tuned
from pipeline.examples.example_set import ExampleSet
from pipeline.examples.features import DenseScale, TargetScale
from pipeline.network.batches import Batches
from pipeline.network.callbacks import CheckpointWriter, LossesByEpoch, OnEpoch, OnResume, progress_callback
from pipeline.network.fitted_network import FittedNetwork, network_of
from pipeline.network.initialisation import missing_tokens_network, regression_network
from pipeline.network.modules import ExamplesModule, MissingTokensModule, RegressionModule, TaskModule
from pipeline.network.processes import called_from_other_processes
from pipeline.network.trainer import TrainedState, train
from pipeline.vocabulary.vocabulary import Vocabulary

Array = npt.NDArray[Any]

CHECKPOINT = "last.ckpt"


def fit_network(
    training: ExampleSet,
    vocabulary: Vocabulary,
    conf: Dataset,
    dimension: int,
    validation: ExampleSet | None = None,
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
    temperatures = settings.temperature if isinstance(settings, MissingTokensTraining) else None
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
    training: ExampleSet,
    vocabulary: Vocabulary,
    conf: Dataset,
    dimension: int,
    validation: ExampleSet | None,
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
        with called_from_other_processes(heard) if settings.devices > 1 else nullcontext(heard) as tell:
            best = train(
                module,
                epochs or settings.max_epochs,
                ExamplesModule(sets, _batch_size(settings), conf.seed),
                CheckpointWriter(folder / CHECKPOINT, tell["on_resume"]),
                [LossesByEpoch(tell["on_epoch"]), progress_callback(name, tell["say"])],
                settings.batch_size * len(vocabulary) * (dimension + 1),
                checkpoint,
                conf.file,
            )
        last = TrainedState(module.network.state_dict(), done[-1])

    def made(state: TrainedState) -> FittedNetwork:
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
    training: ExampleSet,
    validation: ExampleSet | None,
    conf: Dataset,
    dimension: int,
    temperature: float | None,
    kept: Mapping[str, Tensor],
) -> tuple[TaskModule, list[Batches], dict[str, Array]]:
    """The module at its start, or with the network that was kept; the examples to learn from; and their scales."""
    settings = conf.training
    both = [rows for rows in (training, validation) if rows is not None]
    steps = math.ceil(math.ceil(len(training) / settings.devices) / _batch_size(settings)) * (settings.max_epochs or 1)
    if isinstance(settings, MissingTokensTraining):
        assert temperature is not None
        network = (
            network_of(kept, settings.dropout, sparse=bool(settings.negatives))
            if kept
            else missing_tokens_network(training, settings, dimension, temperature, conf.seed, conf.dtype)
        )
        sets = [Batches(rows, rows.dense, rows.target) for rows in both]
        return MissingTokensModule(network, settings, steps, training.inputs.counts), sets, {}
    assert isinstance(conf.task, Regression)
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
    return RegressionModule(network, settings, steps), sets, dense.weights | target.weights


def _batch_size(settings: MissingTokensTraining | RegressionTraining) -> int:
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


def _is_better(fitted: Fitted, other: Fitted, validation: ExampleSet, conf: Dataset) -> bool:
    """Whether the validation examples show a difference in the most telling metric."""
    scores = [evaluate(one, validation) for one in (fitted, other)]
    values, drawn = [measure(frame, conf.logs) for frame in scores], resampled(scores, conf.logs)
    metric = primary_metric(values[0])
    pairs = [(value[metric], draws[metric]) for value, draws in zip(values, drawn, strict=True)]
    return difference(metric, pairs[0], pairs[1], scores[0].height).verdict == "better"
