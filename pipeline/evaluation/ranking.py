"""Metrics of rankings: which of the first tokens were held out, and how much each of them counts.

Which tokens are held out is decided in `splitting` and `encoding`, never here.
"""

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from pipeline.arrays import Array
from pipeline.embedding import Factors, Fitted, factors_of
from pipeline.evaluation.blocks import rows_at_once
from pipeline.examples.example_set import ExampleSet

if TYPE_CHECKING:
    from pipeline.evaluation.product_ranking import First

FIRST = 100
"""How many of the first tokens of a ranking are evaluated."""
MANY_TOKENS = 20_000
"""With more tokens, scores that are products are never all in memory."""
_GROUP = 128
"""Tokens whose maximum stands for them while the first of a ranking are sought."""


def decay_of(fitted: Fitted) -> float:
    """What the tokens of each time count of what those of the next one do, in lists that a fit scores; 1: as much."""
    return float(getattr(fitted, "decay", 1.0))


def hits_of(fitted: Fitted, rows: ExampleSet) -> tuple[Array, Array]:
    """Whether each of the first K <= FIRST tokens was held out (N, K), and how many tokens were held out (N,).

    `<unknown>` is ranked nowhere and held out nowhere: it names none of the many tokens that it stands for.
    """
    n, v = rows.labels.shape
    lists = rows.inputs.recent(decay_of(fitted))
    k = min(FIRST + (rows.unknown >= 0), v)
    factors = factors_of(fitted) if v > MANY_TOKENS else None
    if factors is not None:
        top = _first_of_products(factors, lists[:], k)
        hits = _hits(top.tokens, np.isfinite(top.scores), rows.labels[:], rows.unknown)
    else:
        hits = np.zeros((n, k - (rows.unknown >= 0)), bool)
        block = rows_at_once(v)
        for start in range(0, n, block):
            some = slice(start, min(start + block, n))
            inputs = lists[some]
            scores = fitted.score(inputs, rows.dense[some])
            leave_out(scores, inputs)
            tokens = first(scores, k)
            is_there = np.isfinite(np.take_along_axis(scores, tokens, axis=1))
            hits[some] = _hits(tokens, is_there, rows.labels[some], rows.unknown)
    if rows.unknown < 0:
        return hits, rows.labels.lengths
    labels = rows.labels[:]
    of_row = np.repeat(np.arange(n), np.diff(labels.indptr))
    return hits, np.bincount(of_row[labels.indices != rows.unknown], minlength=n)


def _first_of_products(factors: Factors, inputs: sparse.csr_matrix, k: int) -> "First":
    """The k first tokens of lists, on the device on which the products are made."""
    if factors.device == "cpu":
        from pipeline.evaluation.product_ranking import ProductRanking

        return ProductRanking(factors).first(inputs, k)
    from pipeline.evaluation.ranking_on_gpu import first_on_gpu

    return first_on_gpu(factors, inputs, k)


def _hits(tokens: Array, is_there: Array, labels: sparse.csr_matrix, unknown: int) -> Array:
    """(N, K) whether the token at each rank is a label of its row; (N, K - 1) without `<unknown>`, if there is one."""
    hits = are_in_lists(tokens, labels) & is_there
    if unknown < 0:
        return hits
    others = np.argsort(tokens == unknown, axis=1, kind="stable")[:, :-1]  # it comes last, or else the last is too many
    return np.asarray(np.take_along_axis(hits, others, axis=1))


def are_in_lists(tokens: Array, lists: sparse.csr_matrix) -> Array:
    """(N, K) whether each token (N, K) is in the list of its row (N, V)."""
    n, v = lists.shape
    at = np.arange(n)
    inside = np.repeat(at, np.diff(lists.indptr)) * v + lists.indices  # each row and token as one number
    return np.isin(at[:, None] * v + tokens, inside)


def leave_out(scores: Array, lists: sparse.csr_matrix) -> None:
    """Give the tokens of each list (N, V) the score minus infinity in its row of the scores (N, V)."""
    scores[np.repeat(np.arange(len(scores)), np.diff(lists.indptr)), lists.indices] = -np.inf


def first(scores: Array, k: int) -> Array:
    """The k tokens (N, k) with the highest scores (N, V) of each row, highest first, ties in token order."""
    found = _highest(scores, k)
    at = np.arange(len(scores))[:, None]
    return np.asarray(found[at, np.argsort(-scores[at, found], axis=1, kind="stable")])


def _highest(scores: Array, k: int) -> Array:
    """The k tokens (N, k) with the highest scores of each row, in the order of the vocabulary; of equal ones the first.

    They are in the k groups of neighbouring tokens with the highest maxima: a token elsewhere has a token above it in
    each of these, or an equal one before it. One pass finds the maxima, and only the k groups are looked through.
    """
    import torch

    from pipeline.evaluation.top import top

    every = torch.from_numpy(scores)
    n, v = scores.shape
    n_groups = v // _GROUP
    if n_groups <= k:
        return top(every, k).numpy()
    whole = n_groups * _GROUP
    groups = top(every[:, :whole].view(n, n_groups, _GROUP).amax(dim=2), k)  # (N, k)
    members = (groups[:, :, None] * _GROUP + torch.arange(_GROUP)).view(n, -1)
    some = torch.cat([members, torch.arange(whole, v).expand(n, -1)], dim=1)  # the last tokens are less than a group
    return some.gather(1, top(every.gather(1, some), k)).numpy()


def recall_at(k: int, hits: Array, held_out: Array) -> Array:
    """Share of an example's held-out tokens that are among its first k.

        recall_at_k = hits in the top k / number of held-out tokens

    Args:
        k: how many of the first tokens count.
        hits: (N, K) whether the token at each rank was held out.
        held_out: (N,) how many tokens were held out, at least 1.

    Returns:
        (N,) between 0 and 1.

    Two of four held-out tokens are among the first three:

    >>> recall_at(3, np.array([[True, False, True, True]]), np.array([4]))
    array([0.5])
    """
    return np.asarray(hits[:, :k].sum(axis=1) / held_out)


def ndcg_at(k: int, hits: Array, held_out: Array) -> Array:
    """Discounted gain of the first k, divided by that of the best order (Järvelin and Kekäläinen, 2002; binary gain).

        ndcg_at_k = sum_{r <= k} hit_r / log2(r + 1)  /  sum_{r <= min(k, held-out)} 1 / log2(r + 1)

    Args:
        k: how many of the first tokens count.
        hits: (N, K) whether the token at each rank was held out.
        held_out: (N,) how many tokens were held out, at least 1.

    Returns:
        (N,) between 0 and 1.

    Hits at ranks 1 and 3 of two held-out tokens: (1 + 1/2) / (1 + 1/log2(3)) = 1.5 / 1.63093:

    >>> ndcg_at(3, np.array([[True, False, True, False]]), np.array([2])).round(5)
    array([0.91972])
    """
    discount = 1 / np.log2(np.arange(k) + 2)
    best = np.append(0, np.cumsum(discount))[np.minimum(held_out, k)]
    found = hits[:, :k]
    gain = np.cumsum(found * discount[: found.shape[1]], axis=1)[:, -1]  # summed like `best`, so a perfect one is 1
    return np.asarray(gain / best)
