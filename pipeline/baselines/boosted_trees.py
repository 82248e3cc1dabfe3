"""Boosted trees (scikit-learn's histogram gradient boosting) on the dense features alone."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from pydantic_core import PydanticCustomError
from scipy import sparse

from pipeline.arrays import Array
from pipeline.baselines.principal_components import principal_components, project
from pipeline.config.baseline import Baseline
from pipeline.config.dataset import Dataset
from pipeline.config.section import OneOrMore
from pipeline.config.task import Task
from pipeline.embedding import Embedding, Problem, nowhere
from pipeline.evaluation.selection import candidates, first_of_the_best
from pipeline.examples.example_set import ExampleSet
from pipeline.tasks.target import TargetTask

TREES = 100
"""Number of trees without validation: scikit-learn's default."""
FEW = 10**7
"""Fewer features x examples get one thread. Several would mostly wait for each other, and, where other work has one of
their cores, for as much as a hundred times what the work takes."""


class Trees(Baseline):
    """What all baselines of boosted trees share."""

    of_task: ClassVar[type[Task]] = TargetTask  # type: ignore[type-abstract]
    needs: ClassVar[tuple[str, ...]] = ("scikit-learn",)
    searched: ClassVar[tuple[str, ...]] = ("leaves",)
    """The settings whose values validation chooses."""

    leaves: Annotated[tuple[Annotated[int, Field(ge=2)], ...], Field(min_length=1), OneOrMore()] = (8, 31)
    """Most leaves of a tree. Validation chooses among several values."""
    learning_rate: float = Field(0.05, gt=0, le=1)
    """Learning rate: the share of each tree's answer that is added."""
    max_trees: int = Field(1000, ge=1)
    """Largest number of trees; validation chooses how many are kept."""

    def fit(self, problem: Problem) -> "FittedTrees":
        """Grow the candidate and number of trees that are best on validation; without it, the first and at most 100."""
        among, validation, chosen = candidates(self, self.searched), problem.validation, problem.chosen
        if chosen is None:
            chosen = {**among[0], "trees": min(self.max_trees, TREES)}
            if validation is not None and len(validation):
                losses = np.vstack([self._validation_losses(problem, candidate, validation) for candidate in among])
                best, trees = divmod(first_of_the_best(-losses[:, 0], losses[:, 1]), self.max_trees)
                chosen = {**among[best], "trees": trees + 1}
        fitted = self._grown(problem, **chosen)
        _ = fitted.model  # growing the trees is part of the fit
        return fitted

    @classmethod
    def restore(cls, embedding: Embedding, weights: Mapping[str, Array], conf: Dataset) -> "FittedTrees":
        """Restore a fit from its embedding and its saved weights."""
        assert isinstance(conf.task, TargetTask)
        return FittedTrees(embedding, weights, conf.task)

    def _validation_losses(self, problem: Problem, candidate: dict[str, Any], validation: ExampleSet) -> Array:
        """(trees, 2) the mean loss on validation with 1, 2, ... trees, and its standard error."""
        grown = self._grown(problem, **candidate, trees=self.max_trees)
        target = grown.task.learned(validation.target, grown.weights)
        features = grown.features(validation.inputs.csr(), validation.dense)
        with _threads(features):
            losses = grown.task.losses_of_trees(grown.model, features, target)
            return np.array([(loss.mean(), loss.std() / np.sqrt(len(loss))) for loss in losses])

    def _grown(self, problem: Problem, leaves: int, trees: int, dimension: int | None = None) -> "FittedTrees":
        training, conf = problem.training, problem.conf
        assert isinstance(conf.task, TargetTask)
        embedding, weights = nowhere(problem.vocabulary), conf.task.scale(training)
        features = training.dense
        if dimension is not None:
            inputs = training.inputs.csr()
            dimension = max(1, min(dimension, min(inputs.shape) - 1))  # as many as the data has room for
            pca = principal_components(inputs, dimension, conf.seed)
            embedding = Embedding(problem.vocabulary, pca.loadings.astype(np.float32))
            weights |= {"mean": pca.mean, "components": pca.components}
            features = np.hstack([project(inputs, weights["mean"], weights["components"]), features])
        is_empty = np.isnan(features).all(axis=0)  # scikit-learn fails at a column without any value
        weights |= {
            "features": np.where(is_empty, 0.0, features),
            "learned": conf.task.learned(training.target, weights),
            "leaves": np.array(leaves),
            "trees": np.array(trees),
            "learning_rate": np.array(self.learning_rate),
            "seed": np.array(conf.seed),
        }
        of_pca = {} if dimension is None else {"dimension": dimension}
        return FittedTrees(embedding, weights, conf.task, {"leaves": leaves, "trees": trees, **of_pca})


class BoostedTrees(Trees):
    """Boosted trees on the dense features alone."""

    uses_tokens: ClassVar[bool] = False
    in_words: ClassVar[str] = "boosted_trees see no tokens: they grow from the dense features alone."

    kind: Literal["boosted_trees"] = "boosted_trees"

    def require_settings(self, task: Task) -> None:
        """Refuse a task without dense features.

        Raises:
            PydanticCustomError: says what to add.
        """
        if isinstance(task, TargetTask) and not task.dense:
            raise PydanticCustomError(
                "baselines", "`baselines`: boosted_trees grow from the columns of `task.dense`: add some"
            )


@dataclass(frozen=True)
class FittedTrees:
    """What the trees are grown from, and how: the same trees are grown again when needed, so no pickle is kept."""

    embedding: Embedding  # PCA's loadings, or a placeholder
    weights: Mapping[str, Array]
    """features (N, F) or (N, D + F), learned (N,), leaves, trees, learning_rate, seed, and the task's scale; with PCA
    also its mean and components."""
    task: TargetTask
    chosen: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def model(self) -> Any:
        """scikit-learn's trees, fitted."""
        trees = self.task.trees(
            learning_rate=float(self.weights["learning_rate"]),
            max_iter=int(self.weights["trees"]),
            max_leaf_nodes=int(self.weights["leaves"]),
            early_stopping=False,
            random_state=int(self.weights["seed"]),
        )
        with _threads(self.weights["features"]):
            return trees.fit(self.weights["features"], self.weights["learned"])

    def features(self, inputs: sparse.csr_matrix, dense: Array) -> Array:
        """(N, F) the dense features, or (N, D + F) with the scores on PCA's components first."""
        if "components" not in self.weights:
            return dense
        return np.hstack([project(inputs, self.weights["mean"], self.weights["components"]), dense])

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> Array:
        """The answers of the trees."""
        model, features = self.model, self.features(inputs, dense)
        with _threads(features):
            return self.task.answers_of_trees(model, features, self.weights)


def _threads(features: Array) -> AbstractContextManager[Any]:
    """A context with one thread for few features, and with all for many."""
    return _libraries().limit(limits=1, user_api="openmp") if features.size < FEW else nullcontext()


@cache
def _libraries() -> Any:
    """The libraries of this process that have threads; to find them takes as long as to grow a tree."""
    import sklearn.ensemble  # noqa: F401 - brings its own
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
