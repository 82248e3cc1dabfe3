"""Refuses a fit that needs more memory than is free, before it begins: the system would end it without a word."""

from contextlib import suppress
from pathlib import Path

import psutil

from pipeline.config.dataset import Dataset
from pipeline.config.size import Size
from pipeline.embedding import Estimator
from pipeline.errors import PipelineError
from pipeline.examples.sparse_examples import SparseExamples

_CGROUP = Path("/sys/fs/cgroup")
"""Where Linux says how much memory a container may use, and uses."""


def require_memory(
    method: Estimator, name: str, conf: Dataset, examples: SparseExamples, dimension: int | None
) -> None:
    """Refuse a fit that needs more memory than is free.

    Args:
        method: the method.
        name: the fit's name, for the message.
        conf: the dataset, resolved.
        examples: all of them.
        dimension: D.

    Raises:
        PipelineError: it does; the message says how much, and what to do.
    """
    size = size_of(conf, examples)
    needed, free = method.memory(size, dimension), free_memory()
    if needed > free:
        raise PipelineError(
            f"{conf.file}: {name} would need about {needed / 1e9:,.1f} GB of memory, and {free / 1e9:,.1f} GB are "
            "free. Leave it out, lower its D, `vocabulary.max_size` or `precision`, or close other programs."
        )


def size_of(conf: Dataset, examples: SparseExamples) -> Size:
    """The size of the contest of a dataset, resolved, on these examples."""
    return Size(examples.n_training, examples.shape[1], len(examples.indices), (conf.precision or 64) // 8)


def free_memory() -> int:
    """Bytes of memory that a process can still use: of the machine, or of the container that it runs in."""
    free = int(psutil.virtual_memory().available)
    with suppress(OSError, ValueError):  # no container, or one without a limit, whose file says `max`
        limit, used = (int((_CGROUP / f"memory.{name}").read_text()) for name in ("max", "current"))
        cached = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
        free = min(free, limit - used + int(cached["inactive_file"]))
    return free
