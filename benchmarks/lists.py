"""Lists of many shapes, with a truth to recover: what the default temperature finds, beside a fixed one and baselines.

Each list is drawn from two of several groups of tokens. How long the lists are, how many tokens there are, and how much
more likely the tokens of its groups are, decides how much the tokens of a list say about each other.
"""

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from pipeline.baselines.als import Als
from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.embedding import Estimator, Problem
from pipeline.estimators import EMBEDDING, PCA, estimator
from pipeline.evaluation.metrics import measure
from pipeline.examples.encoding import encode
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.records.pairs import pair_table
from pipeline.vocabulary.vocabulary import Vocabulary, build_vocabulary

LISTS, D, SEEDS = 4000, 8, (1, 2, 3)
WIDE = 64
"""The dimensions that ALS has by default: more than groups of most shapes, where the others get 8."""
_POWER = 0.7
"""Exponent of the popularity: the token of rank r is drawn with a density of (r + 1) ** -_POWER."""
CONF = """\
description: Planted lists.
source: {path: lists.parquet}
example: list
tokens: [{kind: value, columns: token}]
split: {validation: 0.15, test: 0.25}
vocabulary: {min_count: 3}
task: {kind: missing_tokens}
dimensions: [8]
baselines: [popularity]
"""


class Shape(NamedTuple):
    """What the lists are like."""

    tokens: int
    length: int
    """Mean number of tokens of a list."""
    ratio: float
    """How much more likely the tokens of the first group of a list are; those of the second half as much."""
    groups: int


SHAPES = (
    Shape(50, 4, 4, 2),
    Shape(50, 4, 30, 10),
    Shape(500, 6, 10, 10),
    Shape(500, 6, 100, 25),
    Shape(500, 30, 10, 10),
    Shape(2000, 10, 50, 20),
    Shape(2000, 10, 300, 100),
    Shape(2000, 40, 20, 20),
)


def drawn(shape: Shape, n: int | None = None, seed: int = 0) -> pl.DataFrame:
    """Lists of a shape, `LISTS` by default, one row a list and token."""
    random = np.random.default_rng(seed)
    popularity = np.arange(1, shape.tokens + 1) ** -_POWER
    group = random.integers(0, shape.groups, shape.tokens)
    rows = []
    for i in range(n or LISTS):
        first, second = random.integers(0, shape.groups, 2)
        likely = np.where(group == first, shape.ratio, np.where(group == second, shape.ratio / 2, 1.0)) * popularity
        length = min(max(1, random.poisson(shape.length)), shape.tokens - 1)
        tokens = random.choice(shape.tokens, length, replace=False, p=likely / likely.sum())
        rows += [(f"l{i}", f"t{token}") for token in tokens]
    return pl.DataFrame(rows, schema=["list", "token"], orient="row")


class _Contest:
    """Fits methods on the lists of one shape."""

    def __init__(self, shape: Shape, folder: Path) -> None:
        frame = drawn(shape)
        frame.write_parquet(folder / "lists.parquet")
        (folder / "lists.yaml").write_text(CONF)
        conf = load(folder / "lists.yaml")
        self.vocabulary: Vocabulary = build_vocabulary(pair_table(frame.lazy(), conf), conf)
        self.examples: SparseExamples = encode(frame.lazy(), self.vocabulary, conf)
        self.conf: Dataset = conf.resolved(self.examples.n_training, len(self.vocabulary))

    def recall(self, method: str, seed: int = 1, temperature: tuple[float, ...] | None = None) -> tuple[float, Any]:
        """recall_at_20 on the test lists, and what validation chose; temperature: these instead of the default ones."""
        conf = self.conf.model_copy(update={"seed": seed})
        if temperature is not None:
            training = conf.training.model_copy(update={"temperature": temperature})
            conf = conf.model_copy(update={"training": training})
        return self._measured(estimator(method, conf), D if method in (EMBEDDING, PCA) else None, conf)

    def recall_of_als(self, dimension: int) -> float:
        """recall_at_20 on the test lists of ALS with D dimensions; validation chooses its other settings."""
        return self._measured(Als(dimension=(dimension,)), None, self.conf)[0]

    def _measured(self, method: Estimator, dimension: int | None, conf: Dataset) -> tuple[float, Any]:
        examples = self.examples
        problem = Problem(examples.training(), self.vocabulary, conf, dimension, examples.held_out("validation"))
        fitted = method.fit(problem)
        found = measure(conf.task, conf.task.evaluate(fitted, examples.held_out("test")))
        return float(found["recall_at_20"]), fitted.chosen


def shapes() -> dict[str, Any]:
    """The table: a row for each shape, with recall_at_20 of each method, means over the seeds."""
    als = [f"ALS D={dimension}" for dimension in (D, WIDE)]
    rows = [["V", "tokens of a list", "ratio", "groups", "the sharp one", "the default", "chosen", "PCA", *als]]
    for shape in SHAPES:
        with tempfile.TemporaryDirectory() as folder:
            contest = _Contest(shape, Path(folder))
        sharp = contest.conf.training.choices()[0]["temperature"]
        fixed = np.mean([contest.recall(EMBEDDING, seed, (sharp,))[0] for seed in SEEDS])
        found = [contest.recall(EMBEDDING, seed) for seed in SEEDS]
        default = np.mean([recall for recall, _ in found])
        chosen = ", ".join(f"{one:g}" for one in sorted({what["temperature"] for _, what in found}))
        others = [contest.recall(PCA)[0], *(contest.recall_of_als(d) for d in (D, WIDE))]
        means = (f"{one:.4f}" for one in others)
        facts = f"{shape.tokens:,}", str(shape.length), f"{shape.ratio:g}", str(shape.groups)
        rows.append([*facts, f"{fixed:.4f}", f"{default:.4f}", chosen, *means])
        print(" | ".join(rows[-1]), flush=True)
    notes = [
        f"recall_at_20 on the test part of {LISTS:,} lists; D={D} but for the last column, where ALS has its default; "
        f"means of {len(SEEDS)} seeds (PCA and ALS: one)"
    ]
    return {"title": "lists: shapes of planted lists", "tables": [rows], "notes": notes}
