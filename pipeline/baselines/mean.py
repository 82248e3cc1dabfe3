"""The mean number: does not look at the example."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from pipeline.config.dataset import Dataset
from pipeline.embedding import Embedding, nowhere
from pipeline.examples.example_set import ExampleSet
from pipeline.examples.features import TargetScale
from pipeline.vocabulary.vocabulary import Vocabulary


@dataclass(frozen=True)
class Mean:
    """Every example gets the mean of the training targets, on the scale that is learned."""

    embedding: Embedding  # none: no token changes the number
    weights: Mapping[str, npt.NDArray[Any]]  # the target's scale
    chosen: Mapping[str, Any] = field(default_factory=dict)

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """(N,) the same number N times."""
        return TargetScale.of(self.weights).inverse(np.zeros(inputs.shape[0]))


def fit(
    training: ExampleSet,
    vocabulary: Vocabulary,
    conf: Dataset,
    dimension: int | None = None,
    validation: ExampleSet | None = None,
    chosen: Mapping[str, Any] | None = None,
) -> Mean:
    """Take the mean of the training targets; of a logged target that is the geometric mean."""
    assert conf.task.kind == "regression"
    return Mean(nowhere(vocabulary), TargetScale.fit(training.target, conf.task.log).weights)
