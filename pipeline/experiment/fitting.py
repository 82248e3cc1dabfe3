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

import numpy as np
from filelock import FileLock, Timeout

from pipeline.config.dataset import Dataset
from pipeline.embedding import Embedding, Estimator, Fitted, Position
from pipeline.errors import PipelineError
from pipeline.estimators import estimator, run_name
from pipeline.evaluation.metrics import decimals
from pipeline.examples.example_set import SparseRows
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.experiment import moved_tokens
from pipeline.experiment.artifacts import PICTURES_KEY, keep_fit, pictures_key, redraw
from pipeline.experiment.cache_key import fit_key, run_params
from pipeline.experiment.cross_fitting import cross_fit
from pipeline.experiment.fit_queue import ELAPSED, FitQueue
from pipeline.experiment.fits import Fit, Fits
from pipeline.experiment.memory import require_memory
from pipeline.experiment.refresh import Refreshes, Start
from pipeline.experiment.run import FinishedRun, Run
from pipeline.experiment.tracking import CURRENT, Tracker
from pipeline.records.source import paths
from pipeline.records.splitting import require_room
from pipeline.vocabulary.vocabulary import Vocabulary


def fit_all(
    method: str,
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
    """Fit one method at each of its dimensions, one MLflow run each; an unchanged fit is reused.

    Args:
        method: `embedding`, or the kind of a baseline.
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
    _require_something_to_learn(examples, conf)
    conf.task.require_answers(examples, conf.file)
    require_room(conf, examples.n_training, len(vocabulary))
    asked, conf = conf, conf.resolved(examples.n_training, len(vocabulary))
    fits = []
    how = estimator(method, conf)
    queue = FitQueue(conf, examples, tracker, force)
    refreshes = Refreshes(asked, conf, how, examples, tracker)
    given = _Given(vocabulary, examples, tracker, log, checkpoints, tags or {})
    for dimension in how.fitted_at():
        name = run_name(method, dimension)
        key = fit_key(how, conf, examples, dimension)
        found = None if force else tracker.finished(key) or refreshes.finished(key)
        if found:
            log.info(f"{conf.name}: {name} is unchanged, its run {found.run_id} is reused")
            redraw(method, conf, vocabulary, found, tracker)
            done = found
        else:
            position = queue.position(method, dimension)
            start, why_not = (None, "") if force else refreshes.start(name, dimension)
            before = refreshes.before(name)
            if why_not:
                log.info(f"{conf.name}: {name} begins anew: {why_not}")
            done = given.fitted(how, conf, dimension, refreshes.tags(key, start), position, before, start)
            if start is not None and (worse := refreshes.why_worse(done, start)):
                log.info(f"{conf.name}: {name} begins anew: its refresh is worse than the last full fit ({worse})")
                done = given.fitted(how, conf, dimension, refreshes.tags(key, None), position, before)
        if done.tags.get(CURRENT) != "yes":
            tracker.mark_current(done.run_id, name)
        fits.append(
            Fit(
                conf.name,
                method,
                int(done.params["dimension"]),
                done.run_id,
                done.experiment_id,
                found is not None,
                dict(done.metrics),
            )
        )
    return Fits(tuple(fits))


@dataclass(frozen=True)
class _Given:
    """What all fits of a method share."""

    vocabulary: Vocabulary
    examples: SparseExamples
    tracker: Tracker
    log: logging.Logger
    checkpoints: Path | None
    tags: Mapping[str, str]

    def fitted(
        self,
        method: Estimator,
        conf: Dataset,
        dimension: int | None,
        tags: Mapping[str, str],
        position: Position,
        before: Embedding | None,
        start: Start | None = None,
    ) -> FinishedRun:
        """Fit at one D, in a run of its own with these tags; where there is a start, go on from it.

        Drift is measured from the embedding that was there before.
        """
        name, examples = run_name(method.name, dimension), self.examples
        if start is not None:
            self.log.info(f"{conf.name}: {name} goes on from the run {start.run.run_id}")
            conf = start.shortened(conf)
            method = estimator(method.name, conf)
        require_memory(method, name, conf, examples, dimension)
        run_tags = {
            "dataset": conf.name,
            "method": method.name,
            PICTURES_KEY: pictures_key(self.vocabulary),
            **tags,
            **self.tags,
        }
        params = run_params(method, conf, self.vocabulary, examples, dimension) | (start.said() if start else {})
        with self.tracker.run(name, run_tags, params) as run:
            run.log_input(conf.name, examples.fingerprint, paths.name(conf.source), _profile(examples))
            state = self.checkpoints / tags["fit_key"] if self.checkpoints else None
            how = (run, self.log, state, position, before, start)
            fitted = fit_one(method, conf, self.vocabulary, examples, dimension, *how)
        if state:
            _remove(state)
        self.log.info(f"{conf.name}: {_summary(name, run.metrics, conf.task.metrics[0].name)}")
        done = {"dimension": str(fitted.embedding.dimension)}
        return FinishedRun(run.run_id, run.experiment_id, run.metrics, done)


def _remove(state: Path) -> None:
    """Remove the checkpoints of a finished fit, except those that another process is using."""
    for folder in state.glob("*/"):
        with suppress(Timeout), FileLock(folder / "lock", timeout=0):
            shutil.rmtree(folder)
    with suppress(OSError):  # not empty, or never made
        state.rmdir()


def _profile(examples: SparseExamples) -> dict[str, int]:
    n, v = examples.shape
    return {"examples": n, "vocabulary": v, "stored_entries": len(examples.indices)}


def _require_something_to_learn(examples: SparseExamples, conf: Dataset) -> None:
    for fold in range(examples.n_folds):
        inputs = examples.training(fold).inputs
        if _are_the_same(inputs.cut(slice(1000))) and _are_the_same(inputs):  # the first ones nearly always differ
            raise PipelineError(
                f"{conf.file}, tokens: all {len(inputs)} training examples have the same tokens, so nothing tells one "
                "from another. Look at `example`, which says what rows are one, and at the columns of `tokens`."
            )


def _are_the_same(inputs: SparseRows) -> bool:
    return inputs.weights is None and bool(np.isin(inputs.counts, (0, len(inputs))).all())


def fit_one(
    method: Estimator,
    conf: Dataset,
    vocabulary: Vocabulary,
    examples: SparseExamples,
    dimension: int | None,
    run: Run,
    log: logging.Logger,
    state: Path | None = None,
    position: Position | None = None,
    before: Embedding | None = None,
    start: Start | None = None,
) -> Fitted:
    """Fit a method at one D, evaluate it, and store everything in the run; return the fit to keep."""
    name = run_name(method.name, dimension)
    goes_on = None if start is None else partial(start.weights_for, vocabulary, dtype=conf.dtype)
    begin = time.perf_counter()
    done = cross_fit(
        method, name, conf, vocabulary, examples, dimension, run.log_metrics, log, state, position, goes_on
    )
    seconds = {"fit_seconds": done.seconds, ELAPSED: time.perf_counter() - begin}
    of_seeds = {"seed_seconds": done.seed_seconds} if done.seed_seconds else {}
    run.log_metrics(seconds | of_seeds | done.chance.as_metrics())
    run.log_params(_chosen_params(done.chosen, dimension, done.fitted))
    fitted = done.fitted if before is None else moved_tokens.beside(done.fitted, before, turn=start is None)
    run.log_metrics(moved_tokens.tell(f"{conf.name}: {name}", fitted.embedding, log))
    keep_fit(replace(done, fitted=fitted), method, conf, run)
    return fitted


def _chosen_params(chosen: Sequence[Mapping[str, Any]], dimension: int | None, fitted: Fitted) -> dict[str, str]:
    params = {
        f"selected.{name}": ", ".join(str(found[name]) for found in chosen) for name in (chosen[0] if chosen else {})
    }
    return params | ({"dimension": str(fitted.embedding.dimension)} if dimension is None else {})


def _summary(name: str, metrics: Mapping[str, float], primary: str) -> str:
    """A line about a finished fit, with the metric that decides where one was measured.

    >>> _summary("pca D=2", {"fit_seconds": 1.25, "test_recall_at_20": 0.10304}, "recall_at_20")
    'pca D=2 fitted in 1.2 s, recall_at_20 0.1030'
    """
    value = metrics.get(f"test_{primary}")
    said = "" if value is None else f", {primary} {value:,.{decimals(abs(value))}f}"
    return f"{name} fitted in {metrics['fit_seconds']:.1f} s{said}"
