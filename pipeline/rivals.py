"""What any embedding has to beat: the most popular tokens, the mean number. Neither looks at the example."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from pipeline.config import Dataset
from pipeline.embedding import Embedding
from pipeline.encoding import Rows
from pipeline.numbers import TargetScale
from pipeline.vocabulary import Vocabulary

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Popularity:
    """Every example gets the same ranking: by how many training examples have the token."""

    embedding: Embedding  # D = 1: the logarithm of the popularity, the same for every example
    weights: Mapping[str, Array]  # logits (V,)

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """(N, V) the same row N times."""
        return np.tile(self.weights["logits"], (inputs.shape[0], 1))


@dataclass(frozen=True)
class Mean:
    """Every example gets the mean of the training targets, on the scale that is learned."""

    embedding: Embedding  # D = 1: all tokens at 0, none changes the number
    weights: Mapping[str, Array]  # the target's scale

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """(N,) the same number N times."""
        return TargetScale.of(self.weights).inverse(np.zeros(inputs.shape[0]))


def fit_popularity(training: Rows, vocabulary: Vocabulary, conf: Dataset, dimension: int) -> Popularity:
    """Count in how many training examples each token is: log((examples with the token + 1) / (N + 1))."""
    n = training.inputs.getnnz(axis=0)
    logits = np.log((n + 1) / (len(training) + 1)).astype(np.float32)
    return Popularity(Embedding(vocabulary, logits[:, None]), {"logits": logits})


def fit_mean(training: Rows, vocabulary: Vocabulary, conf: Dataset, dimension: int) -> Mean:
    """Take the mean of the training targets; of a logged target that is the geometric mean."""
    assert conf.task.kind == "regression"
    nowhere = np.zeros((len(vocabulary), 1), np.float32)
    return Mean(Embedding(vocabulary, nowhere), TargetScale.fit(training.target, conf.task.log).weights)
