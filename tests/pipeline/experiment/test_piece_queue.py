"""Pieces of fits are done in several processes where cores are idle; the results do not tell which did what."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cloudpickle
import psutil
import pytest

from pipeline.errors import PipelineError
from pipeline.experiment.helpers import helpers
from pipeline.experiment.parallel import in_parallel
from pipeline.experiment.piece_queue import Piece, PieceQueue
from tests.conftest import PATIENCE

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


def fails_here(folder: Path, here: int, log: logging.Logger, shows_progress: bool) -> None:
    """Fails, once another process has begun with a piece."""
    meet(folder, here)
    raise PipelineError("it cannot be done here")


def never_ends(folder: Path, log: logging.Logger, shows_progress: bool) -> None:
    """Begins, and works on for as long as it may."""
    (folder / "met").touch()
    time.sleep(10 * PATIENCE)


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
def test_others_are_ahead_with_the_next_fit_while_this_process_is_busy(tmp_path: Path) -> None:
    with PieceQueue() as queue:
        first = queue.put([partial(number, 0, tmp_path, os.getpid())], 2)
        second = queue.put(pieces_of(number, tmp_path), 2)
        ((_, is_here, _),) = first.done("first", LOG)  # it waits until another process has done a piece
        assert is_here
        done = second.done("second", LOG)
    assert [i for i, _, _ in done] == list(range(9))
    assert not done[8][1]  # others begin at the end


@pytest.mark.usefixtures("another_process")
def test_a_fit_that_may_not_be_shared_is_all_done_here(tmp_path: Path) -> None:
    (tmp_path / "met").touch()
    with PieceQueue() as queue:
        alone, shared = (queue.put(pieces_of(number, tmp_path), processes) for processes in (1, 2))
        assert all(is_here for _, is_here, _ in alone.done("alone", LOG))
        assert len(shared.done("shared", LOG)) == 9


@pytest.mark.usefixtures("another_process")
def test_what_fails_ahead_is_told_when_its_turn_comes(tmp_path: Path) -> None:
    with PieceQueue() as queue:
        first = queue.put([partial(fails_elsewhere, 0, tmp_path, os.getpid())], 2)
        second = queue.put(pieces_of(fails_elsewhere, tmp_path), 2)
        assert first.done("first", LOG) == [0]
        with pytest.raises(PipelineError, match=r"films.yaml: piece \d cannot be done"):
            second.done("second", LOG)


@pytest.mark.usefixtures("another_process")
def test_after_a_failure_nobody_works_on(tmp_path: Path) -> None:
    with PieceQueue() as queue:
        some = queue.put([partial(fails_here, tmp_path, os.getpid())], 2)
        queue.put([partial(never_ends, tmp_path)] * 2, 2)
        with pytest.raises(PipelineError, match="here"):
            some.done("some", LOG)
    assert not helpers.is_ready


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
    monkeypatch.setattr("pipeline.experiment.piece_queue.WORTH", float(PATIENCE))
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
