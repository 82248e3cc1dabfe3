"""Metrics of predicted classes and their probabilities, each with its formula and an example worked out by hand."""

import numpy as np
from scipy import sparse

from pipeline.arrays import Array


def classification_metrics(target: Array, predicted: Array, probability: Array, weights: Array) -> dict[str, Array]:
    """How well classes and their probabilities are predicted.

        log_loss = mean -log p     accuracy = mean [predicted = target]     F1_c = 2 TP_c / (predicted_c + true_c)

    `macro_f1` is the mean of F1 over the classes that are predicted or true at least once.

    Args:
        target: (N,) the true classes.
        predicted: (N,) the most probable classes.
        probability: (N,) p, the probability of the true class.
        weights: (R, N) how often each example counts.

    Returns:
        The values (R,) of each metric.

    Of a, a and b, the second is predicted to be b: F1 of a is 2 / (1 + 2), and so is F1 of b.

    >>> a, b, c = np.array(["a", "a", "b"]), np.array(["a", "b", "b"]), np.array([1, 0.5, 0.5])
    >>> {name: float(v[0].round(4)) for name, v in classification_metrics(a, b, c, np.ones((1, 3))).items()}
    {'log_loss': 0.4621, 'accuracy': 0.6667, 'macro_f1': 0.6667}
    """
    total = weights.sum(axis=1)
    names = np.unique(np.concatenate([target, predicted]))
    true, said = (_one_hot(names, values) for values in (target, predicted))
    both = sparse.csr_matrix(true.multiply(said))
    hits, n_true, n_said = (np.asarray((matrix.T @ weights.T).T) for matrix in (both, true, said))  # (R, C)
    there = n_true + n_said > 0
    f1 = np.divide(2 * hits, n_true + n_said, out=np.zeros_like(hits), where=there)
    return {
        "log_loss": weights @ -np.log(probability) / total,
        "accuracy": weights @ (target == predicted) / total,
        "macro_f1": f1.sum(axis=1) / there.sum(axis=1),
    }


def roc_auc(positive: Array, score: Array, weights: Array, fold: Array | None = None) -> Array:
    """How often an example of one class has a higher score than one of the other; equal scores count half.

    Only examples of one fold are compared, since each fold has a fit of its own, with a scale of its own (Forman and
    Scholz, 2010). Of all folds together, a fit that always gives the share of the class would seem worse than chance.

    Args:
        positive: (N,) whether an example is of the class that the score is for.
        score: (N,) the score of each example for that class.
        weights: (R, N) how often each example counts.
        fold: (N,) the fold of each example, if there are several.

    Returns:
        (R,) between 0 and 1; NaN where no two examples can be compared.

    >>> roc_auc(np.array([False, True, False, True]), np.array([0.1, 0.9, 0.4, 0.4]), np.ones((1, 4)))
    array([0.875])
    """
    of_fold = [np.arange(len(score))] if fold is None else [np.flatnonzero(fold == one) for one in np.unique(fold)]
    each = [_won_and_pairs(positive[rows], score[rows], weights[:, rows]) for rows in of_fold]
    won, pairs = np.sum(each, axis=0)
    return np.asarray(np.divide(won, pairs, out=np.full(len(won), np.nan), where=pairs > 0))


def _won_and_pairs(positive: Array, score: Array, weights: Array) -> tuple[Array, Array]:
    """(R,) how many pairs of two classes have the higher score where it belongs, and (R,) how many there are."""
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(score[order]) > 0))
    of, others = (np.add.reduceat((weights * which)[:, order], starts, axis=1) for which in (positive, ~positive))
    below = np.cumsum(others, axis=1) - others
    return (of * (below + others / 2)).sum(axis=1), of.sum(axis=1) * others.sum(axis=1)


def _one_hot(names: Array, values: Array) -> sparse.csr_matrix:
    n = len(values)
    return sparse.csr_matrix((np.ones(n), (np.arange(n), np.searchsorted(names, values))), shape=(n, len(names)))
