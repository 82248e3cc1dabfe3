"""Functions that run as tasks of Ray on whichever machine has room, and the values that they leave in the cluster.

Ray keeps such values in the memory of its machines, and beyond that on their disks; what a lost machine had is made
again from what it was made of. What the functions compute does not belong here.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, TypeVar

from pipeline.cluster.connection import connected
from pipeline.errors import PipelineError, first_line

Made = TypeVar("Made")

RETRIES = 5
"""Times that a task is begun again because its machine was lost."""


def engine(name: str, where: str) -> AbstractContextManager[Any]:
    """A connection to the cluster if the engine of that name needs one, for as long as the context lasts.

    Args:
        name: `local` or `ray`.
        where: the conf file, for a message.

    Raises:
        PipelineError: Ray is not installed, or there is no cluster.
    """
    return connected(f"{where}, engine") if name == "ray" else nullcontext()


def start(function: Callable[..., Any], *arguments: Any, returns: int | None = None) -> Any:
    """Begin a task: a stand-in for its value, which other tasks take as an argument, or a list of so many stand-ins.

    Args:
        function: of a module, called with the values of the arguments.
        arguments: values, or stand-ins for them.
        returns: the number of values that the function returns as a tuple; None: it returns one value.
    """
    if returns == 1:
        return [start(_only, function, *arguments)]
    return _remote(function).options(num_returns=returns or 1).remote(*arguments)


def _only(function: Callable[..., Any], *arguments: Any) -> Any:
    (value,) = function(*arguments)
    return value


@cache
def _remote(function: Callable[..., Any]) -> Any:
    import ray

    return ray.remote(max_retries=RETRIES)(function)


def get(started: Any) -> Any:
    """The value of a task, or the values of several, once they are there.

    Raises:
        PipelineError: the task raised it, or its machines were lost too often.
    """
    import ray

    try:
        return ray.get(started)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, PipelineError):
            raise error.cause from None
        if isinstance(error.cause, ray.exceptions.RayError):
            raise _lost(error.cause) from error
        if isinstance(error.cause, RuntimeError) and "failed to import" in str(error.cause):
            said = str(error).strip().rsplit("\n", 1)[-1]
            raise PipelineError(f"a machine of the cluster has no, or another, embedding-pipeline: {said}") from error
        raise
    except ray.exceptions.RayError as error:
        raise _lost(error) from error


def _lost(error: Exception) -> PipelineError:
    return PipelineError(
        f"the cluster lost the machines of a task {RETRIES} times, or has no room for it: {first_line(error)} Give its "
        "machines more memory or disk, or the cluster more machines, and run it again."
    )


def each(work: Callable[..., Made], blocks: Iterable[tuple[Any, ...]]) -> Iterator[Made]:
    """The result of the work on each block, in the order of the blocks; a few for each CPU are under way.

    Args:
        work: a function of a module.
        blocks: the arguments of each task.
    """
    waiting: deque[Any] = deque()
    for values in blocks:
        waiting.append(start(work, *values))
        if len(waiting) > at_once():
            yield get(waiting.popleft())
    while waiting:
        yield get(waiting.popleft())


def at_once() -> int:
    """The number of tasks that keep every CPU of the cluster busy."""
    import ray

    return 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))


def has_room() -> bool:
    """Whether a CPU of the cluster is free, so that tasks begin at once."""
    import ray

    return bool(ray.available_resources().get("CPU", 0) >= 1)


class Shared:
    """A value that is put into the cluster once, and that each process of its tasks fetches once."""

    def __init__(self, value: Any) -> None:
        """Put the value into the cluster."""
        import ray

        self._reference = ray.put(value)

    @property
    def value(self) -> Any:
        """The value, in a task."""
        import ray

        name = self._reference.hex()
        if name not in _fetched:
            _fetched.clear()
            _fetched[name] = ray.get(self._reference)
        return _fetched[name]


_fetched: dict[str, Any] = {}
"""The last value that this process has fetched."""
