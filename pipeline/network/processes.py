"""The process around a training: calls from other processes, signals, and a quieter Lightning."""

import logging
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch


@contextmanager
def called_from_other_processes(functions: Mapping[str, Callable[..., Any]]) -> Iterator[dict[str, Callable[..., Any]]]:
    """The same functions for other processes to call: a queue sends the arguments to this process, which calls them."""
    calls = torch.multiprocessing.get_context("spawn").SimpleQueue()
    failed: list[Exception] = []

    def answer() -> None:
        while (call := calls.get()) is not None:
            name, arguments = call
            try:
                functions[name](*arguments)
            except Exception as error:  # from the function itself, such as a lost database
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
    """Silence Lightning: its advice is for people who write loops, not for those who read a pipeline's log."""
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
        ".*Checkpoint directory .* exists and is not empty.*",  # its checkpoint is there to go on from
        ".*number of training batches .* is smaller than the logging interval.*",
    ):
        warnings.filterwarnings("ignore", message=message)


if torch.multiprocessing.current_process().name != "MainProcess":  # one of several that train: only the parent speaks
    _silence()


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C stay an interruption: Lightning turns it into SystemExit and leaves SIGINT ignored."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        raise KeyboardInterrupt from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)
