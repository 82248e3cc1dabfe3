"""Rows of tokens with a weight for each token, as linear models read them."""

import numpy as np
from scipy import sparse

from pipeline.arrays import Array
from pipeline.examples.example_set import SparseRows


def inverse_document_frequency(inputs: SparseRows) -> Array:
    """(V,) log((1 + N) / (1 + n)) + 1 for each token, where n of the N examples have it: as scikit-learn smooths it.

    >>> inverse_document_frequency(SparseRows.of(sparse.csr_matrix([[1, 0], [1, 1], [1, 0]]))).round(3)
    array([1.   , 1.693])
    """
    return np.asarray(np.log((1 + len(inputs)) / (1 + inputs.counts)) + 1)


def weighted(inputs: sparse.csr_matrix, weight: Array, one_length: bool) -> sparse.csr_matrix:
    """Rows (N, V) times the weight (V,) of each token, scaled to length 1 if that is asked for."""
    from sklearn.preprocessing import normalize

    rows = sparse.csr_matrix(inputs @ sparse.diags(weight))
    return normalize(rows) if one_length else rows
