"""Logistic regression, a linear model on all tokens and the dense features."""

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
from pipeline.tasks.classification import Classification, logistic


class LogisticRegression(Baseline):
    """Multinomial logistic regression on all tokens and the dense features."""

    of_task: ClassVar[type[Task]] = Classification

    kind: Literal["logistic_regression"] = "logistic_regression"
    regularisation: Positive = (10.0, 3.0, 1.0, 0.3, 0.1)
    """Weight of the squared coefficients in the loss. Validation chooses among several values, also of `weighting`."""
    weighting: Weighting = ("binary", "tfidf")
    """Weights of the tokens: 1 each, or tf-idf with rows scaled to length 1."""

    def memory(self, size: Size, dimension: int | None) -> int:
        """The matrix, weighted and not, and once more with the dense features."""
        return 3 * size.csr

    def fit(self, problem: Problem) -> "FittedLogisticRegression":
        """Solve for the coefficients; regularisation and weighting are chosen on validation."""
        return tuned(partial(_fit, problem), candidates(self, ("regularisation", "weighting")), problem)

    @classmethod
    def restore(cls, embedding: Embedding, weights: Mapping[str, Array], conf: Dataset) -> "FittedLogisticRegression":
        """Restore a fit from its embedding and its saved weights."""
        assert isinstance(conf.task, Classification)
        return FittedLogisticRegression(embedding, weights, conf.task)


@dataclass(frozen=True)
class FittedLogisticRegression:
    """Coefficients for each token, each dense feature and each of its pieces, one for each class."""

    embedding: Embedding  # D = C, or D = 1 for two classes: what a token adds to the logits
    weights: Mapping[str, Array]
    """token_weight (V,), token_coefficient (V, C), rows_of_length_1, head_*, and the scales of features and target."""
    task: Classification
    chosen: Mapping[str, Any] = field(default_factory=dict)

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> Array:
        """(N, C) the probability of each class."""
        return self.task.answers(outputs(self.weights, inputs, dense), self.weights)


def _fit(problem: Problem, *, regularisation: float, weighting: str) -> FittedLogisticRegression:
    training, task = problem.training, problem.conf.task
    assert isinstance(task, Classification)
    features, scale = Features.of(training, weighting), task.scale(training)
    target = task.learned(training.target, scale)
    weights = features.fitted(*logistic(features.matrix, target, regularisation, scale))
    added = weights["token_coefficient"] * features.weight[:, None]
    return FittedLogisticRegression(
        Embedding(problem.vocabulary, (added[:, 1:] - added[:, :1] if added.shape[1] == 2 else added).astype("f4")),
        weights | scale,
        task,
        {"regularisation": regularisation, "weighting": weighting},
    )
