"""Pieces of a fit are done in several processes where cores are idle; the results do not tell which did what."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import cloudpickle
import numpy as np
import polars as pl
import psutil
import pytest

from pipeline.config.dataset import Dataset
from pipeline.config.records import Split
from pipeline.config.size import Size
from pipeline.errors import PipelineError
from pipeline.estimators import estimator
from pipeline.experiment import parallel as module
from pipeline.experiment.cross_fitting import CrossFitted, cross_fit
from pipeline.experiment.helpers import helpers
from pipeline.experiment.parallel import Piece, in_parallel, processes_for
from tests.conftest import PATIENCE, encoded_from

LOG = logging.getLogger(__name__)
cloudpickle.register_pickle_by_value(sys.modules[__name__])  # another process cannot import this file


def meet(folder: Path, here: int) -> bool:
    """Whether this is the process `here`, which waits until another one has done a piece."""
    met, waited = folder / "met", time.monotonic()
    if os.getpid() != here:
        met.touch()
        return False
    while not met.exists() and time.monotonic() < waited + PATIENCE:
        time.sleep(0.01)
    return True


def number(i: int, folder: Path, here: int, log: logging.Logger, shows_progress: bool) -> tuple[int, bool, bool]:
    """The number of the piece, whether it was done here, and whether it showed its progress."""
    log.info(f"piece {i}")
    return i, meet(folder, here), shows_progress


def ends_elsewhere(i: int, folder: Path, here: int, log: logging.Logger, shows_progress: bool) -> int:
    """The number of the piece, unless another process does it, which the system ends."""
    if not meet(folder, here):
        os.kill(os.getpid(), signal.SIGKILL)
    return i


def fails_elsewhere(i: int, folder: Path, here: int, log: logging.Logger, shows_progress: bool) -> int:
    """The number of the piece, unless another process does it, where it cannot be done."""
    if not meet(folder, here):
        raise PipelineError(f"films.yaml: piece {i} cannot be done")
    return i


@pytest.fixture
def another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more process, which is ready, and idle cores, whatever else this machine does."""
    monkeypatch.setattr(module, "idle_cores", lambda: 2)
    monkeypatch.setattr("pipeline.experiment.helpers._load", os.getpid)  # only one of these tests trains
    helpers.start(1)
    assert helpers.started is not None
    helpers.started.result(PATIENCE)


@pytest.fixture(autouse=True, scope="module")
def _no_process_stays() -> Iterator[None]:
    yield
    helpers.end()


def pieces_of(function: Callable[..., Any], folder: Path) -> list[Piece[Any]]:
    return [partial(function, i, folder, os.getpid()) for i in range(9)]


@pytest.mark.usefixtures("another_process")
def test_pieces_come_in_their_order_whoever_did_them_with_what_they_wrote(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        done = in_parallel(pieces_of(number, tmp_path), "some", LOG, 2)
    assert [i for i, _, _ in done] == list(range(9))
    assert sorted(line for line in caplog.messages if line.startswith("piece")) == [f"piece {i}" for i in range(9)]
    assert done[0][1]  # the first piece is always done here: it need not be pickled
    assert {is_here for _, is_here, _ in done} == {True, False}
    assert all(is_here == shows_progress for _, is_here, shows_progress in done)


@pytest.mark.usefixtures("another_process")
def test_what_a_piece_raises_elsewhere_is_raised_here(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"films.yaml: piece \d cannot be done"):
        in_parallel(pieces_of(fails_elsewhere, tmp_path), "some", LOG, 2)


@pytest.mark.usefixtures("another_process")
def test_pieces_of_a_process_that_the_system_ends_are_done_here(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert in_parallel(pieces_of(ends_elsewhere, tmp_path), "some", LOG, 2) == list(range(9))
    assert caplog.messages == ["some: another process that helped was ended by the system; this one goes on"]
    assert not helpers.is_ready


def test_short_work_starts_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.experiment.helpers.WORTH", float(PATIENCE))
    (tmp_path / "met").touch()
    helpers.end()
    assert all(is_here for _, is_here, _ in in_parallel(pieces_of(number, tmp_path), "some", LOG, 8))
    assert helpers.executor is None


HELPED = """
import os, time
from pipeline.experiment import helpers as module
module._load = os.getpid
module.helpers.start(2)
module.helpers.started.result()
print("ready", flush=True)
time.sleep(600)
"""


def test_processes_end_with_the_one_that_they_help() -> None:
    with subprocess.Popen([sys.executable, "-c", HELPED], stdout=subprocess.PIPE, text=True) as helped:
        assert helped.stdout is not None
        assert helped.stdout.readline() == "ready\n"
        children = psutil.Process(helped.pid).children(recursive=True)
        assert len([child for child in children if "loky" in " ".join(child.cmdline())]) >= 2
        helped.kill()
    _, alive = psutil.wait_procs(children, timeout=PATIENCE)
    assert not alive


SMALL, WIDE = Size(1_000, 1_000, 50_000, 8), Size(1_000, 10**6, 50_000, 8)


def test_fits_with_short_steps_may_have_as_many_processes_as_cores_and_memory(
    movies: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = movies.resolved(SMALL.n, SMALL.v)
    learned, pca = (estimator(name, conf) for name in ("embedding", "pca"))
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    assert processes_for(learned, SMALL, 8) == 8
    assert processes_for(learned, WIDE, 8) == 1  # its steps take all cores
    assert processes_for(pca, SMALL, 8) == 1
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
    with_others = Mock(wraps=module._with_others)
    monkeypatch.setattr(module, "_with_others", with_others)

    def fitted(processes: int) -> tuple[CrossFitted, list[Any]]:
        monkeypatch.setenv("OMP_NUM_THREADS", str(processes))
        losses: list[Any] = []
        how = estimator("embedding", conf), "embedding D=2", conf, vocabulary, examples, 2
        done = cross_fit(*how, lambda found, epoch: losses.append((dict(found), epoch)), LOG)
        assert with_others.called == (processes > 1)
        return done, losses

    (alone, losses), (shared, same_losses) = fitted(1), fitted(2)
    assert losses == same_losses
    assert alone.chosen == shared.chosen
    assert alone.chance == shared.chance
    for part, frame in alone.scores.items():
        assert frame.equals(shared.scores[part])
    for name, weights in alone.fitted.weights.items():
        np.testing.assert_array_equal(weights, shared.fitted.weights[name])
