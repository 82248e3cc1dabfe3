"""Where there are several candidates, validation chooses: by a rule that the last bits of a score cannot tip.

Processors round differently, so candidates that are equal, or nearly, would be told apart by the machine and not by the
data. Here they stand in a fixed order, and one takes the place of an earlier one only where it is better by more than a
hundredth of a standard error. What is kept is never worse than the best by more than that.
"""

from collections.abc import Callable, Iterable
from itertools import product
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.config.section import Section
from pipeline.config.task import Task
from pipeline.embedding import Fitted, Problem
from pipeline.evaluation.bootstrap import ROUNDING, resampled
from pipeline.evaluation.metrics import measure, primary_score

Made = TypeVar("Made", bound=Fitted)

SHARE = 0.01
"""Of a standard error: a smaller difference decides nothing."""


def is_preferred(value: float, kept: float, error: float) -> bool:
    """Whether a candidate takes the place of the one that was kept so far.

    Args:
        value: its primary score, more is better.
        kept: the score of the one that was kept.
        error: the standard error of that score.

    >>> is_preferred(0.3 + 1e-16, 0.3, error=0.0), is_preferred(0.3004, 0.3, error=0.05)
    (False, False)
    """
    return bool(value > kept + max(SHARE * error, ROUNDING * abs(kept)))


def first_of_the_best(values: npt.ArrayLike, errors: npt.ArrayLike) -> int:
    """Which candidate is kept in the end.

    Args:
        values: the primary score of each, in a fixed order; more is better.
        errors: the standard error of each.

    >>> first_of_the_best([0.1, 0.3, 0.3004, 0.2], [0.05] * 4)
    1
    """
    kept, values, errors = 0, np.asarray(values), np.asarray(errors)
    for i, value in enumerate(values):
        if is_preferred(value, values[kept], errors[kept]):
            kept = i
    return kept


def primary_score_and_error(task: Task, scores: pl.DataFrame) -> tuple[float, float]:
    """The primary score of a fit, and its standard error by a bootstrap.

    Args:
        task: what was learned.
        scores: what its `evaluate` gave.
    """
    (drawn,) = resampled(task, [scores])
    return float(primary_score(task, measure(task, scores))), float(np.std(primary_score(task, drawn)))


def candidates(settings: Section, names: Iterable[str]) -> list[dict[str, Any]]:
    """Every combination of the values that the settings of these names hold."""
    names = list(names)
    return [dict(zip(names, values, strict=True)) for values in product(*(getattr(settings, name) for name in names))]


def tuned(fit: Callable[..., Made], among: list[dict[str, Any]], problem: Problem) -> Made:
    """Fit with what was chosen before, or else with each candidate, and keep the one that validation prefers.

    Args:
        fit: takes a candidate's settings as keywords.
        among: the candidates; without validation the one in the middle is taken.
        problem: its validation examples choose, by the primary metric of the task.
    """
    validation = problem.validation
    if problem.chosen is not None:
        return fit(**problem.chosen)
    if validation is None or not len(validation) or len(among) == 1:
        return fit(**among[len(among) // 2])
    task = problem.conf.task
    kept, best = None, (-np.inf, 0.0)
    for candidate in among:
        fitted = fit(**candidate)
        found = primary_score_and_error(task, task.evaluate(fitted, validation))
        if kept is None or is_preferred(found[0], *best):
            kept, best = fitted, found
    assert kept is not None
    return kept
