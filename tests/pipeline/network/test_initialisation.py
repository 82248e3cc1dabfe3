import numpy as np
import polars as pl
import pytest
import torch
from scipy import sparse

from pipeline.baselines.principal_components import principal_components
from pipeline.examples.example_set import ExampleSet, SparseRows
from pipeline.network import missing_tokens_start
from pipeline.network.lists import Lists
from pipeline.network.missing_tokens_start import missing_tokens_network
from pipeline.network.target_start import target_network
from pipeline.tasks.missing_tokens import MissingTokensTraining
from pipeline.tasks.regression import RegressionTraining


@pytest.fixture
def rows() -> ExampleSet:
    """200 lists over 50 tokens, the first ones a hundred times as frequent as the last."""
    random = np.random.default_rng(0)
    matrix = (random.random((200, 50)) < np.geomspace(0.9, 0.02, 50)).astype(np.float32)
    empty = sparse.csr_matrix(matrix.shape, dtype=np.float32)
    return ExampleSet(
        pl.Series(map(str, range(200))),
        SparseRows.of(sparse.csr_matrix(matrix)),
        SparseRows.of(empty),
        np.empty((200, 0)),
        np.ones(200),
    )


def test_missing_tokens_start_at_pca_s_places_of_length_1_between_covariance_and_correlation(rows: ExampleSet) -> None:
    network = missing_tokens_network(rows, MissingTokensTraining(), 3, temperature=0.5, seed=0)
    table = network.table.weight.detach().numpy()
    counts = rows.inputs.csr().toarray().sum(axis=0)
    pca = principal_components(sparse.csr_matrix(rows.inputs.csr().toarray() / counts**0.25), 3, seed=0)
    loadings = pca.loadings
    assert np.square(table).sum(axis=1).mean() == pytest.approx(1, rel=1e-5)
    assert table / np.linalg.norm(table) == pytest.approx(loadings / np.linalg.norm(loadings), abs=1e-6)
    assert (network.bias.weight == 0).all()
    assert (float(network.temperature), float(network.lift)) == (0.5, 1.0)


def test_a_regression_starts_with_hidden_nodes_of_variance_1_and_predicts_the_mean(rows: ExampleSet) -> None:
    dense, target = np.empty((200, 0)), np.random.default_rng(1).normal(size=200)
    network = target_network(rows, RegressionTraining(dropout=0.3, members=1), 3, 0, dense, target).eval()
    weighted = rows.inputs.csr() @ sparse.diags(network.weight.numpy())
    hidden = weighted @ network.table.weight.detach().numpy()
    assert hidden.var(axis=0) == pytest.approx(np.ones(3), rel=0.01)
    lists = Lists.of(rows.inputs.csr())
    with torch.inference_mode():
        assert (network(lists, torch.empty(200, 0)) == 0).all()


def test_where_training_begins_a_direction_is_exact(rows: ExampleSet) -> None:
    """To the last digits that count: processors approach the solution along different paths."""
    target = np.random.default_rng(1).normal(size=200)
    network, roughly = (
        target_network(rows, RegressionTraining(dropout=0.3, members=1), 1, 0, np.empty((200, 0)), target, roughly=some)
        for some in (False, True)
    )
    bags = rows.inputs.csr().toarray() * network.weight.numpy()
    centred = bags - bags.mean(axis=0)
    exact = np.linalg.solve(centred.T @ centred + np.eye(50), centred.T @ target)
    exact /= (bags @ exact).std()
    assert network.table.weight.detach().numpy()[:, 0] == pytest.approx(exact, rel=1e-9, abs=1e-9)
    assert roughly.table.weight.detach().numpy()[:, 0] == pytest.approx(exact, abs=1e-2)


@pytest.mark.parametrize("dimension", [1, 4])
def test_its_first_dimension_starts_at_what_the_tokens_add_beside_the_dense_features(
    rows: ExampleSet, dimension: int
) -> None:
    """Planted: tokens 3 and 7 add .8 and -.8, and a dense feature, which token 3 comes with, adds its own."""
    has = rows.inputs.csr().toarray()
    dense = has[:, [3]] + np.random.default_rng(2).normal(0, 0.5, (200, 1))
    target = 0.8 * has[:, 3] - 0.8 * has[:, 7] + 2 * dense[:, 0]
    network = target_network(rows, RegressionTraining(dropout=0.3, members=1), dimension, 0, dense, target)
    added = (network.table.weight[:, 0] * network.weight).detach().numpy()
    assert network.table.weight.shape == (50, dimension)
    assert (added.argmax(), added.argmin()) == (3, 7)
    assert np.abs(np.delete(added, [3, 7])).max() < 0.5 * min(added[3], -added[7])


def test_tokens_that_say_nothing_start_at_0(rows: ExampleSet) -> None:
    network = target_network(rows, RegressionTraining(dropout=0.3, members=1), 1, 0, np.empty((200, 0)), np.zeros(200))
    assert (network.table.weight == 0).all()


def test_of_many_pairs_a_sample_tells_where_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two genres that share no movie: a sample of the users tells them apart as well as all users."""
    random = np.random.default_rng(0)
    genre = random.integers(2, size=400)
    lists = sparse.csr_matrix(np.array([np.where(np.arange(40) // 20 == g, random.random(40) < 0.4, 0) for g in genre]))
    n = lists.shape[0]
    rows = ExampleSet(
        pl.Series([str(i) for i in range(n)]),
        SparseRows.of(lists.astype(np.float32)),
        SparseRows.of(sparse.csr_matrix(lists.shape, dtype=np.float32)),
        np.empty((n, 0)),
        np.full(n, np.nan),
    )
    settings = MissingTokensTraining(negatives=8).resolved(n, 40)
    monkeypatch.setattr(missing_tokens_start, "MOST_PAIRS", lists.nnz // 4)
    assert missing_tokens_start._sample_of(rows.inputs, 1).shape[0] == 100
    table = missing_tokens_network(rows, settings, 1, 0.2, 1).table.weight.detach().numpy()
    assert len(set(np.sign(table[:20, 0]))) == len(set(np.sign(table[20:, 0]))) == 1
    assert np.sign(table[0, 0]) != np.sign(table[20, 0])
