"""Baselines that do not look at the example: what the mean and the most frequent class share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy import sparse

from pipeline.config.baseline import Baseline
from pipeline.config.dataset import Dataset
from pipeline.embedding import Embedding, Problem, nowhere
from pipeline.tasks.target import TargetTask

Array = npt.NDArray[Any]


class Constant(Baseline):
    """Every example gets the answer of a model that has learned nothing but how the targets lie."""

    ignores_examples: ClassVar[bool] = True

    def fit(self, problem: Problem) -> "FittedConstant":
        """Measure the training targets."""
        task = problem.conf.task
        assert isinstance(task, TargetTask)
        return FittedConstant(nowhere(problem.vocabulary), task.scale(problem.training), task)

    @classmethod
    def restore(cls, embedding: Embedding, weights: Mapping[str, Array], conf: Dataset) -> "FittedConstant":
        """Restore a fit from its embedding and its saved weights."""
        assert isinstance(conf.task, TargetTask)
        return FittedConstant(embedding, weights, conf.task)


@dataclass(frozen=True)
class FittedConstant:
    """How the training targets lie."""

    embedding: Embedding  # none: no token changes the answer
    weights: Mapping[str, Array]  # the task's scale
    task: TargetTask
    chosen: Mapping[str, Any] = field(default_factory=dict)

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> Array:
        """(N,) or (N, C) the same answer N times."""
        return self.task.answers(np.tile(self.task.prior(self.weights), (inputs.shape[0], 1)), self.weights)
