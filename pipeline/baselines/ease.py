"""EASE, a linear model from every token to every other, in closed form (Steck, 2019, arXiv:1905.03375)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import linalg, sparse

from pipeline.arrays import Array
from pipeline.config.baseline import Baseline
from pipeline.config.dataset import Dataset
from pipeline.config.section import Positive
from pipeline.config.size import Size
from pipeline.config.task import Task
from pipeline.embedding import Embedding, Problem, nowhere
from pipeline.errors import PipelineError
from pipeline.evaluation.selection import candidates, tuned
from pipeline.tasks.missing_tokens import MissingTokens
from pipeline.vocabulary.vocabulary import Vocabulary


class Ease(Baseline):
    """A linear model from every token to every other, in closed form; V x V numbers have to fit into memory."""

    of_task: ClassVar[type[Task]] = MissingTokens

    kind: Literal["ease"] = "ease"
    regularisation: Positive = (1000.0, 300.0, 100.0)
    """L2 regularisation of the item weights. Validation chooses among several values."""
    max_tokens: int = Field(15_000, ge=1)
    """A larger vocabulary is refused, because the fit needs three matrices of V x V numbers of 8 bytes."""

    def require_room(self, most: int, n_tokens: int, where: str) -> None:
        """Refuse a vocabulary that is too large.

        Raises:
            PipelineError: it is; the message says how much memory it needs.
        """
        if n_tokens > self.max_tokens:
            raise PipelineError(
                f"{where}, baselines: ease needs a matrix of V x V numbers, and V = {n_tokens:,} is above its "
                f"`max_tokens` of {self.max_tokens:,}. Leave it out, or raise that if "
                f"{24 * n_tokens**2 / 1e9:,.1f} GB of memory are free."
            )

    def memory(self, size: Size, dimension: int | None) -> int:
        """Three square matrices by the tokens; by the examples, if these are fewer, and two that are not square."""
        least = min(size.n, size.v)
        return size.csr + 8 * (2 * least**2 + (2 * size.n * size.v if size.n < size.v else size.v**2))

    def fit(self, problem: Problem) -> "FittedEase":
        """Solve for the item weights; lambda is chosen on validation."""
        make = partial(_fit, problem.training.inputs.csr(), problem.vocabulary)
        return tuned(make, candidates(self, ("regularisation",)), problem)

    @classmethod
    def restore(cls, embedding: Embedding, weights: Mapping[str, Array], conf: Dataset) -> "FittedEase":
        """Restore a fit from its embedding and its saved weights."""
        return FittedEase(embedding, weights)


@dataclass(frozen=True)
class FittedEase:
    """Item weights B = I - P / diag(P), where P = (X^T X + lambda I)^-1 for the training rows X (N, V).

    B (V, V) is never stored: the training rows, which are smaller, are kept, and P is computed from them.
    """

    embedding: Embedding  # a placeholder: V x V weights are no latent space
    weights: Mapping[str, Array]
    """The training rows (`indptr`, `indices` and, if they are not all 1, `data`), and `regularisation`."""
    chosen: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def inverse(self) -> "Inverse":
        """P, computed from the training rows."""
        indptr, indices = self.weights["indptr"], self.weights["indices"]
        shape = (len(indptr) - 1, len(self.embedding.vocabulary))
        data = self.weights.get("data", np.ones(len(indices)))
        rows = sparse.csr_matrix((data, indices, indptr), shape=shape)
        return Inverse.of(rows, float(self.weights["regularisation"]))

    def score(self, inputs: sparse.csr_matrix, dense: Array) -> npt.NDArray[np.float32]:
        """(N, V) the sums of the item weights of the tokens that went in."""
        return np.asarray(inputs - self.inverse.times(inputs) / self.inverse.diagonal, np.float32)


@dataclass(frozen=True)
class Inverse:
    """P = (X^T X + lambda I)^-1, as the matrix itself or, if X has fewer rows than columns, as a factor A.

    Then P = (I - A^T A) / lambda, where L A = X and L L^T = X X^T + lambda I (Woodbury's identity).
    """

    matrix: Array  # P (V, V), or A (N, V)
    regularisation: float
    is_factor: bool

    @classmethod
    def of(cls, rows: sparse.csr_matrix, regularisation: float) -> "Inverse":
        """Solve for P in the smaller space: that of the rows or that of the columns.

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
        inverse, _ = linalg.lapack.dpotri(factor, lower=True, overwrite_c=True)  # the lower triangle
        return cls(np.tril(inverse) + np.tril(inverse, -1).T, regularisation, False)

    @cached_property
    def diagonal(self) -> Array:
        """(V,) the diagonal of P."""
        if not self.is_factor:
            return np.diag(self.matrix)
        return np.asarray(1 - np.einsum("ij,ij->j", self.matrix, self.matrix)) / self.regularisation

    def times(self, lists: sparse.csr_matrix) -> Array:
        """(B, V) the product of the lists (B, V) and P."""
        if not self.is_factor:
            return np.asarray(lists @ self.matrix)
        return np.asarray(lists - (lists @ self.matrix.T) @ self.matrix) / self.regularisation


def _fit(inputs: sparse.csr_matrix, vocabulary: Vocabulary, *, regularisation: float) -> FittedEase:
    weights = {"indptr": inputs.indptr, "indices": inputs.indices, "regularisation": np.array(regularisation)}
    if (inputs.data != 1).any():
        weights["data"] = inputs.data
    fitted = FittedEase(nowhere(vocabulary), weights, {"regularisation": regularisation})
    _ = fitted.inverse  # computing P is part of the fit
    return fitted
