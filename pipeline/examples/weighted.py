"""Rows of tokens with a weight for each token, as linear models read them."""

from typing import Any

import numpy.typing as npt
from scipy import sparse

Array = npt.NDArray[Any]


def weighted(inputs: sparse.csr_matrix, weight: Array, one_length: bool) -> sparse.csr_matrix:
    """Rows (N, V) times the weight (V,) of each token, scaled to length 1 if that is asked for."""
    from sklearn.preprocessing import normalize

    rows = sparse.csr_matrix(inputs @ sparse.diags(weight))
    return normalize(rows) if one_length else rows
