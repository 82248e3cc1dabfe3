import logging
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from pipeline.network import progress
from pipeline.network.callbacks import ProgressLines
from pipeline.network.progress import Pace


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that shows the only number of this list."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


BATCH = {"inputs": SimpleNamespace(tokens=torch.zeros(5000))}


def test_pace_and_time_left_are_those_of_the_steps_that_are_done(clock: list[float]) -> None:
    pace = Pace(100)
    clock[0] += 2
    pace.count(BATCH)
    assert (pace.pairs_per_second, pace.left) == ("2,500 pairs/s", "3 min 18 s left")
    clock[0] += 2
    for _ in range(79):
        pace.count(BATCH)
    assert (pace.pairs_per_second, pace.left) == ("100,000 pairs/s", "1 s left")
    together = Pace(100)
    clock[0] += 2
    together.count(BATCH, processes=2)
    assert together.pairs_per_second == "5,000 pairs/s"


def test_lines_tell_pace_within_an_epoch_and_losses_at_its_end_and_get_rarer(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    trainer: Any = SimpleNamespace(
        num_training_batches=100,
        max_epochs=2,
        current_epoch=0,
        callback_metrics={"train_loss": torch.tensor(0.5)},
        global_step=0,
        world_size=1,
        is_global_zero=True,
    )
    module: Any = None
    with caplog.at_level(logging.INFO):
        lines = ProgressLines("movies", logging.getLogger("movies").info)
        lines.on_train_start(trainer, module)
        for i in range(100):
            clock[0] += 1
            lines.on_train_batch_end(trainer, module, None, BATCH, i)
        lines.on_train_epoch_end(trainer, module)
    said = [record.message for record in caplog.records]
    assert said[0] == "movies: epoch 1 of at most 2, 5% of it, 5,000 pairs/s, 3 min 15 s left"
    assert said[-1].startswith("movies: epoch 1 of at most 2, ")
    assert len([line for line in said if "pairs/s" in line]) < 19
    clock[0] += 60
    with caplog.at_level(logging.INFO):
        lines.on_train_epoch_end(trainer, module)
    assert caplog.records[-1].message == "movies: epoch 1 of at most 2, train_loss 0.5000"
