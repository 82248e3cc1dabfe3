"""How validation chooses among several candidates: by a rule that does not depend on the last bits of a score.

Processors round differently, so the machine, and not the data, would choose between candidates whose scores are equal
or nearly so. Therefore candidates have a fixed order, and one replaces an earlier one only if it is better by more than
a hundredth of a standard error. The candidate that is kept is never worse than the best one by more than that.
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
"""Share of a standard error; a smaller difference does not decide."""


def is_preferred(value: float, kept: float, error: float) -> bool:
    """Whether a candidate replaces the one that is kept so far. Any number is preferred to none and to infinity.

    Args:
        value: the primary score of the candidate, higher is better.
        kept: the primary score of the one that is kept so far.
        error: the standard error of that score.

    >>> is_preferred(0.3 + 1e-16, 0.3, error=0.0), is_preferred(0.3004, 0.3, error=0.05)
    (False, False)
    >>> is_preferred(-9.0, -np.inf, error=np.nan), is_preferred(np.nan, -9.0, error=0.1)
    (True, False)
    """
    if not np.isfinite(kept) or not np.isfinite(value):
        return bool(np.isfinite(value))
    return bool(value > kept + max(SHARE * np.nan_to_num(error), ROUNDING * abs(kept)))


def first_of_the_best(values: npt.ArrayLike, errors: npt.ArrayLike) -> int:
    """The index of the candidate that is kept in the end.

    Args:
        values: the primary score of each, in a fixed order; higher is better.
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
        scores: what the task's `evaluate` returned.
    """
    (drawn,) = resampled(task, [scores])
    return float(primary_score(task, measure(task, scores))), float(np.std(primary_score(task, drawn)))


def candidates(settings: Section, names: Iterable[str]) -> list[dict[str, Any]]:
    """Every combination of the values of the settings with these names."""
    names = list(names)
    return [dict(zip(names, values, strict=True)) for values in product(*(getattr(settings, name) for name in names))]


def tuned(fit: Callable[..., Made], among: list[dict[str, Any]], problem: Problem) -> Made:
    """Fit with the settings chosen before, or else with each candidate, and keep the fit that validation prefers.

    Args:
        fit: a function that takes a candidate's settings as keywords.
        among: the candidates; without validation the one in the middle is taken.
        problem: what is fitted; its validation examples decide, by the primary metric of the task.
    """
    validation = problem.validation
    if problem.chosen is not None:
        return fit(**problem.chosen)
    if not validation or len(among) == 1:
        return fit(**among[len(among) // 2])
    return preferred((fit(**candidate) for candidate in among), problem)


def preferred(fits: Iterable[Made], problem: Problem) -> Made:
    """The fit that validation prefers.

    Args:
        fits: in a fixed order, one at least.
        problem: what they are fits of; its validation examples decide, by the primary metric of the task.
    """
    task, kept, best = problem.conf.task, None, (-np.inf, 0.0)
    assert problem.validation is not None
    for fitted in fits:
        found = primary_score_and_error(task, task.evaluate(fitted, problem.validation))
        if kept is None or is_preferred(found[0], *best):
            kept, best = fitted, found
    assert kept is not None
    return kept
