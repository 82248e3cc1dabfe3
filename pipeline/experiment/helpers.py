"""Other processes of this machine that help to fit, where cores are idle."""

import atexit
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from importlib import import_module
from typing import Any, TypeVar

import loky

T = TypeVar("T")
R = TypeVar("R")

IDLE_SECONDS = 300.0
"""Seconds after which a process that has nothing to do ends."""
_ENVIRONMENT = {
    **{f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")},
    "LOKY_MAX_MEMORY_LEAK_SIZE": "1e18",  # a fit may need more memory than the one before: that is no leak
}


def idle_cores() -> int:
    """How many cores have nothing to do just now."""
    from pipeline.network import threads  # loads PyTorch, as each fit does that has pieces to share

    return threads.idle_cores()


class Helpers:
    """The other processes, which stay for the pieces of the next fits."""

    def __init__(self) -> None:
        self.executor: Any = None
        self.started: Future[None] | None = None
        self._used, self._at_work = 0.0, 0
        self._of = 0  # a process that is forked off this one has no such processes
        self._lock = threading.RLock()

    def start(self, processes: int) -> None:
        """Start so many processes, which begin to load what a fit needs; nothing happens if they are there."""
        with self._lock:
            if self._are_there:
                return
            self.end()
            how = {"initializer": _begin, "initargs": (os.getpid(),), "env": _ENVIRONMENT}
            with suppress(OSError, NotImplementedError):  # a system without semaphores, or room for a process
                self.executor = loky.ProcessPoolExecutor(processes, timeout=IDLE_SECONDS, **how)
                self._used, self._of = time.monotonic(), os.getpid()
                self.started = self.executor.submit(_load)
                atexit.register(self.end)

    @property
    def is_ready(self) -> bool:
        """Whether the processes have loaded what a fit needs, and are there still."""
        started = self.started
        return self._are_there and started is not None and started.done() and not started.exception()

    @property
    def _are_there(self) -> bool:
        is_mine = self.executor is not None and self._of == os.getpid()
        return is_mine and (self._at_work > 0 or time.monotonic() - self._used < 0.9 * IDLE_SECONDS)

    def result(self, function: Callable[[T], R], argument: T) -> R:
        """What a function returns, after one of the processes has called it.

        Raises:
            BrokenProcessPool: the processes are gone.
            Exception: what the function has raised.
        """
        with self._lock:
            executor = self.executor
            if executor is None:
                raise BrokenProcessPool
            self._at_work += 1
        try:
            done: R = executor.submit(function, argument).result()
            return done
        finally:
            with self._lock:
                self._at_work -= 1
                self._used = time.monotonic()

    def end(self) -> None:
        """End them at once, whatever they do."""
        with self._lock:
            atexit.unregister(self.end)
            executor, self.executor = self.executor, None
        if executor is not None and self._of == os.getpid():
            executor.shutdown(wait=True, kill_workers=True)


helpers = Helpers()


def _load() -> None:
    """Load what every fit needs, before the first piece comes."""
    import_module("pipeline.network.contest")


def _begin(parent: int) -> None:
    """Begin as one of the other processes: Ctrl-C is the business of the parent, whose end is the end of this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
