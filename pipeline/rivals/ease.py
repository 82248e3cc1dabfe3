"""EASE, a linear model from every token to every other, in closed form (Steck, 2019, arXiv:1905.03375)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from pipeline.config import Dataset
from pipeline.embedding import Embedding, nowhere
from pipeline.rows import Rows
from pipeline.tuning import candidates, tuned
from pipeline.vocabulary import Vocabulary


@dataclass(frozen=True)
class FittedEase:
    """Item weights (V, V), which are solved for from the training rows when they are needed: the rows are smaller."""

    embedding: Embedding  # none: V x V weights are no latent space
    weights: Mapping[str, npt.NDArray[Any]]  # indptr and indices of the training rows, regularisation
    chosen: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def item_weights(self) -> npt.NDArray[np.float32]:
        """(V, V): B = I - P / diag(P), where P = (X^T X + lambda I)^-1 for the training rows X; its diagonal is 0."""
        from scipy.linalg import lapack

        indptr, indices = self.weights["indptr"], self.weights["indices"]
        v = len(self.embedding.vocabulary)
        rows = sparse.csr_matrix((np.ones(len(indices)), indices, indptr), shape=(len(indptr) - 1, v))
        gram = np.asfortranarray((rows.T @ rows).toarray())
        gram[np.diag_indices(v)] += float(self.weights["regularisation"])
        factor, _ = lapack.dpotrf(gram, lower=True, overwrite_a=True)
        inverse, _ = lapack.dpotri(factor, lower=True, overwrite_c=True)  # its lower triangle
        diagonal = np.diag(inverse).copy()
        inverse = np.tril(inverse, -1)
        items = np.asarray((inverse + inverse.T) / -diagonal, np.float32)
        np.fill_diagonal(items, 0)
        return items

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """(N, V) the sums of the item weights of what went in."""
        return np.asarray(inputs @ self.item_weights)


def fit(
    training: Rows,
    vocabulary: Vocabulary,
    conf: Dataset,
    dimension: int | None = None,
    validation: Rows | None = None,
    chosen: Mapping[str, Any] | None = None,
) -> FittedEase:
    """Solve for the item weights; lambda is chosen on validation."""
    settings = conf.rival("ease")
    return tuned(
        partial(_fit, training.inputs.csr(), vocabulary),
        candidates(settings, ("regularisation",)),
        conf,
        validation,
        chosen,
    )


def _fit(inputs: sparse.csr_matrix, vocabulary: Vocabulary, *, regularisation: float) -> FittedEase:
    weights = {"indptr": inputs.indptr, "indices": inputs.indices, "regularisation": np.array(regularisation)}
    fitted = FittedEase(nowhere(vocabulary), weights, {"regularisation": regularisation})
    _ = fitted.item_weights  # part of the fit
    return fitted
