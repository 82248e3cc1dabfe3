"""Lists of many shapes, with a truth to recover: what training finds by default, beside fixed settings and baselines.

Each list is drawn from two of several groups of tokens. How long the lists are, how many tokens there are, and how much
more likely the tokens of its groups are, decides how much the tokens of a list say about each other; and how many lists
there are, how much of what they say is chance. Other lists are the answers of people to questions: two answers to the
same question exclude each other.
"""

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from pipeline.baselines.als import Als
from pipeline.baselines.ease import Ease
from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.embedding import Estimator, Problem
from pipeline.estimators import EMBEDDING, PCA, estimator
from pipeline.evaluation.metrics import measure
from pipeline.examples.encoding import encode
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.records.pairs.builder import pair_table
from pipeline.vocabulary.vocabulary import Vocabulary, build_vocabulary

D, LARGE, SEEDS = 8, 32, (1, 2, 3)
WIDE = 64
"""The dimensions that ALS has by default: more than groups of most shapes."""
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
    lists: int = 4000


SHAPES = (
    Shape(50, 4, 4, 2),
    Shape(50, 4, 30, 10),
    Shape(500, 6, 10, 10),
    Shape(500, 6, 100, 25),
    Shape(500, 30, 10, 10),
    Shape(2000, 10, 50, 20),
    Shape(2000, 10, 300, 100),
    Shape(2000, 40, 20, 20),
    Shape(80, 8, 10, 4, lists=700),
    Shape(300, 10, 20, 12, lists=700),
)


def drawn(shape: Shape, n: int | None = None, seed: int = 0) -> pl.DataFrame:
    """Lists of a shape, its own number by default, one row a list and token."""
    random = np.random.default_rng(seed)
    popularity = np.arange(1, shape.tokens + 1) ** -_POWER
    group = random.integers(0, shape.groups, shape.tokens)
    rows = []
    for i in range(n or shape.lists):
        first, second = random.integers(0, shape.groups, 2)
        likely = np.where(group == first, shape.ratio, np.where(group == second, shape.ratio / 2, 1.0)) * popularity
        length = min(max(1, random.poisson(shape.length)), shape.tokens - 1)
        tokens = random.choice(shape.tokens, length, replace=False, p=likely / likely.sum())
        rows += [(f"l{i}", f"t{token}") for token in tokens]
    return pl.DataFrame(rows, schema=["list", "token"], orient="row")


class Questions(NamedTuple):
    """What the answers of people are like."""

    questions: int
    answers: int
    """To a question; a person gives one of them."""
    kinds: int
    """Of people. Each kind has answers of its own that it gives most."""
    people: int


QUESTIONS = (
    Questions(4, 15, 6, 500),
    Questions(8, 8, 8, 700),
    Questions(8, 8, 8, 4000),
    Questions(15, 5, 10, 2000),
    Questions(15, 5, 10, 10_000),
)


def answered(shape: Questions, seed: int = 0) -> pl.DataFrame:
    """One answer of each person to each question, one row each."""
    random = np.random.default_rng(seed)
    likely = random.dirichlet(np.full(shape.answers, 0.3), (shape.kinds, shape.questions))
    rows = []
    for i, kind in enumerate(random.integers(0, shape.kinds, shape.people)):
        rows += [(f"p{i}", f"q{j}={random.choice(shape.answers, p=odds)}") for j, odds in enumerate(likely[kind])]
    return pl.DataFrame(rows, schema=["list", "token"], orient="row")


class Contest:
    """Fits methods on planted lists."""

    def __init__(self, frame: pl.DataFrame, settings: str, folder: Path) -> None:
        frame.write_parquet(folder / "lists.parquet")
        (folder / "lists.yaml").write_text(settings)
        conf = load(folder / "lists.yaml")
        self.vocabulary: Vocabulary = build_vocabulary(pair_table(frame.lazy(), conf), conf)
        self.examples: SparseExamples = encode(frame.lazy(), self.vocabulary, conf)
        self.conf: Dataset = conf.resolved(self.examples.n_training, len(self.vocabulary))

    def recall(self, method: str, seed: int = 1, dimension: int = D, **training: Any) -> tuple[float, Any]:
        """recall_at_20 on the test lists, and what validation chose; with other settings of the training."""
        conf = self.conf.model_copy(update={"seed": seed, "training": self.conf.training.model_copy(update=training)})
        return self.measured(estimator(method, conf), dimension, conf)

    @property
    def first_choices(self) -> dict[str, Any]:
        """The settings with which nothing is left to choose."""
        first = self.conf.training.choices()[0]
        return {"temperature": (first["temperature"],), "weight_decay": (first["weight_decay"],), "cut": False}

    def recall_of_als(self, dimension: int) -> float:
        """recall_at_20 on the test lists of ALS with D dimensions; validation chooses its other settings."""
        return self.measured(Als(dimension=(dimension,)), None, self.conf)[0]

    def measured(self, method: Estimator, dimension: int | None, conf: Dataset) -> tuple[float, Any]:
        """recall_at_20 on the test lists of a method, and what validation chose."""
        examples = self.examples
        problem = Problem(examples.training(), self.vocabulary, conf, dimension, examples.held_out("validation"))
        fitted = method.fit(problem)
        found = measure(conf.task, conf.task.evaluate(fitted, examples.held_out("test")))
        return float(found["recall_at_20"]), fitted.chosen


def _groups() -> list[list[str]]:
    ends = ["PCA", *(f"ALS D={dimension}" for dimension in (D, WIDE))]
    large = f"the default D={LARGE}"
    head = ["V", "lists", "tokens of a list", "ratio", "groups", "first choices", "the default"]
    rows = [[*head, "temperature", "decay", "cut", large, *ends]]
    for shape in SHAPES:
        with tempfile.TemporaryDirectory() as folder:
            contest = Contest(drawn(shape), CONF, Path(folder))
        first, found, of_large = (
            [contest.recall(EMBEDDING, seed, **how) for seed in SEEDS]
            for how in (contest.first_choices, {}, {"dimension": LARGE})
        )
        chosen = [_chosen(found, name) for name in ("temperature", "weight_decay", "cut")]
        others = [contest.recall(PCA)[0], *(contest.recall_of_als(d) for d in (D, WIDE))]
        facts = f"{shape.tokens:,}", f"{shape.lists:,}", str(shape.length), f"{shape.ratio:g}", str(shape.groups)
        rows.append([*facts, _mean(first), _mean(found), *chosen, _mean(of_large), *(f"{one:.4f}" for one in others)])
        print(" | ".join(rows[-1]), flush=True)
    return rows


def _answers() -> list[list[str]]:
    head = ["questions", "answers to each", "kinds of people", "people", "never cut", "the default", "cut"]
    rows = [[*head, "PCA", f"ALS D={D}", "EASE"]]
    for shape in QUESTIONS:
        with tempfile.TemporaryDirectory() as folder:
            contest = Contest(answered(shape), CONF, Path(folder))
        never, found = ([contest.recall(EMBEDDING, seed, **how) for seed in SEEDS] for how in ({"cut": False}, {}))
        others = contest.recall(PCA)[0], contest.recall_of_als(D), contest.measured(Ease(), None, contest.conf)[0]
        facts = (f"{one:,}" for one in shape)
        rows.append([*facts, _mean(never), _mean(found), _chosen(found, "cut"), *(f"{one:.4f}" for one in others)])
        print(" | ".join(rows[-1]), flush=True)
    return rows


def shapes() -> dict[str, Any]:
    """Two tables: a row for each shape, with recall_at_20 of each method, means over the seeds."""
    notes = [
        f"recall_at_20 on a quarter of the lists; D={D} where no other is named; means of {len(SEEDS)} seeds (PCA and "
        "ALS: one)",
        "first choices: nothing is left to validation; cut: 1 where it prefers that a list is cut in two and each part "
        "predicts the other",
    ]
    return {"title": "lists: shapes of planted lists", "tables": [_groups(), _answers()], "notes": notes}


def _mean(found: list[tuple[float, Any]]) -> str:
    return f"{np.mean([recall for recall, _ in found]):.4f}"


def _chosen(found: list[tuple[float, Any]], name: str) -> str:
    return ", ".join(f"{one:g}" for one in sorted({what[name] for _, what in found}))
