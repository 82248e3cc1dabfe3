"""Every way to a fit, by name: where its code is, and what else decides its result.

The code is imported when a method is used: torch, Lightning and scikit-learn take seconds to load.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from pipeline.config import Dataset, Section
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
    code: tuple[str, ...] = ()
    """Further modules of `pipeline` that decide the result."""
    libraries: tuple[str, ...] = ()
    """Packages that decide the result, beside NumPy and SciPy."""
    swept: bool = False
    """Is fitted at each D of conf; the others have no D, or choose it as a setting of theirs."""

    def function(self) -> Any:
        """The function that fits."""
        return getattr(import_module(f"pipeline.{self.module}"), self.fit)

    def restore(self, embedding: Embedding, weights: Mapping[str, Any], conf: Dataset) -> Fitted:
        """The fit again, from what was kept of it."""
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


_SKLEARN = ("scikit-learn",)
_LEARNED = ("torch", "pytorch-lightning", "scikit-learn")

METHODS = {
    method.name: method
    for method in (
        Method(
            "embedding",
            "training",
            "fit_network",
            "fitted_network.FittedNetwork",
            ("fitted_network", "models", "pca", "starts", "batches", "touched", "losses", "tuning"),
            _LEARNED,
            True,
        ),
        Method("pca", "pca", "fit_pca", "FittedPca", libraries=_SKLEARN, swept=True),
        Method("popularity", "rivals.popularity", "fit", "Popularity"),
        Method("als", "rivals.als", "fit", "FittedAls", ("tuning",), ("implicit",)),
        Method("ease", "rivals.ease", "fit", "FittedEase", ("tuning",)),
        Method("item_knn", "rivals.item_knn", "fit", "ItemKnn", ("tuning",), ("implicit",)),
        Method("mean", "rivals.mean", "fit", "Mean"),
        Method("ridge", "rivals.ridge", "fit", "FittedRidge", ("tuning",), _SKLEARN),
        Method("boosted_trees", "rivals.boosted_trees", "fit", "FittedTrees", ("tuning", "pca"), _SKLEARN),
        Method("pca_boosted_trees", "rivals.boosted_trees", "fit_with_pca", "FittedTrees", ("tuning", "pca"), _SKLEARN),
    )
}
"""All of them, by the name that conf and the runs' tag `method` use."""


def run_name(method: str, dimension: int | None) -> str:
    """What people read for a fit.

    >>> run_name("pca", 8), run_name("mean", None)
    ('pca D=8', 'mean')
    """
    return f"{method} D={dimension}" if METHODS[method].swept else method
