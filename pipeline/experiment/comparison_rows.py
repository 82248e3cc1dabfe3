"""The rows of a comparison: each fit with its metrics, and each pair of fits with the difference between them."""

from collections.abc import Mapping, Sequence
from itertools import permutations, product
from typing import Any

import polars as pl

from pipeline.arrays import Array
from pipeline.estimators import estimator_type
from pipeline.evaluation.bootstrap import FEWEST, difference, interval, most_frequent_answer, n_independent
from pipeline.evaluation.metrics import Metric
from pipeline.experiment.fits import OF_REPLICAS, Fit

_DIFFERENCES = {
    **dict.fromkeys(("fit", "against", "metric"), pl.String),
    **dict.fromkeys(("difference", "low", "high"), pl.Float64),
    "verdict": pl.String,
}


def place(fit: Fit) -> tuple[bool, int]:
    """Sort key of a fit in the table: fits without a D to sweep come first, then the others by D."""
    swept = estimator_type(fit.method).is_swept
    return swept, fit.dimension if swept else 0


def n_telling(scores: pl.DataFrame) -> int:
    """How many examples, or groups, tell fits apart: where nearly all have one answer, those that have another."""
    alike = most_frequent_answer(scores)
    others = FEWEST if alike is None else scores.height - alike[1]
    return n_independent(scores) if others >= FEWEST else others


def about_examples(frames: Sequence[pl.DataFrame]) -> dict[str, Any]:
    """What `Comparison.about` says of the examples that were measured, from the scores of each fit."""
    if not frames:
        return {"n_examples": 0, "n_groups": None, "in_folds": False, "alike": None}
    scores = frames[0]
    return {
        "n_examples": scores.height,
        "n_groups": n_independent(scores) if "group" in scores.columns else None,
        "in_folds": "fold" in scores.columns,
        "alike": most_frequent_answer(scores),
    }


def row_of(fit: Fit) -> dict[str, Any]:
    """What a fit is, as a row without its metrics."""
    return {
        "dataset": fit.dataset,
        "method": fit.method,
        "dimension": fit.dimension,
        "fit": fit.name,
        "run_id": fit.run_id,
        "experiment_id": fit.experiment_id,
        "reused": fit.reused,
        "fit_seconds": fit.metrics["fit_seconds"],
        **{name: fit.metrics.get(name) for name in OF_REPLICAS},
    }


def with_intervals(values: Mapping[str, float], drawn: Mapping[str, Array], n: int) -> dict[str, float]:
    """The metrics of a fit, each with the ends of its interval."""
    metrics: dict[str, float] = {}
    for name, value in values.items():
        ends = interval(drawn[name], n)
        metrics |= {name: value, f"{name}_low": ends.low, f"{name}_high": ends.high}
    return metrics


def differences(
    fits: Sequence[Fit],
    metrics: Sequence[Metric],
    values: Sequence[Mapping[str, float]],
    drawn: Sequence[Mapping[str, Array]],
    n: int,
) -> pl.DataFrame:
    """What `Comparison.differences` holds."""
    rows = []
    for (i, j), metric in product(permutations(range(len(values)), 2), metrics):
        ours, theirs = ((values[fit][metric.name], drawn[fit][metric.name]) for fit in (i, j))
        one = difference(metric, ours, theirs, n)
        rows.append((fits[i].name, fits[j].name, metric.name, one.value, one.low, one.high, one.verdict))
    return pl.DataFrame(rows, schema=_DIFFERENCES, orient="row")
