"""The process around a training: calls from other processes, signals, and what Lightning says."""

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

from pipeline.quiet import Remarks, silence


@contextmanager
def called_from_other_processes(
    functions: Mapping[str, Callable[..., Any]], queue: Any = None
) -> Iterator[dict[str, Callable[..., Any]]]:
    """The same functions for other processes to call: a queue sends the arguments to this process, which calls them.

    Args:
        functions: by name.
        queue: one that reaches the other processes; by default, those of this machine.
    """
    calls = queue or torch.multiprocessing.get_context("spawn").SimpleQueue()
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


LIGHTNING = Remarks(
    loggers=("pytorch_lightning", "lightning_fabric", "lightning.fabric"),
    warnings=(
        ".*LeafSpec.*is deprecated.*",  # Lightning's own use of PyTorch
        ".*does not have many workers.*",  # one batch is one slice of a matrix: workers would only copy it
        ".*GPU available but not used.*",  # conf says where to train
        ".*Checkpoint directory .* exists and is not empty.*",  # its checkpoint is there to go on from
        ".*number of training batches .* is smaller than the logging interval.*",
    ),
)
"""Lightning's advice."""


if torch.multiprocessing.current_process().name != "MainProcess":  # one of several that train: only the parent speaks
    silence(LIGHTNING)


@contextmanager
def interruptible(is_alone: bool) -> Iterator[Callable[[], None]]:
    """Let Ctrl-C stay an interruption, and let none get lost: a function that raises the one that was asked for.

    What a signal's handler raises is printed and forgotten where Python happens to be in a finaliser or in the callback
    of a weak reference, and the training would go on. So an interruption waits until the function is called between two
    steps; a second one does not wait. Lightning turns KeyboardInterrupt into SystemExit, and leaves SIGINT ignored.

    Args:
        is_alone: whether this process trains; one that waits for others that do is interrupted at once.
    """
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    is_main = threading.current_thread() is threading.main_thread()
    asked: list[int] = []

    def ask(number: int, _: object) -> None:
        asked.append(number)
        if len(asked) > 1:
            check()

    def check() -> None:
        if asked and callable(handler := handlers[signal.Signals(asked[0])]):
            number = asked[0]
            asked.clear()
            handler(number, None)

    try:
        if is_main and is_alone:
            for number, handler in handlers.items():
                if callable(handler):
                    signal.signal(number, ask)
        yield check
        check()
    except SystemExit as error:
        raise KeyboardInterrupt from error
    finally:
        if is_main:
            for number, handler in handlers.items():
                if handler is not None:  # None: a library in C has set it
                    signal.signal(number, handler)
