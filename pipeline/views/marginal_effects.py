"""What a token does to the prediction, with everything else held fixed."""

import numpy as np
import numpy.typing as npt
from scipy import sparse

from pipeline.config.task import Task
from pipeline.embedding import Fitted
from pipeline.examples.example_set import ExampleSet

EXAMPLES = (10, 50)
"""Fewest and most examples that a token is put into and taken out of: the more tokens, the fewer examples."""
_TRIALS = 100_000
_ROWS_AT_ONCE = 20_000


def token_effects(fitted: Fitted, rows: ExampleSet, task: Task, seed: int, n_tokens: int) -> npt.NDArray[np.float64]:
    """The mean change of the prediction when an example gets a token, over a seeded sample of examples.

        effect_t = mean_i (f(x_i with t) - f(x_i without t)),     f on the scale of the task's `effect`

    Args:
        fitted: any fit.
        rows: the examples to sample from; their dense features and other tokens stay as they are.
        task: what was learned; it does not predict tokens.
        seed: of the sample.
        n_tokens: number of tokens, the first ones of the vocabulary.

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
        tokens = np.arange(start, min(start + step, n_tokens))
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
