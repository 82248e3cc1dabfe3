"""Ridge regression, a linear model on all tokens and the dense features."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import sparse

from pipeline.arrays import Array
from pipeline.config.baseline import Baseline
from pipeline.config.dataset import Dataset
from pipeline.config.section import OneOrMore, Positive
from pipeline.config.size import Size
from pipeline.config.task import Task
from pipeline.embedding import Embedding, Problem
from pipeline.evaluation.selection import candidates, tuned
from pipeline.examples.example_set import ExampleSet
from pipeline.examples.features import DenseScale, TargetScale
from pipeline.examples.weighted import inverse_document_frequency, weighted
from pipeline.tasks.regression import Regression
from pipeline.vocabulary.vocabulary import Vocabulary

TOLERANCE = {"float32": 1e-6, "float64": 1e-12}
"""Tolerance of the solver, by dtype: tight, because on other processors it takes other steps to the same solution."""


class Ridge(Baseline):
    """Ridge regression on all tokens and the dense features."""

    of_task: ClassVar[type[Task]] = Regression

    kind: Literal["ridge"] = "ridge"
    regularisation: Positive = (30.0, 10.0, 3.0, 1.0, 0.3, 0.1)
    """Weight of the squared coefficients in the loss. Validation chooses among several values, also of `weighting`."""
    weighting: Annotated[tuple[Literal["binary", "tfidf"], ...], Field(min_length=1), OneOrMore()] = (
        "binary",
        "tfidf",
    )
    """Weights of the tokens: 1 each, or tf-idf with rows scaled to length 1."""

    def memory(self, size: Size, dimension: int | None) -> int:
        """The matrix, weighted and not, and once more with the dense features."""
        return 3 * size.csr

    def fit(self, problem: Problem) -> "FittedRidge":
        """Solve for the coefficients; regularisation and weighting are chosen on validation."""
        conf = problem.conf
        assert isinstance(conf.task, Regression)
        make = partial(_fit, problem.training, problem.vocabulary, conf.task.log, TOLERANCE[conf.dtype])
        return tuned(make, candidates(self, ("regularisation", "weighting")), problem)

    @classmethod
    def restore(cls, embedding: Embedding, weights: Mapping[str, Array], conf: Dataset) -> "FittedRidge":
        """Restore a fit from its embedding and its saved weights."""
        return FittedRidge(embedding, weights)


@dataclass(frozen=True)
class FittedRidge:
    """A coefficient for each token, each dense feature and each of its pieces."""

    embedding: Embedding  # D = 1: what a token adds to the learned number
    weights: Mapping[str, Array]  # token_weight (V,), token_coefficient (V,), rows_of_length_1, head_*, the scales
    chosen: Mapping[str, Any] = field(default_factory=dict)

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """(N,) numbers in the target's unit."""
        tokens = weighted(inputs, self.weights["token_weight"], bool(self.weights["rows_of_length_1"]))
        learned = tokens @ self.weights["token_coefficient"] + self.weights["head_bias"]
        learned = learned + DenseScale.of(self.weights).forward(dense) @ self.weights["head_weight"]
        return TargetScale.of(self.weights).inverse(learned)


def _fit(
    training: ExampleSet, vocabulary: Vocabulary, log: bool, tolerance: float, *, regularisation: float, weighting: str
) -> FittedRidge:
    from sklearn.linear_model import Ridge

    is_tfidf = weighting == "tfidf"
    size = training.inputs.size  # V
    weight = inverse_document_frequency(training.inputs) if is_tfidf else np.ones(size)
    tokens = weighted(training.inputs.csr(), weight, is_tfidf)
    dense_scale, target_scale = DenseScale.fit(training.dense), TargetScale.fit(training.target, log)
    features = sparse.hstack([tokens, sparse.csr_matrix(dense_scale.forward(training.dense))], format="csr")
    model = Ridge(regularisation, solver="sparse_cg", tol=tolerance).fit(
        features, target_scale.forward(training.target)
    )
    of_tokens = model.coef_[:size]
    weights = {
        "token_weight": weight,
        "token_coefficient": of_tokens,
        "rows_of_length_1": np.array(is_tfidf),
        "head_weight": model.coef_[size:],
        "head_bias": np.array(model.intercept_),
    }
    return FittedRidge(
        Embedding(vocabulary, (of_tokens * weight).astype(np.float32)[:, None]),
        weights | dense_scale.weights | target_scale.weights,
        {"regularisation": regularisation, "weighting": weighting},
    )
