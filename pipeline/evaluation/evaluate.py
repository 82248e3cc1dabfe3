"""One judge for every fit: metrics on the same held-out examples, each with its formula and a table done by hand.

Which examples are held out is decided in `splitting` and `encoding`, never here.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from pipeline.embedding import Fitted
from pipeline.examples.example_set import ExampleSet
from pipeline.schemas import RankingScores, RegressionScores

Array = npt.NDArray[Any]
Number = TypeVar("Number", float, Array)

BLOCK_BYTES = 64 * 2**20
"""Logits are made in blocks of examples of this size, or of LEAST_ROWS where that is more."""
LEAST_ROWS = 64
"""With fewer rows a product with all tokens waits for memory."""

HIGHER_IS_BETTER = {"recall_at_20": True, "ndcg_at_20": True, "recall_at_50": True, "ndcg_at_100": True} | {
    "rmse_log": False,
    "r2_log": True,
    "rmse": False,
    "mae": False,
    "r2": True,
}
"""Every metric and whether more is better; the primary one of each task stands first."""

METRICS = {
    "recall_at_20": "held-out tokens among the first 20 / held-out tokens, mean over examples",
    "ndcg_at_20": "discounted gain of the first 20 / the best possible, mean over examples",
    "recall_at_50": "held-out tokens among the first 50 / held-out tokens, mean over examples",
    "ndcg_at_100": "discounted gain of the first 100 / the best possible, mean over examples",
    "rmse_log": "root mean squared error of the target's logarithm",
    "r2_log": "share of the variance of the target's logarithm that is explained",
    "rmse": "root mean squared error, in the target's unit",
    "mae": "mean absolute error, in the target's unit",
    "r2": "share of the target's variance that is explained",
}
"""What each metric is, in words."""


def primary_metric(metrics: Mapping[str, Any]) -> str:
    """The name of the task's primary metric: choices are made by it, and people are told it first.

    >>> primary_metric({"mae": 3.0, "rmse": 4.0})
    'rmse'
    """
    return next(name for name in HIGHER_IS_BETTER if name in metrics)


def primary_score(metrics: Mapping[str, Number]) -> Number:
    """The primary metric, with its sign turned where less is better: choices are made by it.

    >>> primary_score({"mae": 3.0, "rmse": 4.0}), primary_score({"ndcg_at_20": 0.5, "recall_at_20": 0.2})
    (-4.0, 0.2)
    """
    name = primary_metric(metrics)
    return metrics[name] if HIGHER_IS_BETTER[name] else -metrics[name]


def evaluate(fitted: Fitted, rows: ExampleSet) -> pl.DataFrame:
    """Score each held-out example: its ranking where there are labels, its number where there are none.

    Args:
        fitted: any fit.
        rows: held-out examples; those without a held-out token are not counted.

    Returns:
        A frame of `schemas.RankingScores` or `schemas.RegressionScores`.
    """
    if np.isfinite(rows.target).all():
        predicted = fitted.score(rows.inputs.csr(), rows.dense).astype(np.float64)
        return RegressionScores.validate(
            pl.DataFrame({"example": rows.ids, "target": rows.target, "predicted": predicted})
        )
    hits, held_out = _hits(fitted, rows)
    counted = held_out > 0
    hits, held_out = hits[counted], held_out[counted]
    columns = {f"recall_at_{k}": recall_at(k, hits, held_out) for k in (20, 50)} | {
        f"ndcg_at_{k}": ndcg_at(k, hits, held_out) for k in (20, 100)
    }
    ids = rows.ids.filter(pl.Series(counted))
    return RankingScores.validate(pl.DataFrame({"example": ids, "held_out": held_out.astype(np.uint32), **columns}))


def measure(scores: pl.DataFrame, log: bool) -> dict[str, float]:
    """The metrics of a fit over all examples that were judged.

    Args:
        scores: what `evaluate` gave.
        log: the target was trained in logs: adds rmse_log and r2_log.
    """
    once = np.ones((1, scores.height))
    return {name: float(values[0]) for name, values in weighted_metrics(scores, log, once).items()}


def weighted_metrics(scores: pl.DataFrame, log: bool, weights: Array) -> dict[str, Array]:
    """The metrics with each example counted as often as a row of weights says, which is what a bootstrap needs.

    Args:
        scores: what `evaluate` gave, N examples.
        log: adds rmse_log and r2_log.
        weights: (R, N) how often each example counts.

    Returns:
        For each metric (R,).
    """
    if "predicted" in scores.columns:
        return regression_metrics(scores["target"].to_numpy(), scores["predicted"].to_numpy(), log, weights)
    names = [name for name in HIGHER_IS_BETTER if name in scores.columns]
    means = weights @ scores.select(names).to_numpy() / weights.sum(axis=1, keepdims=True)  # (R, metrics)
    return dict(zip(names, means.T, strict=True))


def _hits(fitted: Fitted, rows: ExampleSet) -> tuple[Array, Array]:
    """Whether each of an example's first 100 tokens was held out (N, K <= 100), and how many were (N,)."""
    n, v = rows.labels.shape
    k = min(100, v)
    hits = np.zeros((n, k), bool)
    block = max(LEAST_ROWS, BLOCK_BYTES // (4 * v))
    for start in range(0, n, block):
        some = slice(start, min(start + block, n))
        scores = fitted.score(rows.inputs[some], rows.dense[some])
        hits[some] = _top_hits(scores, rows.inputs[some], rows.labels[some], k)
    return hits, rows.labels.lengths


def _top_hits(scores: Array, inputs: sparse.csr_matrix, labels: sparse.csr_matrix, k: int) -> Array:
    """Rank each row's tokens by score, without those that went in, and look which of the first k are labels."""
    at = np.arange(len(scores))[:, None]
    went_in = (np.repeat(at[:, 0], np.diff(inputs.indptr)), inputs.indices)
    scores[went_in] = -np.inf
    top = _first(scores, k)
    wanted = np.zeros(scores.shape, bool)
    wanted[np.repeat(at[:, 0], np.diff(labels.indptr)), labels.indices] = True
    return wanted[at, top] & np.isfinite(scores[at, top])


def _first(scores: Array, k: int) -> Array:
    """The k tokens (N, k) with the highest scores (N, V) of each row, the highest first; of equals the first token."""
    import torch

    top = np.sort(torch.from_numpy(scores).topk(k, sorted=False).indices.numpy(), axis=1)
    at = np.arange(len(scores))[:, None]
    return np.asarray(top[at, np.argsort(-scores[at, top], axis=1, kind="stable")])


def recall_at(k: int, hits: Array, held_out: Array) -> Array:
    """Share of an example's held-out tokens that are among its first k.

        recall_at_k = hits in the top k / number of held-out tokens

    Args:
        k: length of the list that is looked at.
        hits: (N, K) whether the token at each rank was held out.
        held_out: (N,) how many tokens were held out, at least 1.

    Returns:
        (N,) between 0 and 1.

    Two of four held-out tokens are among the first three:

    >>> recall_at(3, np.array([[True, False, True, True]]), np.array([4]))
    array([0.5])
    """
    return np.asarray(hits[:, :k].sum(axis=1) / held_out)


def ndcg_at(k: int, hits: Array, held_out: Array) -> Array:
    """Discounted gain of the first k against that of the best order (Järvelin and Kekäläinen, 2002; binary gain).

        ndcg_at_k = sum_{r <= k} hit_r / log2(r + 1)  /  sum_{r <= min(k, held-out)} 1 / log2(r + 1)

    Args:
        k: length of the list that is looked at.
        hits: (N, K) whether the token at each rank was held out.
        held_out: (N,) how many tokens were held out, at least 1.

    Returns:
        (N,) between 0 and 1.

    Hits at ranks 1 and 3 of two held-out tokens: (1 + 1/2) / (1 + 1/log2(3)) = 1.5 / 1.63093:

    >>> ndcg_at(3, np.array([[True, False, True, False]]), np.array([2])).round(5)
    array([0.91972])
    """
    discount = 1 / np.log2(np.arange(k) + 2)
    best = np.append(0, np.cumsum(discount))[np.minimum(held_out, k)]
    found = hits[:, :k]
    gain = np.cumsum(found * discount[: found.shape[1]], axis=1)[:, -1]  # summed as `best` is: perfect is exactly 1
    return np.asarray(gain / best)


def regression_metrics(target: Array, predicted: Array, log: bool, weights: Array) -> dict[str, Array]:
    """Errors of numbers, in the target's unit, and of their logarithms where that is what was trained.

        rmse = sqrt(mean (y - p)^2)     mae = mean |y - p|     r2 = 1 - sum (y - p)^2 / sum (y - mean y)^2

    Args:
        target: (N,) the true numbers y.
        predicted: (N,) the predicted ones p.
        log: adds rmse_log and r2_log, the same of log y and log p.
        weights: (R, N) how often each example counts.

    Returns:
        For each metric (R,).

    >>> regression_metrics(np.array([1.0, 3.0]), np.array([1.0, 2.0]), log=False, weights=np.array([[1.0, 1.0]]))
    {'rmse': array([0.70710678]), 'mae': array([0.5]), 'r2': array([0.5])}
    """
    total = weights.sum(axis=1)

    def rmse_and_r2(y: Array, p: Array) -> tuple[Array, Array]:
        squared = weights @ np.square(y - p) / total
        centred = y - y.mean()  # keeps the digits of large numbers
        spread = weights @ np.square(centred) / total - np.square(weights @ centred / total)
        return np.sqrt(squared), 1 - squared / np.where(spread > 0, spread, np.nan)

    rmse, r2 = rmse_and_r2(target, predicted)
    metrics = {"rmse": rmse, "mae": weights @ np.abs(target - predicted) / total, "r2": r2}
    if log:
        metrics["rmse_log"], metrics["r2_log"] = rmse_and_r2(np.log(target), np.log(predicted))
    return metrics
