"""What a token does to the prediction, with everything else held fixed."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from pipeline.arrays import Array
from pipeline.config.task import Task
from pipeline.embedding import Fitted
from pipeline.examples.example_set import ExampleSet
from pipeline.examples.sparse_examples import SparseExamples

EXAMPLES = (10, 50)
"""Fewest and most examples that a token is put into and taken out of: the more tokens, the fewer examples."""
_TRIALS = 100_000
_ROWS_AT_ONCE = 20_000


def token_effects(
    fitted: Fitted, rows: ExampleSet, task: Task, seed: int, n_tokens: int, among: Array | None = None
) -> npt.NDArray[np.float64]:
    """The mean change of the prediction when an example gets a token, over a seeded sample of examples.

        effect_t = mean_i (f(x_i with t) - f(x_i without t)),     f on the scale of the task's `effect`

    Args:
        fitted: any fit.
        rows: the examples to sample from; their dense features and other tokens stay as they are.
        task: what was learned; it does not predict tokens.
        seed: of the sample.
        n_tokens: number of tokens, the first ones of the vocabulary.
        among: integers of tokens, the first of which are taken instead.

    Returns:
        The effects (n_tokens,), or (n_tokens, C) the effects on each class.
    """
    n_examples = int(np.clip(_TRIALS // max(n_tokens, 1), *EXAMPLES))
    chosen = np.sort(np.random.default_rng(seed).permutation(len(rows))[:n_examples])
    inputs, dense = rows.inputs[chosen], rows.dense[chosen]
    b, v = inputs.shape
    effects = []
    step = max(1, _ROWS_AT_ONCE // b)
    for start in range(0, n_tokens, step):
        places = np.arange(start, min(start + step, n_tokens))
        tokens = places if among is None else among[places]
        bags = sparse.vstack([inputs] * len(tokens), format="csr")  # (tokens x B, V)
        one = sparse.csr_matrix(
            (np.ones(b * len(tokens), np.float32), (np.arange(b * len(tokens)), tokens.repeat(b))),
            shape=(b * len(tokens), v),
        )
        without = sparse.csr_matrix(bags - bags.multiply(one))
        without.eliminate_zeros()
        every = np.tile(dense, (len(tokens), 1))
        scores = (fitted.score(sparse.csr_matrix(x), every).astype(np.float64) for x in (without + one, without))
        after, before = map(task.effect, scores)
        effects.append((after - before).reshape(len(tokens), b, *after.shape[1:]).mean(axis=1))
    return np.concatenate(effects)


@dataclass(frozen=True)
class Telling:
    """The tokens that tell examples apart most, and what each does to the prediction."""

    effect: str
    """What the effects are of, in words."""
    tokens: tuple[int, ...]
    """Their places, where the most frequent token has the first."""
    texts: tuple[str, ...]
    """The effect of each."""


def telling_tokens(fitted: Fitted, examples: SparseExamples, task: Task, seed: int, n: int, k: int) -> Telling:
    """The k tokens, among the n most frequent, that tell examples apart most."""
    vocabulary = fitted.embedding.vocabulary
    rows, n = examples.everything(), min(n, len(vocabulary))
    effects = token_effects(fitted, rows, task, seed, n, vocabulary.by_count)
    chosen = by_spread(effects, rows.inputs.counts[vocabulary.by_count[:n]] / max(len(rows), 1), k)
    name, found = task.effects_in_words(effects[chosen], rows.classes)
    texts = found if isinstance(found, list) else [task.effect_text(effect) for effect in found]
    return Telling(name, tuple(chosen.tolist()), tuple(texts))


def by_spread(effects: Array, shares: Array, k: int) -> npt.NDArray[np.int64]:
    """The k tokens whose presence or absence makes predictions differ most, the first one most.

    A token that a share p of the examples has, with the effect e, adds with a standard deviation of

        |e| sqrt(p (1 - p))

    so a token that nearly all examples have, or nearly none, says little.

    >>> by_spread(np.array([0.1, 0.1, 0.3]), np.array([0.5, 0.98, 0.001]), 2)
    array([0, 1])

    Args:
        effects: (n,), or (n, C) on each class.
        shares: (n,) the shares of the examples that have each token.
        k: number of tokens.
    """
    strength = np.linalg.norm(effects.reshape(len(effects), -1), axis=1)
    return np.argsort(-strength * np.sqrt(shares * (1 - shares)), kind="stable")[:k]
