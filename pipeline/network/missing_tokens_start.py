"""Where the network for missing tokens starts: at PCA's places.

Letters: N examples, V vocabulary, D dimensions.
"""

import math

import numpy as np
from scipy import sparse

from pipeline.arrays import Array
from pipeline.baselines.principal_components import principal_components
from pipeline.examples.example_set import ExampleSet, SparseRows
from pipeline.network.layers import tensor
from pipeline.network.missing_tokens_network import MissingTokensNetwork
from pipeline.tasks.missing_tokens import MOST_PAIRS, POWERS, MissingTokensTraining

ROUGHLY = 0.05
"""Tolerance of the randomised PCA: a start need not be exact."""
ROWS_AT_ONCE = 2**16


def missing_tokens_network(
    rows: ExampleSet,
    settings: MissingTokensTraining,
    dimension: int,
    temperature: float,
    seed: int,
    dtype: str = "float64",
    device: str = "cpu",
) -> MissingTokensNetwork:
    """The network at its start: its table has PCA's loadings, scaled to a mean squared length of 1.

    The biases are 0, or the log popularity of the tokens where negatives are drawn. Before PCA, each token's column is
    divided by its count to the power of the settings' first `count_power`. On a GPU, and where negatives are drawn, PCA
    is that of the randomised solver.
    """
    (power, *_) = settings.count_power or POWERS
    n = np.maximum(rows.inputs.counts, 1)  # (V,)
    solver = "randomised" if settings.negatives or device != "cpu" else "arpack"
    some = _sample_of(rows.inputs, seed) if settings.negatives else rows.inputs.csr(dtype)
    table = principal_components(some, dimension, seed, solver, n**-power, ROUGHLY, device).loadings  # (V, D)
    table /= max(math.sqrt(_squared_lengths(table).mean()), 1e-12)
    # where few tokens compete at a step, the biases get too few steps to move all the way from 0
    bias = np.log(n / n.mean()) if settings.negatives else np.zeros(len(n))
    return MissingTokensNetwork(
        tensor(table, dtype),
        tensor(bias, dtype),
        settings.lift,
        temperature,
        settings.dropout,
        sparse=bool(settings.negatives),
    )


def _squared_lengths(table: Array) -> Array:
    """(V,) the squared lengths of the rows of a table (V, D), some rows at a time: the squares are as many numbers."""
    parts = [table[start : start + ROWS_AT_ONCE] for start in range(0, len(table), ROWS_AT_ONCE)]
    return np.concatenate([np.square(part).sum(axis=1) for part in parts])


def _sample_of(rows: SparseRows, seed: int) -> sparse.csr_matrix:
    """All examples, or a random sample with about `MOST_PAIRS` pairs, in the order of the examples."""
    share = MOST_PAIRS / max(int(rows.lengths.sum()), 1)
    if share >= 1:
        return rows.csr()
    order = np.random.default_rng(seed).permutation(len(rows))
    return rows[np.sort(order[: math.ceil(share * len(rows))])]
