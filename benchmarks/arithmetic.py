"""What a size that no laptop has would take: bytes and hours, by the rates that `make bench SIZE=course` measured.

    python -m benchmarks.arithmetic --users 1e9 --movies 1e8 --pairs 1.05e11

Bytes follow from what is stored; hours from the seconds a pair on the machine of the measurement, taken as linear.
"""

import argparse
import json
import sys
from collections.abc import Sequence

import numpy as np

from benchmarks.page import RESULTS
from benchmarks.scale import TRAINING
from pipeline.records.csr_keys import BUCKETS

CSR = {"indices": np.int32, "counts": np.uint32, "parts": np.uint8}
"""Arrays that hold an entry for each pair, by the type of the entry."""
TEXT = 40
"""Bytes that a token takes in memory: its text of 8 letters, its label, its count, and its hash for look-ups."""
KEY = 8
"""Bytes that a pair takes on disk while it is sorted into its row."""


def rows(users: float, movies: float, pairs: float, dimension: int, machines: int) -> list[tuple[str, str]]:
    """Each quantity with its amount, as text: bytes on disk or in memory, or hours."""
    cost = json.loads((RESULTS / "speed_scale_course.json").read_text())["costs"]["pairs"][-1]
    epochs = TRAINING["max_epochs"]
    stored = sum(np.dtype(kind).itemsize for kind in CSR.values())
    table, bias, squares = movies * dimension * 4, movies * 4, 2 * movies * 4
    learning = epochs * pairs * cost["epoch"] / cost["pairs"]
    return [
        ("the CSR matrix, on disk", _bytes(pairs * stored + users * 8)),
        ("keys while it is sorted, on disk", _bytes(pairs * KEY)),
        (f"one of its {BUCKETS} buckets, in memory", _bytes(pairs * KEY / BUCKETS)),
        ("the vocabulary, in memory", _bytes(movies * TEXT)),
        ("ids of the examples, in memory", _bytes(users * TEXT)),
        (f"the table, D={dimension}, in memory of each process", _bytes(table)),
        ("biases and Adagrad's sums", _bytes(bias + squares)),
        (f"the same in {machines} parts, one a machine", _bytes((table + bias + squares) / machines)),
        ("CSV to CSR on such a machine", _hours(pairs * cost["encode"] / cost["pairs"])),
        (f"{epochs} epochs on such a machine", _hours(learning)),
        (f"{epochs} epochs on {machines}, if none waits", _hours(learning / machines)),
    ]


def _bytes(n: float) -> str:
    return f"{n / 1e9:,.1f} GB" if n < 1e11 else f"{n / 1e9:,.0f} GB"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:,.1f} h"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the list."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.arithmetic",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--users", type=float, default=1e9)
    parser.add_argument("--movies", type=float, default=1e8)
    parser.add_argument("--pairs", type=float, default=1.05e11)
    parser.add_argument("--dimension", type=int, default=32)
    parser.add_argument("--machines", type=int, default=64)
    options = parser.parse_args(arguments)
    for what, much in rows(options.users, options.movies, options.pairs, options.dimension, options.machines):
        print(f"{what:<50} {much:>12}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
