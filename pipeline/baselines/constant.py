"""What the mean and the most frequent class share: they are baselines that do not look at the example."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy import sparse

from pipeline.arrays import Array
from pipeline.config.baseline import Baseline
from pipeline.config.dataset import Dataset
from pipeline.embedding import Embedding, Problem, nowhere
from pipeline.tasks.target import TargetTask


class Constant(Baseline):
    """Every example gets the same answer, which depends only on the distribution of the training targets."""

    ignores_examples: ClassVar[bool] = True
    uses_tokens: ClassVar[bool] = False

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
    """The distribution of the training targets, which decides the one answer."""

    embedding: Embedding  # a placeholder: no token changes the answer
    weights: Mapping[str, Array]  # the task's scale
    task: TargetTask
    chosen: Mapping[str, Any] = field(default_factory=dict)

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> Array:
        """(N,) or (N, C) the same answer N times."""
        return self.task.answers(np.tile(self.task.prior(self.weights), (inputs.shape[0], 1)), self.weights)
