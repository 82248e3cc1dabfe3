"""Matrix factorisation by alternating least squares (Hu, Koren and Volinsky, 2008), of the package `implicit`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from pipeline.config.baselines import Als
from pipeline.config.dataset import Dataset
from pipeline.embedding import Embedding
from pipeline.evaluation.selection import candidates, tuned
from pipeline.examples.example_set import ExampleSet
from pipeline.vocabulary.vocabulary import Vocabulary


@dataclass(frozen=True)
class FittedAls:
    """Item factors; a list's own factors are solved for when it is scored."""

    embedding: Embedding  # the item factors (V, D)
    weights: Mapping[str, npt.NDArray[Any]]  # factors (V, D), regularisation, alpha
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
        """(N, V) the products of the lists' factors and the tokens'."""
        with _own_threads():
            users = self._model.recalculate_user(np.arange(inputs.shape[0]), inputs)  # (N, D)
        return np.asarray(users @ self.weights["factors"].T, np.float32)


def _own_threads() -> Any:
    """`implicit` has threads of its own, which those of BLAS would only disturb."""
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


def fit(
    training: ExampleSet,
    vocabulary: Vocabulary,
    conf: Dataset,
    dimension: int | None = None,
    validation: ExampleSet | None = None,
    chosen: Mapping[str, Any] | None = None,
) -> FittedAls:
    """Factorise the training rows; D, regularisation and alpha are chosen on validation."""
    settings = conf.rival("als")
    assert isinstance(settings, Als)
    among = candidates(settings, ("dimension", "regularisation", "alpha"))
    make = partial(_fit, training.inputs.csr("float32"), vocabulary, settings.iterations, conf.seed, conf.dtype)
    return tuned(make, among, conf, validation, chosen)


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
