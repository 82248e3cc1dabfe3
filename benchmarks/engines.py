"""Counts and encodes the records of a conf file with both engines: fingerprints, seconds and memory side by side.

    RAY_ADDRESS=127.0.0.1:6379 python -m benchmarks.engines conf/movies.yaml

Without RAY_ADDRESS it starts a Ray of this machine. The memory is that of the process that starts the tasks.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path

from pipeline.config.files import load
from pipeline.examples.encoding import encode_records
from pipeline.records.ingest import Records, ingest
from pipeline.vocabulary.counted import count

MB = 2**20


def encoded(conf: Path, records: Path, engine: str) -> str:
    """A line about an engine: what it made, and what that took."""
    asked = load(conf).model_copy(update={"engine": engine})
    start = time.perf_counter()
    counted = count(Records(records), asked)
    middle = time.perf_counter()
    examples = encode_records(Records(records), counted, asked)
    end = time.perf_counter()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MB
    return (
        f"{engine:<8}{counted.vocabulary.fingerprint:<20}{examples.fingerprint:<20}"
        f"{len(examples.indices):>14,}{middle - start:>12.1f}{end - middle:>12.1f}{memory:>10,.0f}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each engine; each runs in a process of its own."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.engines",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("conf", type=Path, help="the conf file of a dataset")
    parser.add_argument("--engines", nargs="+", default=["local", "ray"], choices=["local", "ray"])
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="engines-") as name:
        records = Path(name) / "records"
        ingest(load(options.conf), options.conf.parent, records)
        print(
            f"{'engine':<8}{'vocabulary':<20}{'sparse examples':<20}"
            f"{'entries':>14}{'counted, s':>12}{'encoded, s':>12}{'MB':>10}"
        )
        for engine in options.engines:
            with get_context("spawn").Pool(1) as pool:
                print(pool.apply(encoded, (options.conf, records, engine)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
