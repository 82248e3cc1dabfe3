"""Fit and evaluate one method at one D: once, or once for each fold.

Every method takes the same steps: fit on the training examples, let validation choose, evaluate on the test examples.
What a method does stands in its own module; storing the result does not belong here.
"""

import logging
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.embedding import Estimator, Fitted, Position, Watch
from pipeline.evaluation.seeds import SeedChance
from pipeline.examples.example_set import ExampleSet
from pipeline.examples.sparse_examples import HELD_OUT, SparseExamples
from pipeline.experiment.fold import Fold, FoldFitter, LogMetrics, Losses, OneFit
from pipeline.experiment.memory import size_of
from pipeline.experiment.parallel import on_one_thread, processes_for
from pipeline.experiment.piece_queue import PieceQueue
from pipeline.vocabulary.vocabulary import Vocabulary


@dataclass(frozen=True)
class CrossFitted:
    """The outcome of all folds."""

    fitted: Fitted
    """The fit to keep: the only one, or, with folds, a fit on all examples."""
    scores: Mapping[str, pl.DataFrame]
    """By part (validation, test) the scores of all folds, from the task's `evaluate`, with the number of the fold in
    the column `fold` if there are several; empty parts are absent."""
    chosen: Sequence[Mapping[str, Any]]
    """What validation chose in each fold."""
    seconds: float
    """Seconds of fitting, including those of an earlier process, without those of further seeds."""
    seed_seconds: float
    """Seconds of fitting with further seeds."""
    chance: SeedChance
    """How far the metrics vary between seeds."""


class CrossFit:
    """A fit that is still to be done: its folds wait in a queue, where other processes may take them.

    Validation chooses. Where conf says `refit`, the choice is then fitted again on training and validation examples
    together. The fit is evaluated on the test examples, and so is the same fit with other seeds (`seeds`). With folds,
    the fit to keep is one on all examples, with the typical choice.
    """

    def __init__(
        self,
        queue: PieceQueue,
        method: Estimator,
        name: str,
        conf: Dataset,
        vocabulary: Vocabulary,
        examples: SparseExamples,
        dimension: int | None,
        state: Path | None = None,
        start: Callable[[ExampleSet], Mapping[str, Any]] | None = None,
    ) -> None:
        """Let the folds wait.

        Args:
            queue: where they wait.
            method: how to fit.
            name: the name of the fit, for people.
            conf: the dataset, resolved.
            vocabulary: the vocabulary of the examples.
            examples: all of them, with their splits.
            dimension: D; None for a method without a D to sweep.
            state: folder of the checkpoints from which an interrupted training goes on.
            start: gives the weights from which training goes on, for training examples; None: it begins anew.
        """
        self._conf, self._examples, self._name = conf, examples, name
        self._how = method, size_of(conf, examples), dimension
        self._processes = 1 if start else processes_for(*self._how)
        self._fitter = FoldFitter(method, name, conf, vocabulary, examples, dimension, state, start)
        each = [partial(self._fitter.fitted_in_fold, i) for i in range(examples.n_folds)]
        self._folds = queue.put(each, self._processes)

    def done(self, log_losses: LogMetrics, log: logging.Logger, position: Position | None = None) -> CrossFitted:
        """Fit and evaluate, once or once for each fold.

        Args:
            log_losses: gets the losses of each epoch; with folds their means, at the end.
            log: receives lines of progress.
            position: which fit of how many it is, for a progress bar.
        """
        title = f"{self._conf.name}: {self._name}"
        with on_one_thread(*self._how):
            if self._examples.n_folds == 1:
                passed_on = _PassedOn(log_losses)
                folds = self._folds.done(title, log, log_losses=passed_on, position=position, processes=self._processes)
                fits = [*folds[0].fits]
                passed_on.pass_others_on(fit.losses for fit in fits)
            else:
                folds = self._folds.done(title, log, position=position)
                watch = Watch(f"{self._name}, all", log, position=position)
                chosen = typical([fold.fits[0].chosen for fold in folds])
                last = self._fitter.fit(final_training(self._examples, self._conf), watch, chosen)
                fits = [*(fit for fold in folds for fit in fold.fits), last]
                for losses, epoch in _means([fit.losses for fit in fits]):
                    log_losses(losses, epoch)
        return _of_folds(folds, fits)


class _PassedOn:
    """Passes losses on as they come, and remembers whether some came: those of another process do not."""

    def __init__(self, log_losses: LogMetrics) -> None:
        self._log_losses, self._has_passed_some = log_losses, False

    def __call__(self, losses: Mapping[str, float], epoch: int) -> None:
        self._has_passed_some = True
        self._log_losses(losses, epoch)

    def pass_others_on(self, of_fits: Iterable[Losses]) -> None:
        """Pass the losses of finished fits on, unless they have come already."""
        if not self._has_passed_some:
            for losses in of_fits:
                for epoch, of_epoch in losses.items():
                    self._log_losses(of_epoch, epoch)


def _of_folds(folds: Sequence[Fold], fits: Sequence[OneFit]) -> CrossFitted:
    fitted = fits[-1].fitted
    assert fitted is not None
    scores = {part: {i: fold.scores[part] for i, fold in enumerate(folds) if part in fold.scores} for part in HELD_OUT}
    return CrossFitted(
        fitted,
        {part: _of_all(frames) for part, frames in scores.items() if frames},
        [fold.fits[0].chosen for fold in folds],
        sum(fit.seconds for fit in fits),
        sum(fit.seconds for fold in folds for fit in fold.of_seeds),
        SeedChance.of([fold.by_seed for fold in folds if fold.by_seed]),
    )


def final_training(examples: SparseExamples, conf: Dataset) -> ExampleSet:
    """The examples that the fit to keep learns from: with folds all, else those of training, after a refit more."""
    return examples.everything() if examples.n_folds > 1 else examples.training(refit=examples.refits(conf.refit))


def typical(chosen: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The typical choice of several folds, with the lower median of the epochs of the folds that have chosen so.

    It is the choice that has the most of the typical values: of numbers the lower median, of names the most frequent.
    Values of several choices may not go together.

    >>> typical([{"epochs": 30, "weighting": "cosine"}, {"epochs": 50, "weighting": "tfidf"}, {"epochs": 31,
    ...     "weighting": "cosine"}])
    {'epochs': 30, 'weighting': 'cosine'}
    >>> typical([{"temperature": 0.3, "weight_decay": 0.0}, {"temperature": 0.1, "weight_decay": 5.0}])
    {'temperature': 0.3, 'weight_decay': 0.0}
    """
    settings = [{name: value for name, value in one.items() if name != "epochs"} for one in chosen]
    each = {
        name: (statistics.mode if isinstance(value, str) else statistics.median_low)([one[name] for one in settings])
        for name, value in settings[0].items()
    }
    nearest = max(settings, key=lambda one: sum(one[name] == value for name, value in each.items()))
    same = [whole for whole, one in zip(chosen, settings, strict=True) if one == nearest]
    epochs = [one["epochs"] for one in same if "epochs" in one]
    return {**same[0], **({"epochs": statistics.median_low(epochs)} if epochs else {})}


def _of_all(frames: Mapping[int, pl.DataFrame]) -> pl.DataFrame:
    """The scores of all folds, by the number of the fold."""
    if len(frames) == 1:
        return next(iter(frames.values()))
    return pl.concat([frame.with_columns(fold=pl.lit(i, pl.Int32)) for i, frame in frames.items()])


def _means(fits: Sequence[Losses]) -> Iterator[tuple[dict[str, float], int]]:
    """The losses of each epoch, means over the fits that came so far."""
    for epoch in sorted({epoch for losses in fits for epoch in losses}):
        of_epoch = [losses[epoch] for losses in fits if epoch in losses]
        names = dict.fromkeys(name for losses in of_epoch for name in losses)
        yield {name: float(np.mean([losses[name] for losses in of_epoch if name in losses])) for name in names}, epoch
