"""How certain a metric is: bootstrap intervals over the held-out examples, and paired differences between two fits.

An interval says how the metric would vary over other examples of the same kind. Where examples belong to groups, whole
groups are drawn (a cluster bootstrap; Field and Welsh, 2007), because those of a group resemble each other. What
another seed would give is added by `seeds`; what another training set would give is not covered. Examples that were
cross-fitted are treated as independent.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from scipy import special

from pipeline.arrays import Array
from pipeline.config.task import Task
from pipeline.errors import PipelineError
from pipeline.evaluation.metrics import Metric, across_samples, decimals, difference_in_words, measure

Verdict = Literal["better", "worse", "no difference shown", "too few to tell"]

LEVEL = 0.95
"""Confidence level of the intervals."""
RESAMPLES = 2000
"""How many times the examples are resampled."""
FEWEST = 10
"""Fewest examples, or groups, for an interval and a verdict: with fewer, a bootstrap shows nothing."""
FEW = 100
"""With fewer examples, or groups of them, hardly anything is beyond doubt: a standard error is enough."""
ROUNDING = 1e-9
"""A difference below this share of a metric is no difference between two fits, only one of rounding."""
_BLOCK = 2**22
"""Most weights in a block of resamples."""


@dataclass(frozen=True)
class Interval:
    """The confidence interval of a metric, or of a difference."""

    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """A metric of one fit minus the same metric of another fit."""

    metric: Metric
    value: float
    low: float
    high: float
    n: int
    """How many independent examples, or groups, both were measured on; the fewer ones, if these are not the same."""
    largest: float = 0.0
    """The larger of the two metrics, which tells how many decimals matter."""

    @property
    def is_likely_better(self) -> bool:
        """Whether the metric is better by more than a standard error, which is about a quarter of its interval."""
        better = self.value if self.metric.higher_is_better else -self.value
        return better > (self.high - self.low) / 4

    @property
    def prefers_ours(self) -> bool:
        """Whether ours is shown to be better, or, of few examples, seems so (`FEW`)."""
        return self.is_likely_better if self.n < FEW else self.verdict == "better"

    @property
    def in_words(self) -> str:
        """The metric, the difference and its interval, if it has one."""
        return f"{self.metric.name} {difference_in_words(self.value, self.low, self.high, decimals(self.largest))}"

    @property
    def verdict(self) -> Verdict:
        """What the data shows, and no more: an interval that contains 0 shows no difference.

        >>> recall, error = Metric("recall", "the more the better"), Metric("error", "the less", higher_is_better=False)
        >>> Difference(recall, 0.02, 0.01, 0.03, n=500).verdict
        'better'
        >>> Difference(error, 0.02, 0.01, 0.03, n=500).verdict
        'worse'
        >>> Difference(error, 0.02, -0.01, 0.05, n=500).verdict
        'no difference shown'
        >>> Difference(error, 0.02, np.nan, np.nan, n=9).verdict
        'too few to tell'
        """
        if self.n < FEWEST:
            return "too few to tell"
        if not (self.low > 0 or self.high < 0):
            return "no difference shown"
        return "better" if (self.low > 0) == self.metric.higher_is_better else "worse"


def resampled(task: Task, scores: Sequence[pl.DataFrame], seed: int = 0) -> list[Mapping[str, Array]]:
    """The metrics of several fits over resamples of N examples: N draws with replacement, the same for all fits.

    Where the scores have the column `group`, as many groups are drawn as there are, each with all its examples.

    Args:
        task: what was learned.
        scores: what the task's `evaluate` returned for each fit, on the same N examples.
        seed: of the draws.

    Returns:
        For each fit, the RESAMPLES values of each metric.

    Raises:
        PipelineError: the fits were not evaluated on the same examples.
    """
    for frame in scores[1:]:
        if not frame["example"].equals(scores[0]["example"]):
            raise PipelineError(
                "the fits were evaluated on different examples, so their differences mean nothing: materialise the "
                "embedding, the pca and the other baselines again."
            )
    found: list[dict[str, list[Array]]] = [{} for _ in scores]
    of_example = _of_group(scores[0]) if scores else None
    for drawn in _draws(n_independent(scores[0]), scores[0].height, seed) if scores else ():
        weights = drawn if of_example is None else drawn[:, of_example]
        for of_fit, frame in zip(found, scores, strict=True):
            for name, values in task.weighted_metrics(frame, weights).items():
                of_fit.setdefault(name, []).append(values)
    return [{name: np.concatenate(values) for name, values in of_fit.items()} for of_fit in found]


def n_independent(scores: pl.DataFrame) -> int:
    """How many examples vary independently: the number of groups, if they have groups."""
    return scores["group"].n_unique() if "group" in scores.columns else scores.height


def most_frequent_answer(scores: pl.DataFrame) -> tuple[Any, int] | None:
    """The most frequent answer of held-out examples, and how many have it; None where the answers are tokens."""
    if "target" not in scores.columns:
        return None
    first: tuple[Any, int] = scores["target"].value_counts(sort=True).row(0)
    return first


def _of_group(scores: pl.DataFrame) -> Array | None:
    """(N,) the number of the group of each example; None where each stands for itself."""
    if "group" not in scores.columns:
        return None
    numbers: Array = scores["group"].rank("dense").to_numpy().astype(np.int64) - 1
    return numbers


def _draws(n: int, n_examples: int, seed: int) -> Iterator[Array]:
    """How often each of n groups, or examples, is drawn: blocks (R, n) that add up to RESAMPLES rows.

    A block is small enough to be spread over all N examples.
    """
    random = np.random.default_rng(seed)
    block = max(1, min(RESAMPLES, _BLOCK // max(n_examples, 1)))
    for start in range(0, RESAMPLES, block):
        size = min(block, RESAMPLES - start)
        drawn = random.integers(0, n, (size, n)) + n * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)


def interval(values: Array, n: int) -> Interval:
    """The percentile interval of a resampled metric, widened for few examples (Hesterberg, 2014, arXiv:1411.5279).

    A percentile interval of N examples is too narrow, as a normal interval with the plain standard deviation is. The
    quantiles are those at which a normal one is as wide as Student's: Phi(-sqrt(N / (N - 1)) t_{N - 1}).

    Args:
        values: (R,) the resampled metric, or the difference of two.
        n: N, the number of independent examples or groups; with fewer than 10 both ends are NaN.
    """
    if n < FEWEST or not np.isfinite(values).all():
        return Interval(float("nan"), float("nan"))
    t = special.stdtrit(n - 1, (1 + LEVEL) / 2)
    tail = special.ndtr(-np.sqrt(n / (n - 1)) * t)
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(float(low), float(high))


def difference(metric: Metric, ours: tuple[float, Array], theirs: tuple[float, Array], n: int) -> Difference:
    """Ours minus theirs, each a metric and its resampled values (R,) over the same draws; rounding counts as 0.

    Args:
        metric: which one.
        ours: of one fit.
        theirs: of the other.
        n: the number of independent examples or groups.
    """
    value, drawn = (_without_rounding(ours[i], theirs[i]) for i in (0, 1))
    found = interval(drawn, n)
    return Difference(metric, float(value), found.low, found.high, n, max(abs(ours[0]), abs(theirs[0])))


def paired(task: Task, ours: pl.DataFrame, theirs: pl.DataFrame) -> Difference:
    """The difference of two fits in the primary metric, on the same examples and the same draws of them.

    Args:
        task: what was learned.
        ours: what the task's `evaluate` returned for one fit.
        theirs: the same of the other.

    Raises:
        PipelineError: the fits were not evaluated on the same examples.
    """
    metric = task.metrics[0]
    both = [
        (measure(task, frame)[metric.name], drawn[metric.name])
        for frame, drawn in zip((ours, theirs), resampled(task, [ours, theirs]), strict=True)
    ]
    return difference(metric, both[0], both[1], n_independent(ours))


def apart(task: Task, ours: pl.DataFrame, theirs: pl.DataFrame) -> Difference:
    """The difference of two fits that were evaluated on different examples, which are drawn for each fit by itself.

    The first metric counts by which such fits can be compared.

    Args:
        task: what was learned.
        ours: what the task's `evaluate` returned for one fit.
        theirs: the same of the other, on its own examples.
    """
    metric = across_samples(task)
    both = [
        (measure(task, frame)[metric.name], resampled(task, [frame], seed)[0][metric.name])
        for seed, frame in enumerate((ours, theirs))
    ]
    return difference(metric, both[0], both[1], min(n_independent(ours), n_independent(theirs)))


def _without_rounding(ours: float | Array, theirs: float | Array) -> Array:
    """Ours minus theirs, 0 where they differ by rounding alone."""
    apart = np.subtract(ours, theirs)
    return np.where(np.abs(apart) <= ROUNDING * np.abs(ours), 0.0, apart)
