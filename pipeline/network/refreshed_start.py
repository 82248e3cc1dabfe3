"""Where a network goes on from an earlier fit, when there are more examples and more tokens than it has learned from.

Known tokens keep their rows of the table. A new token begins near those that it is seen with. Letters: V vocabulary, W
the earlier vocabulary, D dimensions, N examples.
"""

from collections.abc import Mapping

import numpy as np
from scipy import sparse

from pipeline.arrays import Array
from pipeline.examples.example_set import ExampleSet
from pipeline.network.layers import is_scale
from pipeline.network.target_start import token_weights
from pipeline.vocabulary.vocabulary import Vocabulary

SHRUNK = 0.9
"""Factor of the table and the biases of a network that predicts tokens. What was learned too well from the old examples
would stay, and each refresh would add to it: a network that goes on as it is comes out worse than one that begins anew
(Ash and Adams, 2020, "On warm-starting neural network training", whose cure this is)."""
_TABLE, _BIAS = "table.weight", "bias.weight"


def refreshed_start(
    weights: Mapping[str, Array], before: Vocabulary, now: Vocabulary, rows: ExampleSet, dtype: str
) -> dict[str, Array]:
    """The weights of an earlier fit for another vocabulary.

    Args:
        weights: of the earlier fit, by name.
        before: its vocabulary.
        now: the other vocabulary; tokens are the same if their texts are.
        rows: the training examples, which tell what new tokens are seen with.
        dtype: of the network's numbers.
    """
    place = before.find(now.tokens["token"])  # (V,) in the earlier vocabulary, -1 for a new token
    counts = rows.inputs.counts
    found = dict(weights)
    found[_TABLE] = _rows(weights[_TABLE], place, rows, counts)
    if _BIAS in weights:
        found[_TABLE] *= SHRUNK
        found[_BIAS] = SHRUNK * _along_counts(weights[_BIAS][:, 0], place, counts)[:, None]
    if "mean_bag" in weights:
        found |= token_weights(rows, one_length=bool(weights.get("length", 0)))
    return {name: array if is_scale(name) else np.asarray(array, dtype) for name, array in found.items()}


def _rows(table: Array, place: Array, rows: ExampleSet, counts: Array) -> Array:
    """(V, D) the rows (W, D) of known tokens, and for each new one what the known tokens beside it have in common.

    That is the mean of the lists that have it, where a list stands for the mean of its known tokens, as far as it
    differs from the mean of all lists; made as long as the known tokens that are about as frequent.
    """
    is_known = place >= 0
    found = np.zeros((len(place), table.shape[1]))
    found[is_known] = table[place[is_known]]
    new = np.flatnonzero(~is_known)
    if not len(new) or not is_known.any():
        return found
    matrix = rows.inputs.csr()
    n_known = np.asarray(matrix @ is_known.astype(np.float64))  # (N,)
    told = n_known > 0  # an example of new tokens alone tells nothing
    bags = (matrix @ found)[told] / n_known[told, None]  # (n, D)
    has = sparse.csr_matrix(matrix[told][:, new].T)  # (new, n)
    total = np.asarray(has.sum(axis=1))
    apart = has @ (bags - bags.mean(axis=0)) / np.maximum(total, 1e-12)
    length = np.maximum(np.linalg.norm(apart, axis=1), 1e-12)
    wanted = _along_counts(np.linalg.norm(table, axis=1), place, counts)[new]
    found[new] = apart * (wanted / length)[:, None]
    return found


def _along_counts(values: Array, place: Array, counts: Array) -> Array:
    """(V,) the values (W,) of known tokens, and for new ones what a straight line along log(count) says."""
    is_known = place >= 0
    found = np.zeros(len(place))
    found[is_known] = values[place[is_known]]
    told = is_known & (counts > 0)
    x = np.log(np.maximum(counts, 1))
    if told.any():
        from_mean = x[told] - x[told].mean()
        slope = from_mean @ found[told] / max(from_mean @ from_mean, 1e-12)
        found[~is_known] = found[told].mean() + slope * (x[~is_known] - x[told].mean())
    return found
