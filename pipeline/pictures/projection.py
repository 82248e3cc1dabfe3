"""Projections of a latent space of D dimensions onto two or three, and the tokens at the ends of the axes.

Only the most frequent tokens are shown, because too many points would run together. An embedding has them first here:
`Embedding.most_frequent_first`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Array
from pipeline.embedding import Embedding

SHOWN = 10_000
"""How many tokens are drawn: the most frequent ones."""
FEWEST_NEIGHBOURS = 50
"""With fewer tokens, a map of neighbourhoods shows nothing that the axes do not show."""
_LABELLED = 300
"""The tokens at the ends of an axis are chosen among this many of the most frequent ones, which people know, but at
most among the more frequent half of all tokens."""


@dataclass(frozen=True)
class View:
    """Tokens in two or three dimensions."""

    name: str
    points: Array  # (n, 2) or (n, 3), of the n most frequent tokens
    axes: tuple[str, ...]
    """The name of each axis."""
    has_axes: bool = True
    """Whether directions mean something; on a map of neighbourhoods only nearness does."""
    others: Array | None = None
    """(V - n, k) of the other tokens, where the view has a place for them."""
    replicas: Array | None = None
    """(R, n, k) where each of R replicas puts the tokens; NaN for those that it has not learned."""


def plane(embedding: Embedding, n: int = SHOWN, replicas: Array | None = None) -> View:
    """Two coordinates for each token: as they are if D = 2, the two principal axes if D > 2, a line if D = 1.

    Args:
        embedding: the most frequent tokens first.
        n: how many of them are shown.
        replicas: (R, n, D) where each of R replicas puts them.
    """
    return _principal(embedding, n, 2, replicas)


def space(embedding: Embedding, n: int = SHOWN, replicas: Array | None = None) -> View:
    """Three coordinates for each token: as they are if D = 3, the three principal axes if D > 3; see `plane`."""
    return _principal(embedding, n, 3, replicas)


def neighbourhoods(embedding: Embedding, seed: int, n: int = SHOWN) -> View | None:
    """A map that keeps neighbours together: t-SNE of the vectors' directions (van der Maaten and Hinton, 2008).

    Large distances on it mean nothing, and neither do the axes. t-SNE amplifies the last bits of a coordinate, so on
    another processor the same neighbourhoods lie elsewhere. None for fewer than three dimensions, which need no such
    map, or for few tokens.
    """
    matrix = embedding.matrix[:n]
    if embedding.dimension < 3 or len(matrix) < FEWEST_NEIGHBOURS:
        return None
    from sklearn.manifold import TSNE

    unit = matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)
    perplexity = min(30.0, (len(unit) - 1) / 3)
    points = TSNE(2, perplexity=perplexity, init="pca", max_iter=750, random_state=seed).fit_transform(unit)
    return View("neighbourhoods (t-SNE)", points, ("", ""), has_axes=False)


def ends(view: View, labels: Sequence[str], k: int = 4) -> list[tuple[list[str], list[str]]]:
    """For each axis the k frequent tokens at its low and at its high end, the outermost first."""
    frequent = view.points[: min(_LABELLED, max(2 * k, len(view.points) // 2))]
    orders = [np.argsort(frequent[:, axis], kind="stable") for axis in range(frequent.shape[1])]
    return [([labels[i] for i in order[:k]], [labels[i] for i in order[::-1][:k]]) for order in orders]


def _principal(embedding: Embedding, n: int, k: int, replicas: Array | None) -> View:
    matrix, others, d = embedding.matrix[:n], embedding.matrix[n:], embedding.dimension
    name = "plane" if k == 2 else "space"
    if d == 1:
        return View("line", np.column_stack([matrix[:, 0], np.arange(len(matrix))]), ("dimension 1", "by frequency"))
    if d == k:
        return View(name, matrix, tuple(f"dimension {i + 1}" for i in range(k)), True, others, replicas)
    middle = matrix.mean(axis=0)
    centred = matrix - middle
    values, directions = np.linalg.eigh(centred.T @ centred)
    share = values[::-1] / max(values.sum(), np.finfo(np.float32).tiny)
    axes = tuple(f"principal axis {i + 1} of {d} dimensions ({share[i]:.0%} of the variance)" for i in range(k))
    onto = directions[:, : -k - 1 : -1]  # (D, k)
    others = others @ onto - middle @ onto
    replicas = None if replicas is None else (replicas - middle) @ onto
    return View(f"{name} of the principal axes", centred @ onto, axes, True, others, replicas)
