import numpy as np
import polars as pl
import pytest
import torch
from scipy import sparse

from pipeline.batches import Lists
from pipeline.config import MissingTokensTraining, RegressionTraining
from pipeline.encoding import Rows
from pipeline.starts import missing_tokens_network, regression_network


@pytest.fixture
def rows() -> Rows:
    """200 lists over 50 tokens, the first ones a hundred times as frequent as the last."""
    random = np.random.default_rng(0)
    matrix = (random.random((200, 50)) < np.geomspace(0.9, 0.02, 50)).astype(np.float32)
    empty = sparse.csr_matrix(matrix.shape, dtype=np.float32)
    return Rows(pl.Series(map(str, range(200))), sparse.csr_matrix(matrix), empty, np.empty((200, 0)), np.ones(200))


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_the_logits_start_with_the_spread_that_conf_asks_for(rows: Rows, temperature: float) -> None:
    """Measured the plain way: every training list's logits without bias, each token as often as it occurs."""
    settings = MissingTokensTraining(temperature=temperature, start_spread=3.0)
    network = missing_tokens_network(rows, settings, 4, seed=0).eval()
    lists = Lists.of(rows.inputs)
    with torch.inference_mode():
        logits = (network(lists.tokens, lists.offsets) - network.bias).numpy()
    n = rows.inputs.getnnz(axis=0)
    assert np.sqrt((logits**2 @ n / n.sum()).mean()) == pytest.approx(3.0, rel=1e-3)


def test_the_bias_starts_at_the_popularity(rows: Rows) -> None:
    bias = missing_tokens_network(rows, MissingTokensTraining(), 2, seed=0).bias.detach().numpy()
    assert np.argsort(-bias, kind="stable").tolist() == np.argsort(-rows.inputs.getnnz(axis=0), kind="stable").tolist()


def test_a_regression_starts_with_hidden_nodes_of_variance_1_and_predicts_the_mean(rows: Rows) -> None:
    network = regression_network(rows, RegressionTraining(), 3, seed=0, n_dense=0).eval()
    weighted = rows.inputs @ sparse.diags(network.weight.numpy())
    hidden = weighted @ network.table.detach().numpy()
    assert hidden.var(axis=0, ddof=1) == pytest.approx(np.ones(3), rel=1e-3)
    lists = Lists.of(rows.inputs)
    with torch.inference_mode():
        assert (network(lists.tokens, lists.offsets, torch.empty(200, 0)) == 0).all()
