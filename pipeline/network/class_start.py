"""Where the network for a class starts: at a logistic regression through few coordinates, which is solved for.

The logits of an example are bag E L + dense G + b. What is minimised is the sum of the examples' cross entropies plus
penalty sqrt(N) / 2 times the squares of E and L, and a tenth of that for G. The penalty on E and L together is one on
the sum of the singular values of E L (Srebro, Rennie and Jaakkola, 2005, "Maximum-margin matrix factorization"), so
that directions which do not earn their place vanish. Training without it ends elsewhere: of a few thousand examples it
learns much about rare tokens that is chance.

Letters: N examples, V tokens, F dense features, C classes, R coordinates that tell the classes apart.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import optimize, sparse, special

from pipeline.evaluation.selection import first_of_the_best
from pipeline.tasks.classification import LEAST

Array = npt.NDArray[Any]

PENALTIES = (0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28)
"""Validation chooses among these, for each square root of N: chance adds up so in the sum of N losses. Bags are
measured in their spread. So a number means the same for all data, and one found on a part holds for the whole."""
OF_DENSE = 0.1
"""Share of the penalty that falls on the dense features: they are few."""
LOOKED_AT, SOLVED_ON = 5_000, 50_000
"""Most examples by which the penalty is chosen, and on which the start is solved for: with more, training knows it."""
LOGITS = 200
"""For each of those examples, at most so many logits: of many classes a part of the examples has to do."""
_STEPS, _AT_ONCE = 300, 2**22  # steps of the solver at most; logits of a block of examples


class Examples(NamedTuple):
    """What is learned from."""

    bags: sparse.csr_matrix  # (N, V)
    dense: Array  # (N, F)
    classes: Array  # (N,) of 0 ... C - 1


class Linear(NamedTuple):
    """A linear model of the logits, through R coordinates."""

    table: Array  # E (V, R)
    line: Array  # L (R, C)
    dense: Array  # G (F, C)
    bias: Array  # b (C,)

    def logits(self, rows: Examples) -> Array:
        """(N, C) the logits of each example."""
        return np.asarray((rows.bags @ self.table) @ self.line + rows.dense @ self.dense + self.bias)


def solved(rows: Examples, start: Linear, penalty: float) -> Linear:
    """The model that minimises the penalised loss, by L-BFGS.

    Args:
        rows: the training examples; a class that none of them has keeps its bias, and gets no coefficients.
        start: where the solver begins; its bias has the logarithms of the classes' shares.
        penalty: of the squares of E and L, for each square root of N.
    """
    seen = np.flatnonzero(np.bincount(rows.classes, minlength=len(start.bias)))
    parts = Linear(start.table, start.line[:, seen], start.dense[:, seen], start.bias[seen])
    loss = _loss(rows._replace(classes=np.searchsorted(seen, rows.classes)), parts, penalty)
    found = optimize.minimize(
        loss, _flat(parts), jac=True, method="L-BFGS-B",
        options={"maxiter": _STEPS, "maxfun": 2 * _STEPS, "ftol": 1e-9, "gtol": 1e-6, "maxcor": 20},
    )  # fmt: skip
    table, line, dense, bias = _shaped(found.x, parts)
    model = Linear(table, np.zeros_like(start.line), np.zeros_like(start.dense), start.bias.copy())
    model.line[:, seen], model.dense[:, seen], model.bias[seen] = line, dense, bias
    return model


class Tried(NamedTuple):
    """A penalty, and how well it does."""

    penalty: float
    score: float
    """Minus the log loss on validation."""
    error: float
    """The standard error of that."""


def best_penalty(training: Examples, validation: Examples, start: Linear) -> Tried:
    """The penalty with the lowest loss on validation, of equals the largest."""
    tried: list[Tried] = []
    for penalty in PENALTIES:
        start = solved(training, start, penalty)
        probabilities = special.softmax(start.logits(validation), axis=1)
        of_true = probabilities[np.arange(len(validation.classes)), validation.classes]
        losses = -np.log(np.maximum(of_true, LEAST))
        tried.insert(0, Tried(penalty, -float(losses.mean()), float(losses.std() / np.sqrt(len(losses)))))
        if len(tried) > 2 and tried[0].score < tried[1].score < tried[2].score:
            break
    return tried[first_of_the_best([one.score for one in tried], [one.error for one in tried])]


def told_apart(model: Linear, bags: sparse.csr_matrix) -> Linear:
    """The same logits through coordinates of variance 1 that do not correlate, the one that moves most first.

    Coordinates that move no logits are left out.

    Args:
        model: any.
        bags: (N, V) by which variances are measured.
    """
    points = np.asarray(bags @ model.table)  # (N, R)
    variance, axes = np.linalg.eigh(np.atleast_2d(np.cov(points, rowvar=False, bias=True)))
    kept = variance > 1e-9 * max(variance.max(initial=0.0), 1e-12)
    spread, axes = np.sqrt(variance[kept]), axes[:, kept]
    turn, size, onto = np.linalg.svd(spread[:, None] * (axes.T @ model.line), full_matrices=False)
    moves = size > 1e-4 * max(size.max(initial=0.0), 1e-4)
    turn, line = turn[:, moves], size[moves, None] * onto[moves]
    size = np.abs(line)
    first = (size > (1 - 1e-6) * size.max(axis=1, keepdims=True)).argmax(axis=1)  # of two classes both are equal
    sign = np.where(np.take_along_axis(line, first[:, None], axis=1) < 0, -1.0, 1.0)  # (R, 1)
    return model._replace(table=model.table @ (axes / spread) @ turn * sign[:, 0], line=line * sign)


def _loss(rows: Examples, parts: Linear, penalty: float) -> Callable[[Array], tuple[float, Array]]:
    """A function from all parameters to the penalised loss and its gradient, both per example."""
    n, c = len(rows.classes), len(parts.bias)
    penalty *= math.sqrt(n)
    size = max(_AT_ONCE // c, 1)
    blocks = [Examples(*(one[i : i + size] for one in rows)) for i in range(0, n, size)]

    def loss(flat: Array) -> tuple[float, Array]:
        model = _shaped(flat, parts)
        total = penalty / 2 * (np.vdot(model.table, model.table) + np.vdot(model.line, model.line))
        total += penalty * OF_DENSE / 2 * np.vdot(model.dense, model.dense)
        slope = Linear(penalty * model.table, penalty * model.line, penalty * OF_DENSE * model.dense, np.zeros(c))
        for block in blocks:
            points, own = block.bags @ model.table, np.arange(len(block.classes))
            logits = points @ model.line + block.dense @ model.dense + model.bias
            probabilities = special.log_softmax(logits, axis=1)
            total -= probabilities[own, block.classes].sum()
            np.exp(probabilities, out=probabilities)
            probabilities[own, block.classes] -= 1  # now the slope of the loss along the logits
            slope.table[:] += block.bags.T @ (probabilities @ model.line.T)
            slope.line[:] += points.T @ probabilities
            slope.dense[:] += block.dense.T @ probabilities
            slope.bias[:] += probabilities.sum(axis=0)
        return float(total) / n, _flat(slope) / n

    return loss


def _flat(parts: Linear) -> Array:
    return np.concatenate([part.ravel() for part in parts])


def _shaped(flat: Array, like: Linear) -> Linear:
    ends = np.cumsum([part.size for part in like])[:-1]
    return Linear(*(one.reshape(part.shape) for one, part in zip(np.split(flat, ends), like, strict=True)))
