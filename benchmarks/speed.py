"""`make bench`: time and memory on generated data, beside what people use, each in a process of its own, in one go.

    encode    from a CSV of text ids to a CSR matrix
    sources   the same from Parquet, DuckDB and PostgreSQL, with a filter or a weight, beside a CSV
    learn     from the matrix to an embedding of 32 dimensions
    answer    what an answer costs: for one person, over HTTP, and for everybody
    interval  how many sales the interval around a predicted price covers, over five seeds
    scale     what ten times as many pairs cost, or a vocabulary ten times as large
    stability how far the nearest films hold with other people, and what replicas promise
    lists     what the default finds on planted lists of many shapes
    order     what it finds where lists have an order
    overhead  what Dagster and MLflow add to the library's own calls
    cores     what idle cores are worth to `make run`
    maps      how large the page of a latent space is, and how soon it is drawn

Medians of interleaved repeats, and ratios: seconds are those of one machine on one day, ratios travel. The floor of a
contestant is the time that its bytes and multiply-adds take at the measured bandwidth and matrix product.
"""

import argparse
import json
import logging
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import answers, machine, page, scale, sources
from benchmarks.apart import apart
from benchmarks.encoders import ENCODERS, OURS, encode, ours
from benchmarks.generate import SIZES
from benchmarks.learners import LEARNERS, ON_GPU, D, learn

HERE = Path(__file__).resolve().parent
CONTESTANTS: dict[str, dict[str, Any]] = {"encode": ENCODERS, "learn": LEARNERS, "sources": sources.SOURCES}
_CALLED: dict[str, Callable[[str, Path], tuple[float, dict[str, Any]]]] = {
    "encode": encode, "learn": learn, "sources": sources.encode_from
}  # fmt: skip
TITLES = {"encode": "CSV to CSR", "learn": f"CSR to embedding, D={D}"}
_ELSEWHERE = ("gpu", "refresh", "ahead")
"""Those that are commands of their own."""
CONTESTS = tuple(contest for contest in page.SPEED if contest not in _ELSEWHERE)
_ALONE = {
    "interval": ("benchmarks.intervals", "coverage"),
    "stability": ("benchmarks.stability", "agreement"),
    "lists": ("benchmarks.lists", "shapes"),
    "order": ("benchmarks.order", "shapes"),
    "maps": ("benchmarks.maps", "drawn"),
    "cores": ("benchmarks.cores", "shared"),
}
_LIBRARIES = ("torch", "pytorch-lightning", "scikit-learn")
PACKAGES = {
    "encode": ("polars", "pandas", "numpy", "scipy"),
    "sources": ("polars", "numpy", "duckdb", "adbc-driver-postgresql"),
    "learn": ("numpy", "scipy", *_LIBRARIES, "implicit"),
    "answer": ("usearch", "mlflow", "fastapi", "numpy", "torch"),
    "interval": ("torch", "pytorch-lightning"),
    "stability": ("torch", "pytorch-lightning", "scikit-learn"),
    "lists": ("torch", "implicit"),
    "order": ("torch", "implicit"),
    "scale": ("polars", "numpy", "scipy", *_LIBRARIES),
    "maps": ("selenium", "numpy"),
    "cores": ("torch", "pytorch-lightning", "loky"),
    "overhead": ("dagster", "mlflow", "polars", *_LIBRARIES),
}


def measure(contest: str, name: str, path: Path) -> dict[str, float]:
    """Measure one contestant in this process: seconds, peak memory in MB, and its other figures.

    The rates of the machine, and the cost of one size of `scale`, are measured here too.
    """
    if contest == "machine":
        return {"bytes": machine.bandwidth(), "multiply_adds": machine.gemm()}
    if contest == "scale":
        return scale.cost(path)
    if contest == "answer":
        found = answers.PARTS[name](path)
        return {**found, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3}
    seconds, more = _CALLED[contest](name, path)
    return {"seconds": seconds, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, **more}


def elsewhere(contest: str, name: str, path: Path) -> dict[str, float]:
    """Call `measure` in a fresh process.

    This process has to stay small: its own memory would count as the peak of the other one.

    Raises:
        RuntimeError: the fresh process failed.
    """
    command = [sys.executable, "-m", "benchmarks.speed", "--one", contest, name, str(path)]
    done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name} failed: {done.stderr.strip()}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def contestants(contest: str) -> Mapping[str, Any]:
    """Who takes part in a contest on this machine, by name."""
    return CONTESTANTS[contest] | (ON_GPU if contest == "learn" and machine.gpu() else {})


def hold(contest: str, path: Path, repeats: int) -> dict[str, dict[str, float]]:
    """Measure all contestants in turn, `repeats` times: the medians of each.

    Raises:
        RuntimeError: one of them failed, or found another number of pairs.
    """
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in contestants(contest)}
    for repeat in range(repeats):
        for name, results in measured.items():
            results.append(elsewhere(contest, name, path))
            said = ", ".join(f"{key} {value:,.4g}" for key, value in results[-1].items())
            print(f"{repeat + 1}/{repeats} {name}: {said}", flush=True)
    if len({results[0].get("pairs") for results in measured.values()}) != 1:
        raise RuntimeError(f"not all found as many pairs: { {name: r[0]['pairs'] for name, r in measured.items()} }")
    return {
        name: {key: statistics.median(result[key] for result in results) for key in results[0]}
        for name, results in measured.items()
    }


def table(contest: str, medians: Mapping[str, Mapping[str, float]], rates: Mapping[str, float]) -> list[list[str]]:
    """The table of a contest: the medians, the ratios of ours to each, and the floor of each."""
    best = medians[OURS]
    rows = [[TITLES[contest], "seconds", "ours / theirs", "floor, s", "peak memory, MB", "ours / theirs"]]
    if contest == "learn":
        rows[0] += ["recall_at_20", "pairs/s"]
    for name, found in medians.items():
        ratios = [f"{best[key] / found[key]:.2f}" for key in ("seconds", "peak_mb")]
        least = max(found[key] / rates[key] for key in ("bytes", "multiply_adds"))
        said = f"{name}: {(CONTESTANTS[contest] | ON_GPU)[name].__doc__}"
        rows.append([said, f"{found['seconds']:.1f}", ratios[0], f"{least:.2f}", f"{found['peak_mb']:,.0f}", ratios[1]])
        if contest == "learn":
            rows[-1] += [f"{found['recall_at_20']:.4f}", f"{found['pairs_per_second']:,.0f}"]
    return rows


def side_by_side(contest: str, size: str, csv: Path, repeats: int) -> dict[str, Any]:
    """Hold a contest between encoders, or between learners."""
    rates = elsewhere("machine", "rates", csv)
    with tempfile.TemporaryDirectory() as folder:
        if contest == "learn":
            apart(ours, csv, Path(folder))
        medians = hold(contest, csv if contest == "encode" else Path(folder), repeats)
    said = "floors: {:.1f} GB/s are read from memory, {:.0f} billion multiply-adds/s in a matrix product"
    return {
        "title": f"{contest}, {size}: {_said(size)}",
        "tables": [table(contest, medians, rates)],
        "notes": [
            said.format(rates["bytes"] / 1e9, rates["multiply_adds"] / 1e9),
            f"medians of {repeats}",
            *(
                [machine.gpu() or "no GPU was there: what training on one costs was not seen"]
                if contest == "learn"
                else []
            ),
        ],
    }


def from_sources(size: str, csv: Path, repeats: int) -> dict[str, Any]:
    """Hold a contest between sources."""
    with tempfile.TemporaryDirectory() as folder, sources.prepared(csv, Path(folder)) as path:
        medians = hold("sources", path, repeats)
    return {
        "title": f"sources, {size}: {_said(size)}",
        "tables": [sources.table(medians)],
        "notes": [f"medians of {repeats}"],
    }


def growing(size: str) -> dict[str, Any]:
    """Measure how the cost grows with the pairs and with the vocabulary."""
    found = scale.grow(*SIZES[size], measure=partial(elsewhere, "scale", "ours"))
    return {
        "title": f"scale, {size}: around {_said(size)}",
        "tables": scale.tables(found),
        "costs": found,
        "notes": [f"D={D}, trained with {json.dumps(scale.TRAINING)} at all sizes"],
    }


def added(size: str, csv: Path, repeats: int) -> dict[str, Any]:
    """Measure what Dagster and MLflow add: on the samples, or on the generated data of the course's size."""
    from benchmarks.overhead import overhead  # imports what no contestant needs: their memory is measured

    logging.disable(logging.INFO)
    confs = [HERE.parent / "conf" / f"{name}.yaml" for name in ("movies", "homes")]
    with tempfile.TemporaryDirectory() as folder:
        if size == "course":
            ours(csv, Path(folder))
            confs = [Path(folder) / "generated.yaml"]
            text = confs[0].read_text().replace("path: watched.csv", f"path: {csv}")
            confs[0].write_text(text + f"baselines: [{{kind: pca, dimensions: [{D}]}}, popularity]\n")
        where: list[list[list[str]]] = []
        cells = [["conf", "the library alone, s", "inside Dagster with MLflow, s", "added"]]
        for conf in confs:
            alone, inside, parts = overhead(conf, repeats)
            cells.append([conf.stem, f"{alone:.1f}", f"{inside:.1f}", f"{inside / alone - 1:+.1%}"])
            rows = [[part, f"{took:.1f}", f"{took / alone:.0%}"] for part, took in parts.items()]
            where.append([[f"{conf.stem}, the library alone", "seconds", "of the whole"], *rows])
    return {
        "title": f"overhead, {size}: {'the samples' if size == 'small' else _said(size)}",
        "tables": [cells, *where],
        "notes": [f"medians of {repeats}"],
    }


def _said(size: str) -> str:
    return "{:,} users, {:,} movies, {:,} pairs asked for".format(*SIZES[size])


def main(arguments: Sequence[str] | None = None) -> int:
    """Generate what is missing, measure, keep the result, and write the page."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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
        if contest == "scale":
            found = growing(options.size)
        elif contest == "answer":
            found = answers.measured(f"{options.size}: {_said(options.size)}", csv, elsewhere)
        elif contest in _ALONE:  # imports what no contestant needs: their memory is measured
            found = getattr(import_module(_ALONE[contest][0]), _ALONE[contest][1])()
        elif contest == "sources":
            found = from_sources(options.size, csv, options.repeats)
        elif contest == "overhead":
            found = added(options.size, csv, options.repeats)
        else:
            found = side_by_side(contest, options.size, csv, options.repeats)
        page.keep(f"speed_{contest}_{options.size}", found, PACKAGES[contest])
    print(page.write())
    return 0


if __name__ == "__main__":
    sys.exit(main())
