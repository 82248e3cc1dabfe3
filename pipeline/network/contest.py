"""The learned fit: candidates are trained one after the other, and validation keeps one.

How one of them is trained does not belong here: it is in `training`.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import torch

from pipeline.config.training import INTERPOLATION, Schedule
from pipeline.embedding import Problem
from pipeline.evaluation.selection import preferred, tuned
from pipeline.network.candidate import Candidate
from pipeline.network.checkpoints import checkpoint_folder
from pipeline.network.fitted_network import FittedNetwork, between
from pipeline.network.task_module import module_of
from pipeline.network.training import compared, fit_candidate

SHARES = (0.0, 0.125, 0.25, 0.5, 0.75, 1.0)
"""Shares of the way from the start of a training to its end, of which validation chooses one."""
UNKNOWN_SHARE = 0.75
"""The share where there is no validation: in 24 fits of six tables the end was 3 % worse in the mean."""
STILL_LEARNING = 0.5
"""Share of the epochs after which the loss on validation is lowest, where more of them may teach more."""


def fit_network(problem: Problem, settings: Schedule, learner: str, network: str) -> FittedNetwork:
    """Train a network to the end of its schedule, or keep its start, or what lies between the two.

    The fit keeps the last epoch, where learning has come to rest, and the one with the best validation loss only if its
    primary metric is shown to be better; with few validation examples, better by a standard error. With
    `patience` the fit keeps the epoch with the best validation loss. Where a module `interpolates`, the fit lies as far
    on the way from the start of training to its end as validation prefers.

    Candidates that the settings or the network have beside those of which validation chooses, such as one that learns
    the order of lists or a linear model beside a trained one, come afterwards: one is kept if it is better by a
    standard error. So is the kept one with twice the epochs, where its loss was lowest in the second half of them.
    Candidates that cut lists come last: one is kept if validation prefers it at all, because beforehand nothing speaks
    against them.

    Args:
        problem: what to learn, and from which examples; where it says what was chosen before, training follows the same
            schedule for the chosen number of epochs.
        settings: the training settings, resolved.
        learner: full name of the module whose class Lightning trains.
        network: full name of the network's module, with which the fit scores.

    Raises:
        PipelineError: the training diverged.
    """
    kept = _Contest(problem, settings, learner, network).winner()
    for losses, epoch in kept.untold:
        problem.watch.on_epoch(losses, epoch)
    return kept


class _Contest:
    """The candidates for a fit, each given by its option: by those of the settings' choices that it tries."""

    def __init__(self, problem: Problem, settings: Schedule, learner: str, network: str) -> None:
        self.problem, self.settings, self.learner, self.network = problem, settings, learner, network
        self.module = module_of(learner)
        self.options, self.in_parts, self.in_order = settings.choices(), [], []
        if problem.chosen is None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(problem.conf.seed)
                self.options = self.module.promising(problem, settings, self.options)
            self.in_parts = self.module.in_parts(problem, settings, self.options)
            self.in_order = self.module.in_order(problem, settings, self.options)
        # with weights it learns what held-out tokens, which all count the same, do not tell: their loss rises anyway
        self.is_unweighted = problem.training.inputs.weights is None
        self.forgot: list[tuple[Mapping[str, Any], float]] = []
        """The options that were trained so far, each with what it forgot again: see `forgotten`."""

    def winner(self) -> FittedNetwork:
        """The fit that is kept in the end."""
        n = 1 if self.module.keeps_first else len(self.options)  # the others have to be better by a standard error
        kept = self._as_far_as_preferred(tuned(self._fit, self.options[:n], self.problem))
        for option in [*self.options[n:], *self._others(kept)]:
            kept = self._better(self._fit(**option), kept)
        kept = self._as_long_as_it_gains(kept)
        if self.in_parts:
            kept = preferred(chain([kept], (self._fit(**option) for option in self.in_parts)), self.problem)
        return kept

    def _others(self, kept: FittedNetwork) -> list[dict[str, Any]]:
        """The options that are tried after the one that was chosen of the settings' choices."""
        if not self.is_unweighted:
            return []
        chosen = {name: value for name, value in kept.chosen.items() if name != "epochs"}
        return [*self.settings.others(chosen, self.forgot), *self.in_order]

    def _longer(self, chosen: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The options that train the chosen one for longer; none if it is a start that is not trained at all.

        None either where validation chooses nothing, or where training goes on from an earlier fit.
        """
        problem = self.problem
        if problem.chosen is not None or problem.start or not problem.validation or chosen.get("epochs") == 0:
            return []
        where_it_ends = ("epochs", INTERPOLATION)
        return self.settings.longer({name: value for name, value in chosen.items() if name not in where_it_ends})

    def _as_long_as_it_gains(self, kept: FittedNetwork) -> FittedNetwork:
        """The kept fit, trained for longer as long as that is better; not if its loss was lowest early on."""
        watch = self.problem.watch
        for option in self._longer(kept.chosen):
            losses = [found["validation_loss"] for found, _ in kept.untold]
            if np.argmin(losses) < STILL_LEARNING * len(losses):
                break
            if watch.shows_progress:
                watch.log.info(f"{watch.name}: it was still learning, so {option['max_epochs']} epochs are tried")
            longer = self._as_far_as_preferred(self._fit(**option))
            if self._better(longer, kept) is kept:
                break
            kept = longer
        return kept

    def _better(self, other: FittedNetwork, kept: FittedNetwork) -> FittedNetwork:
        """The other fit if it is better than the kept one by a standard error, or else the kept one."""
        return other if compared(other, kept, self.problem).is_likely_better else kept

    def _as_far_as_preferred(self, end: FittedNetwork) -> FittedNetwork:
        """The fit as far from the start of its training as validation prefers, where its module interpolates."""
        if not self.module.interpolates or self.problem.chosen is not None:
            return end
        if self.problem.validation:
            return preferred(self._on_the_way(end, *SHARES), self.problem)
        return next(self._on_the_way(end, UNKNOWN_SHARE))

    def _on_the_way(self, end: FittedNetwork, *shares: float) -> Iterator[FittedNetwork]:
        """The fits that lie at some shares of the way from the start of a training to its end."""
        needs_start = end.chosen["epochs"] and shares != (1.0,)
        start = self._trained({**end.chosen, "epochs": 0}) if needs_start else end
        for share in shares:
            yield between(start, end, share)

    def _fit(self, **option: Any) -> FittedNetwork:
        """The fit of an option, which may say how far it goes from the start of its training."""
        share = option.pop(INTERPOLATION, None)
        end = self._trained(option)
        return end if share is None else next(self._on_the_way(end, share))

    def _trained(self, option: Mapping[str, Any]) -> FittedNetwork:
        """The fit of an option at the end of its training, with the epochs of which nobody was told yet."""
        watch, untold = self.problem.watch, list[tuple[Mapping[str, float], int]]()
        if not self._is_the_only_one(option):
            watch = replace(watch, on_epoch=lambda losses, epoch: untold.append((losses, epoch)))
        choices = dict(option)
        epochs = choices.pop("epochs", choices.get("max_epochs", self.settings.max_epochs))
        with checkpoint_folder(watch, option) as folder:
            problem = replace(self.problem, watch=watch)
            candidate = Candidate(problem, self.settings, self.learner, self.network, choices, epochs, folder)
            fitted = fit_candidate(candidate)
        self.forgot.append((option, forgotten([losses.get("validation_loss", math.nan) for losses, _ in untold])))
        return replace(fitted, untold=untold)

    def _is_the_only_one(self, option: Mapping[str, Any]) -> bool:
        """Whether no other candidate can be kept, so that the epochs of this one can be told as they come."""
        if self.problem.chosen is not None:
            return True
        others = self.is_unweighted and self.settings.others(option, [(option, math.inf)])
        may_follow = others or self._longer(option)
        n_trained = sum(one.get("epochs") != 0 for one in self.options)
        return n_trained == 1 and not (self.in_parts or self.in_order or may_follow)


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
