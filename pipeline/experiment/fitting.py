"""Fits, from settings to finished MLflow runs, or the reuse of a run that already did exactly the same."""

import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pipeline.config.dataset import Dataset
from pipeline.embedding import Embedding, Estimator, Fitted, Position
from pipeline.estimators import estimator, run_name
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.experiment import moved_tokens
from pipeline.experiment.artifacts import PICTURES_KEY, keep_fit, pictures_key, redraw
from pipeline.experiment.cache_key import fit_key, run_params
from pipeline.experiment.cross_fitting import CrossFit
from pipeline.experiment.fits import Fit, Fits, summary
from pipeline.experiment.memory import require_memory
from pipeline.experiment.piece_queue import PieceQueue
from pipeline.experiment.positions import ELAPSED, Positions
from pipeline.experiment.refresh import Refreshes, Start
from pipeline.experiment.run import FinishedRun, Run
from pipeline.experiment.tracking import CURRENT, Tracker
from pipeline.records.source import paths
from pipeline.vocabulary.room import require_room
from pipeline.vocabulary.vocabulary import Vocabulary


def fit_all(
    methods: Sequence[str],
    conf: Dataset,
    vocabulary: Vocabulary,
    examples: SparseExamples,
    tracker: Tracker,
    *,
    tags: Mapping[str, str] | None = None,
    force: bool = False,
    log: logging.Logger | None = None,
    checkpoints: Path | None = None,
) -> Fits:
    """Fit some methods at each of their dimensions, one MLflow run each; an unchanged fit is reused.

    Args:
        methods: `embedding`, or kinds of baselines.
        conf: the dataset.
        vocabulary: the one that encoded the examples.
        examples: all of them, with their splits.
        tracker: the dataset's MLflow experiment.
        tags: more tags for the runs, such as `dagster.run_id`.
        force: repeat a fit even if it is unchanged.
        log: gets a line for each fit and a few for its epochs.
        checkpoints: a folder where a long fit leaves its state, so that a killed fit goes on where it stopped; the
            state is removed once the fit is done.

    Raises:
        PipelineError: the vocabulary is another one, all examples are the same, nothing can be evaluated, the
            data has no room for a setting, or a fit needs more memory than is free.
    """
    log = log or logging.getLogger(__name__)
    vocabulary.require(examples.about["vocabulary"], f"{conf.name}: the sparse examples")
    examples.require_something_to_learn(conf.file)
    conf.task.require_answers(examples, conf.file)
    require_room(conf, examples.n_training, len(vocabulary))
    asked, conf = conf, conf.resolved(examples.n_training, len(vocabulary))
    fitter = _Fitter(conf, vocabulary, examples, tracker, log, checkpoints, tags or {}, force)
    with PieceQueue() as queue:
        waiting = []
        for method in (estimator(name, conf) for name in methods):
            refreshes = Refreshes(asked, conf, method, examples, tracker)
            waiting += [fitter.waiting(method, dimension, refreshes, queue) for dimension in method.fitted_at()]
        return Fits(tuple(map(fitter.fit, waiting)))


@dataclass(frozen=True)
class _Waiting:
    """A fit that is still to be done, or found."""

    method: Estimator
    dimension: int | None
    key: str
    refreshes: Refreshes
    same: FinishedRun | None
    """The run that did exactly the same, if there is one."""
    ahead: CrossFit | None
    """Where nothing else has to be known before, its folds: other processes may begin with them."""

    @property
    def name(self) -> str:
        """Its name in runs and tables."""
        return run_name(self.method.name, self.dimension)


@dataclass(frozen=True)
class _Fitter:
    """What all fits share."""

    conf: Dataset
    vocabulary: Vocabulary
    examples: SparseExamples
    tracker: Tracker
    log: logging.Logger
    checkpoints: Path | None
    tags: Mapping[str, str]
    force: bool

    def waiting(self, method: Estimator, dimension: int | None, refreshes: Refreshes, queue: PieceQueue) -> _Waiting:
        """A fit that waits now, in this queue unless a run did the same."""
        key, name = fit_key(method, self.conf, self.examples, dimension), run_name(method.name, dimension)
        same = None if self.force else self.tracker.finished(key) or refreshes.finished(key)
        may_wait = not same and (self.force or not refreshes.may_go_on(name))
        ahead = self._cross_fit(queue, method, self.conf, dimension, key) if may_wait else None
        return _Waiting(method, dimension, key, refreshes, same, ahead)

    def fit(self, waiting: _Waiting) -> Fit:
        """A fit that has waited: the reused run, or a new one."""
        name, method = waiting.name, waiting.method.name
        if waiting.same is not None:
            self.log.info(f"{self.conf.name}: {name} is unchanged, its run {waiting.same.run_id} is reused")
            redraw(method, self.conf, self.vocabulary, waiting.same, self.tracker)
        run = waiting.same or self._refreshed_or_new(waiting)
        if run.tags.get(CURRENT) != "yes":
            self.tracker.mark_current(run.run_id, name)
        is_reused, dimension = waiting.same is not None, int(run.params["dimension"])
        return Fit(self.conf.name, method, dimension, run.run_id, run.experiment_id, is_reused, dict(run.metrics))

    def _refreshed_or_new(self, waiting: _Waiting) -> FinishedRun:
        """The run of a fit that goes on from an earlier one, if it can and is no worse for it; or begins anew."""
        name, refreshes = waiting.name, waiting.refreshes
        start, why_not = (None, "") if self.force else refreshes.start(name, waiting.dimension)
        before = refreshes.before(name)
        if why_not:
            self.log.info(f"{self.conf.name}: {name} begins anew: {why_not}")
        run = self._fitted(waiting, before, start)
        if start is not None and (worse := refreshes.why_worse(run, start)):
            why_not = f"its refresh is worse than the last full fit ({worse})"
            self.log.info(f"{self.conf.name}: {name} begins anew: {why_not}")
            run = self._fitted(waiting, before)
        return run

    def _fitted(self, waiting: _Waiting, before: Embedding | None, start: Start | None = None) -> FinishedRun:
        """Fit in a run of its own; where there is a start, go on from it.

        Drift is measured from the embedding that was there before.
        """
        name, method, dimension = waiting.name, waiting.method, waiting.dimension
        conf, examples = self.conf, self.examples
        position = Positions(conf, examples, self.tracker, self.force).position(method.name, dimension)
        if start is not None:
            self.log.info(f"{conf.name}: {name} goes on from the run {start.run.run_id}")
            conf = start.shortened(conf)
            method = estimator(method.name, conf)
        require_memory(method, name, conf, examples, dimension)
        tags = waiting.refreshes.tags(waiting.key, start)
        run_tags = {
            "dataset": conf.name,
            "method": method.name,
            PICTURES_KEY: pictures_key(self.vocabulary),
            **tags,
            **self.tags,
        }
        params = run_params(method, conf, self.vocabulary, examples, dimension) | (start.said() if start else {})
        with self.tracker.run(name, run_tags, params) as run, PieceQueue() as queue:
            run.log_input(conf.name, examples.fingerprint, paths.name(conf.source), _profile(examples))
            ahead = waiting.ahead if start is None else None
            fit = ahead or self._cross_fit(queue, method, conf, dimension, tags["fit_key"], start)
            fitted = _fit_in_run(fit, method, conf, dimension, run, self.log, position, before, start is not None)
        _remove(self._state(tags["fit_key"]))
        self.log.info(f"{conf.name}: {summary(name, run.metrics, conf.task.metrics[0].name)}")
        params = {"dimension": str(fitted.embedding.dimension)}
        return FinishedRun(run.run_id, run.experiment_id, run.metrics, params)

    def _cross_fit(
        self,
        queue: PieceQueue,
        method: Estimator,
        conf: Dataset,
        dimension: int | None,
        key: str,
        start: Start | None = None,
    ) -> CrossFit:
        goes_on = None if start is None else partial(start.weights_for, self.vocabulary, dtype=conf.dtype)
        name, state = run_name(method.name, dimension), self._state(key)
        return CrossFit(queue, method, name, conf, self.vocabulary, self.examples, dimension, state, goes_on)

    def _state(self, key: str) -> Path | None:
        return self.checkpoints / key if self.checkpoints else None


def _remove(state: Path | None) -> None:
    """Remove the checkpoints of a finished fit, except those that another process is using."""
    if state is None:
        return
    for folder in state.glob("*/"):
        with suppress(Timeout), FileLock(folder / "lock", timeout=0):
            shutil.rmtree(folder)
    with suppress(OSError):  # not empty, or never made
        state.rmdir()


def _profile(examples: SparseExamples) -> dict[str, int]:
    n, v = examples.shape
    return {"examples": n, "vocabulary": v, "stored_entries": len(examples.indices)}


def _fit_in_run(
    fit: CrossFit,
    method: Estimator,
    conf: Dataset,
    dimension: int | None,
    run: Run,
    log: logging.Logger,
    position: Position | None,
    before: Embedding | None,
    goes_on: bool,
) -> Fitted:
    """Do a fit, evaluate it, and store everything in the run; return the fit to keep."""
    name = run_name(method.name, dimension)
    begin = time.perf_counter()
    done = fit.done(run.log_metrics, log, position)
    seconds = {"fit_seconds": done.seconds, ELAPSED: time.perf_counter() - begin}
    of_seeds = {"seed_seconds": done.seed_seconds} if done.seed_seconds else {}
    run.log_metrics(seconds | of_seeds | done.chance.as_metrics())
    run.log_params(_chosen_params(done.chosen, dimension, done.fitted))
    fitted = done.fitted if before is None else moved_tokens.beside(done.fitted, before, turn=not goes_on)
    run.log_metrics(moved_tokens.tell(f"{conf.name}: {name}", fitted.embedding, log))
    keep_fit(replace(done, fitted=fitted), method, conf, run)
    return fitted


def _chosen_params(chosen: Sequence[Mapping[str, Any]], dimension: int | None, fitted: Fitted) -> dict[str, str]:
    names = chosen[0] if chosen else {}
    params = {f"selected.{name}": ", ".join(str(of_fold[name]) for of_fold in chosen) for name in names}
    return params | ({"dimension": str(fitted.embedding.dimension)} if dimension is None else {})
