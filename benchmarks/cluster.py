"""What a worker needs when the rows of a table are divided: memory and traffic, beside one process with all rows.

    python -m benchmarks.cluster --tokens 10000000 --dimension 64 --workers 1 4

Each number of workers is a process of its own, which trains an epoch on the same generated lists: with one worker it
trains itself, with more it starts a Ray of this machine (or uses that of RAY_ADDRESS) for them.
"""

import argparse
import json
import logging
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline.config.dataset import Dataset
from pipeline.config.files import load
from pipeline.embedding import Problem, Watch
from pipeline.examples.sparse_examples import SparseExamples
from pipeline.network.learned import LearnedEmbedding
from pipeline.schemas import PARTS, Examples, Tokens
from pipeline.vocabulary.vocabulary import Vocabulary

LENGTH = 100
"""Tokens of a list."""
TASTES = 50
"""Groups of tokens; a list has tokens of one."""
_CONF = """\
# Generated: lists of tokens of one group each.
description: Generated lists.
source: {{path: lists.csv}}
example: list
tokens:
  - {{kind: value, columns: token}}
task: {{kind: missing_tokens}}
dimensions: [{dimension}]
precision: 32
training: {{max_epochs: 1, batch_size: 1024, negatives: 4096, workers: {workers}, largest_table: {largest}}}
"""


def generate(tokens: int, pairs: int, folder: Path) -> None:
    """Write lists of tokens in the format of the product; of each group the first tokens are the most frequent."""
    random, n = np.random.default_rng(0), pairs // LENGTH
    group = random.integers(TASTES, size=(n, 1))
    place = (tokens // TASTES * random.random((n, LENGTH)) ** 3).astype(np.int64)
    lists = np.sort(place * TASTES + group, axis=1)
    is_first = np.diff(lists, axis=1, prepend=-1) > 0
    indices = lists[is_first].astype(np.int32)
    frame = pl.DataFrame({"example": pl.int_range(n, eager=True).cast(pl.String)}).with_columns(
        split=pl.lit("train", dtype=pl.Enum(PARTS)),
        fold=pl.lit(None, pl.UInt8),
        group=pl.lit(None, pl.UInt64),
        known_by=pl.lit(None, pl.String),
    )
    SparseExamples(
        indptr=np.append(0, np.cumsum(is_first.sum(axis=1))).astype(np.int64),
        indices=indices,
        counts=np.ones(len(indices), np.uint32),
        parts=np.zeros(len(indices), np.uint8),
        weights=np.empty(0, np.float32),
        dense=np.empty((n, 0)),
        target=np.full(n, np.nan),
        frame=Examples.cast(frame),
        about={
            "vocabulary": "generated",
            "size": tokens,
            "dense": [],
            "classes": [],
            "by_token": False,
            "folds": 0,
            "mean_weight": 1.0,
            "unknown": -1,
        },
    ).save(folder)


def conf_of(folder: Path, dimension: int, workers: int, largest: float) -> Dataset:
    """The conf of a training with so many workers."""
    path = folder / "generated.yaml"
    path.write_text(_CONF.format(dimension=dimension, workers=workers, largest=largest))
    return load(path)


def measure(folder: Path, dimension: int, workers: int, largest: float) -> dict[str, Any]:
    """Train an epoch in this process or by workers: seconds, peak memory of a worker, and bytes that it sent a step."""
    examples = SparseExamples.load(folder)
    v = examples.about["size"]
    names = pl.int_range(v, eager=True).cast(pl.String)
    frame = pl.DataFrame({"token": names, "label": names, "count": pl.repeat(1, v, dtype=pl.UInt32, eager=True)})
    vocabulary = Vocabulary(Tokens.cast(frame))
    lines: list[str] = []
    log = logging.Logger("lines")
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    log.addHandler(handler)
    conf = conf_of(folder, dimension, workers, largest).resolved(examples.n_training, v)
    before, start = _peak(), time.perf_counter()
    LearnedEmbedding(conf).fit(Problem(examples.training(), vocabulary, conf, dimension, watch=Watch("lists", log)))
    found = {"workers": workers, "seconds": time.perf_counter() - start, "before": before, "peak": _peak(), "sent": 0}
    for line in lines:
        if told := re.search(r"a worker used ([\d,]+) MB of memory at most(?:, and sent ([\d,]+) bytes)?", line):
            found["peak"] = int(told[1].replace(",", "")) * 1e6
            found["sent"] = int((told[2] or "0").replace(",", ""))
    return found


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def contest(tokens: int, dimension: int, pairs: int, workers: Sequence[int], largest: float) -> list[dict[str, Any]]:
    """Measure each number of workers in a process of its own."""
    found = []
    with tempfile.TemporaryDirectory() as name:
        generate(tokens, pairs, Path(name))
        for n in workers:
            command = [sys.executable, "-m", "benchmarks.cluster", "--of", name, "--workers", str(n)]
            command += ["--dimension", str(dimension), "--largest", str(largest)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found.append(json.loads(done.stdout.splitlines()[-1]))
            print(_row(found[-1], found[0]), flush=True)
    return found


def _row(one: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    share = f"{one['peak'] / first['peak']:.0%}" if one is not first else ""
    peak, sent = f"{one['peak'] / 1e6:,.0f}", f"{one['sent'] / 1e6:,.2f}"
    return f"{one['workers']:>7} {peak:>16} {share:>7} {sent:>16} {one['seconds']:>9,.0f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each number of workers."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cluster",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("--dimension", type=int, default=64)
    parser.add_argument("--pairs", type=int, default=5_000_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--largest", type=float, default=1e-9, help="`training.largest_table`, in GB")
    parser.add_argument("--of", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.of:
        print(json.dumps(measure(options.of, options.dimension, options.workers[0], options.largest)))
        return 0
    print(f"{options.tokens:,} tokens, D={options.dimension}, {options.pairs:,} pairs")
    print("workers  MB of a worker of one   MB sent a step   seconds")
    contest(options.tokens, options.dimension, options.pairs, options.workers, options.largest)
    return 0


if __name__ == "__main__":
    sys.exit(main())
