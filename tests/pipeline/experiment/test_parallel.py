"""Fits are done in several processes where cores and memory are free, and come to the same bits."""

import logging
from typing import Any
from unittest.mock import Mock

import numpy as np
import polars as pl
import pytest

from pipeline.config.dataset import Dataset
from pipeline.config.records import Split
from pipeline.config.size import Size
from pipeline.estimators import estimator
from pipeline.experiment import parallel as module
from pipeline.experiment.cross_fitting import CrossFit, CrossFitted
from pipeline.experiment.fitting import fit_all
from pipeline.experiment.helpers import helpers
from pipeline.experiment.parallel import processes_for
from pipeline.experiment.piece_queue import PieceQueue
from pipeline.experiment.tracking import Tracker
from tests.conftest import encoded_from

LOG = logging.getLogger(__name__)
SMALL, WIDE = Size(1_000, 1_000, 50_000, 8), Size(1_000, 10**6, 50_000, 8)


def test_fits_with_short_steps_may_have_as_many_processes_as_cores_and_memory(
    movies: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = movies.resolved(SMALL.n, SMALL.v)
    learned, pca = (estimator(name, conf) for name in ("embedding", "pca"))
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    assert processes_for(learned, SMALL, 8) == 8
    assert processes_for(learned, WIDE, 8) == 1  # its steps take all cores
    assert processes_for(pca, SMALL, 8) == 8
    assert processes_for(pca, WIDE, 8) == 1
    monkeypatch.setattr(module, "free_memory", lambda: 3 * 10**9)
    assert 1 < processes_for(learned, SMALL, 8) < 8
    monkeypatch.setattr(module, "free_memory", lambda: 10**6)
    assert processes_for(learned, SMALL, 8) == 1
    monkeypatch.setattr(module, "free_memory", lambda: 10**12)
    monkeypatch.setenv("OMP_NUM_THREADS", "4,2")  # OpenMP's own way to say how many within how many
    assert processes_for(learned, SMALL, 8) == 4
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert processes_for(learned, SMALL, 8) >= 1


@pytest.mark.usefixtures("another_process")
@pytest.mark.parametrize("split", [Split(folds=4), Split()])
def test_side_by_side_a_fit_comes_to_the_same_bits(
    split: Split, movies: Dataset, two_genres: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = movies.training.model_copy(update={"max_epochs": 4})
    conf = movies.model_copy(update={"split": split, "seeds": 3, "refit": True, "training": training})
    vocabulary, examples = encoded_from(two_genres, conf)
    conf = conf.resolved(examples.n_training, len(vocabulary))
    elsewhere = Mock(wraps=helpers.result)
    monkeypatch.setattr(helpers, "result", elsewhere)

    def fitted(processes: int) -> tuple[CrossFitted, list[Any]]:
        monkeypatch.setenv("OMP_NUM_THREADS", str(processes))
        losses: list[Any] = []
        how = estimator("embedding", conf), "embedding D=2", conf, vocabulary, examples, 2
        with PieceQueue() as queue:
            done = CrossFit(queue, *how).done(lambda found, epoch: losses.append((dict(found), epoch)), LOG)
        assert elsewhere.called == (processes > 1)
        return done, losses

    (alone, losses), (shared, same_losses) = fitted(1), fitted(2)
    assert losses == same_losses
    assert alone.chosen == shared.chosen
    assert alone.chance == shared.chance
    for part, frame in alone.scores.items():
        assert frame.equals(shared.scores[part])
    for name, weights in alone.fitted.weights.items():
        np.testing.assert_array_equal(weights, shared.fitted.weights[name])


@pytest.mark.usefixtures("another_process")
@pytest.mark.parametrize("split", [Split(folds=3), Split()])
def test_a_fit_that_others_did_ahead_leaves_the_run_of_one_that_was_done_here(
    split: Split, movies: Dataset, two_genres: pl.DataFrame, tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = movies.training.model_copy(update={"max_epochs": 2})
    conf = movies.model_copy(update={"split": split, "dimensions": (2, 3), "seeds": 1, "training": training})
    vocabulary, examples = encoded_from(two_genres, conf)
    elsewhere = Mock(wraps=helpers.result)
    monkeypatch.setattr(helpers, "result", elsewhere)

    def fitted(processes: int) -> list[tuple[Any, ...]]:
        monkeypatch.setenv("OMP_NUM_THREADS", str(processes))
        fits = fit_all(["embedding"], conf, vocabulary, examples, tracker, force=True).fits
        assert elsewhere.called == (processes > 1)
        told = ("train_loss", "validation_loss", "refit_train_loss")
        return [
            (
                fit.name,
                {name: value for name, value in fit.metrics.items() if not name.endswith("_seconds")},
                [tracker.history(fit.run_id, name) for name in told],
            )
            for fit in fits
        ]

    assert fitted(1) == fitted(2)
