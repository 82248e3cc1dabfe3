"""What idle cores are worth: `make run` of the samples with helping processes, and without, from an empty home each."""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ("movies", "homes")
_RUN = """
import sys
from assets.__main__ import main
from pipeline.experiment import piece_queue
if sys.argv.pop() == "alone":
    piece_queue.WORTH = float("inf")
sys.exit(main())
"""


def shared() -> dict[str, Any]:
    """The seconds of both ways, one after the other for each sample.

    Raises:
        RuntimeError: a run failed, or both ways did not come to the same table.
    """
    cells = [["dataset", "one process, s", "helped by others, s", "helped / one"]]
    for name in SAMPLES:
        (helped, table), (alone, same) = _run(name, "helped"), _run(name, "alone")
        if table != same:
            raise RuntimeError(f"{name}: helped by others it came to another table")
        cells.append([name, f"{alone:.0f}", f"{helped:.0f}", f"{helped / alone:.2f}"])
    return {
        "title": "cores, the samples: `make run` from an empty home, with processes that fit side by side and without",
        "tables": [cells],
        "notes": ["one run each; the tables are the same in every digit but the seconds"],
    }


def _run(dataset: str, how: str) -> tuple[float, list[str]]:
    """The seconds of a run, and the rows of its table without their seconds."""
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"PIPELINE_HOME": home, "COLUMNS": "200"}
        begin = time.perf_counter()
        command = [sys.executable, "-c", _RUN, "run", dataset, how]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - begin
    if done.returncode:
        raise RuntimeError(f"{dataset} failed: {done.stderr[-2000:]}")
    rows = [line for line in done.stdout.splitlines() if "±" in line or "[" in line]
    return seconds, [re.sub(r"\s+[\d.,]+$", "", row) for row in rows]
