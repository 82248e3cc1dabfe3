"""Where training starts: the networks at a place that is solved for in closed form, so that few steps are needed."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from torch import Tensor

from pipeline.baselines.pca import principal_components
from pipeline.config.training import MissingTokensTraining, RegressionTraining
from pipeline.examples.example_set import ExampleSet, SparseRows
from pipeline.network.models import MissingTokensNetwork, RegressionNetwork

Array = npt.NDArray[Any]

TOLERANCE = {"float32": 1e-4, "float64": 1e-12}
"""Of the ridge regression, by the type of numbers: processors take other ways to the solution."""
ROUGHLY = 0.1
"""A start need not be exact: tolerance of PCA where it is randomised."""
MOST_PAIRS = 20_000_000
"""Of more pairs a seeded sample of the examples tells where to start: they are in memory, 8 bytes each."""


def missing_tokens_network(
    rows: ExampleSet,
    settings: MissingTokensTraining,
    dimension: int,
    temperature: float,
    seed: int,
    dtype: str = "float64",
) -> MissingTokensNetwork:
    """Table at PCA's loadings, of mean squared length 1 a token; bias at 0, of many tokens at their log popularity.

    Each token's column is divided by the fourth root of its count n. PCA of the columns as they are is led by the most
    frequent tokens; divided by sqrt(n), nearly PCA of the correlations, by the rare ones: this is half-way.
    """
    n = np.maximum(rows.inputs.counts, 1)  # (V,)
    solver = "randomised" if settings.negatives else "arpack"
    some = _some_of(rows.inputs, seed) if settings.negatives else rows.inputs.csr(dtype)
    table = principal_components(some, dimension, seed, solver, n**-0.25, ROUGHLY).loadings  # (V, D)
    table /= max(math.sqrt(np.square(table).sum(axis=1).mean()), 1e-12)
    # where few tokens compete at a step, the biases have not the steps to go all the way from 0
    bias = np.log(n / n.mean()) if settings.negatives else np.zeros(len(n))
    return MissingTokensNetwork(
        _tensor(table, dtype),
        _tensor(bias, dtype),
        settings.lift,
        temperature,
        settings.dropout,
        sparse=bool(settings.negatives),
    )


def _some_of(rows: SparseRows, seed: int) -> sparse.csr_matrix:
    """As many examples as have `MOST_PAIRS` pairs, in their order, or all."""
    share = MOST_PAIRS / max(int(rows.lengths.sum()), 1)
    if share >= 1:
        return rows.csr()
    order = np.random.default_rng(seed).permutation(len(rows))
    return rows[np.sort(order[: math.ceil(share * len(rows))])]


def regression_network(
    rows: ExampleSet,
    settings: RegressionTraining,
    dimension: int,
    seed: int,
    dense: Array,
    target: Array,
    dtype: str = "float64",
) -> RegressionNetwork:
    """Table at the direction of a ridge regression and at PCA's components, so that each hidden node has variance 1.

    A token weighs its inverse document frequency log((1 + N) / (1 + n)) + 1; one more factor brings the mean squared
    distance of a bag from the mean bag to 1. The bag is a sum: a word adds what it adds, whatever stands beside it.

    Args:
        rows: the training examples.
        settings: of the training.
        dimension: D; the first one is ridge's, the others are PCA's.
        seed: of PCA.
        dense: (N, F) the dense features as they are learned.
        target: (N,) the target as it is learned.
        dtype: of the network.
    """
    n = rows.inputs.counts  # (V,)
    idf = np.where(n > 0, np.log((1 + len(rows)) / (1 + n)) + 1, 0.0)
    bags = sparse.csr_matrix(rows.inputs.csr() @ sparse.diags(idf))  # (N, V)
    mean_bag = np.asarray(bags.mean(axis=0)).ravel()
    spread = bags.power(2).sum() / len(rows) - (mean_bag**2).sum()
    scale = 1 / math.sqrt(max(spread, 1e-12))
    columns = [_ridge_direction(bags * scale, dense, target, TOLERANCE[dtype])]
    if dimension > 1:
        pca = principal_components(bags * scale, dimension - 1, seed)
        columns.append(pca.components.T / np.sqrt(np.maximum(pca.variance, 1e-12)))  # (V, D - 1)
    return RegressionNetwork(
        _tensor(np.column_stack(columns), dtype),
        _tensor(idf * scale, dtype),
        _tensor(mean_bag * scale, dtype),
        dense.shape[1],
        settings.hidden,
        settings.dropout,
    )


def _ridge_direction(bags: sparse.csr_matrix, dense: Array, target: Array, tolerance: float) -> Array:
    """(V,) what each token adds to the target beside the dense features, as a direction along which bags vary by 1."""
    from sklearn.linear_model import Ridge

    features = sparse.hstack([bags, sparse.csr_matrix(dense)], format="csr")
    coefficients = Ridge(1.0, solver="sparse_cg", tol=tolerance).fit(features, target).coef_[: bags.shape[1]]
    spread = np.asarray(bags @ coefficients).std()
    return np.asarray(coefficients / spread if spread > 1e-9 else coefficients * 0)


def _tensor(array: Array, dtype: str) -> Tensor:
    return torch.from_numpy(np.array(array, dtype, order="C"))  # rows of a table side by side
