"""Does the pieces of a fit side by side, in this process and in others of this machine, where cores would be idle.

Only pieces that need nothing of each other, and whose steps are too short for more than one thread. What comes out is
the same, whichever process does a piece.
"""

import logging
import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple, TypeVar

import loky

from pipeline.config.size import Size
from pipeline.embedding import Estimator
from pipeline.experiment.helpers import helpers, idle_cores
from pipeline.experiment.memory import free_memory

T = TypeVar("T")
Piece = Callable[[logging.Logger, bool], T]
"""Gets a logger, and whether to show the progress of what it does; it can be pickled."""
_Numbered = tuple[int, Piece[Any]]

PATIENCE = 5.0
"""Seconds of waiting for other processes, after which a line says so."""
PROCESS_BYTES = 600 * 10**6
"""Bytes of memory of a process with the libraries that a fit needs."""


def processes_for(method: Estimator, size: Size, dimension: int | None) -> int:
    """The most processes that may do the pieces of a fit: 1 if its steps take all cores, or memory has room for one.

    OMP_NUM_THREADS limits the processes as it limits threads.
    """
    if not method.takes_one_thread(size, dimension):
        return 1
    limit = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    cores = int(limit) if limit.isdecimal() else loky.cpu_count()
    needed = method.memory(size, dimension)
    elsewhere = needed + PROCESS_BYTES + 2 * size.csr  # the examples go there as bytes
    return max(1, min(cores, 1 + (free_memory() - needed) // elsewhere))


def on_one_thread(method: Estimator, size: Size, dimension: int | None) -> AbstractContextManager[None]:
    """Within this context a fit whose steps are short takes one thread for everything, in all processes alike.

    So it is the same fit, whoever fits it: sums on several threads differ in their last bits.
    """
    if not method.takes_one_thread(size, dimension):
        return nullcontext()
    from pipeline.network.threads import one_thread

    return one_thread()


def in_parallel(
    pieces: Sequence[Piece[T]], name: str, log: logging.Logger, processes: int, shows_progress: bool = True
) -> list[T]:
    """What the pieces return, in their order.

    This process does them from the front, and other processes do them from the back as soon as there are some. Those
    are started where the work that is left is worth it and cores are idle, and stay for the pieces of the next fits.
    The first piece is always of this process: it need not be pickled.

    Args:
        pieces: what to do.
        name: what they are pieces of, for people.
        log: gets the lines of all pieces; those of other processes come after the end, without progress.
        processes: the most processes, this one included.
        shows_progress: whether those that this process does show their progress.

    Raises:
        Exception: what a piece has raised; the pieces that are still running are given up.
    """
    waiting, done = deque(enumerate(pieces)), dict[int, _Done]()

    def do(i: int, piece: Piece[T]) -> None:
        done[i] = _Done(piece(log, shows_progress), [])

    while waiting:
        others = min(processes, len(waiting)) - 1
        if others and helpers.is_ready and (idle := idle_cores() - 1) > 0:
            _with_others(waiting, done, do, min(others, idle), name, log)
            continue
        with helpers.starting(others):
            do(*waiting.popleft())
    for i in sorted(done):
        for level, line in done[i].lines:
            log.log(level, line)
    return [done[i].result for i in range(len(pieces))]


class _Done(NamedTuple):
    """A piece that is done."""

    result: Any
    lines: list[tuple[int, str]]
    """Level and text of what another process wrote to its log."""


def _with_others(
    waiting: deque[_Numbered],
    done: dict[int, _Done],
    do: Callable[[int, Piece[Any]], None],
    others: int,
    name: str,
    log: logging.Logger,
) -> None:
    """Do the waiting pieces with other processes; the pieces that one of these has lost wait again afterwards."""
    executor, own = helpers.executor, waiting.popleft()
    lost: list[_Numbered] = []

    def lend() -> None:
        while (numbered := _taken(waiting.pop)) is not None:
            try:
                done[numbered[0]] = executor.submit(_elsewhere, numbered[1]).result()
            except BrokenProcessPool:  # the system ended it, for want of memory perhaps
                lost.append(numbered)
                return
            except BaseException:
                waiting.clear()
                raise

    with ThreadPoolExecutor(others) as threads:
        lent = [threads.submit(lend) for _ in range(others)]
        try:
            do(*own)
            while (numbered := _taken(waiting.popleft)) is not None:
                do(*numbered)
            if wait(lent, PATIENCE).not_done:
                log.info(f"{name}: this process has done its share, and waits for the others")
            for one in lent:
                one.result()
        except BaseException:
            waiting.clear()
            helpers.end()
            raise
    helpers.is_used()
    if lost:
        log.warning(f"{name}: another process that helped was ended by the system; this one goes on")
        helpers.end()
        waiting.extend(sorted(lost, key=lambda numbered: numbered[0]))


def _taken(pop: Callable[[], _Numbered]) -> _Numbered | None:
    """A piece that waits; None if others were quicker."""
    try:
        return pop()
    except IndexError:
        return None


def _elsewhere(piece: Piece[Any]) -> _Done:
    """A piece that is done in another process, with the lines that it wrote to its log."""
    lines: list[tuple[int, str]] = []
    log = logging.Logger("elsewhere")
    log.addHandler(handler := logging.Handler())
    handler.emit = lambda record: lines.append((record.levelno, record.getMessage()))  # type: ignore[method-assign]
    return _Done(piece(log, False), lines)
