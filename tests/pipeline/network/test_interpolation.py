"""How far a fit goes from where its training begins, a linear model that is solved for, to the last epoch."""

import logging
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from pipeline.config.dataset import Dataset
from pipeline.config.training import INTERPOLATION
from pipeline.embedding import Problem, Watch
from pipeline.evaluation.metrics import measure
from pipeline.network.contest import SHARES, UNKNOWN_SHARE
from pipeline.network.fitted_network import FittedNetwork, between
from pipeline.network.learned import LearnedEmbedding
from tests.conftest import encoded_from


@pytest.fixture(scope="module")
def trips() -> pl.DataFrame:
    """Planted: 1,200 notes; by day the first four words tell of a town, by night of the sea."""
    random = np.random.default_rng(0)
    has = random.random((1200, 8)) < 0.3
    hour = random.normal(size=1200)
    at_sea = (hour > 0) == has[:, :4].any(axis=1)
    place = np.where(at_sea, "sea", "town")
    text = [" ".join(f"w{i}" for i in np.flatnonzero(row)) for row in has]
    return pl.DataFrame({"text": text, "hour": hour, "place": place}).filter(pl.col("text") != "")


@pytest.fixture
def learned(trips: pl.DataFrame, notes: Dataset) -> Problem:
    conf = notes.model_copy(update={"training": notes.training.model_copy(update={"max_epochs": 12})})
    vocabulary, examples = encoded_from(trips, conf)
    conf = conf.resolved(examples.n_training, len(vocabulary))
    return Problem(examples.training(), vocabulary, conf, 2, examples.held_out("validation"))


def loss(fit: FittedNetwork, problem: Problem) -> float:
    assert problem.validation is not None
    return measure(problem.conf.task, problem.conf.task.evaluate(fit, problem.validation))["log_loss"]


def test_validation_chooses_how_far_a_fit_goes(learned: Problem) -> None:
    kept = LearnedEmbedding(learned.conf).fit(learned)
    assert 0 < kept.chosen[INTERPOLATION] <= 1  # a linear model does not know that the hour turns what a word means
    last = {**kept.chosen, "epochs": 12}
    others = [LearnedEmbedding(learned.conf).fit(replace(learned, chosen={**last, INTERPOLATION: w})) for w in SHARES]
    losses = [loss(other, learned) for other in others]
    assert loss(kept, learned) == pytest.approx(min(losses), abs=1e-3)
    assert losses[0] > min(losses) + 0.05


def test_a_refit_goes_as_far_and_without_validation_a_fit_goes_most_of_the_way(learned: Problem) -> None:
    kept = LearnedEmbedding(learned.conf).fit(learned)
    again = LearnedEmbedding(learned.conf).fit(replace(learned, validation=None, chosen=kept.chosen))
    assert again.chosen == kept.chosen
    assert all((again.weights[name] == kept.weights[name]).all() for name in kept.weights)
    alone = LearnedEmbedding(learned.conf).fit(replace(learned, validation=None))
    assert (alone.chosen[INTERPOLATION], alone.chosen["epochs"]) == (UNKNOWN_SHARE, 12)


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_a_training_tells_of_all_its_epochs_however_far_its_fit_goes(
    learned: Problem, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    monkeypatch.setattr("pipeline.network.contest.SHARES", (share,))
    seen: list[int] = []
    watch = Watch("notes", logging.getLogger("test"), lambda _, epoch: seen.append(epoch))
    kept = LearnedEmbedding(learned.conf).fit(replace(learned, watch=watch))
    assert seen == list(range(1, 13))
    assert kept.chosen["epochs"] == (12 if share else 0)


def test_between_two_networks_lies_what_was_learned_and_the_rest_stays(learned: Problem) -> None:
    fit = LearnedEmbedding(learned.conf).fit(replace(learned, validation=None, chosen=None))
    chosen = {**fit.chosen, INTERPOLATION: 1.0}
    start, end = (
        LearnedEmbedding(learned.conf).fit(replace(learned, chosen={**chosen, "epochs": epochs})) for epochs in (0, 12)
    )
    middle = between(start, end, 0.25)
    assert middle.weights["table.weight"] == pytest.approx(
        0.75 * start.weights["table.weight"] + 0.25 * end.weights["table.weight"]
    )
    assert not np.allclose(start.weights["table.weight"], end.weights["table.weight"])
    assert middle.embedding.matrix == pytest.approx(
        0.75 * start.embedding.matrix + 0.25 * end.embedding.matrix, abs=1e-6
    )
    for name in ("weight", "mean_bag", "target_share", "target_classes"):
        assert (middle.weights[name] == end.weights[name]).all()
