"""Where the training of a network for a number or a class begins: at directions that tell something."""

import math
from typing import Any

import numpy as np
from scipy import sparse

from pipeline.arrays import Array
from pipeline.baselines.principal_components import principal_components
from pipeline.examples.example_set import ExampleSet
from pipeline.examples.weighted import inverse_document_frequency, weighted
from pipeline.network.layers import tensor
from pipeline.network.target_network import TargetNetwork
from pipeline.tasks.target_training import TargetTraining

ROUGHLY, TOLERANCE = 1e-4, {"float32": 1e-4, "float64": 1e-12}
"""Tolerances of the ridge regressions. The first is for those at which only the search for a linear model begins. The
others depend on the type of number; they are small, because processors approach the solution along different paths."""
LOOKED_AT = 4
"""Of many targets the first ones tell how much noise there is."""


def target_network(
    rows: ExampleSet,
    settings: TargetTraining,
    dimension: int,
    seed: int,
    dense: Array,
    target: Array,
    dtype: str = "float64",
    outputs: int = 1,
    one_length: bool = False,
    roughly: bool = False,
) -> TargetNetwork:
    """The network at its start: a table of ridge directions, then PCA's components; each of the D nodes has variance 1.

    A token's weight is its inverse document frequency log((1 + N) / (1 + n)) + 1, where n of the N examples have the
    token, times a factor that brings the mean squared distance of a bag from the mean bag to 1. The bag is a sum: a
    token adds the same, whatever stands beside it.

    Args:
        rows: the training examples.
        settings: the training settings.
        dimension: D; the first directions come from ridge regressions, the others from PCA.
        seed: the seed of PCA.
        dense: (N, F) the dense features on the scale that is learned.
        target: (N,) the target on the scale that is learned, or (N, K) several targets that stand for it.
        dtype: the number type of the network.
        outputs: C, the number of outputs.
        one_length: whether all bags are brought to the same length: a token then adds the less, the more tokens stand
            beside it, as in a long text.
        roughly: whether directions need not be exact, because a linear model is solved for that begins there.
    """
    assert settings.dropout is not None
    assert settings.members is not None
    tolerance = ROUGHLY if roughly else TOLERANCE[dtype]
    bags, idf, mean_bag, scale = _bags(rows, one_length)
    columns = [_ridge_direction(bags * scale, dense, one, tolerance) for one in _each(target)[:dimension]]
    if dimension > len(columns):
        pca = principal_components(bags * scale, dimension - len(columns), seed)
        columns.append(pca.components.T / np.sqrt(np.maximum(pca.variance, 1e-12)))  # (V, the other dimensions)
    return TargetNetwork(
        tensor(np.column_stack(columns), dtype),
        tensor(idf * scale, dtype),
        tensor(mean_bag * scale, dtype),
        dense.shape[1],
        settings.hidden,
        settings.dropout,
        outputs,
        scale if one_length else 0.0,
        settings.members if dense.shape[1] else 1,
    )


def noise_to_signal(
    rows: tuple[ExampleSet, ExampleSet],
    dense: tuple[Array, Array],
    target: tuple[Array, Array],
    dtype: str = "float64",
) -> float:
    """How much of the target a linear model leaves unexplained, for each unit that it explains: (1 - R^2) / R^2.

    Args:
        rows: the examples to fit on, and others on which R^2 is measured.
        dense: their dense features on the scale that is learned.
        target: their targets, as in `target_network`; of several, R^2 is that of all together.
        dtype: the number type of the network.
    """
    bags, idf, _, scale = _bags(rows[0])
    features = _beside(rows[1].inputs.csr() @ sparse.diags(idf * scale), dense[1])
    left, whole = 0.0, 0.0
    for known, true in list(zip(*map(_each, target), strict=True))[:LOOKED_AT]:
        left += float(np.square(_ridge(bags * scale, dense[0], known, TOLERANCE[dtype]).predict(features) - true).sum())
        whole += float(np.square(known.mean() - true).sum())
    explained = max(whole - left, 1e-3 * whole, 1e-12)
    return left / explained


def moved_by_clipping(rows: ExampleSet, dense: Array, target: Array, most: float, dtype: str = "float64") -> float:
    """How far the mean answer moves if larger errors count linearly, not squared, in standard errors of the mean.

    Errors that are as often too high as too low move it by chance only. Of many zeros and a few large numbers the
    answers become too low. This is the first step of Newton's method towards Huber's estimate of the mean (1964,
    "Robust estimation of a location parameter"), from the errors of a ridge regression.

    Args:
        rows: the training examples.
        dense: (N, F) their dense features on the scale that is learned.
        target: (N,) their targets on the scale that is learned.
        most: the error from which on errors count linearly.
        dtype: the number type of the network.
    """
    bags, _, _, scale = _bags(rows)
    error = target - _ridge(bags * scale, dense, target, TOLERANCE[dtype]).predict(_beside(bags * scale, dense))
    moved = np.clip(error, -most, most).mean() / max((np.abs(error) < most).mean(), 1 / len(error))
    return float(moved * math.sqrt(len(error)) / max(error.std(), 1e-12))


def token_weights(rows: ExampleSet, one_length: bool) -> dict[str, Array]:
    """The buffers `weight`, `mean_bag` and `length` of a network, from the training examples; see `target_network`."""
    _, idf, mean_bag, scale = _bags(rows, one_length)
    return {"weight": idf * scale, "mean_bag": mean_bag * scale, "length": np.array(scale if one_length else 0.0)}


def _bags(rows: ExampleSet, one_length: bool = False) -> tuple[sparse.csr_matrix, Array, Array, float]:
    """The bags (N, V), the inverse document frequencies (V,), the mean bag (V,), and the factor of all three."""
    idf = np.where(rows.inputs.counts > 0, inverse_document_frequency(rows.inputs), 0.0)
    bags = weighted(rows.inputs.csr(), idf, one_length)  # (N, V)
    mean_bag, scale = mean_and_factor(bags)
    return bags, idf, mean_bag, scale


def mean_and_factor(bags: sparse.csr_matrix) -> tuple[Array, float]:
    """(V,) the mean of bags (N, V), and the factor that brings their mean squared distance from it to 1."""
    mean_bag = np.asarray(bags.mean(axis=0)).ravel()
    spread = bags.power(2).sum() / bags.shape[0] - (mean_bag**2).sum()
    return mean_bag, 1 / math.sqrt(max(spread, 1e-12))


def _ridge_direction(bags: sparse.csr_matrix, dense: Array, target: Array, tolerance: float) -> Array:
    """(V,) ridge coefficients of the tokens, fitted beside the dense features, scaled so that bags have variance 1."""
    coefficients = _ridge(bags, dense, target, tolerance).coef_[: bags.shape[1]]
    spread = np.asarray(bags @ coefficients).std()
    return np.asarray(coefficients / spread if spread > 1e-9 else coefficients * 0)


def _ridge(bags: sparse.csr_matrix, dense: Array, target: Array, tolerance: float) -> Any:
    """scikit-learn's ridge regression on bags and dense features, fitted."""
    from sklearn.linear_model import Ridge

    return Ridge(1.0, solver="sparse_cg", tol=tolerance).fit(_beside(bags, dense), target)


def _beside(bags: sparse.csr_matrix, dense: Array) -> sparse.csr_matrix:
    return sparse.hstack([bags, sparse.csr_matrix(dense)], format="csr")


def _each(target: Array) -> list[Array]:
    """The one target, or each of several."""
    return [target] if target.ndim == 1 else list(target.T)
