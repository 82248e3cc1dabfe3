"""A network for a number or a class that is not trained: a linear model through few coordinates, solved for.

The outputs of an example are bag E L + dense G + b. What is minimised is the sum of the examples' losses plus
sqrt(N) / 2 times the squares of E and L, and those of G, each times a penalty. The penalty on E and L together is one
on the sum of the singular values of E L (Srebro, Rennie and Jaakkola, 2005, "Maximum-margin matrix factorization"), so
that directions which do not earn their place vanish; with one output it is a ridge regression. Where what tokens say
simply adds up, training ends elsewhere: of a few thousand examples it learns much about rare tokens that is chance.

Letters: N examples, V tokens, F dense features, C outputs, R coordinates.
"""

import math
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize, sparse

from pipeline.arrays import Array
from pipeline.evaluation.selection import first_of_the_best
from pipeline.network.threads import one_thread

Losses = Callable[[Array, Array], tuple[Array, Array]]
"""From outputs (N, C) and targets (N,) to the losses (N,) of the examples and their slopes (N, C) along the outputs."""

PENALTIES = (1.28, 0.64, 0.32, 0.16, 0.08, 0.04, 0.02, 0.01, 0.005)
"""Validation chooses among these and the two beside the best. Each is multiplied by the square root of N, because
chance adds up like that in the sum of N losses, and bags are divided by their spread: so a number means the same for
all data, and one that is found on a part of the examples holds for all of them."""
BETWEEN = (2**0.5, 2**-0.5)
"""Factors from the best to the two beside it: half of the way to its neighbours in the list."""
OF_DENSE = ((3.0, 10.0), (0.3, 0.1))
"""Factors from the penalty of E and L to that of G, upwards and downwards from 1. Each is tried as long as the one
before has helped on validation: dense features may deserve more or less trust than tokens."""
LOOKED_AT, SOLVED_ON = 5_000, 50_000
"""The most examples by which the penalty is chosen, and the most on which the model is solved for. With more of them,
training finds by itself what they would add."""
OUTPUTS = 200
"""At most so many outputs for each of those examples; where there are more classes, fewer examples are used."""
MANY_PRODUCTS = 10**8
"""The solver gets all threads if all outputs and their losses take at least so many multiplications."""
OF_LOSS = 30
"""The loss of an output takes about as long as so many of them."""
_AT_ONCE = 2**22  # outputs of a block of examples


class Effort(NamedTuple):
    """When the solver stops."""

    tolerance: float
    """It stops at a step that lowers the loss by less than this share of it."""
    steps: int
    """The most steps that it takes."""

    @property
    def options(self) -> dict[str, Any]:
        """The options of SciPy's L-BFGS-B."""
        slope = min(1e-6, 1e4 * self.tolerance)
        return {"maxiter": self.steps, "maxfun": 2 * self.steps, "ftol": self.tolerance, "gtol": slope, "maxcor": 20}


CHOOSING = {"float32": Effort(1e-7, 300), "float64": Effort(1e-11, 2000)}
"""For a model that is only compared by its loss on validation, by type of number. Small data is computed in 64 bits,
and there all processors shall choose the same: losses are then far more exact than `evaluation.selection` asks for."""
KEEPING = {"float32": Effort(1e-9, 300), "float64": Effort(1e-15, 3000)}
"""For the model that is kept, by type of number."""


class Examples(NamedTuple):
    """What is learned from."""

    bags: sparse.csr_matrix  # (N, V)
    dense: Array  # (N, F)
    target: Array  # (N,) as it is learned


def most_apart(outputs: int) -> int:
    """The most coordinates that can move C outputs apart: C - 1, and 1 for a single output."""
    return max(outputs - 1, 1)


class Linear(NamedTuple):
    """A linear model of the outputs, through R coordinates."""

    table: Array  # E (V, R)
    line: Array  # L (R, C)
    dense: Array  # G (F, C)
    bias: Array  # b (C,)

    def outputs(self, rows: Examples) -> Array:
        """(N, C) the outputs for each example."""
        return np.asarray((rows.bags @ self.table) @ self.line + rows.dense @ self.dense + self.bias)


class Penalties(NamedTuple):
    """What squares cost; each number is multiplied by the square root of N."""

    tokens: float
    """The cost of the squares of E and L."""
    dense: float
    """The cost of the squares of G."""


def solved(rows: Examples, start: Linear, penalties: Penalties, losses: Losses, effort: Effort) -> Linear:
    """The model that minimises the penalised loss, by L-BFGS.

    Args:
        rows: the training examples.
        start: where the solver begins; with the bias of a model that has learned nothing.
        penalties: of the squares.
        losses: of the task.
        effort: of the solver.
    """
    products = len(rows.target) * len(start.bias) * (len(start.line) + len(start.dense) + OF_LOSS)
    # the threads of a small problem only wait for each other, on a busy machine for a hundred times its work:
    # those of BLAS, and those of PyTorch, which computes the losses
    with one_thread() if products < MANY_PRODUCTS else nullcontext():
        minimum = optimize.minimize(
            _loss(rows, start, penalties, losses), _flat(start), jac=True, method="L-BFGS-B",
            options=effort.options,
        )  # fmt: skip
    return _shaped(minimum.x, start)


class Tried(NamedTuple):
    """Penalties, and how well they do."""

    penalties: Penalties
    score: float
    """Minus the mean loss on validation."""
    error: float
    """The standard error of that."""


Tell = Callable[[Tried], None]


def best_penalties(
    training: Examples,
    validation: Examples,
    start: Linear,
    losses: Losses,
    effort: Effort,
    tell: Tell = lambda tried: None,
) -> Tried:
    """The penalties with the lowest loss on validation; among equals, the largest.

    First both penalties are varied together, and then that of G alone.

    Each trial begins at the same start, because what an earlier, larger penalty has made 0 would stay 0.

    Args:
        training: the examples on which each trial is solved.
        validation: the examples on which the trials are compared.
        start: where the solver begins.
        losses: of the task.
        effort: of the solver.
        tell: hears of each that was tried.
    """

    def trial(penalty: float, of_dense: float = 1.0) -> Tried:
        penalties = Penalties(penalty, round(penalty * of_dense, 4))
        model = solved(training, start, penalties, losses, effort)
        found, _ = losses(model.outputs(validation), validation.target)
        one = Tried(penalties, -float(found.mean()), float(found.std() / np.sqrt(len(found))))
        tell(one)
        return one

    tried: list[Tried] = []
    for penalty in PENALTIES:
        tried.append(trial(penalty))
        if len(tried) > 2 and tried[-1].score < tried[-2].score < tried[-3].score:
            break
    best = _best(tried)
    best = _best([*tried, *(trial(round(best.penalties.tokens * factor, 4)) for factor in BETWEEN)])
    tokens = best.penalties.tokens
    for outwards in OF_DENSE if len(start.dense) else ():
        for factor in outwards:
            one = trial(tokens, factor)
            if _best([best, one]) is best:
                break
            best = one
    return best


def _best(tried: list[Tried]) -> Tried:
    tried = sorted(tried, key=lambda one: one.penalties, reverse=True)
    return tried[first_of_the_best([one.score for one in tried], [one.error for one in tried])]


def told_apart(model: Linear, bags: sparse.csr_matrix) -> Linear:
    """The same outputs through coordinates of variance 1 that do not correlate, the one that moves most first.

    Coordinates that move no output are left out.

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
    first = (size > (1 - 1e-6) * size.max(axis=1, keepdims=True)).argmax(axis=1)  # with two classes, both are equal
    sign = np.where(np.take_along_axis(line, first[:, None], axis=1) < 0, -1.0, 1.0)  # (R, 1)
    return model._replace(table=model.table @ (axes / spread) @ turn * sign[:, 0], line=line * sign)


def _loss(
    rows: Examples, parts: Linear, penalties: Penalties, losses: Losses
) -> Callable[[Array], tuple[float, Array]]:
    """A function from all parameters to the penalised loss and its gradient, both per example."""
    n, c = len(rows.target), len(parts.bias)
    penalty, of_dense = (one * math.sqrt(n) for one in penalties)
    size = max(_AT_ONCE // c, 1)
    blocks = [Examples(*(one[i : i + size] for one in rows)) for i in range(0, n, size)]

    def loss(flat: Array) -> tuple[float, Array]:
        model = _shaped(flat, parts)
        total = penalty / 2 * (np.vdot(model.table, model.table) + np.vdot(model.line, model.line))
        total += of_dense / 2 * np.vdot(model.dense, model.dense)
        slope = Linear(penalty * model.table, penalty * model.line, of_dense * model.dense, np.zeros(c))
        for block in blocks:
            points = block.bags @ model.table  # (n, R)
            outputs = points @ model.line + block.dense @ model.dense + model.bias
            found, along = losses(outputs, block.target)
            total += found.sum()
            slope.table[:] += block.bags.T @ (along @ model.line.T)
            slope.line[:] += points.T @ along
            slope.dense[:] += block.dense.T @ along
            slope.bias[:] += along.sum(axis=0)
        return float(total) / n, _flat(slope) / n

    return loss


def _flat(parts: Linear) -> Array:
    return np.concatenate([part.ravel() for part in parts])


def _shaped(flat: Array, like: Linear) -> Linear:
    ends = np.cumsum([part.size for part in like])[:-1]
    return Linear(*(one.reshape(part.shape) for one, part in zip(np.split(flat, ends), like, strict=True)))
