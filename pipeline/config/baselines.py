"""What a learned embedding is compared with: PCA, and the rivals of each task with their settings."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from pipeline.config.section import Dimensions, Integers, Numbers, Section, as_tuple


class Baseline(Section):
    """PCA, the baseline: centred, on the same sparse rows."""

    dimensions: Dimensions | None = None
    """Each D of PCA. Default: the file's, and the powers of 2 above the smallest, up to four times the largest, so that
    one can see how many dimensions of PCA are worth a learned one."""
    solver: Literal["arpack", "covariance_eigh", "randomised"] = "arpack"
    """arpack and covariance_eigh are scikit-learn's and exact; arpack never makes the rows dense. randomised is for
    many dimensions of many tokens, on all cores, to a ten thousandth of the explained variance."""


class Popularity(Section):
    """Every example gets the same ranking: the most frequent tokens first."""

    kind: Literal["popularity"] = "popularity"


class Als(Section):
    """Matrix factorisation by alternating least squares, of the package `implicit`."""

    kind: Literal["als"] = "als"
    dimension: Integers = (64,)
    """D; of several values validation chooses, as of all that follow."""
    regularisation: Numbers = (1.0, 10.0)
    """Of both factors."""
    alpha: Numbers = (1.0, 5.0, 20.0)
    """Weight of an observed token; one that is not observed weighs 1."""
    iterations: int = Field(15, ge=1)
    """Alternations."""


class Ease(Section):
    """A linear model from every token to every other, in closed form, where V x V numbers fit into memory."""

    kind: Literal["ease"] = "ease"
    regularisation: Numbers = (1000.0, 300.0, 100.0)
    """Of the item weights; of several values validation chooses."""
    max_tokens: int = Field(15_000, ge=1)
    """A larger vocabulary is refused: V x V numbers of 8 bytes, three times."""


class ItemKnn(Section):
    """Item neighbours, of the package `implicit`: tokens that are similar to those that went in."""

    kind: Literal["item_knn"] = "item_knn"
    neighbours: Integers = (20, 100, 500)
    """Kept of each token; of several values validation chooses, as of what follows."""
    weighting: Annotated[tuple[Literal["cosine", "tfidf", "bm25"], ...], BeforeValidator(as_tuple)] = (
        "cosine",
        "tfidf",
    )
    """How a token's examples are weighted before they are compared."""


class Mean(Section):
    """Every example gets the mean of the training targets."""

    kind: Literal["mean"] = "mean"


class Ridge(Section):
    """Ridge regression on all tokens and the dense features."""

    kind: Literal["ridge"] = "ridge"
    regularisation: Numbers = (30.0, 10.0, 3.0, 1.0, 0.3, 0.1)
    """Of the squared coefficients; of several values validation chooses, as of what follows."""
    weighting: Annotated[tuple[Literal["binary", "tfidf"], ...], BeforeValidator(as_tuple)] = ("binary", "tfidf")
    """Of the tokens: 1 each, or tf-idf with rows of length 1."""


class _Trees(Section):
    leaves: Integers = (8, 31)
    """Of a tree; of several values validation chooses."""
    learning_rate: float = Field(0.05, gt=0)
    """Share of each tree that is added."""
    max_trees: int = Field(1000, ge=1)
    """At most; validation chooses how many."""


class BoostedTrees(_Trees):
    """Boosted trees on the dense features alone."""

    kind: Literal["boosted_trees"] = "boosted_trees"


class PcaBoostedTrees(_Trees):
    """Boosted trees on the dense features and PCA's components."""

    kind: Literal["pca_boosted_trees"] = "pca_boosted_trees"
    dimension: Integers = (16,)
    """D of the PCA; of several values validation chooses."""


RIVALS: dict[str, tuple[type[Section], ...]] = {
    "missing_tokens": (Popularity, Als, Ease, ItemKnn),
    "regression": (Mean, Ridge, BoostedTrees, PcaBoostedTrees),
}
"""What an embedding can be compared with, by task; the first is always quick, and the default."""
Rival = Annotated[
    Popularity | Als | Ease | ItemKnn | Mean | Ridge | BoostedTrees | PcaBoostedTrees, Field(discriminator="kind")
]
