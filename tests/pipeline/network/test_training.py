import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from scipy import sparse

from pipeline.baselines.pca import Pca
from pipeline.config.dataset import Dataset
from pipeline.config.records import Split
from pipeline.embedding import Problem, Watch
from pipeline.errors import PipelineError
from pipeline.evaluation.metrics import measure
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.network.batches import Batches
from pipeline.network.callbacks import CLEARLY, BestEpoch
from pipeline.network.fitted_network import FittedNetwork
from pipeline.network.learned import LearnedEmbedding
from pipeline.network.lists import Lists
from pipeline.network.losses import softmax_loss
from pipeline.network.missing_tokens_module import MissingTokensModule
from pipeline.network.missing_tokens_network import MissingTokensNetwork
from pipeline.network.regression_module import RegressionModule
from tests.conftest import encoded_from

LOG = logging.getLogger("test")
WORDS = {
    "castle": 0.9,
    "palace": 0.8,
    "garden": 0.4,
    "cellar": 0.3,
    "street": 0.0,
    "busy": -0.3,
    "damp": -0.6,
    "ruin": -0.9,
}
WORTH = list(WORDS)  # from most to least, as `conftest` plants it


_FITTED: dict[str, tuple[FittedNetwork, SparseExamples, list[Any]]] = {}
"""Fits that several tests share, by their settings: the same seed gives the same bits, as one of the tests shows."""


def fitted(records: pl.DataFrame, conf: Dataset) -> tuple[FittedNetwork, SparseExamples, list[Any]]:
    if conf.model_dump_json() not in _FITTED:
        _FITTED[conf.model_dump_json()] = trained(records, conf)
    return _FITTED[conf.model_dump_json()]


def trained(
    records: pl.DataFrame, conf: Dataset, dimension: int = 2
) -> tuple[FittedNetwork, SparseExamples, list[Any]]:
    vocabulary, examples = encoded_from(records, conf)
    training = examples.training()
    epochs: list[Any] = []
    conf = conf.resolved(len(training), len(vocabulary))
    watch = Watch("planted", LOG, lambda losses, epoch: epochs.append((epoch, losses)))
    validation = examples.held_out("validation")
    network = learned(Problem(training, vocabulary, conf, dimension, validation, watch=watch))
    return network, examples, epochs


def learned(problem: Problem) -> FittedNetwork:
    network = LearnedEmbedding(problem.conf).fit(problem)
    assert isinstance(network, FittedNetwork)
    return network


def test_neighbours_are_of_the_planted_genre_for_the_network_and_for_pca(
    two_genres: pl.DataFrame, movies: Dataset
) -> None:
    network, examples, _ = fitted(two_genres, movies)
    pca = Pca().fit(Problem(examples.training(), network.embedding.vocabulary, movies, 2))
    for embedding in (network.embedding, pca.embedding):
        for token in embedding.vocabulary.tokens["token"]:
            nearest = embedding.neighbours(token, k=5)["token"]
            assert {found.split("-")[0] for found in nearest} == {token.split("-")[0]}


def test_words_are_ordered_by_their_planted_worth_for_the_network_and_for_pca(
    priced_words: pl.DataFrame, homes: Dataset
) -> None:
    """The effect of a word on the price: held-out homes with it against the same homes without it."""
    network, examples, _ = fitted(priced_words, homes)
    vocabulary = network.embedding.vocabulary
    pca = Pca().fit(Problem(examples.training(), vocabulary, homes, len(vocabulary) - 1))
    rows = examples.held_out("test")
    for fit in (network, pca):
        worth = {}
        for i, word in enumerate(vocabulary.labels):
            without, with_word = rows.inputs.csr().tolil(), rows.inputs.csr().tolil()
            without[:, i], with_word[:, i] = 0, 1
            with_price, price = (fit.score(sparse.csr_matrix(m), rows.dense) for m in (with_word, without))
            worth[word] = float(np.log(with_price / price).mean())
        assert sorted(worth, key=worth.get, reverse=True) == WORTH  # type: ignore[arg-type]


def test_the_direction_of_the_price_orders_the_words_in_the_latent_space(
    priced_words: pl.DataFrame, homes: Dataset
) -> None:
    """There is a line through two dimensions on which all eight words lie in the order of their worth."""
    network, _, _ = fitted(priced_words, homes)
    embedding = network.embedding
    vectors = embedding.matrix[embedding.vocabulary.encode(WORTH)]
    direction, *_ = np.linalg.lstsq(vectors, [WORDS[word] for word in WORTH], rcond=None)
    along = vectors @ direction
    assert along.tolist() == sorted(along, reverse=True)


def test_the_end_of_the_schedule_is_kept_where_validation_shows_nothing(
    priced_words: pl.DataFrame, homes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nine homes validate: whatever they say may be chance. Prices are sums here: only training is looked at."""
    both = RegressionModule.promising
    monkeypatch.setattr(RegressionModule, "promising", lambda *given: both(*given)[:1])
    network, _, epochs = fitted(priced_words, homes.model_copy(update={"split": Split(validation=0.015, test=0.2)}))
    losses = [losses["validation_loss"] for _, losses in epochs]
    assert int(np.argmin(losses)) + 1 < len(losses)
    assert network.chosen["epochs"] == len(epochs)


def test_an_earlier_epoch_is_kept_where_validation_shows_it_to_be_better(
    two_genres: pl.DataFrame, movies: Dataset
) -> None:
    """96 users and nothing to learn but two genres: after a few steps the network learns the users by heart."""
    network, examples, epochs = fitted(two_genres, movies)
    losses = [losses["validation_loss"] for _, losses in epochs]
    assert [epoch for epoch, _ in epochs] == list(range(1, len(epochs) + 1))
    assert network.chosen["epochs"] == int(np.argmin(losses)) + 1 < len(epochs)
    rows = examples.held_out("validation")
    logits = torch.from_numpy(network.score(rows.inputs.csr(), rows.dense))
    seen, labels = Lists.of(rows.inputs.csr()), Lists.of(rows.labels.csr())
    v = logits.shape[1]
    kept = softmax_loss(logits, torch.eye(v), torch.zeros(v), labels, 1.0, seen.joined(labels))
    assert float(kept) == pytest.approx(min(losses), rel=1e-4)


def test_training_stops_early(two_genres: pl.DataFrame, movies: Dataset) -> None:
    settings = movies.training.model_copy(update={"patience": 2, "max_epochs": 200, "learning_rate": 0.2})
    network, _, epochs = fitted(two_genres, movies.model_copy(update={"training": settings}))
    losses = [losses["validation_loss"] for _, losses in epochs]
    assert network.chosen["epochs"] == int(np.argmin(losses)) + 1 == len(epochs) - 2


def test_an_epoch_is_kept_until_one_has_a_clearly_lower_loss(tmp_path: Path) -> None:
    """The processor decides the last digits of a loss, and so they are no reason to prefer a later epoch."""
    best = BestEpoch(tmp_path / "best.ckpt", patience=None)
    kept = []
    for epoch, loss in enumerate((2.0, 1.0, 1.0 - CLEARLY / 10, 1.5, 1.0 - 2 * CLEARLY)):
        trainer = SimpleNamespace(current_epoch=epoch, is_global_zero=True)
        module = SimpleNamespace(network=torch.nn.Linear(1, 1), epoch_losses={"validation_loss": loss})
        best.on_train_epoch_end(trainer, module)  # type: ignore[arg-type]
        kept.append(best.epoch)
    assert kept == [1, 2, 2, 2, 5]


@pytest.mark.parametrize(("data", "name"), [("two_genres", "movies"), ("priced_words", "homes")])
def test_numbers_of_32_bits_learn_what_those_of_64_do(data: str, name: str, request: pytest.FixtureRequest) -> None:
    records, conf = request.getfixturevalue(data), request.getfixturevalue(name)
    found = []
    for precision in (32, None):
        network, examples, _ = fitted(records, conf.model_copy(update={"precision": precision}))
        assert network.weights["table.weight"].dtype == f"float{precision or 64}"
        assert network.embedding.matrix.dtype == "float32"
        found.append(measure(conf.task, conf.task.evaluate(network, examples.held_out("test"))))
    metric = "recall_at_20" if name == "movies" else "r2_log"
    assert found[0][metric] == pytest.approx(found[1][metric], abs=0.02)


@pytest.mark.parametrize(("data", "name"), [("two_genres", "movies"), ("priced_words", "homes")])
def test_the_same_seed_gives_the_same_bits_and_another_does_not(
    data: str, name: str, request: pytest.FixtureRequest
) -> None:
    records, conf = request.getfixturevalue(data), request.getfixturevalue(name)
    conf = conf.model_copy(update={"training": conf.training.model_copy(update={"max_epochs": 5})})
    torch.manual_seed(1)
    once, _, _ = trained(records, conf)
    torch.manual_seed(2)  # what else happens in the process plays no part
    again, _, _ = trained(records, conf)
    other, _, _ = fitted(records, conf.model_copy(update={"seed": 2}))
    for key, array in once.weights.items():
        assert (again.weights[key] == array).all(), key
    assert (other.embedding.matrix != once.embedding.matrix).any()


def test_training_without_validation_keeps_the_last_epoch(two_genres: pl.DataFrame, movies: Dataset) -> None:
    vocabulary, examples = encoded_from(two_genres, movies)
    training = examples.training()
    conf = movies.resolved(len(training), len(vocabulary))
    network = learned(Problem(training, vocabulary, conf, 2))
    settings = conf.training
    first = {"temperature": settings.temperature[0], "weight_decay": 0.0, "cut": 0, "count_power": 0.25}
    assert network.chosen == {"epochs": settings.max_epochs, **first}
    assert movies.task.evaluate(network, examples.held_out("test"))["recall_at_20"].mean() > 0.5


def test_what_validation_chose_is_followed_as_far_as_that_and_to_the_same_bits(
    two_genres: pl.DataFrame, movies: Dataset
) -> None:
    network, examples, epochs = fitted(two_genres, movies)
    training = examples.training()
    vocabulary = network.embedding.vocabulary
    conf = movies.resolved(len(training), len(vocabulary))
    losses: list[int] = []
    watch = Watch("again", LOG, lambda _, epoch: losses.append(epoch))
    again = learned(Problem(training, vocabulary, conf, 2, chosen=network.chosen, watch=watch))
    assert len(losses) == network.chosen["epochs"] <= len(epochs)
    assert (again.embedding.matrix == network.embedding.matrix).all()


def test_of_several_temperatures_validation_chooses(two_genres: pl.DataFrame, movies: Dataset) -> None:
    def trained(*temperature: float) -> tuple[FittedNetwork, SparseExamples, list[Any]]:
        settings = movies.training.model_copy(update={"temperature": temperature, "max_epochs": 8})
        return fitted(two_genres, movies.model_copy(update={"training": settings}))

    both, examples, epochs = trained(0.2, 5.0)
    rows = examples.held_out("validation")
    recall = {t: movies.task.evaluate(trained(t)[0], rows)["recall_at_20"].mean() for t in (0.2, 5.0)}
    assert both.chosen["temperature"] == max(recall, key=recall.get)  # type: ignore[arg-type]
    assert [epoch for epoch, _ in epochs] == list(range(1, 9))  # the losses of the temperature that is kept


def test_a_network_with_sampled_negatives_and_a_share_of_the_input_learns_too(
    two_genres: pl.DataFrame, movies: Dataset
) -> None:
    settings = movies.training.model_copy(update={"negatives": 8, "input_share": (0.3, 0.8), "dropout": 0.1})
    network, examples, _ = fitted(two_genres, movies.model_copy(update={"training": settings}))
    assert movies.task.evaluate(network, examples.held_out("test"))["ndcg_at_20"].mean() > 0.5


@pytest.mark.parametrize(("data", "name"), [("two_genres", "movies"), ("priced_words", "homes")])
def test_a_training_that_diverges_is_told_with_the_cure(data: str, name: str, request: pytest.FixtureRequest) -> None:
    conf = request.getfixturevalue(name)
    rates = {"learning_rate": 1e30} if name == "homes" else {"bias_learning_rate": 1e308}
    settings = conf.training.model_copy(update=rates)
    with pytest.raises(
        PipelineError, match=r"planted_\w+.yaml, training: .* the training diverged\. Lower `training.learning_rate`"
    ):
        fitted(request.getfixturevalue(data), conf.model_copy(update={"training": settings}))


@pytest.mark.parametrize("share", [(1.0, 1.0), (0.3, 0.8)])
def test_a_step_on_touched_rows_has_the_loss_and_gradients_of_one_on_the_whole_table(
    two_genres: pl.DataFrame, movies: Dataset, share: tuple[float, float]
) -> None:
    """With so many draws that every token is drawn and stands for itself, nothing is estimated any more."""
    _, examples = encoded_from(two_genres, movies)
    rows = examples.training()
    v = rows.inputs.size
    batch = Batches(rows, rows.dense, rows.target)[range(16)]
    found = []
    for negatives in (0, 100_000):
        settings = movies.training.resolved(len(rows), v).model_copy(
            update={"negatives": negatives, "input_share": share}
        )
        torch.manual_seed(0)
        network = MissingTokensNetwork(torch.randn(v, 3), torch.randn(v), 1.0, 0.5, 0.0)
        module = MissingTokensModule(network, settings, 1, rows.inputs.counts)
        torch.manual_seed(1)
        loss = module.loss(batch)
        loss.backward()
        gradients = [parameter.grad.to_dense() for parameter in network.parameters()]
        found.append((loss.detach(), gradients))
    torch.testing.assert_close(found[1], found[0], rtol=1e-3, atol=1e-4)
