"""What a metric is, and the primary metric of a task, by which choices are made."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import polars as pl

from pipeline.arrays import Array
from pipeline.config.task import Task

Number = TypeVar("Number", float, Array)

BEYOND_COUNTING = 1e15
"""Of figures from here on people read the power of ten."""


@dataclass(frozen=True)
class Metric:
    """One measure of how good a fit is."""

    name: str
    meaning: str
    higher_is_better: bool = True
    depends_on_spread: bool = False
    """Whether it says nothing on other examples: an error in the target's unit is larger where targets differ more."""
    shows_signal: bool = True
    """Whether only looking at the example makes it better than the baseline that ignores it. Not where that baseline is
    not the best of its kind: its mean of logarithms is no mean, so that predictions which only scatter have a lower
    rmse."""


def decimals(largest: float) -> int:
    """How many decimals a metric is told with, about four digits in all, where no value is larger than this.

    An error in the target's unit may be tiny: then it has three digits that are not 0.

    >>> [decimals(largest) for largest in (0.5, 12.0, 340.0, 25_000.0, 0.01, 0.0023, 4e-9, 0.0)]
    [4, 2, 1, 0, 4, 5, 11, 4]
    """
    if 0 < largest < 0.01:
        return 2 - math.floor(math.log10(largest))
    return 0 if largest >= 1000 else 1 if largest >= 100 else 2 if largest >= 10 else 4


def in_digits(value: float, digits: int, sign: Literal["", "+"] = "") -> str:
    """A figure as people read it, with a power of ten where it is beyond counting, as of a fit that failed.

    >>> in_digits(0.02, 4, "+"), in_digits(1_234_567.8, 0), in_digits(1.2e98, 0)
    ('+0.0200', '1,234,568', '1.2e+98')
    """
    return f"{value:{sign},.{digits}f}" if abs(value) < BEYOND_COUNTING else f"{value:{sign}.2g}"


def difference_in_words(value: float, low: float, high: float, digits: int) -> str:
    """A difference of a metric between two fits, with the ends of its interval, if it has one.

    Args:
        value: the difference.
        low: the lower end of its interval; NaN if it has none.
        high: the upper end.
        digits: the `decimals` of the metric itself, which are not enough for a small difference.

    >>> difference_in_words(0.02, 0.01, 0.03, 4), difference_in_words(-1234.0, np.nan, np.nan, 0)
    ('+0.0200 [+0.0100, +0.0300]', '-1,234')
    >>> difference_in_words(6.2860, -5.0812, 15.2355, 1)  # of an rmse of about 400
    '+6.29 [-5.08, +15.24]'
    """
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else max(2 if abs(value) >= 1 else 4, digits)
    ends = f" [{in_digits(low, digits, '+')}, {in_digits(high, digits, '+')}]" if np.isfinite(low) else ""
    return f"{in_digits(value, digits, '+')}{ends}"


def judged_part(parts: Collection[str]) -> str | None:
    """The part whose figures are told: the test examples; without any those of validation; None without both.

    >>> judged_part(["validation", "test"])
    'test'
    """
    return next((part for part in ("test", "validation") if part in parts), None)


def primary_score(task: Task, metrics: Mapping[str, Number]) -> Number:
    """The task's primary metric, negated if lower is better, so that higher is always better."""
    primary = task.metrics[0]
    return metrics[primary.name] if primary.higher_is_better else -metrics[primary.name]


def across_samples(task: Task) -> Metric:
    """The first metric of a task that can compare fits that were measured on different examples."""
    return next(metric for metric in task.metrics if not metric.depends_on_spread)


def measure(task: Task, scores: pl.DataFrame) -> dict[str, float]:
    """The metrics of a fit over all examples that were evaluated.

    Args:
        task: what was learned.
        scores: what the task's `evaluate` returned.
    """
    once = np.ones((1, scores.height))
    return {name: float(values[0]) for name, values in task.weighted_metrics(scores, once).items()}
