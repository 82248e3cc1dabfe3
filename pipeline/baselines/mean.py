"""The mean number: does not look at the example."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse

from pipeline.config.baseline import Baseline
from pipeline.config.dataset import Dataset
from pipeline.config.task import Task
from pipeline.embedding import Embedding, Problem, nowhere
from pipeline.examples.features import TargetScale
from pipeline.tasks.regression import Regression

Array = npt.NDArray[Any]


class Mean(Baseline):
    """Every example gets the mean of the training targets."""

    of_task: ClassVar[type[Task]] = Regression
    ignores_examples: ClassVar[bool] = True

    kind: Literal["mean"] = "mean"

    def fit(self, problem: Problem) -> "FittedMean":
        """Take the mean of the training targets; of a logged target that is the geometric mean."""
        task = problem.conf.task
        assert isinstance(task, Regression)
        return FittedMean(nowhere(problem.vocabulary), task.scale(problem.training))

    @classmethod
    def restore(cls, embedding: Embedding, weights: Mapping[str, Array], conf: Dataset) -> "FittedMean":
        """Restore a fit from its embedding and its saved weights."""
        return FittedMean(embedding, weights)


@dataclass(frozen=True)
class FittedMean:
    """The mean of the training targets, on the scale that is learned."""

    embedding: Embedding  # none: no token changes the number
    weights: Mapping[str, Array]  # the target's scale
    chosen: Mapping[str, Any] = field(default_factory=dict)

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """(N,) the same number N times."""
        return TargetScale.of(self.weights).inverse(np.zeros(inputs.shape[0]))
