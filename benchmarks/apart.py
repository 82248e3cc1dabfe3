"""Calls a function in a process of its own: the memory of this one would count as that of the contestants."""

from collections.abc import Callable
from multiprocessing import get_context
from typing import Any


def apart(function: Callable[..., Any], *arguments: Any) -> None:
    """Call a function, and wait until it is done.

    Raises:
        RuntimeError: it failed.
    """
    process = get_context("spawn").Process(target=function, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{function.__name__} failed")
