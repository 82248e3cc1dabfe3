"""Trains on the workers of a cluster: each gets its part of the examples, and what they learned comes back here."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import polars as pl
import torch
from torch import Tensor

from pipeline.cluster.connection import connected
from pipeline.cluster.workers import Calls, run_on_workers, shared
from pipeline.embedding import Problem
from pipeline.errors import PipelineError
from pipeline.network import callbacks
from pipeline.network.batches import Batches
from pipeline.network.candidate import Candidate
from pipeline.network.divided_table import joined_rows
from pipeline.network.layers import state_of
from pipeline.network.processes import called_from_other_processes
from pipeline.network.task_module import Recipe, TaskModule, module_of
from pipeline.network.trainer import BEST, LAST, Trained, TrainedState, network_in
from pipeline.network.worker import Order, Usage, file_of, work

RUN = "workers"
"""Name of a training in the folder of its checkpoints."""


def train_on_workers(candidate: Candidate, listeners: Mapping[str, Callable[..., Any]]) -> Trained:
    """Train on workers to the end of the schedule.

    Args:
        candidate: what is trained.
        listeners: functions that are called in this process: `on_epoch`, `say` and `on_resume`.

    Raises:
        PipelineError: there is no cluster, workers were lost too often, or the training diverged.
    """
    problem, settings, conf = candidate.problem, candidate.settings, candidate.problem.conf
    assert problem.dimension is not None
    n, name = settings.workers, problem.watch.name
    where = f"{conf.file}, training.workers={n}"
    failed, used = list[str](), list[Usage]()
    is_divided = settings.is_divided(len(problem.vocabulary), problem.dimension, np.dtype(conf.dtype).itemsize)
    divided = _divided(candidate) if is_divided else None  # before a cluster is looked for: it may be refused
    with connected(where, n * settings.resources_per_worker.get("CPU", 0)) as cluster:
        recipe = divided or _whole(candidate)
        listeners["say"](f"{name}: {n} workers train on {cluster}{', each with rows of its own' * is_divided}")
        with (
            called_from_other_processes({**listeners, "failed": failed.append, "used": used.append}, Calls()) as tell,
            _storage(candidate.folder, problem) as (storage, own),
        ):
            order = Order(
                run=uuid4().hex,
                parts=[shared([_without_ids(batches.part(i, n)) for batches in recipe.sets]) for i in range(n)],
                module=shared(recipe.make),
                size=candidate.batch_size,
                seed=conf.seed,
                epochs=candidate.epochs,
                pause=callbacks.CHECKPOINT_SECONDS,
                name=name,
                where=conf.file,
                tell=tell,
            )
            of = settings.resources_per_worker
            with run_on_workers(work, order._asdict(), n, of, storage, own, where, listeners["say"]) as kept:
                states = None if kept is None else _states(kept, n if is_divided else 1, len(problem.vocabulary))
    if failed:
        shutil.rmtree(candidate.folder / RUN, ignore_errors=True)
        raise PipelineError(failed[0])
    assert states is not None
    listeners["say"](f"{name}: {_in_words(used)}")
    return Trained(*states, recipe.scales)


def _in_words(used: Sequence[Usage]) -> str:
    """What the workers have used: the most of each, for people and for `benchmarks`."""
    memory, steps = max((one.memory for one in used), default=0), max((one.steps for one in used), default=1)
    sent = max((one.sent for one in used), default=0) / max(steps, 1)
    return f"a worker used {memory / 1e6:,.0f} MB of memory at most" + (
        f", and sent {sent:,.0f} bytes to the others in a step" if sent else ""
    )


def _divided(candidate: Candidate) -> Recipe:
    """A recipe for workers that have some rows of the table each, and make them themselves."""
    learning = module_of(candidate.learner)
    return learning.divided(candidate.problem, candidate.settings, candidate.steps, candidate.option)


def _whole(candidate: Candidate) -> Recipe:
    """A recipe for workers that all have the whole network, as it is made here."""
    learning, start = module_of(candidate.learner), state_of(candidate.problem.start)
    made = learning.prepared(candidate.problem, candidate.settings, candidate.steps, candidate.option, start)
    return Recipe(partial(_as_it_is, made.module), made.sets, made.scales)


def _as_it_is(module: TaskModule, *_: Any) -> TaskModule:
    return module


def _without_ids(batches: Batches) -> Batches:
    """The same batches; nobody learns from the names of the examples."""
    rows = replace(batches.rows, ids=pl.int_range(len(batches), eager=True))
    return Batches(rows, batches.dense, batches.target)


@contextmanager
def _storage(folder: Path, problem: Problem) -> Iterator[tuple[str, str]]:
    """Where the workers keep their checkpoints, and the name of this training there."""
    url = os.environ.get("PIPELINE_STORE")
    if not url:
        yield str(folder.absolute()), RUN
        return
    own = f"{folder.parent.name}-{folder.name}" if problem.watch.checkpoints else uuid4().hex
    root = f"{url.rstrip('/')}/training"
    yield root, own
    import fsspec

    files, path = fsspec.core.url_to_fs(f"{root}/{own}")
    if files.exists(path):  # not if the first step already diverged
        files.rm(path, recursive=True)


def _states(kept: Path, parts: int, size: int) -> tuple[dict[str, Tensor], TrainedState | None]:
    """The network of the last epoch, and that of the best one, from the files of a checkpoint.

    Args:
        kept: the folder of the checkpoint.
        parts: how many workers have a part of the network, each in its own file.
        size: V.
    """

    def loaded(name: str) -> list[Any]:
        paths = [kept / file_of(rank, name) for rank in range(parts)]
        return [torch.load(path, weights_only=True, mmap=parts > 1) for path in paths if path.exists()]

    last, best = [network_in(one) for one in loaded(LAST)], loaded(BEST)
    if parts == 1:
        return last[0], TrainedState(**best[0]) if best else None
    joined = TrainedState(joined_rows([one["network"] for one in best], size), best[0]["epoch"]) if best else None
    return joined_rows(last, size), joined
