"""The most popular tokens; this baseline does not look at the example."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse

from pipeline.arrays import Array
from pipeline.config.baseline import Baseline
from pipeline.config.dataset import Dataset
from pipeline.config.task import Task
from pipeline.embedding import Embedding, Factors, Problem
from pipeline.tasks.missing_tokens import MissingTokens


class Popularity(Baseline):
    """Every example gets the same ranking: the most frequent tokens first."""

    of_task: ClassVar[type[Task]] = MissingTokens
    ignores_examples: ClassVar[bool] = True

    kind: Literal["popularity"] = "popularity"

    def fit(self, problem: Problem) -> "FittedPopularity":
        """Count the training examples with each token: its logit is log((examples with the token + 1) / (N + 1)).

        If conf says a `weight`, an example counts as much as the token weighs in it.
        """
        n = problem.training.inputs.sums
        logits = np.log((n + 1) / (len(problem.training) + 1)).astype(np.float32)
        return FittedPopularity(Embedding(problem.vocabulary, logits[:, None]), {"logits": logits})

    @classmethod
    def restore(cls, embedding: Embedding, weights: Mapping[str, Array], conf: Dataset) -> "FittedPopularity":
        """Restore a fit from its embedding and its saved weights."""
        return FittedPopularity(embedding, weights)


@dataclass(frozen=True)
class FittedPopularity:
    """The logarithm of the share of training examples that have each token."""

    embedding: Embedding  # D = 1: the logarithm of the popularity, the same for every example
    weights: Mapping[str, Array]  # logits (V,)
    chosen: Mapping[str, Any] = field(default_factory=dict)

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """(N, V) the same row N times."""
        return np.tile(self.weights["logits"], (inputs.shape[0], 1))

    @property
    def factors(self) -> Factors:
        """The logits, times 1 for every list."""
        return Factors(self.weights["logits"][:, None], lambda inputs: np.ones((inputs.shape[0], 1), np.float32))
