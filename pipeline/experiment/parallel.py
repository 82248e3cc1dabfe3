"""Does the pieces of a fit side by side, in this process and in others of this machine, where cores would be idle.

Only pieces that need nothing of each other, and whose steps are too short for more than one thread. What comes out is
the same, whichever process does a piece.
"""

import logging
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

import loky

from pipeline.config.size import Size
from pipeline.embedding import Estimator
from pipeline.experiment.memory import free_memory
from pipeline.experiment.piece_queue import Piece, PieceQueue

T = TypeVar("T")

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
    """What the pieces of one fit return, in their order; see `Pieces.done`. The first one need not be pickled."""
    with PieceQueue() as queue:
        return queue.put(pieces, processes, own=1).done(name, log, shows_progress)
