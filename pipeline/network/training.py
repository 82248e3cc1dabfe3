"""How one candidate is trained: an embedding layer of D nodes, for the task.

Batches are cut straight from the CSR matrix, without Python for each example. The same seed gives the same bits on a
CPU with the same number of threads; that number changes only in long steps, and where the machine does other work
(`threads`). The modules of a task define its network and where it starts.
"""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import torch

from pipeline.accelerators import device_of
from pipeline.embedding import Embedding, Fitted, Problem
from pipeline.evaluation.bootstrap import Difference, paired
from pipeline.network.callbacks import CheckpointWriter, LossesByEpoch, progress_callbacks
from pipeline.network.candidate import Candidate
from pipeline.network.checkpoints import going_on
from pipeline.network.examples_module import ExamplesModule
from pipeline.network.fitted_network import FittedNetwork, places
from pipeline.network.layers import state_of
from pipeline.network.processes import called_from_other_processes
from pipeline.network.task_module import module_of
from pipeline.network.trainer import LAST, Trained, TrainedState, train


def fit_candidate(candidate: Candidate) -> FittedNetwork:
    """Train a candidate, and keep its last epoch; or the one with the best loss, if that is shown to be better.

    With `patience` it is the one with the best loss.

    Raises:
        PipelineError: the training diverged.
    """
    problem, settings, learning = candidate.problem, candidate.settings, module_of(candidate.learner)
    conf, watch = problem.conf, problem.watch
    done = [0]

    def on_epoch(losses: Mapping[str, float], epoch: int) -> None:
        if epoch > done[-1]:  # a replaced worker tells of earlier epochs again
            done.append(epoch)
            watch.on_epoch(losses, epoch)

    listeners: dict[str, Callable[..., Any]] = {
        "on_epoch": on_epoch,
        "say": watch.log.info,
        "on_resume": watch.on_resume,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(conf.seed)
        if not candidate.epochs:
            start = state_of(problem.start)
            module, _, scales = learning.prepared(problem, settings, candidate.steps, candidate.option, start)
            trained = Trained(module.network.state_dict(), None, scales)
        elif settings.workers > 1:
            from pipeline.network.on_workers import train_on_workers

            trained = train_on_workers(candidate, listeners)
        else:
            trained = _train_here(candidate, listeners)
    last, best = TrainedState(trained.last, done[-1]), trained.best

    def made(state: TrainedState) -> FittedNetwork:
        arrays = trained.scales | {key: tensor.cpu().numpy() for key, tensor in state.network.items()}
        embedding = Embedding(problem.vocabulary, places(arrays))
        chosen = {"epochs": state.epoch, **candidate.option}
        device = device_of(settings, getattr(torch, conf.dtype))
        return FittedNetwork(embedding, arrays, conf.task, candidate.network, chosen, device)

    if best is None or best.epoch == last.epoch:
        return made(last)
    if settings.patience:
        return made(best)
    if learning.interpolates:
        return made(last)
    return made(best if compared(made(best), made(last), problem).prefers_ours else last)


def _train_here(candidate: Candidate, listeners: Mapping[str, Callable[..., Any]]) -> Trained:
    """Train in this process, or in several of this machine; see `train_on_workers`."""
    problem, settings, watch = candidate.problem, candidate.settings, candidate.problem.watch
    checkpoint, kept = going_on(candidate.folder, watch)
    module, sets, scales = module_of(candidate.learner).prepared(
        problem, settings, candidate.steps, candidate.option, kept or state_of(problem.start)
    )
    with called_from_other_processes(listeners) if settings.devices > 1 else nullcontext(listeners) as tell:
        best = train(
            module,
            candidate.epochs,
            ExamplesModule(sets, candidate.batch_size, problem.conf.seed),
            CheckpointWriter(candidate.folder / LAST, tell["on_resume"]),
            [LossesByEpoch(tell["on_epoch"]), *progress_callbacks(watch, tell["say"])],
            settings.has_short_steps(len(problem.vocabulary), problem.dimension or 1),
            checkpoint,
            problem.conf.file,
        )
    return Trained(module.network.state_dict(), best, scales)


def compared(fitted: Fitted, other: Fitted, problem: Problem) -> Difference:
    """The difference of two fits in the primary metric on validation."""
    assert problem.validation is not None
    task = problem.conf.task
    return paired(task, task.evaluate(fitted, problem.validation), task.evaluate(other, problem.validation))
