"""The learned fit: an embedding layer of D nodes, trained for the task.

Batches are cut straight from the CSR matrix, without Python for each example. The same seed gives the same bits on a
CPU with the same number of threads; that number changes only in long steps, and where the machine does other work
(`threads`). The modules of a task define its network and where it starts.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from pipeline.accelerators import device_of
from pipeline.config.task import Task
from pipeline.config.training import INTERPOLATION, Schedule
from pipeline.embedding import Embedding, Fitted, Problem
from pipeline.evaluation.bootstrap import Difference, paired
from pipeline.evaluation.selection import preferred, tuned
from pipeline.examples.example_set import ExampleSet
from pipeline.network.callbacks import CheckpointWriter, LossesByEpoch, progress_callbacks
from pipeline.network.checkpoints import CHECKPOINT, checkpoint_folder, going_on
from pipeline.network.fitted_network import FittedNetwork, between, places
from pipeline.network.layers import state_of
from pipeline.network.modules import ExamplesModule, module_of
from pipeline.network.processes import called_from_other_processes
from pipeline.network.trainer import Trained, TrainedState, train

SHARES = (0.0, 0.125, 0.25, 0.5, 0.75, 1.0)
"""Shares of the way from the start of a training to its end, of which validation chooses one."""
UNKNOWN_SHARE = 0.75
"""The share where there is no validation: in 24 fits of six tables the end was 3 % worse in the mean."""


def fit_network(problem: Problem, settings: Schedule, learner: str, network: str) -> FittedNetwork:
    """Train a network to the end of its schedule, or keep its start, or what lies between the two.

    The fit keeps the last epoch, where learning has come to rest, and the one with the best validation loss only if its
    primary metric is shown to be better; with few validation examples, better by a standard error. With
    `patience` the fit keeps the epoch with the best validation loss. Where a module `interpolates`, the fit lies as far
    on the way from the start of training to its end as validation prefers.

    Candidates that the settings or the network have beside those of which validation chooses, such as one that learns
    the order of lists or a linear model beside a trained one, come afterwards: one is kept if it is better by a
    standard error. Candidates that cut lists come last: one is kept if validation prefers it at all, because beforehand
    nothing speaks against them.

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

    def trained(**option: Any) -> FittedNetwork:
        seen: list[tuple[Mapping[str, float], int]] = []
        may_follow = in_parts or in_order or (is_unweighted and settings.others(option, [(option, math.inf)]))
        is_only = problem.chosen is not None or (is_single and not may_follow)
        live = watch if is_only else replace(watch, on_epoch=lambda *epoch: seen.append(epoch))
        with checkpoint_folder(watch, option) as folder:
            fitted = _fit(replace(problem, watch=live), settings, learner, network, folder, **option)
        losses[id(fitted)] = seen
        forgot.append((option, forgotten([found.get("validation_loss", math.nan) for found, _ in seen])))
        return fitted

    def part_way(end: FittedNetwork, option: Mapping[str, Any], *shares: float) -> Iterator[FittedNetwork]:
        is_needed = end.chosen["epochs"] and shares != (1.0,)
        start = trained(**{**option, "epochs": 0}) if is_needed else end
        for share in shares:
            fitted = between(start, end, share)
            losses[id(fitted)] = losses[id(end)]
            yield fitted

    def fit(**option: Any) -> FittedNetwork:
        share = option.pop(INTERPOLATION, None)
        end = trained(**option)
        return end if share is None else next(part_way(end, option, share))

    fitted = tuned(fit, among, problem)
    if module.interpolates and problem.chosen is None:
        if problem.validation:
            fitted = preferred(part_way(fitted, fitted.chosen, *SHARES), problem)
        else:
            fitted = next(part_way(fitted, fitted.chosen, UNKNOWN_SHARE))
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
    if module_of(learner).interpolates:
        return made(last)
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
    checkpoint, kept = going_on(folder, watch)
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


def _difference(fitted: Fitted, other: Fitted, validation: ExampleSet, task: Task) -> Difference:
    """The difference of two fits in the primary metric on validation."""
    return paired(task, task.evaluate(fitted, validation), task.evaluate(other, validation))
