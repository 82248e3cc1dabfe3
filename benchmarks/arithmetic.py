"""What a size that no laptop has would take: bytes and hours, by the rates that `make bench SIZE=course` measured.

    python -m benchmarks.arithmetic --users 1e9 --movies 1e8 --pairs 1.05e11

Bytes follow from what is stored; hours from the seconds a pair on the machine of the measurement, taken as linear. The
second table is of 1, 2, 4, ... machines that train together with the rows of the table divided among them: `Worker`
predicts what each needs, and a test holds it to what workers are seen to need.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.page import RESULTS
from benchmarks.scale import TRAINING
from pipeline.out_of_core.csr_keys import BUCKETS
from pipeline.tasks.missing_tokens import MOST_PAIRS

CSR = {"indices": np.int32, "counts": np.uint32, "parts": np.uint8}
"""Arrays that hold an entry for each pair, by the type of the entry."""
TEXT = 40
"""Bytes that a token takes in memory: its text of 8 letters, its label, its count, and its hash for look-ups."""
KEY = 8
"""Bytes that a pair takes on disk while it is sorted into its row."""


LIBRARIES = 600_000_000
"""Bytes that a worker's libraries take in memory, before it has any data (PyTorch, Lightning, Ray; measured)."""
OF_TOKEN = 5 * 8
"""Bytes that each worker has for each token of the whole vocabulary: its count (twice), its share of the draws, where
the share ends, and its number among the touched tokens."""
NETWORK = 10e9 / 8
"""Bytes a second that a machine sends: a network of 10 Gbit/s."""


@dataclass(frozen=True)
class Worker:
    """What one of W workers needs, where the rows of the table are divided among them."""

    workers: int
    users: float
    tokens: float
    pairs: float
    dimension: int

    @property
    def memory(self) -> float:
        """Bytes at the peak, beside the libraries. That is the start: own rows of PCA's basis, and vectors from them.

        The basis is wider than D by a half, and by 10 at least; numbers have 4 bytes. Of the sampled pairs a worker has
        those of its own tokens, weighted and not; of the sampled examples it has their scores, and a sum of them.
        """
        width = self.dimension + max(10, self.dimension // 2)
        table = self.tokens / self.workers * 4 * (width + self.dimension)
        share = min(1.0, MOST_PAIRS / self.pairs)
        sample = share * (self.pairs / self.workers * 2 * 8 + self.users * 2 * 4 * width)
        return table + sample + self.tokens * OF_TOKEN

    def sent(self, touched: float) -> float:
        """Bytes that a worker sends in a step that touches so many rows (with D numbers and a bias).

        Of each row that another worker owns it sends the number and the gradient, and it sends as many rows as others
        ask for; and it tells each of the others how many rows it asks for.
        """
        row = 4 * (self.dimension + 1)
        return touched * (1 - 1 / self.workers) * (4 + 2 * row) + 8 * (self.workers - 1)


def touched(counts: npt.NDArray[np.int64], examples: int, batch: float, negatives: int) -> float:
    """How many rows a step touches: the tokens that a batch or a draw has, on average.

    Args:
        counts: (V,) how many examples have each token.
        examples: how many there are.
        batch: a worker's examples in a step.
        negatives: draws in a step.
    """
    drawn = np.minimum(1.0, negatives * (counts + 1) / (counts + 1).sum())
    return float((1 - (1 - np.minimum(counts / examples, 1)) ** batch * (1 - drawn)).sum())


def together(
    users: float, movies: float, pairs: float, dimension: int, machines: int
) -> list[tuple[int, str, str, str]]:
    """For 1, 2, 4, ... machines: memory of each, what it sends in a step at most, and hours of training."""
    cost = json.loads((RESULTS / "speed_scale_course.json").read_text())["costs"]["pairs"][-1]
    epochs, batch = TRAINING["max_epochs"], 1024
    made = []
    for n in sorted({*(2**i for i in range(machines.bit_length())), machines}):
        worker = Worker(n, users, movies, pairs, dimension)
        sent = worker.sent(min(movies, batch / n * pairs / users + TRAINING["negatives"])) if n > 1 else 0.0
        learning = epochs * pairs * cost["epoch"] / cost["pairs"] / n
        sending = epochs * users / batch * sent / NETWORK
        made.append((n, _bytes(LIBRARIES + worker.memory), f"{sent / 1e6:,.1f} MB", _hours(learning + sending)))
    return made


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
    print(f"\n{'machines':>8} {'memory of each':>16} {'sent in a step':>16} {'training':>12}")
    for n, memory, sent, hours in together(
        options.users, options.movies, options.pairs, options.dimension, options.machines
    ):
        print(f"{n:>8} {memory:>16} {sent:>16} {hours:>12}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
