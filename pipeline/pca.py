"""PCA, the baseline: centred, of the same dimensions, on the same sparse rows as the learned embedding.

D components give every token D loadings, its coordinates. Missing tokens are scored by the reconstruction of the row,
numbers by least squares on the components and the dense features.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from pipeline.config import Dataset
from pipeline.embedding import Embedding
from pipeline.encoding import Rows
from pipeline.numbers import DenseScale, TargetScale
from pipeline.vocabulary import Vocabulary

if TYPE_CHECKING:
    from sklearn.decomposition import PCA

Array = npt.NDArray[Any]


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


def principal_components(inputs: sparse.csr_matrix, dimension: int, seed: int, solver: str = "arpack") -> "PCA":
    """scikit-learn's PCA of sparse rows (N, V), centred implicitly; 0 < dimension < min(N, V)."""
    from sklearn.decomposition import PCA

    return PCA(dimension, svd_solver=solver, random_state=seed).fit(inputs)


def project(inputs: sparse.csr_matrix, mean: Array, components: Array) -> Array:
    """Rows (N, V) onto the components (D, V) without densifying: x C^T - mean C^T, (N, D)."""
    return np.asarray(inputs @ components.T - mean @ components.T)


def fit_pca(
    training: Rows,
    vocabulary: Vocabulary,
    conf: Dataset,
    dimension: int,
    validation: Rows | None = None,
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

    inputs = training.inputs.csr()
    pca = principal_components(inputs, dimension, conf.seed, conf.baseline.solver)
    weights: dict[str, Array] = {
        "mean": np.asarray(pca.mean_, np.float32).ravel(),
        "components": pca.components_.astype(np.float32),
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
    loadings = pca.components_.T * np.sqrt(pca.explained_variance_)
    return FittedPca(Embedding(vocabulary, loadings.astype(np.float32)), weights)
