"""`python -m benchmarks.ahead`: what may make the learned embedding better, tried on people who test nothing.

Of MovieLens-1M only the people who train or validate in `benchmarks/conf` take part; each of them is held out once. The
movies of the sample say whether what helps there does harm elsewhere: all their people are held out once, as in the
contest.
"""

import logging
import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse
from scipy.linalg import orthogonal_procrustes

from benchmarks import page
from pipeline.baselines.ease import Ease
from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.config.records import Split
from pipeline.embedding import Problem
from pipeline.estimators import EMBEDDING, estimator
from pipeline.evaluation.bootstrap import difference, resampled
from pipeline.evaluation.metrics import measure
from pipeline.examples.encoding import encode
from pipeline.examples.example_set import ExampleSet
from pipeline.network.fitted_network import FittedNetwork
from pipeline.records.ingest import ingest
from pipeline.records.pairs.builder import pair_table
from pipeline.tasks.missing_tokens import MissingTokensTraining
from pipeline.vocabulary.vocabulary import build_vocabulary

Array = npt.NDArray[Any]
Score = Callable[[sparse.csr_matrix], Array]

HERE = Path(__file__).resolve().parent
FOLDS, SEEDS = 3, (1, 2, 3)
DEFAULTS = "the defaults"


class Case(NamedTuple):
    """Data on which is tried."""

    title: str
    conf: Path
    dimension: int
    where: str | None = None
    """The records that take part; in folds of their own."""


CASES = [
    Case("MovieLens-1M, 80% in", HERE / "conf" / "movielens_1m_80.yaml", 64, "split != 'test'"),
    Case("the movies", HERE.parent / "conf" / "movies.yaml", 32),
]


@dataclass(frozen=True)
class Otherwise(FittedNetwork):
    """A fit that scores in another way."""

    way: Score | None = None

    def score(self, inputs: sparse.csr_matrix, dense: Array) -> Array:
        """What the other way gives."""
        assert self.way is not None
        return self.way(inputs)


class _Learner:
    """Fits to the training people of a fold."""

    def __init__(self, conf: Dataset, problem: Problem) -> None:
        self.conf, self.problem = conf, problem

    def fit(self, seed: int = 1, **settings: Any) -> FittedNetwork:
        """A fit with another seed, or with other settings of the training."""
        training = self.conf.training.model_copy(update=settings)
        conf = self.conf.model_copy(update={"seed": seed, "training": training})
        chosen = {"epochs": training.max_epochs, **training.choices()[0]}
        fitted = estimator(EMBEDDING, conf).fit(replace(self.problem, conf=conf, chosen=chosen))
        assert isinstance(fitted, FittedNetwork)
        return fitted

    def attempts(self) -> Iterator[tuple[str, FittedNetwork]]:
        """Each attempt by its name, the defaults first."""
        training, rows = self.conf.training, self.problem.training
        assert isinstance(training, MissingTokensTraining)
        assert training.max_epochs is not None
        seeds = [self.fit(seed) for seed in SEEDS]
        ours = seeds[0]
        yield DEFAULTS, ours
        n = len(rows)
        yield "N / 8 rounded down: a last step of 1 or 2", self.fit(batch_size=n // 8, max_epochs=math.ceil(300 / 9))
        yield "N / 32 examples a step", self.fit(batch_size=math.ceil(n / 32), max_epochs=10)
        yield "twice the epochs", self.fit(max_epochs=2 * training.max_epochs)
        yield "temperature .1", self.fit(temperature=(0.1,))
        yield "half to all of a list goes in", self.fit(input_share=(0.5, 1.0))
        yield from (
            (name, Otherwise(ours.embedding, ours.weights, ours.task, ours.network, way=way))
            for name, way in self._ways(seeds)
        )

    def _ways(self, seeds: list[FittedNetwork]) -> Iterator[tuple[str, Score]]:
        """Other ways to score with what was learned."""
        rows, ours = self.problem.training, _Logits(seeds[0])
        n, table = np.maximum(rows.inputs.counts, 1), ours.table
        near = _neighbours(rows) @ table
        for share in (0.1, 0.3):
            yield f"tokens + {share} x what is near, as outputs", ours.otherwise(outputs=table + share * near)
            yield f"tokens + {share} x what is near, in the lists", ours.otherwise(inputs=table + share * near)
        yield "in a list a token counts n^-.1", lambda lists: ours(lists @ sparse.diags(n**-0.1))
        yield "biases x .95", ours.otherwise(bias=0.95 * ours.bias)
        others = [_Logits(seed) for seed in seeds]
        yield "mean of three seeds' scores", lambda lists: np.asarray(np.mean([one(lists) for one in others], axis=0))
        turned = [one.table @ orthogonal_procrustes(one.table, table)[0] for one in others]
        mean, bias = np.mean(turned, axis=0), np.mean([one.bias for one in others], axis=0)
        yield "mean of three seeds' tables, turned", ours.otherwise(mean, mean, bias)
        ease = Ease().fit(replace(self.problem, dimension=None, chosen={"regularisation": 300.0}))
        yield "EASE, lambda 300", lambda lists: ease.score(lists, np.empty(0))
        yield "the defaults + EASE: no embedding", lambda lists: ours(lists) + 2 * ease.score(lists, np.empty(0))


class _Logits:
    """The logits of a fit, with which tables one likes."""

    def __init__(self, fitted: FittedNetwork) -> None:
        weights = {name: np.asarray(array, np.float64) for name, array in fitted.weights.items()}
        self.table, self.bias = weights["table.weight"], weights["bias.weight"][:, 0]
        self.lift, self.temperature = float(weights["lift"]), float(weights["temperature"])

    def __call__(
        self,
        lists: sparse.csr_matrix,
        inputs: Array | None = None,
        outputs: Array | None = None,
        bias: Array | None = None,
    ) -> Array:
        """(N, V) of lists (N, V)."""
        total = np.asarray(lists.sum(axis=1))
        bags = (lists @ (self.table if inputs is None else inputs)) / np.where(total > 0, total, 1)
        tokens = self._augmented(self.table if outputs is None else outputs)
        return np.asarray(self._augmented(bags) @ tokens.T / self.temperature + (self.bias if bias is None else bias))

    def otherwise(self, inputs: Array | None = None, outputs: Array | None = None, bias: Array | None = None) -> Score:
        """The same with other tables (V, D) for the tokens of lists and for those that are scored, or other biases."""
        return lambda lists: self(lists, inputs, outputs, bias)

    def _augmented(self, vectors: Array) -> Array:
        lifted = np.hstack([vectors, np.full((len(vectors), 1), self.lift)])
        return np.asarray(lifted / np.linalg.norm(lifted, axis=1, keepdims=True))


def _neighbours(rows: ExampleSet) -> sparse.csr_matrix:
    """(V, V) in how many lists two tokens are, each list divided by its length, over the root of both counts."""
    matrix = rows.inputs.csr()
    of_lists, of_tokens = (np.maximum(n, 1) for n in (rows.inputs.lengths, rows.inputs.counts))
    normal = sparse.diags(of_lists**-0.5) @ matrix @ sparse.diags(of_tokens**-0.5)
    return sparse.csr_matrix(normal.T @ normal)


def tried(case: Case) -> list[list[str]]:
    """The table of one case."""
    conf = load(case.conf)
    if case.where:  # and with the defaults, whatever the contest has chosen
        source = conf.source.model_copy(update={"where": case.where})
        conf = conf.model_copy(
            update={"source": source, "split": Split(folds=FOLDS), "training": MissingTokensTraining()}
        )
    with tempfile.TemporaryDirectory() as folder:
        records = ingest(conf, case.conf.parent, Path(folder) / "records").frame
        vocabulary = build_vocabulary(pair_table(records, conf), conf)
        examples = encode(records, vocabulary, conf)
    frames: dict[str, list[pl.DataFrame]] = {}
    for fold in range(examples.n_folds):
        rows = examples.training(fold, refit=True)
        own = conf.resolved(len(rows), len(vocabulary))
        learner = _Learner(own, Problem(rows, vocabulary, own, case.dimension))
        for name, fitted in learner.attempts():
            frames.setdefault(name, []).append(own.task.evaluate(fitted, examples.held_out("test", fold)))
        print(f"{case.title}: fold {fold + 1} of {examples.n_folds}", flush=True)
    whole = [pl.concat(some) for some in frames.values()]
    values, drawn = [measure(conf.task, frame) for frame in whole], resampled(conf.task, whole)
    metrics = conf.task.metrics[:2]
    table = [
        [f"{case.title}, D={case.dimension}", *(cell for m in metrics for cell in (m.name, "against the defaults"))]
    ]
    for name, value, draws in zip(frames, values, drawn, strict=True):
        table.append([name])
        for metric in metrics:
            ours, theirs = ((v[metric.name], d[metric.name]) for v, d in ((value, draws), (values[0], drawn[0])))
            found = difference(metric, ours, theirs, whole[0].height)
            said = f"{found.verdict} {found.value:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"
            table[-1] += [f"{value[metric.name]:.4f}", "" if name == DEFAULTS else said]
        print(" ".join(table[-1]), flush=True)
    return table


def main() -> None:
    """Try, keep the result, and write the page."""
    logging.disable(logging.INFO)
    found = {
        "title": "ahead: what may make the learned embedding better",
        "tables": [tried(case) for case in CASES],
        "notes": [
            f"MovieLens-1M: {FOLDS} folds of the people who train and validate in the contest, so that its test people "
            "are not looked at; the movies: the folds of the contest",
            "what is near: the other tokens of the same lists, by one hop of the normalised graph",
        ],
    }
    page.keep("speed_ahead_small", found, ("torch", "pytorch-lightning", "scipy"))
    print(page.write())


if __name__ == "__main__":
    main()
