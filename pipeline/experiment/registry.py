"""Every way to a fit, by name, and where its code is.

The code is imported when a method is used: torch, Lightning and scikit-learn take seconds to load.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from pipeline.config.dataset import Dataset
from pipeline.config.section import Section
from pipeline.embedding import Embedding, Fitted


@dataclass(frozen=True)
class Method:
    """One way to a fit.

    Its function `fit(training, vocabulary, conf, dimension, validation, chosen)` returns a `Fitted`; its `restored`
    makes that of an embedding, the weights and conf again.
    """

    name: str
    module: str
    fit: str
    restored: str
    """A class of the module, or of another one: `module.Class`."""
    swept: bool = False
    """Is fitted at each D of conf; the others have no D, or choose it as a setting of theirs."""

    def function(self) -> Any:
        """The function that fits."""
        return getattr(import_module(f"pipeline.{self.module}"), self.fit)

    def restore(self, embedding: Embedding, weights: Mapping[str, Any], conf: Dataset) -> Fitted:
        """Restore a fit from its embedding and its saved weights."""
        module, _, name = self.restored.rpartition(".")
        kind = getattr(import_module(f"pipeline.{module or self.module}"), name)
        fitted: Fitted = kind(embedding, weights, conf) if self.name == "embedding" else kind(embedding, weights)
        return fitted

    def settings(self, conf: Dataset) -> Section:
        """The section of conf that is about this method."""
        own = {"embedding": conf.training, "pca": conf.baseline}
        return own[self.name] if self.name in own else conf.rival(self.name)

    def dimensions(self, conf: Dataset) -> tuple[int | None, ...]:
        """Each D to fit, of a conf that is resolved."""
        dimensions = {"embedding": conf.dimensions, "pca": conf.baseline.dimensions}.get(self.name, (None,))
        assert dimensions is not None
        return dimensions


METHODS = {
    method.name: method
    for method in (
        Method("embedding", "network.training", "fit_network", "network.fitted_network.FittedNetwork", swept=True),
        Method("pca", "baselines.pca", "fit_pca", "FittedPca", swept=True),
        Method("popularity", "baselines.popularity", "fit", "Popularity"),
        Method("als", "baselines.als", "fit", "FittedAls"),
        Method("ease", "baselines.ease", "fit", "FittedEase"),
        Method("item_knn", "baselines.item_knn", "fit", "ItemKnn"),
        Method("mean", "baselines.mean", "fit", "Mean"),
        Method("ridge", "baselines.ridge", "fit", "FittedRidge"),
        Method("boosted_trees", "baselines.boosted_trees", "fit", "FittedTrees"),
        Method("pca_boosted_trees", "baselines.boosted_trees", "fit_with_pca", "FittedTrees"),
    )
}
"""All of them, by the name that conf and the runs' tag `method` use."""


def run_name(method: str, dimension: int | None) -> str:
    """What people read for a fit.

    >>> run_name("pca", 8), run_name("mean", None)
    ('pca D=8', 'mean')
    """
    return f"{method} D={dimension}" if METHODS[method].swept else method
