"""Matrix factorisation by alternating least squares (Hu, Koren and Volinsky, 2008), with the package `implicit`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import sparse

from pipeline.arrays import Array
from pipeline.config.baseline import Baseline
from pipeline.config.dataset import Dataset
from pipeline.config.section import Integers, Positive
from pipeline.config.size import Size
from pipeline.config.task import Task
from pipeline.embedding import Embedding, Factors, Problem
from pipeline.evaluation.selection import candidates, tuned
from pipeline.tasks.missing_tokens import MissingTokens
from pipeline.vocabulary.vocabulary import Vocabulary


class Als(Baseline):
    """Matrix factorisation by alternating least squares, with the package `implicit`."""

    of_task: ClassVar[type[Task]] = MissingTokens
    has_chance: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("implicit",)

    kind: Literal["als"] = "als"
    dimension: Integers = (64,)
    """D. Validation chooses among several values, also of `regularisation` and `alpha`."""
    regularisation: Positive = (1.0, 10.0)
    """L2 regularisation of both factors."""
    alpha: Positive = (1.0, 5.0, 20.0)
    """Weight of an observed token; a token that is not observed has the weight 1."""
    iterations: int = Field(15, ge=1)
    """Number of alternations."""

    def memory(self, size: Size, dimension: int | None) -> int:
        """The matrix and its transpose, and the factors of examples and tokens, old and new."""
        return 2 * size.csr + 2 * (size.n + size.v) * max(self.dimension) * size.number

    def fit(self, problem: Problem) -> "FittedAls":
        """Factorise the training rows; D, regularisation and alpha are chosen on validation."""
        conf, rows = problem.conf, problem.training.inputs.csr("float32")
        make = partial(_fit, rows, problem.vocabulary, self.iterations, conf.seed, conf.dtype)
        return tuned(make, candidates(self, ("dimension", "regularisation", "alpha")), problem)

    @classmethod
    def restore(cls, embedding: Embedding, weights: Mapping[str, Array], conf: Dataset) -> "FittedAls":
        """Restore a fit from its embedding and its saved weights."""
        return FittedAls(embedding, weights)


@dataclass(frozen=True)
class FittedAls:
    """Item factors; the factors of a list are solved for when it is scored."""

    embedding: Embedding  # the item factors (V, D)
    weights: Mapping[str, Array]  # factors (V, D), regularisation, alpha
    chosen: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def _model(self) -> Any:
        factors = self.weights["factors"]
        model = _model(
            factors.shape[1], float(self.weights["regularisation"]), float(self.weights["alpha"]), factors.dtype
        )
        model.item_factors = factors
        return model

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """(N, V) the products of the lists' factors and the tokens' factors."""
        return np.asarray(self._of_lists(inputs) @ self.weights["factors"].T, np.float32)

    @property
    def factors(self) -> Factors:
        """The tokens' factors, and those of lists."""
        return Factors(self.weights["factors"].astype("f4"), lambda inputs: self._of_lists(inputs).astype("f4"))

    def _of_lists(self, inputs: sparse.csr_matrix) -> Array:
        """(N, D) the factors of lists."""
        with _own_threads():
            return np.asarray(self._model.recalculate_user(np.arange(inputs.shape[0]), inputs))


def _own_threads() -> Any:
    """A context with a single BLAS thread: `implicit` has its own threads, which BLAS threads would only disturb."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, "blas")


def _model(
    dimension: int, regularisation: float, alpha: float, dtype: npt.DTypeLike, iterations: int = 1, seed: int = 0
) -> Any:
    from implicit.cpu.als import AlternatingLeastSquares

    return AlternatingLeastSquares(
        dimension,
        regularization=regularisation,
        alpha=alpha,
        dtype=dtype,
        iterations=iterations,
        random_state=seed,
    )


def _fit(
    inputs: sparse.csr_matrix,
    vocabulary: Vocabulary,
    iterations: int,
    seed: int,
    dtype: str,
    *,
    dimension: int,
    regularisation: float,
    alpha: float,
) -> FittedAls:
    with _own_threads():
        model = _model(dimension, regularisation, alpha, dtype, iterations, seed)
        model.fit(inputs, show_progress=False)
    factors = np.asarray(model.item_factors)
    return FittedAls(
        Embedding(vocabulary, factors.astype(np.float32)),
        {"factors": factors, "regularisation": np.array(regularisation), "alpha": np.array(alpha)},
        {"dimension": dimension, "regularisation": regularisation, "alpha": alpha},
    )
