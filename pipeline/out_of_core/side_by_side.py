"""Runs the same work on many blocks in a few threads: NumPy releases Python's global lock while it computes."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Made = TypeVar("Made")

THREADS = 2
"""Number of blocks that are worked on at once, and of results that may wait."""


def side_by_side(work: Callable[..., Made], blocks: Iterable[tuple[Any, ...]]) -> Iterator[Made]:
    """The result of the work on each block, in the order of the blocks; only a few blocks are in memory.

    >>> list(side_by_side(lambda a, b: a + b, [(1, 2), (3, 4)]))
    [3, 7]
    """
    waiting: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(THREADS) as pool:
        for values in blocks:
            waiting.append(pool.submit(work, *values))
            if len(waiting) > THREADS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
