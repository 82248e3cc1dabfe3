"""A network goes on from an earlier fit: what is known stays, and what is new begins near those it is seen with."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from pipeline.config.dataset import Dataset
from pipeline.embedding import Problem
from pipeline.estimators import EMBEDDING, estimator
from pipeline.examples.encoding import encode
from pipeline.examples.example_set import ExampleSet
from pipeline.experiment.moved_tokens import beside
from pipeline.network.fitted_network import FittedNetwork
from pipeline.network.refreshed_start import SHRUNK, refreshed_start
from pipeline.network.turned import turned
from pipeline.records.pairs.builder import pair_table
from pipeline.vocabulary.vocabulary import Vocabulary, build_vocabulary
from tests.conftest import genre_of


@pytest.fixture
def encoded() -> Callable[..., tuple[Vocabulary, ExampleSet]]:
    def make(records: pl.DataFrame, conf: Dataset, before: Vocabulary | None = None) -> tuple[Vocabulary, ExampleSet]:
        vocabulary = build_vocabulary(pair_table(records.lazy(), conf), conf, before=before)
        return vocabulary, encode(records.lazy(), vocabulary, conf).training()

    return make


def fitted(conf: Dataset, vocabulary: Vocabulary, rows: ExampleSet) -> FittedNetwork:
    conf = conf.resolved(len(rows), len(vocabulary))
    found = estimator(EMBEDDING, conf).fit(Problem(rows, vocabulary, conf, 2))
    assert isinstance(found, FittedNetwork)
    return found


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def with_two_new(records: pl.DataFrame) -> pl.DataFrame:
    """Half of the people watch a new film of their genre, too."""
    some = records.filter(pl.col("user").str.tail(2).cast(pl.Int64) % 4 < 2).select("user").unique(maintain_order=True)
    genre = (
        pl.when(pl.col("user").str.tail(1).cast(pl.Int64) % 2 == 1)
        .then(pl.lit("war-new"))
        .otherwise(pl.lit("love-new"))
    )
    return pl.concat([records, some.select("user", movie=genre, title=genre)])


@pytest.mark.parametrize("unknown", ["drop", "share"])
def test_known_tokens_keep_their_places_and_new_ones_begin_near_their_companions(
    unknown: str, movies: Dataset, two_genres: pl.DataFrame, encoded: Callable
) -> None:
    settings = movies.vocabulary.model_copy(update={"unknown": unknown})
    movies = movies.model_copy(update={"vocabulary": settings})
    before, rows = encoded(two_genres, movies)
    fit = fitted(movies, before, rows)
    now, more = encoded(with_two_new(two_genres), movies, before)
    start = refreshed_start(fit.weights, before, now, more, "float64")
    table = start["table.weight"]
    assert np.allclose(table[: len(before)], SHRUNK * fit.weights["table.weight"])
    genres = np.array([genre_of(token) for token in before.tokens["token"]])
    middle = {genre: table[: len(before)][genres == genre].mean(axis=0) for genre in ("war", "love")}
    for genre, other in (("war", "love"), ("love", "war")):
        row = table[now.index(f"{genre}-new")]
        assert cosine(row, middle[genre]) > 0.9 > 0 > cosine(row, middle[other])
    drift = beside(fitted(movies, now, more), fit.embedding, turn=False).embedding.drift
    assert drift is not None
    assert np.isfinite(drift[: len(before)]).all()
    assert np.isnan(drift[len(before) :]).all()  # what is new has not moved
    bias = start["bias.weight"]
    assert bias.shape == (len(now), 1)
    assert np.isfinite(bias).all()


def test_without_new_tokens_and_examples_everything_stays_but_shrinks(
    movies: Dataset, two_genres: pl.DataFrame, encoded: Callable
) -> None:
    vocabulary, rows = encoded(two_genres, movies)
    fit = fitted(movies, vocabulary, rows)
    start = refreshed_start(fit.weights, vocabulary, vocabulary, rows, "float32")
    assert start.keys() == fit.weights.keys()
    assert start["table.weight"].dtype == np.float32
    assert np.allclose(start["bias.weight"], SHRUNK * fit.weights["bias.weight"], atol=1e-6)
    assert start["temperature"] == pytest.approx(float(fit.weights["temperature"]))


def with_members(conf: Dataset, members: int) -> Dataset:
    """The conf, with a head of so many members."""
    return conf.model_copy(update={"training": conf.training.model_copy(update={"members": members})})


@pytest.mark.parametrize("members", [1, 4])
def test_a_network_of_numbers_goes_on_with_its_scales_and_counts_tokens_anew(
    members: int, homes: Dataset, priced_words: pl.DataFrame, encoded: Callable
) -> None:
    """With the same data a fit that goes on scores the same; with a new word, that begins beside its companions."""
    homes = with_members(homes, members)
    vocabulary, rows = encoded(priced_words, homes)
    fit = fitted(homes, vocabulary, rows)
    same = refreshed_start(fit.weights, vocabulary, vocabulary, rows, "float64")
    assert same.keys() == fit.weights.keys()
    for name, array in fit.weights.items():
        assert np.allclose(same[name], array), name
    more = priced_words.with_columns(
        text=pl.when(pl.col("text").str.contains("castle")).then(pl.col("text") + " moat").otherwise("text")
    )
    now, others = encoded(more, homes, vocabulary)
    start = refreshed_start(fit.weights, vocabulary, now, others, "float64")
    place = now.index("moat")
    assert start["weight"][place] > 0
    assert np.isfinite(start["table.weight"]).all()
    conf = homes.resolved(len(others), len(now))
    going_on = estimator(EMBEDDING, conf).fit(Problem(others, now, conf, 2, start=start))
    for name in ("target_mean", "target_std", "dense_mean"):
        assert np.array_equal(going_on.weights[name], fit.weights[name])
    assert going_on.weights["outer.weight"].shape == fit.weights["outer.weight"].shape == (members, 128)


@pytest.mark.parametrize(("name", "members"), [("movies", 1), ("homes", 1), ("homes", 4)])
def test_a_turned_space_scores_the_same_and_lies_where_the_other_lay(
    name: str, members: int, request: pytest.FixtureRequest, encoded: Callable
) -> None:
    conf = request.getfixturevalue(name)
    if members > 1:
        conf = with_members(conf, members)
    records = request.getfixturevalue({"movies": "two_genres", "homes": "priced_words"}[name])
    vocabulary, rows = encoded(records, conf)
    fit = fitted(conf, vocabulary, rows)
    angle = np.array([[0.6, -0.8], [0.8, 0.6]])
    moved = replace(fit.embedding, matrix=(fit.weights["table.weight"] @ angle).astype(np.float32))
    elsewhere = FittedNetwork(moved, turned(fit.weights, angle), fit.task, fit.network)
    inputs = rows.inputs.csr()
    assert np.allclose(elsewhere.score(inputs, rows.dense), fit.score(inputs, rows.dense), rtol=1e-4, atol=1e-5)
    back = beside(elsewhere, fit.embedding, turn=True)
    assert np.allclose(back.embedding.matrix, fit.embedding.matrix, atol=1e-5)
    assert np.allclose(back.score(inputs, rows.dense), fit.score(inputs, rows.dense), rtol=1e-4, atol=1e-5)
    assert back.embedding.drift is not None
    assert back.embedding.drift.max() < 1e-5
