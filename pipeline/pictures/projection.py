"""Where tokens are drawn: a latent space of D dimensions as two or three, and what its axes have at their ends.

Which tokens: the most frequent ones, so that a picture of points does not become a picture of ink.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.embedding import Embedding

SHOWN = 10_000
"""So many of the most frequent tokens are drawn."""
FEWEST_NEIGHBOURS = 50
"""Below so many tokens a map of neighbourhoods says nothing that the axes do not say."""
_LABELLED = 300
"""The ends of an axis are told by the most frequent tokens, which people know."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class View:
    """Tokens in two or three dimensions."""

    name: str
    points: Array  # (n, 2) or (n, 3), of the n most frequent tokens
    axes: tuple[str, ...]
    """What each axis is."""
    has_axes: bool = True
    """Whether directions mean something; on a map of neighbourhoods only nearness does."""


def plane(embedding: Embedding, n: int = SHOWN) -> View:
    """Two coordinates for each token: those of D = 2 as they are, of more the two principal axes, of one a line."""
    return _principal(embedding, n, 2)


def space(embedding: Embedding, n: int = SHOWN) -> View:
    """Three coordinates for each token: those of D = 3 as they are, of more the three principal axes."""
    return _principal(embedding, n, 3)


def neighbourhoods(embedding: Embedding, seed: int, n: int = SHOWN) -> View | None:
    """A map on which neighbours are neighbours: t-SNE of the directions (van der Maaten and Hinton, 2008).

    Far apart says nothing there, and neither do the axes. t-SNE makes the last bits of a coordinate large, so another
    processor's map has the same neighbourhoods elsewhere. None for fewer than three dimensions, which need no such map,
    or for few tokens.
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
    frequent = view.points[:_LABELLED]
    orders = [np.argsort(frequent[:, axis], kind="stable") for axis in range(frequent.shape[1])]
    return [([labels[i] for i in order[:k]], [labels[i] for i in order[::-1][:k]]) for order in orders]


def _principal(embedding: Embedding, n: int, k: int) -> View:
    matrix, d = embedding.matrix[:n], embedding.dimension
    name = "plane" if k == 2 else "space"
    if d == 1:
        return View("line", np.column_stack([matrix[:, 0], np.arange(len(matrix))]), ("dimension 1", "by frequency"))
    if d == k:
        return View(name, matrix, tuple(f"dimension {i + 1}" for i in range(k)))
    centred = matrix - matrix.mean(axis=0)
    values, directions = np.linalg.eigh(centred.T @ centred)
    share = values[::-1] / max(values.sum(), np.finfo(np.float32).tiny)
    axes = tuple(f"principal axis {i + 1} of {d} dimensions ({share[i]:.0%})" for i in range(k))
    return View(f"{name} of the principal axes", centred @ directions[:, : -k - 1 : -1], axes)
