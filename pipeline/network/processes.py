"""The process around a training: calls from other processes, signals, threads, and less of Lightning's advice."""

import logging
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

WORK_OF_ONE_THREAD = 10**9
"""Examples of a batch x tokens x dimensions: below it a step has one thread."""


@contextmanager
def called_from_other_processes(functions: Mapping[str, Callable[..., Any]]) -> Iterator[dict[str, Callable[..., Any]]]:
    """The same functions for other processes to call: what they are called with comes here through a queue."""
    calls = torch.multiprocessing.get_context("spawn").SimpleQueue()
    failed: list[Exception] = []

    def answer() -> None:
        while (call := calls.get()) is not None:
            name, arguments = call
            try:
                functions[name](*arguments)
            except Exception as error:  # of whoever wanted to know, such as a database that is gone
                failed.append(error)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield {name: partial(_call, calls, name) for name in functions}
    finally:
        calls.put(None)
        thread.join()
    if failed:
        raise failed[0]


def _call(calls: Any, name: str, *arguments: Any) -> None:
    calls.put((name, arguments))


_LOGGERS = ("pytorch_lightning", "lightning_fabric", "lightning.fabric")


@contextmanager
def quiet() -> Iterator[None]:
    """Lightning's advice is for people who write loops, not for those who read a pipeline's log."""
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    with warnings.catch_warnings():
        _silence()
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)


def _silence() -> None:
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    for message in (
        ".*LeafSpec.*is deprecated.*",  # Lightning's own use of PyTorch
        ".*does not have many workers.*",  # one batch is one slice of a matrix: workers would only copy it
        ".*Checkpoint directory .* exists and is not empty.*",  # it is there to go on from
        ".*number of training batches .* is smaller than the logging interval.*",
    ):
        warnings.filterwarnings("ignore", message=message)


if torch.multiprocessing.current_process().name != "MainProcess":  # one of several that train: their parent speaks
    _silence()


@contextmanager
def threads_for(work: int) -> Iterator[None]:
    """One thread for steps of few multiplications: more would wait for each other most of the time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if work < WORK_OF_ONE_THREAD else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def interruptible() -> Iterator[None]:
    """Lightning turns Ctrl-C into SystemExit and leaves SIGINT ignored; here it stays an interruption."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        raise KeyboardInterrupt from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)
