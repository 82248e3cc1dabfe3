"""Fit and evaluate one method at one D in one fold.

A fold needs nothing of another fold, nor does a further seed of the one before. So they can be fitted in several
processes, and what comes in and goes out can be pickled.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.config.records import Part
from pipeline.embedding import Estimator, Fitted, Position, Problem, Watch
from pipeline.evaluation.in_parts import evaluate
from pipeline.evaluation.metrics import judged_part, measure
from pipeline.examples.example_set import ExampleSet
from pipeline.examples.sparse_examples import HELD_OUT, SparseExamples
from pipeline.experiment.parallel import in_parallel
from pipeline.experiment.piece_queue import Piece
from pipeline.vocabulary.vocabulary import Vocabulary

LogMetrics = Callable[[Mapping[str, float], int], None]
"""Gets numbers by name, and the epoch that they belong to."""
Losses = dict[int, dict[str, float]]
"""By epoch and name; those of a fit with what was chosen before begin with `refit_`."""


@dataclass(frozen=True)
class OneFit:
    """The outcome of one fit."""

    fitted: Fitted | None
    """None where only the figures are wanted."""
    chosen: Mapping[str, Any]
    """What validation chose, in this fit or before."""
    scores: Mapping[str, pl.DataFrame]
    """By part, from the task's `evaluate`."""
    losses: Losses
    seconds: float
    """Seconds of fitting, including those of an earlier process."""


@dataclass(frozen=True)
class Fold:
    """The outcome of one fold."""

    fits: Sequence[OneFit]
    """The fit with which validation chose, and the refit if there is one."""
    of_seeds: Sequence[OneFit]
    """The fits with further seeds."""
    scores: Mapping[str, pl.DataFrame]
    """By part, of the fit that is told of: validation and test; empty parts are absent."""
    by_seed: Sequence[Mapping[str, float]]
    """The metrics of that fit and of those with further seeds; empty where there are none."""


@dataclass(frozen=True)
class FoldFitter:
    """What the fits of all folds share; see `CrossFit`."""

    method: Estimator
    name: str
    conf: Dataset
    vocabulary: Vocabulary
    examples: SparseExamples
    dimension: int | None
    state: Path | None
    start: Callable[[ExampleSet], Mapping[str, Any]] | None

    def fitted_in_fold(
        self,
        fold: int,
        log: logging.Logger,
        shows_progress: bool = True,
        log_losses: LogMetrics | None = None,
        position: Position | None = None,
        processes: int = 1,
    ) -> Fold:
        """Fit and evaluate in one fold.

        Args:
            fold: its number, from 0.
            log: receives lines of progress.
            shows_progress: whether there are such lines, or bars.
            log_losses: gets the losses as they come.
            position: which fit of how many it is, for a progress bar.
            processes: the most processes for the fits that follow the one with which validation chooses.
        """
        conf, n, is_only = self.conf, self.examples.n_folds, self.examples.n_folds == 1
        name = self.name if is_only else f"{self.name}, fold {fold + 1} of {n}"
        parts = [part for part in HELD_OUT if len(self._held_out(part, fold))]
        judged, chooses = judged_part(parts), "validation" in parts
        refits = self.examples.refits(conf.refit) and chooses
        in_fold = partial(self._fit_in_fold, fold, position=position)
        fit = partial(in_fold, log_losses=log_losses, is_kept=is_only)
        chooser = fit(name, log, shows_progress, parts=["validation"] if refits else parts, chooses=chooses)
        again: list[Piece[OneFit]] = []
        if refits:
            on_test = [part for part in parts if part == "test"]
            again.append(partial(fit, f"{name}, refit", parts=on_test, chosen=chooser.chosen, is_refit=True))
        if judged and self.method.has_chance:
            of_seed = partial(in_fold, parts=[judged], is_refit=refits and judged == "test")
            for i in range(1, conf.seeds or 1):
                whose, seed = f"{name}, seed {i + 1} of {conf.seeds}", (conf.seed + i) % 2**32
                again.append(partial(of_seed, whose, chosen=chooser.chosen, seed=seed))
        done = in_parallel(again, f"{conf.name}: {name}", log, processes, shows_progress)
        fits, of_seeds = [chooser, *done[:refits]], done[refits:]
        scores = {part: frame for one in fits for part, frame in one.scores.items()}
        by_seed = [one[judged] for one in (scores, *(one.scores for one in of_seeds))] if judged and of_seeds else []
        return Fold(fits, of_seeds, scores, [measure(conf.task, frame) for frame in by_seed])

    def _fit_in_fold(
        self,
        fold: int,
        name: str,
        log: logging.Logger,
        shows_progress: bool,
        *,
        parts: Sequence[str],
        position: Position | None,
        chosen: Mapping[str, Any] | None = None,
        chooses: bool = False,
        is_refit: bool = False,
        seed: int | None = None,
        log_losses: LogMetrics | None = None,
        is_kept: bool = False,
    ) -> OneFit:
        """Fit on the training examples of a fold, a refit on those of validation too; evaluate on parts of it."""
        training = self.examples.training(fold, refit=is_refit)
        validation = self._held_out("validation", fold) if chooses else None
        watch = Watch(name, log, position=position, shows_progress=shows_progress)
        one = self.fit(training, watch, chosen, validation, seed, log_losses)
        assert one.fitted is not None
        scores = {part: evaluate(self.conf, one.fitted, self._held_out(part, fold)) for part in parts}
        return replace(one, scores=scores, fitted=one.fitted if is_kept else None)

    def _held_out(self, part: str, fold: int) -> ExampleSet:
        return self.examples.held_out(cast("Part", part), fold, self.conf.task.most_evaluated, self.conf.seed)

    def fit(
        self,
        training: ExampleSet,
        watch: Watch,
        chosen: Mapping[str, Any] | None = None,
        validation: ExampleSet | None = None,
        seed: int | None = None,
        log_losses: LogMetrics | None = None,
    ) -> OneFit:
        """Fit on some examples, with what was chosen or with validation examples that choose; without scores."""
        conf = self.conf if seed is None else self.conf.model_copy(update={"seed": seed})
        clock, losses = _Clock(), Losses()

        def on_epoch(of_epoch: Mapping[str, float], epoch: int) -> None:
            named = {f"{'' if chosen is None else 'refit_'}{name}": value for name, value in of_epoch.items()}
            losses.setdefault(epoch, {}).update(named)
            if log_losses is not None:
                log_losses(named, epoch)

        whole = replace(
            watch,
            name=f"{conf.name}: {watch.name}",
            on_epoch=on_epoch,
            on_resume=clock.add,
            checkpoints=self.state,
        )
        with clock:
            weights = self.start(training) if self.start else None
            problem = Problem(training, self.vocabulary, conf, self.dimension, validation, chosen, whole, weights)
            fitted = self.method.fit(problem)
        return OneFit(fitted, fitted.chosen if chosen is None else chosen, {}, losses, clock.seconds)


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
