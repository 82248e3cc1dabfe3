"""Metrics of predicted numbers, each with its formula and an example worked out by hand."""

import numpy as np

from pipeline.arrays import Array


def regression_metrics(target: Array, predicted: Array, log: bool, weights: Array) -> dict[str, Array]:
    """Metrics of predicted numbers, in the target's unit, and of their logarithms if those were learned.

        rmse = sqrt(mean (y - p)^2)     mae = mean |y - p|     r2 = 1 - sum (y - p)^2 / sum (y - mean y)^2

    Args:
        target: (N,) the true numbers y.
        predicted: (N,) the predicted numbers p.
        log: whether to add rmse_log and r2_log, the same metrics of log y and log p.
        weights: (R, N) how often each example counts.

    Returns:
        The values (R,) of each metric.

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
