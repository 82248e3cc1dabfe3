"""A folder beside the files that a command writes, for what has to be on the same disk meanwhile."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.experiment.liveness import is_gone, this_process

_BEGIN = ".scoring-"
"""How the names of such folders begin."""
_PROCESS = "process"
"""The file in each that names the process that works there."""


@contextmanager
def workplace(beside: Path) -> Iterator[Path]:
    """An empty folder in a folder, gone afterwards; what killed processes have left there goes first.

    Args:
        beside: the folder of the files that are written.
    """
    for left in beside.glob(f"{_BEGIN}*"):
        with suppress(OSError):  # it has gone meanwhile, or is another user's
            if is_gone((left / _PROCESS).read_text()):
                shutil.rmtree(left)
    with tempfile.TemporaryDirectory(dir=beside, prefix=_BEGIN) as name:
        (Path(name) / _PROCESS).write_text(this_process())
        folder = Path(name) / "work"
        folder.mkdir()
        yield folder
