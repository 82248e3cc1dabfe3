"""Ridge regression, a linear model on all tokens and the dense features."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse

from pipeline.arrays import Array
from pipeline.baselines.linear import Features, Weighting, outputs
from pipeline.config.baseline import Baseline
from pipeline.config.dataset import Dataset
from pipeline.config.section import Positive
from pipeline.config.size import Size
from pipeline.config.task import Task
from pipeline.embedding import Embedding, Problem
from pipeline.evaluation.selection import candidates, tuned
from pipeline.examples.example_set import ExampleSet
from pipeline.examples.features import TargetScale
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
    weighting: Weighting = ("binary", "tfidf")
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
        return TargetScale.of(self.weights).inverse(outputs(self.weights, inputs, dense))


def _fit(
    training: ExampleSet, vocabulary: Vocabulary, log: bool, tolerance: float, *, regularisation: float, weighting: str
) -> FittedRidge:
    from sklearn.linear_model import Ridge

    features, scale = Features.of(training, weighting), TargetScale.fit(training.target, log)
    model = Ridge(regularisation, solver="sparse_cg", tol=tolerance)
    model.fit(features.matrix, scale.forward(training.target))
    weights = features.fitted(model.coef_, model.intercept_)
    added = weights["token_coefficient"] * features.weight
    return FittedRidge(
        Embedding(vocabulary, added.astype(np.float32)[:, None]),
        weights | scale.weights,
        {"regularisation": regularisation, "weighting": weighting},
    )
