"""Principal components of sparse rows, by several solvers.

Letters: N rows, V columns, D components.
"""

from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from pipeline.arrays import Array

TOLERANCE = 1e-4
"""Tolerance of the randomised solver."""
_STARTS = 5
"""ARPACK tries from so many starts, at most."""


class Components(NamedTuple):
    """The D directions along which rows vary most."""

    components: Array  # (D, V) vectors of length 1, by decreasing variance
    variance: Array  # (D,) variance of the rows along each component
    mean: Array  # (V,) mean of the rows

    @property
    def loadings(self) -> Array:
        """(V, D) the components, each times the standard deviation along it."""
        return np.asarray(self.components.T * np.sqrt(self.variance).astype(self.components.dtype))


def principal_components(
    inputs: sparse.csr_matrix,
    dimension: int,
    seed: int,
    solver: str = "arpack",
    weight: Array | None = None,
    tolerance: float = TOLERANCE,
    device: str = "cpu",
) -> Components:
    """PCA of sparse rows, centred implicitly: no row is ever made dense.

    Args:
        inputs: (N, V).
        dimension: D, 0 < D < min(N, V).
        seed: of the random start of an iterative solver.
        solver: `arpack` and `covariance_eigh` are scikit-learn's and exact; `randomised` is approximate and faster.
        weight: (V,) the factor by which each column is multiplied.
        tolerance: the randomised solver stops when a step adds a smaller share of the explained variance.
        device: where the randomised solver multiplies, if there is room.
    """
    if solver == "randomised":
        return _randomised_where_there_is_room(device, inputs, dimension, seed, weight, tolerance)
    from scipy.sparse.linalg import ArpackError
    from sklearn.decomposition import PCA
    from threadpoolctl import threadpool_limits

    weighted = inputs if weight is None else sparse.csr_matrix(inputs @ sparse.diags(weight))
    mean = np.asarray(weighted.mean(axis=0)).ravel()
    if weighted.power(2).mean(axis=0).sum() - (mean**2).sum() <= 1e-12 * (mean**2).sum():  # all rows are the same
        return Components(np.zeros((dimension, len(mean))), np.zeros(dimension), mean)
    with threadpool_limits(1 if solver == "arpack" else None, "blas"):  # it takes vector by vector: threads only wait
        for start in range(seed, seed + _STARTS):
            # where rows vary as much along several directions, it ends nowhere from some starts
            with suppress(ArpackError):
                pca = PCA(dimension, svd_solver=solver, random_state=start).fit(weighted)
                return Components(pca.components_, pca.explained_variance_, np.asarray(pca.mean_).ravel())
    return _randomised_where_there_is_room(device, inputs, dimension, seed, weight, tolerance)


def _randomised_where_there_is_room(device: str, *problem: Any) -> Components:
    """PCA on a device, or on the processor if that has no room for it."""
    import torch

    try:
        return _randomised(device, *problem)
    except torch.OutOfMemoryError:
        if device == "cpu":
            raise
    return _randomised("cpu", *problem)


def _randomised(
    device: str, inputs: sparse.csr_matrix, dimension: int, seed: int, weight: Array | None, tolerance: float
) -> Components:
    """PCA by block Lanczos, whose cost hardly depends on the spectrum: a flat one takes a fixed number of passes more.

    With A = X diag(w) - 1 m^T, A Y and A^T Y are sums over lists, which PyTorch's embedding bag computes on all cores;
    it is faster where X has only ones. The eigenvectors are those of A A^T, or of A^T A if that is smaller.
    """
    import torch
    from torch.nn.functional import embedding_bag

    from pipeline.baselines.block_lanczos import largest, orthonormal

    n, v = inputs.shape
    are_ones = bool((inputs.data == 1).all())
    data = np.ones(inputs.nnz, np.int8) if are_ones else inputs.data.astype(np.float32)
    x = sparse.csr_matrix((data, inputs.indices, inputs.indptr), shape=inputs.shape)

    def lists(matrix: sparse.csr_matrix | sparse.csc_matrix) -> tuple[torch.Tensor, ...]:
        arrays = (matrix.indices, matrix.indptr[:-1].astype(matrix.indices.dtype), matrix.data)
        return tuple(torch.from_numpy(array).to(device) for array in arrays)

    def add_up(of: tuple[torch.Tensor, ...], values: torch.Tensor) -> torch.Tensor:
        tokens, offsets, weights = of
        weighted = None if are_ones else weights
        return embedding_bag(tokens, values.contiguous(), offsets, mode="sum", per_sample_weights=weighted)

    rows, columns = lists(x), lists(x.tocsc())
    w = torch.from_numpy((np.ones(v) if weight is None else weight).astype(np.float32))[:, None].to(device)  # (V, 1)
    sums = np.asarray(x.sum(axis=0, dtype=np.float64)).ravel()
    mean = w * torch.from_numpy(sums.astype(np.float32))[:, None].to(device) / n  # (V, 1)

    def scores(vectors: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = add_up(rows, w * vectors) - mean.T @ vectors  # A Y, (N, .)
        return found

    def loadings(vectors: torch.Tensor) -> torch.Tensor:
        found = add_up(columns, vectors).mul_(w)  # in place: it is as large as the table
        return found.addcmul_(mean, vectors.sum(dim=0, keepdim=True), value=-1)  # A^T Y, (V, .)

    of_rows = n < v

    def square(vectors: torch.Tensor) -> torch.Tensor:
        return scores(loadings(vectors)) if of_rows else loadings(scores(vectors))

    basis, values, turn = largest(square, min(n, v), dimension, seed, tolerance, device)
    vectors = basis @ turn  # (., D)
    components = (
        orthonormal(loadings(vectors), vectors.new_empty(0, v), torch.Generator().manual_seed(seed))
        if of_rows
        else vectors
    )
    variance = values.clamp(min=0) / max(n - 1, 1)
    return Components(components.T.contiguous().cpu().numpy(), variance.numpy(), mean.ravel().cpu().numpy())


def project(inputs: sparse.csr_matrix, mean: Array, components: Array) -> Array:
    """Project rows (N, V) onto the components (D, V) without making them dense: x C^T - mean C^T, (N, D)."""
    return np.asarray(inputs @ components.T - mean @ components.T)
