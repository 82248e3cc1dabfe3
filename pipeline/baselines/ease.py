"""EASE, a linear model from every token to every other, in closed form (Steck, 2019, arXiv:1905.03375)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse

from pipeline.config.dataset import Dataset
from pipeline.embedding import Embedding, nowhere
from pipeline.evaluation.selection import candidates, tuned
from pipeline.examples.example_set import ExampleSet
from pipeline.vocabulary.vocabulary import Vocabulary

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FittedEase:
    """Item weights B = I - P / diag(P), where P = (X^T X + lambda I)^-1 for the training rows X (N, V).

    B is V x V and never made: it is solved for P from the training rows, which are smaller, when a list is scored.
    """

    embedding: Embedding  # none: V x V weights are no latent space
    weights: Mapping[str, npt.NDArray[Any]]  # indptr and indices of the training rows, regularisation
    chosen: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def inverse(self) -> "Inverse":
        """P."""
        indptr, indices = self.weights["indptr"], self.weights["indices"]
        shape = (len(indptr) - 1, len(self.embedding.vocabulary))
        rows = sparse.csr_matrix((np.ones(len(indices)), indices, indptr), shape=shape)
        return Inverse.of(rows, float(self.weights["regularisation"]))

    def score(self, inputs: sparse.csr_matrix, dense: Array) -> npt.NDArray[np.float32]:
        """(N, V) the sums of the item weights of what went in."""
        return np.asarray(inputs - self.inverse.times(inputs) / self.inverse.diagonal, np.float32)


@dataclass(frozen=True)
class Inverse:
    """P = (X^T X + lambda I)^-1, as the matrix itself or, of fewer rows than columns, by the rows.

    There P = (I - A^T A) / lambda, where L A = X and L L^T = X X^T + lambda I (Woodbury's identity).
    """

    matrix: Array  # P (V, V), or A (N, V)
    regularisation: float
    is_factor: bool

    @classmethod
    def of(cls, rows: sparse.csr_matrix, regularisation: float) -> "Inverse":
        """Solve for it in the smaller of both spaces.

        Args:
            rows: X (N, V).
            regularisation: lambda, above 0.
        """
        n, v = rows.shape
        gram = np.asfortranarray(((rows @ rows.T) if n < v else (rows.T @ rows)).toarray())
        gram[np.diag_indices(min(n, v))] += regularisation
        factor, _ = linalg.lapack.dpotrf(gram, lower=True, overwrite_a=True)
        if n < v:
            solved = linalg.solve_triangular(factor, rows.toarray(order="F"), lower=True, overwrite_b=True)
            return cls(solved, regularisation, True)
        inverse, _ = linalg.lapack.dpotri(factor, lower=True, overwrite_c=True)  # its lower triangle
        return cls(np.tril(inverse) + np.tril(inverse, -1).T, regularisation, False)

    @cached_property
    def diagonal(self) -> Array:
        """(V,)."""
        if not self.is_factor:
            return np.diag(self.matrix)
        return np.asarray(1 - np.einsum("ij,ij->j", self.matrix, self.matrix)) / self.regularisation

    def times(self, lists: sparse.csr_matrix) -> Array:
        """Lists (B, V) times P, (B, V)."""
        if not self.is_factor:
            return np.asarray(lists @ self.matrix)
        return np.asarray(lists - (lists @ self.matrix.T) @ self.matrix) / self.regularisation


def fit(
    training: ExampleSet,
    vocabulary: Vocabulary,
    conf: Dataset,
    dimension: int | None = None,
    validation: ExampleSet | None = None,
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
    _ = fitted.inverse  # part of the fit
    return fitted
