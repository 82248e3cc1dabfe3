"""Which tokens are nearest to each token. The map, the report and the answers all mean the same by it.

Up to D = 3 the nearest tokens have the smallest distance: with so few coordinates nearly all angles are the same. With
more dimensions they have the largest cosine, and rare tokens count for less: the place of a token that occurs n times
rests on these, so its cosine is multiplied by sqrt(n / (n + 10)), as item-based recommenders shrink their similarities
(Bell and Koren, 2007). Otherwise the rarest tokens, whose places are mostly chance, would be near to everything.
"""

import numpy as np

from pipeline.arrays import Array
from pipeline.similarity.neighbour_index import NeighbourIndex

NEAREST = 10
"""How many tokens are called the nearest."""
LOW = 3
"""Up to this many dimensions, distance tells more than the angle."""
RARE = 10
"""The cosine of a token that occurs so many times is multiplied by the root of a half."""
MANY = 20_000
"""With more tokens than this, a graph finds candidates that are near by angle, which are then put into order."""
CANDIDATES = 5
"""Candidates for each of the k tokens that are sought."""
_AT_ONCE = 2**22  # similarities that are in memory


def evidence(counts: Array) -> Array:
    """(V,) what the cosine of each token is multiplied by, for the number of times that it occurs."""
    return np.asarray(np.sqrt(counts / (counts + RARE)), np.float32)


def similarities(matrix: Array, counts: Array, vector: Array) -> tuple[Array, Array]:
    """How close each token is to a vector.

    Args:
        matrix: (V, D) the vectors of the tokens.
        counts: (V,) how often each occurs in the training examples.
        vector: (D,).

    Returns:
        (V,) by which they are ranked, the nearest highest, and (V,) the cosine of their angle.
    """
    lengths = np.linalg.norm(matrix, axis=1) * max(float(np.linalg.norm(vector)), 1e-30)
    cosine = matrix @ vector / np.maximum(lengths, np.finfo(np.float32).tiny)
    is_low = matrix.shape[1] <= LOW
    return (-np.linalg.norm(matrix - vector, axis=1) if is_low else cosine * evidence(counts)), cosine


def nearest_tokens(matrix: Array, counts: Array, k: int = NEAREST) -> Array:
    """The integers of the k tokens nearest to each token, nearest first; -1 where there are fewer.

    Args:
        matrix: (V, D) the vectors.
        counts: (V,) how often each occurs; a token that does not occur is nobody's neighbour, and has none.
        k: how many.

    Returns:
        (V, k) int32.
    """
    places = np.flatnonzero(counts > 0)
    found = np.full((len(matrix), k), -1, np.int32)
    most = min(k, len(places) - 1)
    if most > 0:
        nearest = _nearest(matrix[places].astype(np.float32), evidence(counts[places]), most)
        found[places, :most] = np.where(nearest < 0, -1, places[nearest])
    return found


def _nearest(vectors: Array, weights: Array, k: int) -> Array:
    """(n, k) the rows of the vectors (n, D) that are nearest to each row, -1 where none is; there are more than k."""
    if vectors.shape[1] <= LOW:
        from scipy.spatial import KDTree

        return _without_itself(KDTree(vectors).query(vectors, k + 1, workers=-1)[1])
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    through = NeighbourIndex(unit) if len(unit) > MANY else None
    found = np.empty((len(unit), k), np.int64)
    at_once = max(1, _AT_ONCE // len(unit))
    for start in range(0, len(unit), at_once):
        rows = np.arange(start, min(start + at_once, len(unit)))
        if through is None:
            close = unit[rows] @ unit.T * weights
            close[np.arange(len(rows)), rows] = -np.inf  # no token is its own neighbour
            nearest = np.argpartition(-close, k - 1, axis=1)[:, :k]
            close = np.take_along_axis(close, nearest, axis=1)
        else:
            nearest = _without_itself(through.nearest(unit[rows], CANDIDATES * k + 1), rows)
            close = np.einsum("qd,qcd->qc", unit[rows], unit[nearest]) * weights[nearest]
            close[nearest < 0] = -np.inf
        found[rows] = np.take_along_axis(nearest, np.lexsort((nearest, -close), axis=1), axis=1)[:, :k]
    return found


def _without_itself(found: Array, rows: Array | None = None) -> Array:
    """(n, k) what was found (n, k + 1), without each row's own number, or without the last where it is not there."""
    is_other = found != (np.arange(len(found)) if rows is None else rows)[:, None]
    order = np.argsort(~is_other, axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1)[:, :-1]
