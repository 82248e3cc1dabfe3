"""What the tokens of a map can be coloured by: what is known about them, their count, what they do to a prediction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from scipy import sparse

from pipeline.arrays import Array
from pipeline.pictures.palette import CATEGORIES

SEPARATOR = "|"
"""What stands between several values in one cell, such as `Horror|Sci-Fi`."""
OTHER = "other"
_GROUPS = len(CATEGORIES)
"""Categories with a colour of their own."""
_NEAR = 15
"""Neighbours that tell which of a token's values is the most telling."""
_AT_ONCE = 1024
_PART = 0.95
"""The colours of signed numbers reach to this quantile of their sizes."""
_FEW = 12
"""A column of numbers with at most so many different ones is a column of categories."""


@dataclass(frozen=True)
class Groups:
    """A category of each token."""

    name: str
    values: Sequence[str]
    names: Sequence[str] = ()
    """Categories that have a colour whether a token has them or not; none: those of the tokens."""


@dataclass(frozen=True)
class Numbers:
    """A number of each token, NaN where it is not known."""

    name: str
    values: Array
    scale: Literal["sequential", "diverging"]
    """Whether colours go from low to high, or in two directions from 0."""
    texts: Sequence[str]
    """Each number as people read it."""

    @property
    def reach(self) -> tuple[float, float]:
        """The numbers at the two ends of the colours; rare extremes share a colour where 0 is in the middle."""
        known = self.values[np.isfinite(self.values)]
        if self.scale == "diverging":
            most = float(np.quantile(np.abs(known), _PART)) if len(known) else 0.0
            return -(most or 1e-9), most or 1e-9
        return (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)

    @property
    def ends(self) -> tuple[str, str]:
        """The texts of the numbers that are nearest to the two ends, with a sign where others lie beyond."""
        known = np.flatnonzero(np.isfinite(self.values))
        values, reach = self.values[known], self.reach
        low, high = (self.texts[known[np.abs(values - end).argmin()]] if len(known) else "" for end in reach)
        return f"{'≤ ' * bool((values < reach[0]).any())}{low}", f"{'≥ ' * bool((values > reach[1]).any())}{high}"


Colour = Groups | Numbers


def coloured(about: pl.DataFrame, vectors: Array) -> dict[str, list[str]]:
    """The categories of each column that have a colour of their own where a fit puts the tokens (n, D)."""
    near = nearest(vectors) if about.width else np.empty((len(vectors), 0), int)
    found = [_of_column(about[name].cast(pl.String), near, ()) for name in about.columns]
    return {one.name: [name for name in ordered(one) if name != OTHER] for one in found if isinstance(one, Groups)}


def colours(
    about: pl.DataFrame,
    counts: Array,
    vectors: Array,
    stability: Array | None = None,
    categories: Mapping[str, Sequence[str]] | None = None,
) -> list[Colour]:
    """One for each column that describes the tokens, one for their counts, and one for their stability.

    Args:
        about: a row a token.
        counts: (n,) how often each token occurs.
        vectors: (n, D).
        stability: (n,) how far the nearest tokens of each hold, if that is known.
        categories: those of each column that have a colour on the maps of several fits, as returned by `coloured`.
    """
    near = nearest(vectors) if about.width else np.empty((len(vectors), 0), int)
    kept = categories or {}
    described = [_of_column(about[name].cast(pl.String), near, kept.get(name, ())) for name in about.columns]
    texts = [f"{count:,}" for count in counts]
    often = Numbers("count in training", np.log10(np.maximum(counts, 1)), "sequential", texts)
    if stability is None:
        return [*described, often]
    shares = [f"{share:.0%}" for share in stability]
    return [*described, often, Numbers("stability of the nearest", stability, "sequential", shares)]


def _of_column(column: pl.Series, near: Array, kept: Sequence[str]) -> Colour:
    numbers = column.cast(pl.Float64, strict=False)
    if numbers.null_count() == column.null_count() and numbers.n_unique() > _FEW:
        texts = column.fill_null("not known").to_list()
        return Numbers(column.name, numbers.fill_null(np.nan).to_numpy(), "sequential", texts)
    return Groups(column.name, telling(column.to_list(), near, kept), kept)


def nearest(vectors: Array, k: int = _NEAR) -> Array:
    """(n, k) the tokens with the smallest angle to each of n tokens (n, D), in any order; k is at most n - 1."""
    n = len(vectors)
    k = min(k, n - 1)
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    found = np.empty((n, k), np.int64)
    for start in range(0, n if k else 0, _AT_ONCE):
        rows = np.arange(start, min(start + _AT_ONCE, n))
        cosines = unit[rows] @ unit.T
        cosines[np.arange(len(rows)), rows] = -np.inf  # no token is its own neighbour
        found[rows] = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
    return found


def ordered(groups: Groups) -> list[str]:
    """The categories as a legend names them, `other` last."""
    return sorted({*groups.names, *groups.values}, key=lambda name: (name == OTHER, name))


def of_classes(name: str, values: Sequence[str], classes: Sequence[str]) -> Groups:
    """The class of each token, the rare classes together as `other`: a class has the same colour on every map.

    Args:
        name: what the classes are.
        values: (n,) the class of each token.
        classes: all of them, the most frequent first.
    """
    kept = classes[:_GROUPS]
    return Groups(name, [value if value in kept else OTHER for value in values], kept)


def telling(cells: Sequence[str | None], near: Array, kept: Sequence[str] = ()) -> list[str]:
    """The value of each token that its neighbours share most beyond chance; the rare values together are `other`.

    Of k neighbours, c have a value that a share p of all tokens has. By chance it would be k p of them, and

        z = (c - k p) / sqrt(k p (1 - p))

    says how much more it is. Of several values between `|` in a cell, the one with the largest z is the most telling.

    >>> telling(["Horror|War", "War", "War|Love", None], np.array([[1, 2], [0, 2], [0, 1], [0, 1]]))
    ['War', 'War', 'War', 'other']

    Args:
        cells: (n,) the values of each token.
        near: (n, k) the neighbours of each token.
        kept: the values that are not rare; none: those that are the most telling ones of most tokens.
    """
    of_token = [list(dict.fromkeys(filter(None, (cell or "").split(SEPARATOR)))) for cell in cells]
    names = sorted({value for values in of_token for value in values})
    if not names:
        return [OTHER] * len(cells)
    place = {name: i for i, name in enumerate(names)}
    n, k = len(cells), near.shape[1]
    pairs = [(i, place[value]) for i, values in enumerate(of_token) for value in values]
    rows, columns = np.array(pairs).T
    has = sparse.csr_matrix((np.ones(len(pairs)), (rows, columns)), shape=(n, len(names)))
    share = np.asarray(has.mean(axis=0)).ravel()
    neighbours = sparse.csr_matrix((np.ones(n * k), (np.arange(n).repeat(k), near.ravel())), shape=(n, n))
    found = np.asarray((neighbours @ has)[rows, columns]).ravel()
    z = (found - k * share[columns]) / np.sqrt(np.maximum(k * share[columns] * (1 - share[columns]), 1e-12))
    if kept:
        frequent = np.array([place[name] for name in kept if name in place], int)
    else:
        first = _best(rows, columns, z, n)
        often = np.bincount(first[first >= 0], minlength=len(names))
        most = np.argsort(-often, kind="stable")[:_GROUPS]
        frequent = most[often[most] > 0]
    chosen = np.isin(columns, frequent)
    best = _best(rows[chosen], columns[chosen], z[chosen], n)
    return [names[value] if value >= 0 else OTHER for value in best]


def _best(rows: Array, values: Array, z: Array, n: int) -> Array:
    """(n,) the value with the largest z of each row, the first of equal ones; -1 where a row has none."""
    best = np.full(n, -1)
    order = np.lexsort((values, -z, rows))
    firsts, at = np.unique(rows[order], return_index=True)
    best[firsts] = values[order][at]
    return best
