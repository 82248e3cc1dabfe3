"""Boosted trees (scikit-learn's histogram ones) on the dense features alone, or on PCA's components and them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from pipeline.baselines.pca import principal_components, project
from pipeline.config.baselines import BoostedTrees, PcaBoostedTrees
from pipeline.config.dataset import Dataset
from pipeline.config.section import Section
from pipeline.embedding import Embedding, nowhere
from pipeline.evaluation.selection import candidates, first_of_the_best
from pipeline.examples.example_set import ExampleSet
from pipeline.examples.features import TargetScale
from pipeline.vocabulary.vocabulary import Vocabulary

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class FittedTrees:
    """What the trees grow from, and how: the same trees grow again when they are needed, so no pickle is kept."""

    embedding: Embedding  # PCA's loadings, or none
    weights: Mapping[
        str, Array
    ]  # features (N, F), learned (N,), leaves, trees, learning_rate, seed; mean and components
    chosen: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def model(self) -> Any:
        """scikit-learn's regressor, grown."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        return HistGradientBoostingRegressor(
            learning_rate=float(self.weights["learning_rate"]),
            max_iter=int(self.weights["trees"]),
            max_leaf_nodes=int(self.weights["leaves"]),
            early_stopping=False,
            random_state=int(self.weights["seed"]),
        ).fit(self.weights["features"], self.weights["learned"])

    def features(self, inputs: sparse.csr_matrix, dense: Array) -> Array:
        """(N, F) or (N, D + F)."""
        if "components" not in self.weights:
            return dense
        return np.hstack([project(inputs, self.weights["mean"], self.weights["components"]), dense])

    def score(self, inputs: sparse.csr_matrix, dense: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """(N,) numbers in the target's unit."""
        return TargetScale.of(self.weights).inverse(self.model.predict(self.features(inputs, dense)))


def fit(
    training: ExampleSet,
    vocabulary: Vocabulary,
    conf: Dataset,
    dimension: int | None = None,
    validation: ExampleSet | None = None,
    chosen: Mapping[str, Any] | None = None,
) -> FittedTrees:
    """Grow trees on the dense features; their size and number are chosen on validation."""
    settings = conf.rival("boosted_trees")
    return _best(_Garden(training, vocabulary, conf, settings), candidates(settings, ("leaves",)), validation, chosen)


def fit_with_pca(
    training: ExampleSet,
    vocabulary: Vocabulary,
    conf: Dataset,
    dimension: int | None = None,
    validation: ExampleSet | None = None,
    chosen: Mapping[str, Any] | None = None,
) -> FittedTrees:
    """Grow trees on PCA's components and the dense features; D, their size and number are chosen on validation."""
    settings = conf.rival("pca_boosted_trees")
    among = candidates(settings, ("leaves", "dimension"))
    return _best(_Garden(training, vocabulary, conf, settings), among, validation, chosen)


@dataclass(frozen=True)
class _Garden:
    """Where trees are grown."""

    training: ExampleSet
    vocabulary: Vocabulary
    conf: Dataset
    settings: Section

    def grow(self, leaves: int, trees: int, dimension: int | None = None) -> FittedTrees:
        assert isinstance(self.settings, BoostedTrees | PcaBoostedTrees)
        assert self.conf.task.kind == "regression"
        scale = TargetScale.fit(self.training.target, self.conf.task.log)
        embedding, weights = nowhere(self.vocabulary), scale.weights
        features = self.training.dense
        if dimension is not None:
            inputs = self.training.inputs.csr()
            dimension = max(1, min(dimension, min(inputs.shape) - 1))  # as many as there is room for
            pca = principal_components(inputs, dimension, self.conf.seed)
            embedding = Embedding(self.vocabulary, pca.loadings.astype(np.float32))
            weights |= {"mean": pca.mean, "components": pca.components}
            features = np.hstack([project(inputs, weights["mean"], weights["components"]), features])
        weights |= {
            "features": features,
            "learned": scale.forward(self.training.target),
            "leaves": np.array(leaves),
            "trees": np.array(trees),
            "learning_rate": np.array(self.settings.learning_rate),
            "seed": np.array(self.conf.seed),
        }
        of_pca = {} if dimension is None else {"dimension": dimension}
        return FittedTrees(embedding, weights, {"leaves": leaves, "trees": trees, **of_pca})


def _best(
    garden: _Garden, among: list[dict[str, Any]], validation: ExampleSet | None, chosen: Mapping[str, Any] | None
) -> FittedTrees:
    """Grow with each candidate as many trees as are best on validation; without it 100, as scikit-learn does."""
    assert isinstance(garden.settings, BoostedTrees | PcaBoostedTrees)
    if chosen is None:
        chosen = {**among[0], "trees": min(garden.settings.max_trees, 100)}
        if validation is not None and len(validation):
            losses = np.vstack([_validation_losses(garden, candidate, validation) for candidate in among])
            best, trees = divmod(first_of_the_best(-losses[:, 0], losses[:, 1]), garden.settings.max_trees)
            chosen = {**among[best], "trees": trees + 1}
    fitted = garden.grow(**chosen)
    _ = fitted.model  # part of the fit
    return fitted


def _validation_losses(garden: _Garden, candidate: dict[str, Any], validation: ExampleSet) -> Array:
    """(trees, 2) the mean squared error on validation with 1, 2, ... trees, and its standard error."""
    assert isinstance(garden.settings, BoostedTrees | PcaBoostedTrees)
    grown = garden.grow(**candidate, trees=garden.settings.max_trees)
    target = TargetScale.of(grown.weights).forward(validation.target)
    features = grown.features(validation.inputs.csr(), validation.dense)
    squares = (np.square(predicted - target) for predicted in grown.model.staged_predict(features))
    return np.array([(square.mean(), square.std() / np.sqrt(len(square))) for square in squares])
