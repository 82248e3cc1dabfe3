import fcntl
import logging
import os
import pty
import re
import select
import struct
import sys
import termios
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from pipeline.embedding import Position, Watch
from pipeline.network import progress
from pipeline.network.callbacks import ProgressLines, progress_callbacks
from pipeline.network.progress import Pace
from tests.conftest import PATIENCE


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


@pytest.fixture
def trainer() -> Any:
    return SimpleNamespace(
        num_training_batches=100,
        max_epochs=2,
        current_epoch=0,
        global_step=0,
        world_size=1,
        is_global_zero=True,
    )


def test_time_left_in_all_goes_on_to_the_expected_end_and_at_least_to_the_last_step(clock: list[float]) -> None:
    pace = Pace(10)
    clock[0] += 2
    pace.count(BATCH)
    assert pace.left_in_all(end=clock[0] + 125) == "2 min 05 s left in all"
    assert pace.left_in_all(end=clock[0] - 1) == "18 s left in all"


@pytest.mark.parametrize(("end", "left"), [(None, r"[\w ]+ s left"), (0.0, r"[\w ]+ s left in all")])
def test_a_bar_names_the_fit_its_place_among_all_and_the_time_left_within_80_columns(
    trainer: Any, monkeypatch: pytest.MonkeyPatch, end: float | None, left: str
) -> None:
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    module: Any = None
    with os.fdopen(terminal, "w") as screen:
        monkeypatch.setattr(sys, "stderr", screen)
        watch = Watch("movies: embedding D=32, fold 3 of 5, refit", position=Position(3, 15, end))
        (bar,) = progress_callbacks(watch, print)
        bar.on_train_start(trainer, module)
        for i in range(150):
            bar.on_train_batch_end(trainer, module, None, BATCH, i % 100)
        bar.bar.refresh()  # type: ignore[attr-defined]
        written = b""
        while b"left" not in written or not written.rstrip().endswith(b"|"):  # what is written comes out bit by bit
            assert select.select([controller], [], [], PATIENCE)[0]
            written += os.read(controller, 2**20)
        bar.on_train_end(trainer, module)
    shown = written.decode().split("\r")
    assert max(map(len, shown)) <= 80
    last = next(line for line in reversed(shown) if "left" in line)
    assert re.fullmatch(rf"3/15 movies: embedding D=32, fold 3 of 5, refit +\d+%, {left} \|.+\| *", last)


def test_lines_tell_pace_within_an_epoch_and_losses_at_its_end_and_get_rarer(
    trainer: Any, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    module: Any = SimpleNamespace(epoch_losses={"train_loss": 0.5})
    with caplog.at_level(logging.INFO):
        lines = ProgressLines("movies", logging.getLogger("movies").info)
        lines.on_train_start(trainer, module)
        for i in range(100):
            clock[0] += 1
            lines.on_train_batch_end(trainer, module, None, BATCH, i)
        clock[0] += 60
        lines.on_train_epoch_end(trainer, module)
    said = [record.message for record in caplog.records]
    assert said[0] == "movies: epoch 1 of at most 2, 5% of it, 5,000 pairs/s, 3 min 15 s left"
    assert said[-1] == "movies: epoch 1 of at most 2, train_loss 0.5000"
    assert len([line for line in said if "pairs/s" in line]) < 19
    clock[0] += 60
    with caplog.at_level(logging.INFO):
        clock[0] += 60
        lines.on_train_epoch_end(trainer, module)
    assert caplog.records[-1].message == "movies: epoch 1 of at most 2, train_loss 0.5000"
