"""PCA, the baseline: centred, of the same dimensions, on the same sparse rows as the learned embedding.

D components give every token D loadings, its coordinates. Missing tokens are scored by the reconstruction of the row,
numbers by least squares on the components and the dense features.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from pipeline.config.dataset import Dataset
from pipeline.embedding import Embedding
from pipeline.examples.example_set import ExampleSet
from pipeline.examples.features import DenseScale, TargetScale
from pipeline.vocabulary.vocabulary import Vocabulary

Array = npt.NDArray[Any]

TOLERANCE = 1e-4
"""Of the randomised solver."""
TURNS = 50
"""Of the randomised solver, at most."""


@dataclass(frozen=True)
class FittedPca:
    """Principal components of the training rows, and where the task is a number a linear head on them."""

    embedding: Embedding  # loadings: component times the standard deviation of its scores
    weights: Mapping[str, Array]  # mean (V,), components (D, V); head_* and the scales in a regression
    chosen: Mapping[str, Any] = field(default_factory=dict)  # nothing: D is all there is to choose

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Missing tokens: the reconstruction mean + (x - mean) C^T C, (N, V). A number: its prediction, (N,)."""
        latent = project(inputs, self.weights["mean"], self.weights["components"])  # (N, D)
        if "head_weight" not in self.weights:
            return np.asarray(latent @ self.weights["components"] + self.weights["mean"], np.float32)
        features = np.hstack([latent, DenseScale.of(self.weights).forward(dense)])
        learned = features @ self.weights["head_weight"] + self.weights["head_bias"]
        return TargetScale.of(self.weights).inverse(learned)


class Components(NamedTuple):
    """The D directions along which rows vary most."""

    components: Array  # (D, V), of length 1, the first varies most
    variance: Array  # (D,) of the rows along each
    mean: Array  # (V,) of the rows

    @property
    def loadings(self) -> Array:
        """(V, D) components times the standard deviation along each."""
        return np.asarray(self.components.T * np.sqrt(self.variance))


def principal_components(
    inputs: sparse.csr_matrix,
    dimension: int,
    seed: int,
    solver: str = "arpack",
    weight: Array | None = None,
    tolerance: float = TOLERANCE,
) -> Components:
    """PCA of sparse rows, centred implicitly: no row is ever made dense.

    Args:
        inputs: (N, V).
        dimension: D, 0 < D < min(N, V).
        seed: of the start of an iterative solver.
        solver: `arpack` and `covariance_eigh` are scikit-learn's, exact; `randomised` is roughly there much sooner.
        weight: (V,) what each column is multiplied by.
        tolerance: the randomised solver rests when a turn adds a smaller share of the explained variance.
    """
    if solver == "randomised":
        return _randomised(inputs, dimension, seed, weight, tolerance)
    from sklearn.decomposition import PCA

    weighted = inputs if weight is None else sparse.csr_matrix(inputs @ sparse.diags(weight))
    pca = PCA(dimension, svd_solver=solver, random_state=seed).fit(weighted)
    return Components(pca.components_, pca.explained_variance_, np.asarray(pca.mean_).ravel())


def _randomised(
    inputs: sparse.csr_matrix, dimension: int, seed: int, weight: Array | None, tolerance: float
) -> Components:
    """Subspace iteration from a random start (Halko, Martinsson and Tropp, 2011, algorithms 4.4 and 5.3).

    With A = X diag(w) - 1 m^T, where X has ones only, A Q and A^T Y are sums over lists: PyTorch's embedding bag, on
    all cores. Oversamples by half the dimensions.
    """
    import torch
    from torch.nn.functional import embedding_bag

    n, v = inputs.shape
    width = min(dimension + max(10, dimension // 2), n, v)
    ones = sparse.csr_matrix((np.ones(inputs.nnz, np.int8), inputs.indices, inputs.indptr), shape=inputs.shape)

    def lists(matrix: sparse.csr_matrix | sparse.csc_matrix) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.from_numpy(matrix.indices), torch.from_numpy(matrix.indptr[:-1].astype(matrix.indices.dtype))

    def add_up(of: tuple[torch.Tensor, torch.Tensor], values: torch.Tensor) -> torch.Tensor:
        return embedding_bag(of[0], values.contiguous(), of[1], mode="sum")

    rows, columns = lists(ones), lists(ones.tocsc())
    w = torch.ones(v, 1) if weight is None else torch.from_numpy(weight.astype(np.float32))[:, None]  # (V, 1)
    mean = w * torch.from_numpy(inputs.getnnz(axis=0).astype(np.float32))[:, None] / n  # (V, 1)
    start = torch.randn(v, width, generator=torch.Generator().manual_seed(seed))
    basis, explained = torch.linalg.qr(start)[0], 0.0
    for _ in range(TURNS):
        scores = add_up(rows, w * basis) - mean.T @ basis  # (N, width)
        values, turn = torch.linalg.eigh((scores.T @ scores).double())  # ascending
        before, explained = explained, float(values[-dimension:].sum())
        if explained - before <= tolerance * explained:
            break
        basis = torch.linalg.qr(w * add_up(columns, scores) - mean @ scores.sum(dim=0, keepdim=True))[0]
    components = (basis @ turn.flip(1)[:, :dimension].float()).T
    variance = values.flip(0)[:dimension].clamp(min=0) / max(n - 1, 1)
    return Components(components.contiguous().numpy(), variance.numpy(), mean.ravel().numpy())


def project(inputs: sparse.csr_matrix, mean: Array, components: Array) -> Array:
    """Rows (N, V) onto the components (D, V) without densifying: x C^T - mean C^T, (N, D)."""
    return np.asarray(inputs @ components.T - mean @ components.T)


def fit_pca(
    training: ExampleSet,
    vocabulary: Vocabulary,
    conf: Dataset,
    dimension: int,
    validation: ExampleSet | None = None,
    chosen: Mapping[str, Any] | None = None,
) -> FittedPca:
    """Fit PCA on the training rows; scikit-learn centres a sparse matrix implicitly.

    Args:
        training: the training examples, more than `dimension` of them.
        vocabulary: of V tokens, more than `dimension` of them.
        conf: the dataset.
        dimension: D.
        validation: not looked at; every method takes the same arguments.
        chosen: nothing.
    """
    from sklearn.linear_model import LinearRegression

    inputs = training.inputs.csr(conf.dtype)
    pca = principal_components(inputs, dimension, conf.seed, conf.baseline.solver)
    weights: dict[str, Array] = {
        "mean": pca.mean.astype(conf.dtype),
        "components": pca.components.astype(conf.dtype),
    }
    if conf.task.kind == "regression":
        dense_scale = DenseScale.fit(training.dense)
        target_scale = TargetScale.fit(training.target, conf.task.log)
        latent = project(inputs, weights["mean"], weights["components"])
        head = LinearRegression().fit(
            np.hstack([latent, dense_scale.forward(training.dense)]), target_scale.forward(training.target)
        )
        weights |= {"head_weight": head.coef_, "head_bias": np.array(head.intercept_)}
        weights |= dense_scale.weights | target_scale.weights
    return FittedPca(Embedding(vocabulary, pca.loadings.astype(np.float32)), weights)
