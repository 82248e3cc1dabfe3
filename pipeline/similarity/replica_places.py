"""Where replicas of an embedding put its tokens, each turned onto it: how sure the place of a token is."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.linalg import orthogonal_procrustes

from pipeline.arrays import Array

FILE = "replicas.npz"
"""The file of a run with the places that its replicas give the tokens."""


def turned_onto(matrix: Array, other: Array, known: Array) -> Array:
    """Another embedding moved, turned and scaled so that its tokens lie as near as possible to those of the first.

    The sum of the squared distances is the smallest (Gower, 1975, generalised Procrustes analysis): what remains is no
    matter of the axes. A token that the other has not learned lies nowhere.

    Args:
        matrix: (V, D) the embedding.
        other: (V, D) the other one.
        known: (V,) whether the other has learned the token.

    Returns:
        (V, D), NaN for tokens that are not known.
    """
    ours, theirs = matrix[known].astype(np.float64), other[known].astype(np.float64)
    middle, their_middle = ours.mean(axis=0), theirs.mean(axis=0)
    turning, scale = orthogonal_procrustes(theirs - their_middle, ours - middle)
    scale /= max(np.square(theirs - their_middle).sum(), np.finfo(np.float64).tiny)
    found = np.full(matrix.shape, np.nan)
    found[known] = scale * (theirs - their_middle) @ turning + middle
    return found


def save(places: Array, folder: Path) -> None:
    """Write the places (R, n, D) in R replicas of the n most frequent tokens; half precision is enough to look at."""
    np.savez_compressed(folder / FILE, places=places.astype(np.float16))


def load(path: Path) -> npt.NDArray[np.float32]:
    """What `save` wrote."""
    with np.load(path, allow_pickle=False) as file:
        return np.asarray(file["places"], np.float32)
