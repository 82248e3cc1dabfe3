"""`make bench`: time and memory beside what people use, on generated data, each in a process of its own, in one go.

Two contests: from a CSV of text ids to a CSR matrix, and from that to an embedding of 32 dimensions. Medians of
interleaved repeats, and ratios: seconds are those of one machine on one day, ratios travel. The floor is what nothing
can do without: reading the file and touching its columns.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import page
from benchmarks.learners import LEARNERS, OURS, D, learn

HERE = Path(__file__).resolve().parent
SIZES = {"small": (100_000, 50_000, 5_200_000), "course": (500_000, 1_000_000, 59_000_000)}
"""Users, movies, and pairs that are asked for."""
_CONF = """\
# Generated: users with tastes, movies with power-law popularity.
description: Generated users and movies.
source: {path: watched.csv}
example: user
tokens:
  - {kind: value, columns: movie}
task: {kind: missing_tokens}
dimensions: [32]
"""


def ours(csv: Path, out: Path) -> tuple[int, ...]:
    """The way of the pipeline: Parquet, split, vocabulary on the training examples, CSR on disk."""
    import polars as pl

    from pipeline import sources
    from pipeline.conf_files import load
    from pipeline.encoding import encode
    from pipeline.splitting import assign, training_pairs
    from pipeline.vocabulary import build_vocabulary

    path = out / "generated.yaml"
    path.write_text(_CONF)
    conf = load(path)
    sources.scan(conf, csv.parent).sink_parquet(out / "records.parquet")
    records = pl.scan_parquet(out / "records.parquet")
    vocabulary = build_vocabulary(training_pairs(records, conf, assign(records, conf)), conf)
    examples = encode(records, vocabulary, conf)
    examples.save(out)
    vocabulary.save(out)
    return (*examples.shape, len(examples.indices) + examples.about["left_out"]["unknown_tokens"])


def pandas(csv: Path, out: Path) -> tuple[int, ...]:
    """pandas.factorize of both columns, then SciPy's CSR."""
    import numpy as np
    import pandas as pd
    from scipy import sparse

    frame = pd.read_csv(csv, dtype=str)
    (users, of_users), (movies, of_movies) = (pd.factorize(frame[name]) for name in ("user", "movie"))
    ones = np.ones(len(frame), np.float32)
    matrix = sparse.csr_matrix((ones, (users, movies)), shape=(len(of_users), len(of_movies)))
    matrix.sort_indices()
    sparse.save_npz(out / "matrix.npz", matrix, compressed=False)
    return (*matrix.shape, matrix.nnz)


def polars(csv: Path, out: Path) -> tuple[int, ...]:
    """Counts, joins and a sort in Polars' streaming engine, as most people write it."""
    import numpy as np
    import polars as pl

    records = pl.scan_csv(csv)
    movies = records.group_by("movie").agg(n=pl.len()).sort("n", "movie", descending=[True, False]).collect()
    users = records.select("user").unique().sort("user").collect(engine="streaming")
    entries = (
        records.join(movies.lazy().select("movie").with_row_index("index"), on="movie")
        .join(users.lazy().with_row_index("row"), on="user")
        .select("row", "index")
        .sort("row", "index")
        .collect(engine="streaming")
    )
    indptr = np.searchsorted(entries["row"].to_numpy(), np.arange(users.height + 1))
    np.save(out / "indptr.npy", indptr)
    np.save(out / "indices.npy", entries["index"].to_numpy())
    return users.height, movies.height, entries.height


def floor(csv: Path, out: Path) -> tuple[int, ...]:
    """Reading the file and touching both columns."""
    import polars as pl

    touched = pl.scan_csv(csv, infer_schema=False).select(pl.all().str.len_bytes().sum(), n=pl.len())
    return (touched.collect(engine="streaming")["n"].item(),)


ENCODERS: dict[str, Callable[[Path, Path], tuple[int, ...]]] = {
    OURS: ours,
    "pandas": pandas,
    "polars": polars,
    "floor": floor,
}
CONTESTS: dict[str, Mapping[str, Callable[..., Any]]] = {"encode": ENCODERS, "learn": LEARNERS}
TITLES = {"encode": "CSV to CSR", "learn": f"CSR to embedding, D={D}"}


def encode(name: str, csv: Path) -> tuple[float, dict[str, Any]]:
    """One encoder: its seconds, and how many pairs it found, to see that all found the same."""
    with tempfile.TemporaryDirectory() as out:
        start = time.perf_counter()
        found = ENCODERS[name](csv, Path(out))
        return time.perf_counter() - start, {"pairs": found[-1]}


def measure(contest: str, name: str, path: Path) -> dict[str, float]:
    """One contestant in this process: seconds, peak memory in MB, and what else there is to tell."""
    seconds, more = (encode if contest == "encode" else learn)(name, path)
    return {"seconds": seconds, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, **more}


def hold(contest: str, path: Path, repeats: int) -> dict[str, dict[str, float]]:
    """All contestants in turn, so often, each in a fresh process: the medians.

    Raises:
        RuntimeError: one of them failed, or found other pairs.
    """
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in CONTESTS[contest]}
    for repeat in range(repeats):
        for name, results in measured.items():
            command = [sys.executable, "-m", "benchmarks.speed", "--one", contest, name, str(path)]
            done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"{name} failed: {done.stderr.strip()}")
            results.append(json.loads(done.stdout.splitlines()[-1]))
            said = ", ".join(f"{key} {value:,.4g}" for key, value in results[-1].items())
            print(f"{repeat + 1}/{repeats} {name}: {said}", flush=True)
    if len({results[0].get("pairs") for results in measured.values()}) != 1:
        raise RuntimeError(f"not all found as many pairs: { {name: r[0]['pairs'] for name, r in measured.items()} }")
    return {
        name: {key: statistics.median(result[key] for result in results) for key in results[0]}
        for name, results in measured.items()
    }


def table(contest: str, medians: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    """The medians and their ratios to ours."""
    ours = medians[OURS]
    rows = [[TITLES[contest], "seconds", "ours / theirs", "peak memory, MB", "ours / theirs"]]
    if contest == "learn":
        rows[0] += ["recall_at_20", "pairs/s"]
    for name, found in medians.items():
        ratios = [f"{ours[key] / found[key]:.2f}" for key in ("seconds", "peak_mb")]
        said = f"{name}: {CONTESTS[contest][name].__doc__}"
        rows.append([said, f"{found['seconds']:.1f}", ratios[0], f"{found['peak_mb']:,.0f}", ratios[1]])
        if contest == "learn":
            rows[-1] += [f"{found['recall_at_20']:.4f}", f"{found['pairs_per_second']:,.0f}"]
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Generate what is missing, measure, keep the result, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--contest", choices=CONTESTS, help="only this one")
    parser.add_argument("--one", nargs=3, metavar=("CONTEST", "NAME", "PATH"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        print(json.dumps(measure(*options.one[:2], Path(options.one[2]))))
        return 0
    csv = HERE / "data" / f"generated_{options.size}" / "watched.csv"
    if not csv.exists():
        size = [f"--{name}={n}" for name, n in zip(("users", "movies", "pairs"), SIZES[options.size], strict=True)]
        subprocess.run(
            [sys.executable, "-m", "benchmarks.generate", str(csv.parent), *size], cwd=HERE.parent, check=True
        )
    for contest in CONTESTS if options.contest is None else [options.contest]:
        with tempfile.TemporaryDirectory() as folder:
            if contest == "learn":
                ours(csv, Path(folder))
            medians = hold(contest, csv if contest == "encode" else Path(folder), options.repeats)
        found = {
            "table": table(contest, medians),
            "repeats": options.repeats,
            "size": dict(zip(("users", "movies", "pairs asked for"), SIZES[options.size], strict=True)),
        }
        packages = ("polars", "pandas", "numpy", "scipy", "torch", "pytorch-lightning", "implicit", "scikit-learn")
        page.keep(f"speed_{contest}_{options.size}", found, packages[:4] if contest == "encode" else packages[2:])
    print(page.write())
    return 0


if __name__ == "__main__":
    sys.exit(main())
