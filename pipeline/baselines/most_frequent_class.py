"""The most frequent class: does not look at the example."""

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
from pipeline.tasks.classification import Classification

Array = npt.NDArray[Any]


class MostFrequentClass(Baseline):
    """Every example gets the classes with the shares that they have in training."""

    of_task: ClassVar[type[Task]] = Classification
    ignores_examples: ClassVar[bool] = True

    kind: Literal["most_frequent_class"] = "most_frequent_class"

    def fit(self, problem: Problem) -> "FittedMostFrequentClass":
        """Count the classes of the training examples."""
        task = problem.conf.task
        assert isinstance(task, Classification)
        return FittedMostFrequentClass(nowhere(problem.vocabulary), task.scale(problem.training))

    @classmethod
    def restore(cls, embedding: Embedding, weights: Mapping[str, Array], conf: Dataset) -> "FittedMostFrequentClass":
        """Restore a fit from its embedding and its saved weights."""
        return FittedMostFrequentClass(embedding, weights)


@dataclass(frozen=True)
class FittedMostFrequentClass:
    """The shares of the classes."""

    embedding: Embedding  # none: no token changes the class
    weights: Mapping[str, Array]  # the task's scale
    chosen: Mapping[str, Any] = field(default_factory=dict)

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> Array:
        """(N, C) the same row N times."""
        return np.tile(self.weights["target_share"], (inputs.shape[0], 1))
