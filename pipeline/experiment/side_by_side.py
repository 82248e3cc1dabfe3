"""Does the parts of a fit side by side, in this process and in others of this machine, where cores would be idle.

Only parts that need nothing of each other, and whose steps are too short for more than one thread. What comes out is
the same, whichever process does a part.
"""

import atexit
import logging
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any, NamedTuple, TypeVar

import loky

from pipeline.config.size import Size
from pipeline.embedding import Estimator
from pipeline.experiment.memory import free_memory

T = TypeVar("T")
Part = Callable[[logging.Logger, bool], T]
"""Gets a logger, and whether to show the progress of what it does; it can be pickled."""
_Numbered = tuple[int, Part[Any]]

WORTH = 2.0
"""Seconds of work that waits, above which other processes are started."""
IDLE_SECONDS = 300.0
"""Seconds after which a process that has nothing to do ends."""
PROCESS_BYTES = 600 * 10**6
"""Bytes of memory of a process with the libraries that a fit needs."""
_ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}


def processes_for(method: Estimator, size: Size, dimension: int | None) -> int:
    """The most processes that may do the parts of a fit: 1 if its steps take all cores, or memory has no room for more.

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


def side_by_side(parts: Sequence[Part[T]], log: logging.Logger, processes: int, shows_progress: bool = True) -> list[T]:
    """What the parts return, in their order.

    This process does them from the front, and other processes do them from the back as soon as there are some. Those
    are started where the work that is left is worth it and cores are idle, and stay for the parts of the next fits. The
    first part is always of this process: it need not be pickled.

    Args:
        parts: what to do.
        log: gets the lines of all parts; those of other processes come after the end, without progress.
        processes: the most processes, this one included.
        shows_progress: whether those that this process does show their progress.

    Raises:
        Exception: what a part has raised; the parts that are still running are given up.
    """
    waiting, done = deque(enumerate(parts)), dict[int, _Done]()

    def do(i: int, part: Part[T]) -> None:
        done[i] = _Done(part(log, shows_progress), [])

    while waiting:
        others = min(processes, len(waiting)) - 1
        if others and _pool.is_ready and (idle := _idle_cores() - 1) > 0:
            _with_others(waiting, done, do, min(others, idle), log)
            continue
        began = time.monotonic()
        do(*waiting.popleft())
        others = min(processes - 1, len(waiting))
        if others and (time.monotonic() - began) * len(waiting) > WORTH and _idle_cores() > 1:
            _pool.start(others)
    for i in sorted(done):
        for level, line in done[i].lines:
            log.log(level, line)
    return [done[i].result for i in range(len(parts))]


class _Done(NamedTuple):
    """A part that is done."""

    result: Any
    lines: list[tuple[int, str]]
    """Level and text of what another process wrote to its log."""


def _idle_cores() -> int:
    from pipeline.network.threads import idle_cores  # loads PyTorch, as each fit does that has parts to share

    return idle_cores()


def _with_others(
    waiting: deque[_Numbered],
    done: dict[int, _Done],
    do: Callable[[int, Part[Any]], None],
    others: int,
    log: logging.Logger,
) -> None:
    """Do the parts that wait; those that another process did not bring to an end wait again afterwards."""
    executor, own = _pool.executor(others), waiting.popleft()
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
            for one in lent:
                one.result()
        except BaseException:
            waiting.clear()
            _pool.end()
            raise
    _pool.is_used()
    if lost:
        log.warning("another process that helped to fit was ended by the system; this one goes on")
        _pool.end()
        waiting.extend(sorted(lost, key=lambda numbered: numbered[0]))


def _taken(pop: Callable[[], _Numbered]) -> _Numbered | None:
    """A part that waits; None if others were quicker."""
    try:
        return pop()
    except IndexError:
        return None


class _Pool:
    """The other processes, which stay for the parts of the next fits."""

    def __init__(self) -> None:
        self._executor: Any = None
        self._started: Future[None] | None = None
        self._used = 0.0
        self._of = 0  # a process that is forked off this one has no such processes

    def start(self, processes: int) -> None:
        """Let so many processes begin to load what a fit needs, unless they have begun."""
        if not self._are_there:
            self._started = self.executor(processes).submit(_load)
            atexit.register(self.end)

    @property
    def is_ready(self) -> bool:
        """Whether the processes have loaded what a fit needs, and are there still."""
        started = self._started
        return self._are_there and started is not None and started.done() and not started.exception()

    @property
    def _are_there(self) -> bool:
        is_mine = self._executor is not None and self._of == os.getpid()
        return is_mine and time.monotonic() - self._used < IDLE_SECONDS

    def executor(self, processes: int) -> Any:
        """An executor with so many processes."""
        self._executor = loky.get_reusable_executor(
            processes, timeout=IDLE_SECONDS, initializer=_begin, initargs=(os.getpid(),), env=_ONE_THREAD
        )
        self.is_used()
        return self._executor

    def is_used(self) -> None:
        """Note that the processes have something to do now."""
        self._used, self._of = time.monotonic(), os.getpid()

    def end(self) -> None:
        """End them at once, whatever they do."""
        atexit.unregister(self.end)
        if self._executor is not None and self._of == os.getpid():
            self._executor.shutdown(wait=True, kill_workers=True)
            self._executor = None


_pool = _Pool()


def _load() -> None:
    """Load what every fit needs, before the first part comes."""
    import_module("pipeline.network.training")


def _begin(parent: int) -> None:
    """Begin as one of the other processes: Ctrl-C is the business of the parent, whose end is the end of this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _elsewhere(part: Part[Any]) -> _Done:
    """A part that is done in another process, with the lines that it wrote to its log."""
    lines: list[tuple[int, str]] = []
    log = logging.Logger("elsewhere")
    log.addHandler(handler := logging.Handler())
    handler.emit = lambda record: lines.append((record.levelno, record.getMessage()))  # type: ignore[method-assign]
    return _Done(part(log, False), lines)
