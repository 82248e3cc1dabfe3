"""Counts and encodes generated records with both engines: fingerprints, seconds and memory side by side.

    RAY_ADDRESS=127.0.0.1:6379 python -m benchmarks.engines --pairs 8000000
    python -m benchmarks.engines --conf conf/movies.yaml

Without RAY_ADDRESS it starts a Ray of this machine. The memory is that of the process that starts the tasks.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.generate import generate, write
from pipeline.config.files import load
from pipeline.errors import PipelineError
from pipeline.examples.encoding import encode_records
from pipeline.records.ingest import ingest
from pipeline.records.records import Records
from pipeline.vocabulary.counted import count

ENGINES = ("local", "ray")
_CONF = """\
# Generated: what users watch.
description: Generated users, who watch movies of their tastes.
source: {path: "watched*.parquet"}
example: user
tokens: [{kind: value, columns: movie}]
task: {kind: missing_tokens}
dimensions: [8]
"""
_HEAD = (
    f"{'engine':<8}{'vocabulary':<20}{'sparse examples':<20}"
    f"{'entries':>14}{'counted, s':>12}{'encoded, s':>12}{'MB':>8}"
)


def generated(folder: Path, pairs: int) -> Path:
    """A conf file, and beside it about so many pairs: a hundred for each user, fifty for each movie."""
    write(generate(max(2, pairs // 100), max(2, pairs // 50), pairs, 1), folder, 8, "parquet")
    path = folder / "generated.yaml"
    path.write_text(_CONF)
    return path


def prepared(folder: Path, conf: Path | None, pairs: int) -> Path:
    """A conf file, whose records are read into `records` in a folder."""
    path = conf or generated(folder / "generated", pairs)
    ingest(load(path), path.parent, folder / "records")
    return path


def encoded(conf: Path, records: Path, engine: str) -> str:
    """A line about an engine: what it made, and what that took."""
    asked = load(conf).model_copy(update={"engine": engine})
    start = time.perf_counter()
    counted = count(Records(records), asked)
    middle = time.perf_counter()
    examples = encode_records(Records(records), counted, asked)
    end = time.perf_counter()
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (
        f"{engine:<8}{counted.vocabulary.fingerprint:<20}{examples.fingerprint:<20}"
        f"{len(examples.indices):>14,}{middle - start:>12.1f}{end - middle:>12.1f}{megabytes:>8,.0f}"
    )


def _alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function returns in a process of its own, whose memory is nobody else's."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each engine; each runs in a process of its own."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.engines",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--pairs", type=int, default=8_000_000, help="how many are generated")
    parser.add_argument("--conf", type=Path, help="a conf file whose records are taken instead")
    parser.add_argument("--engines", nargs="+", default=ENGINES, choices=ENGINES)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="engines-") as name:
        folder = Path(name)
        try:
            conf = _alone(prepared, folder, options.conf, options.pairs)
            print(_HEAD)
            for engine in options.engines:
                print(_alone(encoded, conf, folder / "records", engine), flush=True)
        except PipelineError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
