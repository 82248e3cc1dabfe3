"""Boosted trees on PCA's components and the dense features."""

from typing import ClassVar, Literal

from pipeline.baselines.boosted_trees import Trees
from pipeline.config.section import Integers


class PcaBoostedTrees(Trees):
    """Boosted trees on the dense features and PCA's components."""

    searched: ClassVar[tuple[str, ...]] = ("leaves", "dimension")

    kind: Literal["pca_boosted_trees"] = "pca_boosted_trees"
    dimension: Integers = (16,)
    """D of the PCA. Validation chooses among several values."""
