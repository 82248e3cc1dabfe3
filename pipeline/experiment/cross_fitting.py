"""Fit and evaluate one method at one D: once, or once for each fold.

Every method takes the same steps: fit on the training examples, let validation choose, evaluate on the test examples.
What a method does stands in its own module; storing the result does not belong here.
"""

import logging
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.embedding import Estimator, Fitted, Place, Problem, Watch
from pipeline.evaluation.in_parts import evaluate
from pipeline.evaluation.metrics import judged_part, measure
from pipeline.evaluation.seeds import SeedChance
from pipeline.examples.example_set import ExampleSet
from pipeline.examples.sparse_examples import HELD_OUT, SparseExamples
from pipeline.vocabulary.vocabulary import Vocabulary

LogMetrics = Callable[[Mapping[str, float], int], None]
"""Gets numbers by name, and the epoch that they belong to."""


@dataclass(frozen=True)
class CrossFitted:
    """The outcome of all folds."""

    fitted: Fitted
    """The fit to keep: the only one, or, with folds, a fit on all examples."""
    scores: Mapping[str, pl.DataFrame]
    """By part (validation, test) the scores of all folds, from the task's `evaluate`; empty parts are absent."""
    chosen: Sequence[Mapping[str, Any]]
    """What validation chose in each fold."""
    seconds: float
    """Seconds of fitting, including those of an earlier process, without those of further seeds."""
    seed_seconds: float
    """Seconds of fitting with further seeds."""
    chance: SeedChance
    """How far the metrics vary between seeds."""


def cross_fit(
    method: Estimator,
    name: str,
    conf: Dataset,
    vocabulary: Vocabulary,
    examples: SparseExamples,
    dimension: int | None,
    log_losses: LogMetrics,
    log: logging.Logger,
    state: Path | None = None,
    place: Place | None = None,
    start: Callable[[ExampleSet], Mapping[str, Any]] | None = None,
) -> CrossFitted:
    """Fit a method and evaluate it, once or once for each fold.

    Validation chooses. Where conf says `refit`, the choice is then fitted again on training and validation examples
    together. The fit is evaluated on the test examples, and so is the same fit with other seeds (`seeds`). With folds,
    the fit to keep is one on all examples, with the typical choice.

    Args:
        method: how to fit.
        name: the name of the fit, for people.
        conf: the dataset, resolved.
        vocabulary: the vocabulary of the examples.
        examples: all of them, with their splits.
        dimension: D; None for a method without a D to sweep.
        log_losses: gets the losses of each epoch; with folds their means, at the end.
        log: receives lines of progress.
        state: folder of the checkpoints from which an interrupted training goes on.
        place: which fit of how many it is, for a progress bar.
        start: gives the weights from which training goes on, for training examples; None: it begins anew.
    """
    clock, clock_of_seeds = _Clock(), _Clock()
    losses = _EpochLosses(log_losses, live=examples.n_folds == 1)

    def fit(
        whose: str,
        training: ExampleSet,
        validation: ExampleSet | None = None,
        chosen: Mapping[str, Any] | None = None,
    ) -> Fitted:
        watch = Watch(f"{conf.name}: {whose}", log, losses.of(chosen is not None), clock.add, state, place)
        with clock:
            weights = start(training) if start else None
            return method.fit(Problem(training, vocabulary, conf, dimension, validation, chosen, watch, weights))

    others = range(1, conf.seeds or 1) if method.has_chance else range(0)

    def other_seeds(whose: str, training: ExampleSet, chosen: Mapping[str, Any]) -> Iterator[Fitted]:
        for i in others:
            watch = Watch(f"{conf.name}: {whose}, seed {i + 1} of {conf.seeds}", log, checkpoints=state, place=place)
            own = conf.model_copy(update={"seed": (conf.seed + i) % 2**32})
            with clock_of_seeds:
                weights = start(training) if start else None
                fitted = method.fit(Problem(training, vocabulary, own, dimension, None, chosen, watch, weights))
            yield fitted

    scores: dict[str, list[pl.DataFrame]] = {part: [] for part in HELD_OUT}
    chosen, by_seed = [], []
    for fold in range(examples.n_folds):
        whole = f"{name}, fold {fold + 1} of {examples.n_folds}" if examples.n_folds > 1 else name
        validation, test = (examples.held_out(part, fold, conf.task.most_evaluated, conf.seed) for part in HELD_OUT)
        fitted = fit(whole, examples.training(fold), validation=validation if len(validation) else None)
        chosen.append(fitted.chosen)
        if len(validation):
            scores["validation"].append(evaluate(conf, fitted, validation))
            if conf.refit:
                fitted = fit(f"{whole}, refit", examples.training(fold, refit=True), chosen=fitted.chosen)
        if len(test):
            scores["test"].append(evaluate(conf, fitted, test))
        part = judged_part([part for part, frames in scores.items() if frames])
        if part and others:
            rows = examples.training(fold, refit=conf.refit and part == "test")
            held_out = test if part == "test" else validation
            frames = (evaluate(conf, other, held_out) for other in other_seeds(whole, rows, fitted.chosen))
            by_seed.append([measure(conf.task, frame) for frame in (scores[part][-1], *frames)])
    if examples.n_folds > 1:
        fitted = fit(f"{name}, all", final_training(examples, conf), chosen=typical(chosen))
    losses.flush()
    evaluated = {part: pl.concat(frames) for part, frames in scores.items() if frames}
    return CrossFitted(fitted, evaluated, chosen, clock.seconds, clock_of_seeds.seconds, SeedChance.of(by_seed))


def final_training(examples: SparseExamples, conf: Dataset) -> ExampleSet:
    """The examples that the fit to keep learns from: with folds all, else those of training, after a refit more."""
    return examples.everything() if examples.n_folds > 1 else examples.training(refit=conf.refit)


def typical(chosen: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The typical choice of several folds: of numbers the lower median, of names the most frequent.

    >>> typical([{"epochs": 30, "weighting": "cosine"}, {"epochs": 50, "weighting": "tfidf"}, {"epochs": 31,
    ...     "weighting": "cosine"}])
    {'epochs': 31, 'weighting': 'cosine'}
    """
    of_each = {name: [found[name] for found in chosen] for name in chosen[0]}
    return {
        name: statistics.mode(values) if isinstance(values[0], str) else statistics.median_low(values)
        for name, values in of_each.items()
    }


class _Clock:
    """Adds up the seconds that are spent inside its context."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """Add the seconds of an earlier process."""
        self.seconds += seconds

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._start


@dataclass
class _EpochLosses:
    """Losses by epoch, sent as they come, or, with folds, as means at the end; losses of a refit have another name."""

    log_metrics: LogMetrics
    live: bool
    seen: dict[tuple[str, int], list[float]] = field(default_factory=dict)

    def of(self, refit: bool) -> Any:
        """The function that a network's training calls at the end of each epoch."""
        return partial(self._note, "refit_" if refit else "")

    def _note(self, prefix: str, losses: Mapping[str, float], epoch: int) -> None:
        for name, value in losses.items():
            self.seen.setdefault((prefix + name, epoch), []).append(value)
        if self.live:
            self.log_metrics({prefix + name: value for name, value in losses.items()}, epoch)

    def flush(self) -> None:
        """Send the means, unless the losses were sent as they came."""
        for (name, epoch), values in sorted(self.seen.items() if not self.live else [], key=lambda item: item[0][1]):
            self.log_metrics({name: float(np.mean(values))}, epoch)
