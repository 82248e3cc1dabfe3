"""How the cost from a CSV to an embedding grows: four sizes of pairs or vocabulary, each in a process of its own."""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.encoders import OURS, ours
from benchmarks.learners import NEEDED, D, task_of
from pipeline.embedding import Problem, Watch
from pipeline.network.learned import LearnedEmbedding

HERE = Path(__file__).resolve().parent
FACTORS = (0.1, 0.316, 1, 3)
"""Factors of the users and their pairs, while the movies stay fixed."""
SHARES = (0.0316, 0.1, 0.316, 1)
"""Shares of the movies, while users and pairs stay fixed at about a third."""
TRAINING = {"max_epochs": 3, "negatives": 4096}
"""Training settings that are the same for all sizes: their defaults depend on the size."""
STEPS = ("encode", "start", "epoch")


def sizes(users: int, movies: int, pairs: int) -> dict[str, list[tuple[int, int, int]]]:
    """Users, movies and pairs to generate for each size, by what grows."""
    return {
        "pairs": [(round(users * f), movies, round(pairs * f)) for f in FACTORS],
        "vocabulary": [(round(users * 0.316), round(movies * f), round(pairs * 0.316)) for f in SHARES],
    }


def cost(csv: Path) -> dict[str, float]:
    """Measure one size in this process: seconds of each step, peak memory in MB, and what was encoded.

    The steps are from the CSV to the CSR matrix, from there to the start of the training, and one epoch of it.
    """
    at = [time.perf_counter()]
    with tempfile.TemporaryDirectory() as name:
        users, vocabulary, pairs = ours(csv, Path(name))
        at.append(time.perf_counter())
        encode_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        task = task_of(Path(name), TRAINING)
        for module in NEEDED[OURS]:
            import_module(module)
        watch = Watch("scale", on_epoch=lambda *_: at.append(time.perf_counter()))
        LearnedEmbedding(task.conf).fit(Problem(task.training, task.vocabulary, task.conf, D, watch=watch))
    epoch = (at[-1] - at[2]) / (len(at) - 3)
    return {
        "users": users,
        "vocabulary": vocabulary,
        "pairs": pairs,
        "encode": at[1] - at[0],
        "start": at[2] - at[1] - epoch,
        "epoch": epoch,
        "encode_peak_mb": encode_peak,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }


def grow(users: int, movies: int, pairs: int, measure: Callable[[Path], dict[str, float]]) -> dict[str, Any]:
    """Generate each size, measure it, and delete its data.

    Args:
        users: number of users where the factor is 1.
        movies: number of movies where the factor is 1.
        pairs: number of pairs where the factor is 1.
        measure: runs `cost` in a process of its own.
    """
    found: dict[str, Any] = {}
    data = HERE / "data"  # where there is room for it; a temporary folder may be in memory
    data.mkdir(exist_ok=True)
    for grows, generated in sizes(users, movies, pairs).items():
        found[grows] = []
        for n_users, n_movies, n_pairs in generated:
            with tempfile.TemporaryDirectory(dir=data) as folder:
                size = [f"--users={n_users}", f"--movies={n_movies}", f"--pairs={n_pairs}"]
                generate = [sys.executable, "-m", "benchmarks.generate", folder, *size]
                subprocess.run(generate, cwd=HERE.parent, check=True, capture_output=True)
                found[grows].append(measure(Path(folder) / "watched.csv"))
            print(f"{grows}: {found[grows][-1]}", flush=True)
    return found


def exponent(found: Sequence[Mapping[str, float]], of: str, step: str) -> float:
    """The slope of log(seconds) against log(size): 1 is linear.

    Where the vocabulary grows, these are the seconds per pair.
    """
    per = [row["pairs"] if of == "vocabulary" else 1.0 for row in found]
    seconds = np.array([row[step] for row in found]) / np.array(per)
    return float(np.polyfit(np.log([row[of] for row in found]), np.log(seconds), 1)[0])


def tables(found: Mapping[str, Sequence[Mapping[str, float]]]) -> list[list[list[str]]]:
    """A table for each quantity that grows: the sizes, the seconds of each step, and the cost of ten times as much."""
    made = []
    for grows, rows in found.items():
        cells = [[f"the {grows} grow" if grows == "pairs" else f"the {grows} grows", "users", "vocabulary", "pairs",
                  "CSV to CSR, s", "start, s", "an epoch, s", "peak memory to CSR, MB", "at all, MB"]]  # fmt: skip
        cells += [
            [""]
            + [f"{row[name]:,.0f}" for name in ("users", "vocabulary", "pairs")]
            + [f"{row[step]:.2f}" for step in STEPS]
            + [f"{row[name]:,.0f}" for name in ("encode_peak_mb", "peak_mb")]
            for row in rows
        ]
        slopes = [exponent(rows, grows, step) for step in STEPS]
        said = "exponent" if grows == "pairs" else "exponent of the seconds a pair"
        cells.append([said, "", "", "", *(f"{slope:.2f}" for slope in slopes), "", ""])
        cells.append(["10 times as many cost", "", "", "", *(f"{10**slope:.1f} x" for slope in slopes), "", ""])
        made.append(cells)
    return made
