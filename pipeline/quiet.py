"""Keeps the remarks of libraries out of a pipeline's log: who reads it can do nothing about them."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Remarks(NamedTuple):
    """What a library says that is not heard."""

    loggers: tuple[str, ...]
    """Names of the loggers; their errors are told as ever."""
    warnings: tuple[str, ...] = (".*",)
    """Patterns of the warnings; without any, all warnings that come meanwhile."""


@contextmanager
def quiet(remarks: Remarks) -> Iterator[None]:
    """Inside this context some remarks are not heard."""
    levels = {name: logging.getLogger(name).level for name in remarks.loggers}
    with warnings.catch_warnings():
        silence(remarks)
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)


def silence(remarks: Remarks) -> None:
    """From now on some remarks are not heard."""
    for name in remarks.loggers:
        logging.getLogger(name).setLevel(logging.ERROR)
    for pattern in remarks.warnings:
        warnings.filterwarnings("ignore", message=pattern)
