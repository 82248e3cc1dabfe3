"""How far the nearest films hold: what other people would show, several ways to find them, and what replicas promise.

Two fits from samples of the people are compared by the lists of ten nearest films that they give. Samples of four
fifths share most of their people; halves share none, and are half as many people.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse
from scipy.linalg import orthogonal_procrustes

from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.embedding import Fitted, Problem
from pipeline.estimators import EMBEDDING, PCA, estimator
from pipeline.evaluation.metrics import measure
from pipeline.examples.encoding import encode
from pipeline.examples.example_set import ExampleSet
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.experiment.replicas import EPOCHS, half
from pipeline.inference.described_tokens import described
from pipeline.records.ingest import ingest
from pipeline.records.pairs.builder import pair_table
from pipeline.similarity.nearest import nearest_tokens
from pipeline.similarity.stability import stability_of
from pipeline.vocabulary.vocabulary import Vocabulary, build_vocabulary

Array = npt.NDArray[Any]

CONF = Path(__file__).resolve().parent.parent / "conf" / "movies.yaml"
D = 32
DRAWS = 3
"""Pairs of samples of each kind; figures are their means."""
REPLICAS = 6
FREQUENT = 75
"""Films that so many people have rated are frequent."""
OTHERWISE: dict[str, dict[str, Any]] = {
    "the defaults": {},
    "weight decay .3": {"weight_decay": (0.3,)},
    "weight decay 1": {"weight_decay": (1.0,)},
    "temperature .2": {"temperature": (0.2,)},
    "dropout .2": {"dropout": 0.2},
    "a third of the epochs": {"share": 3},
    "learning rate .01": {"learning_rate": 0.01},
}
"""Settings of the training that may make the nearest hold better."""
ALWAYS = 10**9
"""A count at which `nearest_tokens` takes the cosine as it is."""


class Sample(NamedTuple):
    """What was learned from some of the people."""

    rows: ExampleSet
    learned: Array  # (V, D)
    pca: Array  # (V, D)

    @property
    def counts(self) -> Array:
        """(V,) how many of these people have each film."""
        return self.rows.inputs.counts

    @property
    def seen(self) -> Array:
        """(V,) a count that weighs nothing for the films that somebody has, and 0 for the others."""
        return np.where(self.counts > 0, ALWAYS, 0)


class _Learner:
    """Fits embedding and PCA to samples of the movies."""

    def __init__(self, conf: Dataset, vocabulary: Vocabulary) -> None:
        self.conf, self.vocabulary = conf, vocabulary

    def fitted(self, method: str, rows: ExampleSet, seed: int = 1, share: int = 1, **settings: Any) -> Fitted:
        """What a method learns from some people, in its epochs divided by `share`, with other settings of training."""
        conf, chosen = self.conf.model_copy(update={"seed": seed}), {}
        if method == EMBEDDING:
            settings["max_epochs"] = -(-(conf.training.max_epochs or 1) // share)
            conf = conf.model_copy(update={"training": conf.training.model_copy(update=settings)})
            chosen = {"epochs": settings["max_epochs"], **conf.training.choices()[0]}
        return estimator(method, conf).fit(Problem(rows, self.vocabulary, conf, D, None, chosen))

    def fit(self, method: str, rows: ExampleSet, seed: int = 1, share: int = 1, **settings: Any) -> Array:
        """(V, D) the vectors of `fitted`."""
        return self.fitted(method, rows, seed, share, **settings).embedding.matrix

    def sample(self, rows: ExampleSet) -> Sample:
        """Both methods, on some people."""
        return Sample(rows, self.fit(EMBEDDING, rows), self.fit(PCA, rows))

    def consensus(self, sample: Sample) -> Array:
        """(V, D) the mean of a fit and six others on bootstrap samples, each turned to it (orthogonal Procrustes)."""
        found = [sample.learned]
        for i in range(REPLICAS):
            drawn = np.sort(np.random.default_rng(i).integers(0, len(sample.rows), len(sample.rows)))
            other = self.fit(EMBEDDING, sample.rows.cut(drawn), seed=2 + i)
            found.append(other @ orthogonal_procrustes(other, sample.learned)[0])
        return np.asarray(np.mean(found, axis=0))


def _smoothed(sample: Sample) -> Array:
    """(V, D) half each film's direction, half the mean direction of the lists that it is in, less that of all films."""
    unit, lists = _unit(sample.learned), sparse.csr_matrix(sample.rows.inputs.csr())
    people = (lists @ unit) / np.sqrt(np.maximum(sample.rows.inputs.lengths, 1))[:, None]
    around = (lists.T @ people) / np.maximum(sample.counts, 1)[:, None]
    return np.asarray((unit + _unit(around - around.mean(axis=0))) / 2)


def _unit(matrix: Array) -> Array:
    return np.asarray(matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12))


def agreement() -> dict[str, Any]:
    """The tables: for each way the share of the nearest that two samples have in common, and what support promises."""
    with tempfile.TemporaryDirectory() as folder:
        asked = load(CONF)
        records = ingest(asked, CONF.parent, Path(folder) / "records").frame
        vocabulary = build_vocabulary(pair_table(records, asked), asked)
        examples = encode(records, vocabulary, asked)
        about = vocabulary.beside(described(records, asked))
    learner = _Learner(asked.resolved(len(examples), len(vocabulary)), vocabulary)
    people = examples.everything()
    pairs = {
        "four fifths": [[learner.sample(rows) for rows in _fifths(people, draw)] for draw in range(DRAWS)],
        "halves": [[learner.sample(half(people, i, draw)) for i in range(2)] for draw in range(DRAWS)],
    }
    genres = [set(text.split("|")) for text in about["genres"].fill_null("").to_list()]
    ways: dict[str, Callable[[Sample], Array]] = {
        "embedding, cosine": lambda one: nearest_tokens(one.learned, one.seen),
        "embedding, rare films count for less (ours)": lambda one: nearest_tokens(one.learned, one.counts),
        "... smoothed by the lists that a film is in": lambda one: nearest_tokens(_smoothed(one), one.counts),
        "... mean of a fit and 6 on bootstrap samples": lambda one: nearest_tokens(learner.consensus(one), one.counts),
        "pca, cosine": lambda one: nearest_tokens(one.pca, one.seen),
        "pca, rare films count for less": lambda one: nearest_tokens(one.pca, one.counts),
    }
    often = people.inputs.counts >= FREQUENT
    rows = [["nearest by", *(f"{kind}: {of}" for kind in pairs for of in ("all", "frequent")), "genres in common"]]
    for name, way in ways.items():
        cells, alike = [], []
        for some in pairs.values():
            lists = [[way(sample) for sample in pair] for pair in some]
            shared = np.mean([_shared(*pair).mean(axis=1) for pair in lists], axis=0)
            cells += [f"{shared.mean():.3f}", f"{shared[often].mean():.3f}"]
            alike.append(np.mean([_alike(genres, pair[0]) for pair in lists]))
        rows.append([name, *cells, f"{np.mean(alike):.3f}"])
        print(" ".join(rows[-1]), flush=True)
    seeds = [nearest_tokens(learner.fit(EMBEDDING, people, seed), people.inputs.counts) for seed in (1, 2)]
    notes = [
        f"conf/movies.yaml, D={D}; shares of the ten nearest, means of {DRAWS} pairs of samples; frequent: {FREQUENT} "
        "ratings and more; genres in common: Jaccard, of a film and its nearest",
        f"two seeds of one fit to all people have {_shared(*seeds).mean():.3f} in common",
    ]
    tables = [rows, _promised(learner, pairs["halves"]), _otherwise(learner, examples)]
    return {"title": "stability: the movies", "tables": tables, "notes": notes}


def _fifths(people: ExampleSet, seed: int) -> Iterator[ExampleSet]:
    """Two samples of four fifths of the people."""
    for i in range(2):
        order = np.random.default_rng([seed, i]).permutation(len(people))
        yield people.cut(np.sort(order[: len(order) * 4 // 5]))


def _shared(one: Array, other: Array) -> Array:
    """(V, 10) whether the other list has each film."""
    return np.asarray((one[:, :, None] == other[:, None, :]).any(axis=2) & (one >= 0))


def _otherwise(learner: _Learner, examples: SparseExamples) -> list[list[str]]:
    """What other settings of the training do to the stability, and to the task on validation examples."""
    people, task = examples.everything(), learner.conf.task
    samples = {"four fifths": list(_fifths(people, 0)), "halves": [half(people, i, 0) for i in range(2)]}
    metrics = [metric.name for metric in task.metrics[:2]]
    rows = [["training with", *(f"{kind}: all" for kind in samples), *metrics]]
    for name, settings in OTHERWISE.items():
        lists = [
            [nearest_tokens(learner.fit(EMBEDDING, one, **settings), one.inputs.counts) for one in pair]
            for pair in samples.values()
        ]
        scores = pl.concat(
            task.evaluate(
                learner.fitted(EMBEDDING, examples.training(fold), **settings), examples.held_out("validation", fold)
            )
            for fold in range(examples.n_folds)
        )
        measured = measure(task, scores)
        found = [*(_shared(*pair).mean() for pair in lists)]
        rows.append([name, *(f"{share:.3f}" for share in found), *(f"{measured[name]:.4f}" for name in metrics)])
        print(" ".join(rows[-1]), flush=True)
    return rows


def _alike(genres: list[set[str]], nearest: Array) -> float:
    """Mean share of the genres of a film and its nearest that both have."""
    found = [len(genres[i] & genres[j]) / len(genres[i] | genres[j]) for i, row in enumerate(nearest) for j in row]
    return float(np.mean(found))


def _promised(learner: _Learner, pairs: list[list[Sample]]) -> list[list[str]]:
    """How many of a half's nearest the other half finds too, by how many replicas of the first support them."""
    hits, support = [], []
    for one, other in pairs:
        parts = [half(one.rows, i, seed=1) for i in range(REPLICAS)]
        fits = [(rows, learner.fit(EMBEDDING, rows, 2 + i, EPOCHS)) for i, rows in enumerate(parts)]
        nearest = nearest_tokens(one.learned, one.counts)
        found = stability_of(nearest, [nearest_tokens(matrix, rows.inputs.counts) for rows, matrix in fits])
        hits.append(_shared(nearest, nearest_tokens(other.learned, other.counts)))
        support.append(found.support)
    every, known = np.concatenate(support), np.concatenate(hits)
    cells = [(times, (every == times).mean(), known[every == times].mean()) for times in range(REPLICAS + 1)]
    head = [f"supported by, of {REPLICAS} replicas", "so many of the nearest", "of these other people show"]
    return [head, *([str(times), f"{share:.3f}", f"{hit:.3f}"] for times, share, hit in cells)]
