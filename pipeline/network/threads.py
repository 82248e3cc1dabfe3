"""How many threads a step of the training gets: one if it is short, otherwise as many as cores are free."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import psutil
import torch
from pytorch_lightning.callbacks import Callback
from threadpoolctl import threadpool_limits

FIRST, SECONDS = 0.25, 2.0
"""Time until the first look at what else the machine does; it doubles from look to look, up to the second number."""


class CoreTimes(NamedTuple):
    """What the cores of this process have done so far."""

    wall: float
    """Seconds on a clock."""
    all: float
    """Seconds that all cores together have worked."""
    own: float
    """Seconds that they have worked for this process."""


def core_times() -> CoreTimes:
    """What the cores have done until now, by the system's own count."""
    own = psutil.Process().cpu_times()
    cores = psutil.cpu_times(percpu=True)
    mine = [cores[i] for i in _cores() if i < len(cores)]
    return CoreTimes(
        time.monotonic(),
        sum(core.user + core.system + getattr(core, "nice", 0) + getattr(core, "steal", 0) for core in mine),
        own.user + own.system,
    )


def _cores() -> list[int]:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(psutil.cpu_count() or 1))


class FreeCores(Callback):
    """Gives the steps as many threads as there are cores that nothing else uses, and looks again every few seconds.

    The threads of a step wait for each other, and keep their cores busy while they wait. Where one of them shares its
    core with other work, all wait for it, and a step takes several times what it takes with one thread.
    """

    def __init__(self, most: int, look: Callable[[], CoreTimes] = core_times, cores: int | None = None) -> None:
        """Begin with the most threads.

        Args:
            most: threads, on an idle machine.
            look: gives what the cores have done so far.
            cores: number of cores that the process may use. Default: as the system says.
        """
        self.most, self._look, self._cores = most, look, cores or len(_cores())
        self._before, self._wait = look(), FIRST

    def on_train_batch_start(self, *_: Any) -> None:
        """Look whether cores became free, or busy."""
        if time.monotonic() - self._before.wall >= self._wait:
            self._wait = min(2 * self._wait, SECONDS)
            self.adjust()

    def adjust(self) -> None:
        """Take as many threads as cores were free since the last look; at least one."""
        now, before = self._look(), self._before
        others = max(0.0, (now.all - before.all) - (now.own - before.own)) / (now.wall - before.wall)
        torch.set_num_threads(max(1, min(self.most, round(self._cores - others))))
        self._before = now


@contextmanager
def threads_for(one: bool) -> Iterator[list[Callback]]:
    """The callbacks that choose the number of threads of the steps; none where the steps get one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if one else threads)
    try:
        yield [] if one or threads == 1 else [FreeCores(threads)]
    finally:
        torch.set_num_threads(threads)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let everything take one thread, what PyTorch does and what other libraries do."""
    threads = torch.get_num_threads()
    with threadpool_limits(1):
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def idle_cores(look: Callable[[], CoreTimes] = core_times, seconds: float = FIRST, cores: int | None = None) -> int:
    """How many of the cores that this process may use have nothing to do while it waits, its own included.

    Args:
        look: gives what the cores have done so far.
        seconds: how long it waits.
        cores: number of cores that the process may use. Default: as the system says.
    """
    before = look()
    time.sleep(seconds)
    now = look()
    return round((cores or len(_cores())) - (now.all - before.all) / (now.wall - before.wall))
