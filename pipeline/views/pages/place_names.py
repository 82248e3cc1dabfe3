"""Names of neighbourhoods on a map: what is typical of the tokens that lie together."""

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy import sparse

from pipeline.arrays import Array
from pipeline.pictures.colours import SEPARATOR

FEWEST = 40
"""With fewer tokens the names of the tokens say all."""
_A_PLACE = 30
"""With n tokens there are sqrt(n / this) neighbourhoods."""
_NAMED = 6
"""Tokens that are told of a neighbourhood."""
_SECOND = 0.6
"""A second word is named if it has this share of the first one's weight."""


class PlaceName(NamedTuple):
    """The name of a neighbourhood, where its middle is, and its most frequent tokens."""

    x: float
    y: float
    name: str
    tokens: list[int]


def place_names(points: Array, terms: Sequence[Sequence[str]], seed: int) -> list[PlaceName]:
    """The neighbourhoods of a map, each with one or two of its most typical terms, the largest first.

    k-means finds the neighbourhoods. The weight of term t in neighbourhood c is class-based TF-IDF (Grootendorst, 2022,
    BERTopic):

        w_tc = tf_tc log(1 + A / f_t)

    tf_tc is the share of t among the terms of c, f_t the number of times that t occurs, A the mean number of terms of a
    neighbourhood.

    Args:
        points: (n, 2) where the tokens are, the most frequent first.
        terms: (n,) the terms of each token.
        seed: of k-means.
    """
    n_different = len(np.unique(points, axis=0))
    if n_different < FEWEST or not any(terms):
        return []
    from sklearn.cluster import KMeans

    k = max(2, round(math.sqrt(n_different / _A_PLACE)))
    of_token = KMeans(k, n_init=3, random_state=seed).fit_predict(points)
    names = sorted({term for some in terms for term in some})
    place = {name: i for i, name in enumerate(names)}
    pairs = [(of_token[i], place[term]) for i, some in enumerate(terms) for term in some]
    rows, columns = np.array(pairs).T
    counts = sparse.csr_matrix((np.ones(len(pairs)), (rows, columns)), shape=(k, len(names))).toarray()
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    weights = share * np.log1p(counts.sum() / k / counts.sum(axis=0))
    found = []
    for c in np.argsort(-np.bincount(of_token, minlength=k), kind="stable"):
        first, *others = np.argsort(-weights[c], kind="stable")[:2]
        if weights[c, first] > 0:
            typical = [names[first], *(names[t] for t in others if weights[c, t] >= _SECOND * weights[c, first])]
            members = np.flatnonzero(of_token == c)
            x, y = np.median(points[members], axis=0)
            found.append(PlaceName(float(x), float(y), " · ".join(typical), members[:_NAMED].tolist()))
    return found


def terms_of(about: pl.DataFrame, labels: Sequence[str]) -> list[list[str]]:
    """The terms of each token: the values that describe it; where nothing does, the words of its label.

    Of a token such as `material=stone` the value tells where it lies, and not the column.
    """
    texts = [name for name in about.columns if about[name].dtype == pl.String and not _is_numeric(about[name])]
    if not texts:
        values = (label.partition("=")[2] or label for label in labels)
        return [re.findall(r"[^\W\d_]{2,}", value.lower()) for value in values]
    rows = about.select(texts).rows()
    return [[value for cell in row if cell for value in cell.split(SEPARATOR) if value] for row in rows]


def _is_numeric(column: pl.Series) -> bool:
    return column.cast(pl.Float64, strict=False).null_count() == column.null_count()
