"""The folder in which a training keeps its checkpoints, and where an interrupted one goes on."""

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from pipeline.embedding import Watch
from pipeline.errors import PipelineError
from pipeline.network.trainer import LAST, network_in


@contextmanager
def checkpoint_folder(watch: Watch, option: Mapping[str, Any]) -> Iterator[Path]:
    """The folder for the checkpoints of one training; a training that diverged removes its checkpoints.

    If another process runs the same training at the same time, it holds the folder, and this one uses a temporary one.
    """
    own = "-".join([watch.name, *(f"{key}={value}" for key, value in option.items())])
    with ExitStack() as held:
        folder = None
        if watch.checkpoints is not None:
            shared = watch.checkpoints / re.sub(r"[^\w.=-]+", "-", own)
            shared.mkdir(parents=True, exist_ok=True)
            with suppress(Timeout):
                held.enter_context(FileLock(shared / "lock", timeout=0))
                folder = shared
        if folder is None:  # only then: a process that is killed leaves it, and nobody can tell whose it was
            folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
        try:
            yield folder
        except PipelineError:
            for path in folder.glob("*.ckpt"):
                path.unlink()
            raise


def going_on(folder: Path, watch: Watch) -> tuple[Path | None, Mapping[str, Tensor]]:
    """The checkpoint of an earlier process and the state of its network; None and {} without a readable one."""
    path = folder / LAST
    if not path.exists():
        return None, {}
    try:
        checkpoint = torch.load(path, weights_only=True, mmap=True, map_location="cpu")
        epoch, network = int(checkpoint["epoch"]), network_in(checkpoint)
    except Exception:  # cut short, or of another version: starting anew costs only time
        path.unlink()
        watch.log.info(f"{watch.name}: the checkpoint in {folder} cannot be read, training begins anew")
        return None, {}
    watch.log.info(f"{watch.name}: goes on in epoch {epoch + 1}, where an earlier process stopped")
    return path, network
