"""The learned fit: an embedding layer of D nodes, trained for the task.

Batches are cut straight from the CSR matrix, without Python for each example. The same seed gives the same bits on a
CPU with the same number of threads; that number changes only in long steps, and where the machine does other work
(`threads`). The modules of a task define its network and where it starts.
"""

import math
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from pipeline.accelerators import device_of
from pipeline.config.task import Task
from pipeline.config.training import Schedule
from pipeline.embedding import Embedding, Fitted, Problem, Watch
from pipeline.errors import PipelineError
from pipeline.evaluation.bootstrap import Difference, paired
from pipeline.evaluation.selection import preferred, tuned
from pipeline.examples.example_set import ExampleSet
from pipeline.network.callbacks import CheckpointWriter, LossesByEpoch, progress_callbacks
from pipeline.network.fitted_network import FittedNetwork, places
from pipeline.network.modules import ExamplesModule, module_of, state_of
from pipeline.network.processes import called_from_other_processes
from pipeline.network.trainer import Trained, TrainedState, network_in, train

CHECKPOINT = "last.ckpt"


def fit_network(problem: Problem, settings: Schedule, learner: str, network: str) -> FittedNetwork:
    """Train a network to the end of its schedule, or keep its start.

    The fit keeps the last epoch, where learning has come to rest, and the one with the best validation loss only if its
    primary metric is shown to be better; with few validation examples, better by a standard error. With
    `patience` the fit keeps the epoch with the best validation loss. Candidates that the settings or the network have
    beside those of which validation chooses, such as one that learns the order of lists or a linear model beside a
    trained one, come afterwards: one is kept if it is better by a standard error. Candidates that cut lists come last:
    one is kept if validation prefers it at all, because beforehand nothing speaks against them.

    Args:
        problem: what to learn, and from which examples; where it says what was chosen before, training follows the same
            schedule for the chosen number of epochs.
        settings: the training settings, resolved.
        learner: full name of the module whose class Lightning trains.
        network: full name of the network's module, with which the fit scores.

    Raises:
        PipelineError: the training diverged.
    """
    among, watch, module = settings.choices(), problem.watch, module_of(learner)
    in_parts, in_order = [], []
    if problem.chosen is None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(problem.conf.seed)
            among = module.promising(problem, settings, among)
        in_parts, in_order = (more(problem, settings, among) for more in (module.in_parts, module.in_order))
    is_single = sum(one.get("epochs") != 0 for one in among) == 1
    among, beside = (among[:1], among[1:]) if module.keeps_first else (among, [])
    # with weights it learns what held-out tokens, which all count the same, do not tell: their loss rises anyway
    is_unweighted = problem.training.inputs.weights is None
    losses: dict[int, list[tuple[Mapping[str, float], int]]] = {}
    forgot: list[tuple[Mapping[str, Any], float]] = []

    def fit(**option: Any) -> FittedNetwork:
        seen: list[tuple[Mapping[str, float], int]] = []
        may_follow = in_parts or in_order or (is_unweighted and settings.others(option, [(option, math.inf)]))
        is_only = problem.chosen is not None or (is_single and not may_follow)
        live = watch if is_only else replace(watch, on_epoch=lambda *epoch: seen.append(epoch))
        with _folder(watch, option) as folder:
            fitted = _fit(replace(problem, watch=live), settings, learner, network, folder, **option)
        losses[id(fitted)] = seen
        forgot.append((option, forgotten([found.get("validation_loss", math.nan) for found, _ in seen])))
        return fitted

    fitted = tuned(fit, among, problem)
    if is_unweighted:
        chosen = {name: value for name, value in fitted.chosen.items() if name != "epochs"}
        beside = [*beside, *settings.others(chosen, forgot), *in_order]
    for other in (fit(**option) for option in beside):
        assert problem.validation is not None
        if _difference(other, fitted, problem.validation, problem.conf.task).is_likely_better:
            fitted = other
    if in_parts:
        fitted = preferred(chain([fitted], (fit(**option) for option in in_parts)), problem)
    for epoch in losses[id(fitted)]:
        watch.on_epoch(*epoch)
    return fitted


def forgotten(losses: Sequence[float]) -> float:
    """The share of what a training had learned that it forgets again, because it comes to believe what is chance.

    Args:
        losses: on validation, by epoch; without validation they are no numbers.

    >>> forgotten([3.0, 2.0, 2.2]), forgotten([3.0, 2.0]), forgotten([3.0, 3.1]), forgotten([math.nan]), forgotten([])
    (0.2, 0.0, inf, 0.0, 0.0)
    """
    if not losses or not math.isfinite(losses[0]):
        return 0.0
    rise, fall = losses[-1] - min(losses), losses[0] - min(losses)
    return round(rise / fall, 3) if fall else math.inf if rise else 0.0


@contextmanager
def _folder(watch: Watch, option: Mapping[str, Any]) -> Iterator[Path]:
    """The folder for the checkpoints of one training; a training that diverged removes its checkpoints.

    If another process runs the same training at the same time, it holds the folder, and this one uses a temporary one.
    """
    own = "-".join([watch.name, *(f"{key}={value}" for key, value in option.items())])
    with tempfile.TemporaryDirectory() as passing, ExitStack() as held:
        folder = Path(passing)
        if watch.checkpoints is not None:
            shared = watch.checkpoints / re.sub(r"[^\w.=-]+", "-", own)
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
    problem: Problem,
    settings: Schedule,
    learner: str,
    network: str,
    folder: Path,
    *,
    epochs: int | None = None,
    **option: Any,
) -> FittedNetwork:
    conf, watch = problem.conf, problem.watch
    assert settings.batch_size is not None
    assert settings.max_epochs is not None
    assert problem.dimension is not None
    size = math.ceil(settings.batch_size / settings.processes)  # per process: together they take one batch
    steps = math.ceil(math.ceil(len(problem.training) / settings.processes) / size) * settings.max_epochs
    done = [0]

    def on_epoch(losses: Mapping[str, float], epoch: int) -> None:
        if epoch > done[-1]:  # a replaced worker tells of earlier epochs again
            done.append(epoch)
            watch.on_epoch(losses, epoch)

    heard: dict[str, Callable[..., Any]] = {"on_epoch": on_epoch, "say": watch.log.info, "on_resume": watch.on_resume}
    most = settings.max_epochs if epochs is None else epochs
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(conf.seed)
        if not most:
            module, _, scales = module_of(learner).prepared(problem, settings, 0, option, state_of(problem.start))
            trained = Trained(module.network.state_dict(), None, scales)
        elif settings.workers > 1:
            from pipeline.network.on_workers import train_on_workers

            trained = train_on_workers(problem, settings, learner, steps, size, most, option, folder, heard)
        else:
            trained = _train_here(problem, settings, learner, steps, size, most, option, folder, heard)
    last, best = TrainedState(trained.last, done[-1]), trained.best

    def made(state: TrainedState) -> FittedNetwork:
        arrays = trained.scales | {key: tensor.cpu().numpy() for key, tensor in state.network.items()}
        embedding = Embedding(problem.vocabulary, places(arrays))
        device = device_of(settings, getattr(torch, conf.dtype))
        return FittedNetwork(embedding, arrays, conf.task, network, {"epochs": state.epoch, **option}, device)

    if best is None or best.epoch == last.epoch:
        return made(last)
    if settings.patience:
        return made(best)
    assert problem.validation is not None
    is_better = _difference(made(best), made(last), problem.validation, conf.task).prefers_ours
    return made(best if is_better else last)


def _train_here(
    problem: Problem,
    settings: Schedule,
    learner: str,
    steps: int,
    size: int,
    epochs: int,
    option: Mapping[str, Any],
    folder: Path,
    heard: Mapping[str, Callable[..., Any]],
) -> Trained:
    """Train in this process, or in several of this machine; see `train_on_workers`."""
    watch = problem.watch
    checkpoint, kept = _going_on(folder, watch)
    module, sets, scales = module_of(learner).prepared(
        problem, settings, steps, option, kept or state_of(problem.start)
    )
    with called_from_other_processes(heard) if settings.devices > 1 else nullcontext(heard) as tell:
        best = train(
            module,
            epochs,
            ExamplesModule(sets, size, problem.conf.seed),
            CheckpointWriter(folder / CHECKPOINT, tell["on_resume"]),
            [LossesByEpoch(tell["on_epoch"]), *progress_callbacks(watch, tell["say"])],
            settings.has_short_steps(len(problem.vocabulary), problem.dimension or 1),
            checkpoint,
            problem.conf.file,
        )
    return Trained(module.network.state_dict(), best, scales)


def _going_on(folder: Path, watch: Watch) -> tuple[Path | None, Mapping[str, Tensor]]:
    """The checkpoint of an earlier process and the state of its network; None and {} without a readable one."""
    path = folder / CHECKPOINT
    if not path.exists():
        return None, {}
    try:
        kept = torch.load(path, weights_only=True, mmap=True, map_location="cpu")
        epoch, network = int(kept["epoch"]), network_in(kept)
    except Exception:  # cut short, or of another version: starting anew costs only time
        path.unlink()
        watch.log.info(f"{watch.name}: the checkpoint in {folder} cannot be read, training begins anew")
        return None, {}
    watch.log.info(f"{watch.name}: goes on in epoch {epoch + 1}, where an earlier process stopped")
    return path, network


def _difference(fitted: Fitted, other: Fitted, validation: ExampleSet, task: Task) -> Difference:
    """The difference of two fits in the primary metric on validation."""
    return paired(task, task.evaluate(fitted, validation), task.evaluate(other, validation))
