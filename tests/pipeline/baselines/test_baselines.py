"""One suite for all baselines: each finds what was planted, uses only its rows, and comes back from its weights."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import sparse
from threadpoolctl import ThreadpoolController

from pipeline.baselines import boosted_trees
from pipeline.baselines.ease import Ease
from pipeline.baselines.mean import Mean
from pipeline.baselines.pca_boosted_trees import PcaBoostedTrees
from pipeline.baselines.popularity import Popularity
from pipeline.config.baseline import Baseline
from pipeline.config.dataset import Dataset
from pipeline.embedding import Embedding, Problem
from pipeline.evaluation.metrics import measure
from pipeline.examples.encoding import encode
from pipeline.examples.example_set import ExampleSet, SparseRows
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.records.pairs.builder import pair_table
from pipeline.vocabulary.vocabulary import Vocabulary, build_vocabulary

FINDING = {"als": {"dimension": 4}, "ease": {}, "item_knn": {}}
PRICING = {"ridge": {}, "boosted_trees": {"max_trees": 60}, "pca_boosted_trees": {"max_trees": 60, "dimension": 7}}
BLIND = ["popularity", "mean"]


def made(method: str) -> Baseline:
    return Baseline.kinds()[method](**{**FINDING, **PRICING}.get(method, {}))


@pytest.fixture
def encoded(
    request: pytest.FixtureRequest, two_genres: pl.DataFrame, priced_words: pl.DataFrame
) -> Callable[[str], tuple[Dataset, Vocabulary, SparseExamples]]:
    def make(method: str) -> tuple[Dataset, Vocabulary, SparseExamples]:
        finds = method in FINDING or method == "popularity"
        records, conf = (two_genres, "movies") if finds else (priced_words, "homes")
        conf = request.getfixturevalue(conf)
        vocabulary = build_vocabulary(pair_table(records.lazy(), conf), conf)
        return conf, vocabulary, encode(records.lazy(), vocabulary, conf)

    return make


@pytest.mark.parametrize("method", [*FINDING, *PRICING])
def test_it_finds_what_was_planted_on_examples_that_it_has_not_seen(method: str, encoded: Callable) -> None:
    conf, vocabulary, examples = encoded(method)
    test = examples.held_out("test")
    problem = Problem(examples.training(), vocabulary, conf, validation=examples.held_out("validation"))
    fits = (made(name).fit(problem) for name in (method, BLIND[method in PRICING]))
    value, floor = (measure(conf.task, conf.task.evaluate(fit, test)) for fit in fits)
    if method == "boosted_trees":  # sees the area alone, which explains little of the price
        assert floor["r2_log"] - 0.05 < value["r2_log"] < 0.3
    elif method in PRICING:
        assert value["r2_log"] > 0.8
    else:
        assert value["ndcg_at_20"] > floor["ndcg_at_20"] + 0.15


@pytest.mark.parametrize("method", [*FINDING, *PRICING, *BLIND])
def test_it_comes_back_from_its_weights_and_the_same_choice_gives_the_same_fit(
    method: str, encoded: Callable, tmp_path: Path
) -> None:
    conf, vocabulary, examples = encoded(method)
    rows = examples.held_out("test")
    how = made(method)
    fitted = how.fit(Problem(examples.training(), vocabulary, conf, validation=examples.held_out("validation")))
    scores = fitted.score(rows.inputs.csr(), rows.dense)
    np.savez(tmp_path / "weights.npz", allow_pickle=False, **fitted.weights)
    with np.load(tmp_path / "weights.npz", allow_pickle=False) as weights:
        again = how.restore(fitted.embedding, dict(weights), conf)
    assert again.score(rows.inputs.csr(), rows.dense) == pytest.approx(scores, rel=1e-5, abs=1e-6)
    chosen = how.fit(Problem(examples.training(), vocabulary, conf, chosen=fitted.chosen))
    assert chosen.score(rows.inputs.csr(), rows.dense) == pytest.approx(scores, rel=1e-5, abs=1e-6)
    assert isinstance(fitted.embedding, Embedding)


def test_trees_have_as_many_components_as_there_is_room_for(encoded: Callable) -> None:
    conf, vocabulary, examples = encoded("pca_boosted_trees")
    problem = Problem(examples.training(), vocabulary, conf, validation=examples.held_out("validation"))
    fitted = PcaBoostedTrees(dimension=16, max_trees=5).fit(problem)
    assert fitted.embedding.dimension == fitted.chosen["dimension"] == len(vocabulary) - 1


@pytest.mark.parametrize("method", ["boosted_trees", "pca_boosted_trees"])
def test_trees_do_without_a_feature_that_no_training_example_has(method: str, encoded: Callable) -> None:
    conf, vocabulary, examples = encoded(method)
    training, validation = examples.training(), examples.held_out("validation")
    lacking = replace(training, dense=np.full_like(training.dense, np.nan))
    fitted = made(method).fit(Problem(lacking, vocabulary, conf, validation=validation))
    scores = fitted.score(validation.inputs.csr(), validation.dense)
    assert (np.ptp(scores) == 0) == (method == "boosted_trees")
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("few", [0, 10**7])
def test_trees_of_few_numbers_get_one_thread_and_are_the_same(
    few: int, encoded: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.utils._openmp_helpers import _openmp_effective_n_threads as threads

    conf, vocabulary, examples = encoded("boosted_trees")
    problem, rows = Problem(examples.training(), vocabulary, conf), examples.held_out("test")
    expected = made("boosted_trees").fit(problem).score(rows.inputs.csr(), rows.dense)
    seen = []
    fit = HistGradientBoostingRegressor.fit

    def watched(*arguments: Any) -> Any:
        seen.append(threads())
        return fit(*arguments)

    monkeypatch.setattr(HistGradientBoostingRegressor, "fit", watched)
    monkeypatch.setattr(boosted_trees, "FEW", few)
    with ThreadpoolController().limit(limits=2, user_api="openmp"):
        scores = made("boosted_trees").fit(problem).score(rows.inputs.csr(), rows.dense)
        assert threads() == 2
    assert seen == [1 if few else 2]
    assert (scores == expected).all()


VOCABULARY = Vocabulary.of({"a": 3, "b": 2, "c": 1})
LISTS = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1]], np.float32)


def rows_of(target: list[float]) -> ExampleSet:
    n = len(target)
    return ExampleSet(
        pl.Series(["x", "y", "z"][:n]),
        SparseRows.of(sparse.csr_matrix(LISTS[:n])),
        SparseRows.of(sparse.csr_matrix((n, 3))),
        np.empty((n, 0)),
        np.array(target),
    )


def test_popularity_ranks_by_the_examples_that_have_a_token(movies: Dataset) -> None:
    fitted = Popularity().fit(Problem(rows_of([np.nan] * 3), VOCABULARY, movies))
    scores = fitted.score(sparse.csr_matrix((2, 3), dtype=np.float32), np.empty((2, 0)))
    assert np.exp(scores).tolist() == pytest.approx(np.array([[4 / 4, 3 / 4, 2 / 4]] * 2))
    assert fitted.embedding.matrix.shape == (3, 1)


def test_the_mean_of_a_logged_target_is_the_geometric_one(homes: Dataset) -> None:
    fitted = Mean().fit(Problem(rows_of([1.0, 10.0, 100.0]), VOCABULARY, homes))
    assert fitted.score(sparse.csr_matrix((2, 3)), np.empty((2, 0))).tolist() == pytest.approx([10, 10])
    assert (fitted.embedding.matrix == 0).all()


@pytest.mark.parametrize("n", [3, 2])
def test_ease_is_ridge_regression_of_each_token_on_the_others(n: int, movies: Dataset) -> None:
    """Column j of the item weights minimises |x_j - X b|^2 + lambda |b|^2 with b_j = 0 (Steck, 2019).

    This also holds where there are fewer rows than tokens, and the inverse is solved for by the rows.
    """
    fitted = Ease(regularisation=2.0).fit(Problem(rows_of([np.nan] * n), VOCABULARY, movies))
    assert fitted.inverse.is_factor == (n < 3)
    item_weights = fitted.score(sparse.identity(3, format="csr"), np.empty((3, 0)))
    for j in range(3):
        others = [i for i in range(3) if i != j]
        x = LISTS[:n, others]
        expected = np.linalg.solve(x.T @ x + 2 * np.eye(2), x.T @ LISTS[:n, j])
        assert item_weights[others, j] == pytest.approx(expected, rel=1e-5)
        assert item_weights[j, j] == pytest.approx(0, abs=1e-6)


BRIEF = {
    "ease": {"regularisation": 1.0},
    "item_knn": {"weighting": "cosine", "neighbours": 3},
}
"""Settings for three tokens."""


@pytest.mark.parametrize("method", ["popularity", "ease", "item_knn"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_baseline_learns_from_what_tokens_weigh(method: str, dtype: str, movies: Dataset) -> None:
    """Lists (a, b) and (a, c), in which b and c weigh the same, and then b much more: b is foretold above c."""

    def b_above_c(weight: float) -> float:
        lists = sparse.csr_matrix(np.array([[1, weight, 0], [1, 0, 1 / weight], [0, 0, 1]] * 3))
        rows = replace(rows_of([np.nan] * 3), ids=pl.Series(map(str, range(9))), inputs=SparseRows.of(lists))
        conf = movies.model_copy(update={"precision": int(dtype[-2:])})
        fitted = Baseline.kinds()[method](**BRIEF.get(method, {})).fit(Problem(rows, VOCABULARY, conf))
        again = Baseline.kinds()[method].restore(fitted.embedding, fitted.weights, conf)
        score = again.score(sparse.csr_matrix([[1.0, 0, 0]]), np.empty((1, 0)))[0]
        return float(score[1] - score[2])

    assert b_above_c(4.0) > b_above_c(1.0) + 0.05
