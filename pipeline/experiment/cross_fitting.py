"""One method at one D, fitted and judged in each turn of the examples: once, or once a fold.

Every method goes the same way: fit on the training examples, let validation choose, be judged on the test examples.
What the methods do is in their own modules; where the result is kept does not belong here.
"""

import logging
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.embedding import Estimator, Fitted, Problem, Watch
from pipeline.examples.example_set import ExampleSet
from pipeline.examples.sparse_examples import HELD_OUT, SparseExamples
from pipeline.vocabulary.vocabulary import Vocabulary

LogMetrics = Callable[[Mapping[str, float], int], None]
"""Gets numbers by name, and the epoch that they belong to."""


@dataclass(frozen=True)
class CrossFitted:
    """What came out of all turns."""

    fitted: Fitted
    """The fit that is kept: the only one, or of several turns one on all examples."""
    scores: Mapping[str, pl.DataFrame]
    """By part (validation, test) what the task's `evaluate` gave of all turns; a part without examples is not there."""
    chosen: Sequence[Mapping[str, Any]]
    """What validation chose in each turn."""
    seconds: float
    """Seconds of fitting, those of an earlier process included."""


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
) -> CrossFitted:
    """Fit and judge a method in each turn of the examples.

    Validation chooses; then, where conf says `refit`, the same is fitted on training and validation together; then the
    test examples judge. Of several turns (folds) the fit that is kept is one on all examples, with the typical choice.

    Args:
        method: how to fit.
        name: what people read for the fit.
        conf: the dataset, resolved.
        vocabulary: of the examples.
        examples: all of them, with their splits.
        dimension: D; None where the method has none to sweep.
        log_losses: gets the losses of each epoch; of several turns their means, at the end.
        log: gets lines of progress.
        state: a folder for what a training that is interrupted goes on with.
    """
    clock, losses = _Clock(), _EpochLosses(log_losses, live=examples.turns == 1)

    def fit(
        whose: str,
        training: ExampleSet,
        validation: ExampleSet | None = None,
        chosen: Mapping[str, Any] | None = None,
    ) -> Fitted:
        watch = Watch(f"{conf.name}: {whose}", log, losses.of(chosen is not None), clock.add, state)
        with clock:
            return method.fit(Problem(training, vocabulary, conf, dimension, validation, chosen, watch))

    scores: dict[str, list[pl.DataFrame]] = {part: [] for part in HELD_OUT}
    chosen = []
    for turn in range(examples.turns):
        whole = f"{name}, fold {turn + 1} of {examples.turns}" if examples.turns > 1 else name
        validation, test = (examples.held_out(part, turn, conf.task.most_evaluated, conf.seed) for part in HELD_OUT)
        fitted = fit(whole, examples.training(turn), validation=validation if len(validation) else None)
        chosen.append(fitted.chosen)
        if len(validation):
            scores["validation"].append(conf.task.evaluate(fitted, validation))
            if conf.refit:
                fitted = fit(f"{whole}, refit", examples.training(turn, refit=True), chosen=fitted.chosen)
        if len(test):
            scores["test"].append(conf.task.evaluate(fitted, test))
    if examples.turns > 1:
        fitted = fit(f"{name}, all", examples.everything(), chosen=typical(chosen))
    losses.flush()
    judged = {part: pl.concat(frames) for part, frames in scores.items() if frames}
    return CrossFitted(fitted, judged, chosen, clock.seconds)


def typical(chosen: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What several turns chose, as one: the median of numbers (one that was chosen), the most frequent of names.

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
    """Adds up the seconds of what happens `with` it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count seconds of an earlier process too."""
        self.seconds += seconds

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._start


@dataclass
class _EpochLosses:
    """Losses by epoch: as they come, or of several turns their mean; those of a refit by another name."""

    log_metrics: LogMetrics
    live: bool
    seen: dict[tuple[str, int], list[float]] = field(default_factory=dict)

    def of(self, refit: bool) -> Any:
        """What a network's training calls at the end of each epoch."""
        return partial(self._note, "refit_" if refit else "")

    def _note(self, prefix: str, losses: Mapping[str, float], epoch: int) -> None:
        for name, value in losses.items():
            self.seen.setdefault((prefix + name, epoch), []).append(value)
        if self.live:
            self.log_metrics({prefix + name: value for name, value in losses.items()}, epoch)

    def flush(self) -> None:
        """Send the means, where the losses were not sent as they came."""
        for (name, epoch), values in sorted(self.seen.items() if not self.live else [], key=lambda item: item[0][1]):
            self.log_metrics({name: float(np.mean(values))}, epoch)
